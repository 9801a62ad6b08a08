"""What has been seen is remembered: every image that any stage of a run has looked at, with its mask or without.

A run that begins with the weights of another inherits what that one has seen. Nothing that a run is to be tested on may be
among it, not as a copy either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from segue.data.case import Case, read_table
from segue.data.copies.leaks import between
from segue.data.dataset import CARD, Dataset
from segue.errors import BadInput
from segue.training.run import SEEN, Run

MASKS, IMAGES = "masks", "images"
Rows = list[dict[str, str]]


def rows(dataset: Dataset, cases: Iterable[Case], what: str) -> Rows:
    """`what` has been looked at of these."""
    folder = str(dataset.folder.resolve())
    return [
        {"dataset": dataset.name, "folder": folder, "case": case.case, "what": what, "digest": case.digest}
        for case in cases
    ]


def inherited(*starts: str) -> Rows:
    """Of runs to begin from, of the weights in one's folder, or of released weights; of any other file nobody knows."""
    found: Rows = []
    for start in filter(None, starts):
        path = Path(start).resolve()
        if (run := Run.behind(start)) is not None:
            found += run.seen()
        elif path.suffix == ".safetensors" and (path.parent / SEEN).is_file():
            found += read_table(path.parent / SEEN)
    return found


def told(seen: Sequence[Mapping[str, str]], dataset: Dataset) -> dict[str, str]:
    """Case of this dataset -> what has been seen of it: by name in the same one, by its pixels and as a copy everywhere."""
    found: dict[str, str] = {}
    here = str(dataset.folder.resolve())
    for what in (IMAGES, MASKS):  # masks, where it is both
        known = [row for row in seen if row["what"] == what]
        digests = {row["digest"] for row in known if row["digest"]}
        names = {row["case"] for row in known if row["dataset"] == dataset.name}
        names |= {case.case for case in dataset.cases if case.digest in digests}
        for folder in {row["folder"] for row in known} - {here, ""}:  # one of the same name may be another
            if (Path(folder) / CARD).is_file():
                theirs = {row["case"] for row in known if row["folder"] == folder}
                pairs = between(Dataset.open(folder), dataset)
                names |= {pair.b for pair in pairs if pair.kind != "frame" and pair.a in theirs}
        found |= dict.fromkeys(sorted(names & set(dataset.by_name)), what)
    return found


def of_runs(runs: Iterable[Run], dataset: Dataset) -> dict[str, str]:
    """What any of them, or what they began from, has seen of it."""
    return told([row for run in runs for row in run.seen()], dataset)


def refuse(seen: Sequence[Mapping[str, str]], dataset: Dataset, tests: Iterable[str], init: str) -> None:
    """Nothing that judges this training may be known to what it begins from."""
    if not seen:
        return
    already = told(seen, dataset)
    strange = sorted(case for case in tests if case in already)
    if strange:
        raise BadInput(
            f"{dataset.name}: {strange[0]!r}"
            + (f" and {len(strange) - 1} more" if len(strange) > 1 else "")
            + f" for its test or validation, or a copy, was looked at when {init} was trained; its weights know the answer",
            hint=f"Pre-train with it among the others, split (segue data split): --data OTHERS,{dataset.folder}. What it is "
            "judged by, and copies of that elsewhere, are left out then.",
        )


def without_copies(dataset: Dataset, cases: Sequence[Case], others: Iterable[tuple[Dataset, set[str]]]) -> list[Case]:
    """Less those that are copies of what another dataset has for validation and test."""
    gone: set[str] = set()
    for other, tests in others:
        if tests:
            gone |= {pair.b for pair in between(other, dataset) if pair.kind != "frame" and pair.a in tests}
    return [case for case in cases if case.case not in gone]
