"""Leaks: the same picture twice, in one dataset or on both sides of a comparison.

Three kinds are told apart. `exact`: the decoded pixels are equal. `copy`: re-encoded, rescaled, recoloured, flipped,
turned or cropped. `frame`: files that follow each other by name and show one scene. Groups are connected components.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.data.case import Case, read_table, write_rows
from segue.data.components import components
from segue.data.copies.alignment import Looks, Matches
from segue.data.copies.fingerprint import copies, following
from segue.data.copies.variant import VARIANTS
from segue.data.dataset import DUPLICATES, Dataset, as_dataset
from segue.errors import BadInput
from segue.files import atomic

# Chosen on real images, by eye and by hidden copies (benchmarks/leak_recall.py); not settings, because a pair means something.
COPY = 0.50
FRAME = 0.23  # for neighbours by name, and never so low that strangers often reach it; see `_telling`
_NEXT = 2  # how far apart by name, in the same folder, frames are still compared
_STRANGERS = 40  # how far apart they are strangers, in the same style of the same device
_ENOUGH = 400  # pairs of strangers
_FALSE = 0.10  # of the frames reported, at most so many may be expected to be strangers


@dataclass(frozen=True, order=True)
class Pair:
    a: str
    b: str
    kind: str  # exact, copy, frame
    score: float
    how: str = ""  # flipped, cropped...


@dataclass(frozen=True)
class Leaks:
    """Pairs between (or within) datasets."""

    ours: str
    theirs: str
    pairs: tuple[Pair, ...]
    groups: tuple[tuple[str, ...], ...]  # only within one dataset

    def as_json(self) -> dict[str, Any]:
        return {
            "ours": self.ours,
            "theirs": self.theirs,
            "groups": [list(group) for group in self.groups],
            "pairs": [asdict(pair) for pair in self.pairs],
        }


def leaks(dataset: Dataset | Path | str, against: Dataset | Path | str | None = None) -> Leaks:
    """What a dataset holds twice, or shares with another (train here, test there)."""
    ours = as_dataset(dataset)
    if against is None:
        pairs = within(ours.cases, ours.thumbnails())
        return Leaks(ours.name, ours.name, tuple(pairs), tuple(groups(pairs)))
    theirs = as_dataset(against)
    if theirs.folder.resolve() == ours.folder.resolve():
        raise BadInput(
            f"{theirs.folder}: is the same dataset", hint=f"segue data leaks {ours.folder} searches within it."
        )
    return Leaks(ours.name, theirs.name, tuple(between(ours, theirs)), ())


def within(cases: Sequence[Case], thumbs: npt.NDArray[np.uint8]) -> list[Pair]:
    pairs = {(pair.a, pair.b): pair for pair in _exact(cases)}
    # Of exact copies one stands for all in the near search; a thousand equal black frames are one picture.
    first: dict[str, int] = {}
    for number, case in enumerate(cases):
        first.setdefault(case.digest, number)
    kept = np.array(sorted(first.values()), np.intp)
    if len(kept) > 1:
        kept_thumbs = thumbs if len(kept) == len(thumbs) else thumbs[kept]
        inside = [cases[number] for number in kept]
        looks = Looks.of_thumbs(kept_thumbs, _devices(inside))
        found = copies(kept_thumbs, looks=looks).above(COPY)
        for (i, j), variant, score in zip(kept[found.pairs], found.variants, found.scores, strict=True):
            _keep(pairs, _pair(cases[i].case, cases[j].case, "copy", score, VARIANTS[variant].words()))
        order = _in_order(inside)
        apart = _apart(order, _STRANGERS)
        apart = apart[:: max(1, len(apart) // _ENOUGH)]
        strangers = following(kept_thumbs, apart, looks=looks)
        followers = _no_two_patients(np.concatenate([_apart(order, step) for step in range(1, _NEXT + 1)]), inside)
        found = _telling(following(kept_thumbs, followers, looks=looks), strangers, len(followers) / max(len(apart), 1))
        for (i, j), score in zip(kept[found.pairs], found.scores, strict=True):
            pair = _pair(cases[i].case, cases[j].case, "frame", score)
            pairs.setdefault((pair.a, pair.b), pair)
    return sorted(pairs.values())


def between(ours: Dataset, theirs: Dataset) -> list[Pair]:
    """`a` is ours, `b` theirs."""
    pairs: dict[tuple[str, str], Pair] = {}
    by_digest: dict[str, list[str]] = {}
    for case in theirs.cases:
        by_digest.setdefault(case.digest, []).append(case.case)
    for case in ours.cases:
        for other in by_digest.get(case.digest, ()):
            pairs[case.case, other] = Pair(case.case, other, "exact", 1.0)
    # Which of the two is the crop of the other is not known: ask from both sides.
    left, right = ours.thumbnails(), theirs.thumbnails()
    for first, second, there, swap in ((left, right, theirs, False), (right, left, ours, True)):
        found = copies(first, second, looks=Looks.of_thumbs(second, _devices(there.cases))).above(COPY)
        for (i, j), variant, score in zip(found.pairs, found.variants, found.scores, strict=True):
            i, j = (j, i) if swap else (i, j)
            pair = Pair(ours.cases[i].case, theirs.cases[j].case, "copy", float(score), VARIANTS[variant].words())
            _keep(pairs, pair)
    return sorted(pairs.values())


def groups(pairs: Iterable[Pair]) -> list[tuple[str, ...]]:
    """Connected components, each sorted."""
    return components((pair.a, pair.b) for pair in pairs)


def grouped(cases: Sequence[Case], pairs: Iterable[Pair]) -> list[Case]:
    """The cases with their group written in: the name of its first member."""
    group = {name: names[0] for names in groups(pairs) for name in names}
    return [case.with_(group=group.get(case.case, "")) for case in cases]


def write_pairs(path: Path, pairs: Iterable[Pair]) -> None:
    with atomic(path) as file:
        rows = ((pair.a, pair.b, pair.kind, f"{pair.score:.3f}", pair.how) for pair in pairs)
        write_rows(file, [("a", "b", "kind", "score", "how"), *rows])


def read_pairs(dataset: Dataset) -> list[Pair]:
    path = dataset.folder / DUPLICATES
    if not path.exists():
        return []
    try:
        return [Pair(row["a"], row["b"], row["kind"], float(row["score"]), row["how"]) for row in read_table(path)]
    except (KeyError, ValueError) as error:
        raise BadInput(f"{path}: is not a table of pairs ({error})", hint="Scan the folder again.") from None


def _pair(one: str, other: str, kind: str, score: float, how: str = "") -> Pair:
    return Pair(min(one, other), max(one, other), kind, float(score), how)


def _keep(pairs: dict[tuple[str, str], Pair], pair: Pair) -> None:
    known = pairs.get((pair.a, pair.b))
    if known is None or (known.kind != "exact" and known.score < pair.score):
        pairs[pair.a, pair.b] = pair


def _exact(cases: Sequence[Case]) -> Iterable[Pair]:
    """Each member of a set of equals with the first, which is enough to connect them."""
    first: dict[str, str] = {}
    for case in cases:
        other = first.setdefault(case.digest, case.case)
        if other != case.case:
            yield _pair(other, case.case, "exact", 1.0)


def _devices(cases: Sequence[Case]) -> list[str]:
    """What is known of the device: a site has its own, and a size tells devices of one site apart."""
    return [f"{case.site} {case.height}x{case.width}" for case in cases]


def _in_order(cases: Sequence[Case]) -> list[list[int]]:
    """For each folder its cases by name, numbers in names read as numbers."""
    by_folder: dict[str, list[tuple[list[tuple[bool, int | str]], int]]] = {}
    for number, case in enumerate(cases):
        folder, _, name = case.images[0].rpartition("/")
        by_folder.setdefault(folder, []).append((_natural(name), number))
    return [[number for _, number in sorted(files)] for files in by_folder.values()]


def _apart(order: list[list[int]], steps: int) -> npt.NDArray[np.intp]:
    """Pairs that stand so many steps apart."""
    found = [pair for files in order for pair in zip(files, files[steps:], strict=False)]
    return np.array(found, np.intp).reshape(-1, 2)


def _no_two_patients(pairs: npt.NDArray[np.intp], cases: Sequence[Case]) -> npt.NDArray[np.intp]:
    """Not where two different patients are known: a name is weaker evidence than that."""
    keep = [not cases[i].patient or not cases[j].patient or cases[i].who == cases[j].who for i, j in pairs.tolist()]
    return np.asarray(pairs[np.array(keep, bool)], np.intp)


def _telling(followers: Matches, strangers: Matches, scale: float) -> Matches:
    """The followers above the lowest score that strangers of the same style reach seldom enough.

    `scale`: how many followers were looked at for each pair of strangers.
    """
    scores = np.sort(followers.scores[followers.scores >= FRAME])[::-1]
    if not len(scores):
        return Matches.none()
    expected = scale * np.array([(strangers.scores >= score).sum() for score in scores])
    allowed = np.flatnonzero(expected <= _FALSE * np.arange(1, len(scores) + 1))
    return followers.above(float(scores[allowed[-1]])) if len(allowed) else Matches.none()


def _natural(name: str) -> list[tuple[bool, int | str]]:
    return [
        (False, int(part)) if part.isdecimal() else (True, part.lower()) for part in re.split(r"(\d+)", name) if part
    ]
