"""What can be seen of a prediction without a mask, as numbers of each case and class.

Each case is seen as it is and varied some times (always alike), and what is said of the varied ones is turned back. All of it
are sums over the network's own canvas, over all slices of a volume; so memory does not grow with the number of cases.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import special

from segue.data.target import Target
from segue.errors import BadInput, SegueError
from segue.evaluation.auditing.looks import Look, Looking
from segue.evaluation.judging.calibrate import Calibration
from segue.evaluation.judging.subject import Subject, pictures
from segue.evaluation.predicting.decision import masks, plain_decision
from segue.evaluation.predicting.frame import Frame, Levels
from segue.evaluation.predicting.predict import Predictor, at_once
from segue.evaluation.stressing.canvases import Masks, canvases, demand_canvases
from segue.files import without_nan
from segue.variations import warp
from segue.variations.address import Address
from segue.variations.drawn import Drawn
from segue.variations.opencv import Rendered, render
from segue.variations.variation import Variation

VIEWS = 4  # varied ones of each case
BINS = 64  # of how sure a pixel is, from .5 to 1, fine near 1
_FAR = 10.0  # of its logit: surer pixels share a bin
_CERTAIN = round(math.log(9) * BINS / _FAR)  # the bin of .9
_UNSEEN = ("mix", "edit")  # of a Drawn: another image pasted, a lesion painted; neither can be turned back

Floats = npt.NDArray[np.float64]
Counts = tuple[int, ...]


@dataclass(frozen=True)
class Evidence:
    """Of one case and class. Where nothing is found, all that is a Dice is 0."""

    found: float  # share of the image
    promised: float  # the Dice that mended probabilities promise: 2 sum of p in what is found / (sum of p + found)
    together: float  # the same of the mean over views, for what is found in the image as it is
    steady: float  # mean Dice of what is found with what is found in each view, turned back
    least: float  # of the view that agrees least
    members: float  # mean Dice of two members of an ensemble; not a number: one network
    soft: float  # what probabilities promise as they are
    confidence: float  # how sure pixels are on average, as they are
    sure: Counts  # pixels that are found, by how sure they are; as they are
    rest: Counts  # those that are not

    @property
    def certain(self) -> float:
        """The Dice if pixels that are surer than .9 are right, and all others wrong."""
        right, wrong, missed = sum(self.sure[_CERTAIN:]), sum(self.sure[:_CERTAIN]), sum(self.rest[:_CERTAIN])
        return 2 * right / (2 * right + wrong + missed) if right else 0.0

    def as_json(self) -> dict[str, Any]:
        return without_nan(self)

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        known: dict[str, Any] = {one.name: given[one.name] for one in fields(cls)}
        known |= {name: math.nan for name, value in known.items() if value is None}
        return cls(**{**known, "sure": tuple(known["sure"]), "rest": tuple(known["rest"])})


@dataclass(frozen=True)
class Observed:
    """A case as it was seen, or why it could not be."""

    case: str
    look: Look | None = None
    evidence: Mapping[str, Evidence] | None = None  # by class
    error: str = ""


def observe(
    predictor: Predictor,
    subjects: Sequence[Subject],
    names: Sequence[str],
    *,
    frame: Frame,
    target: Target,
    variation: Variation,
    worth: Calibration,
    members: Sequence[Predictor] = (),
    tick: Callable[[], None] = lambda: None,
) -> Iterator[Observed]:
    """Of each subject, called as in `names`. Masks are not read."""
    demand_canvases(frame, "about places without masks")
    together = max(1, round(at_once(frame.size) / (1 + VIEWS)))
    waiting, asked = list[_Case | Observed](), list[_Canvas]()
    for name, given in zip(names, pictures(subjects, frame), strict=True):
        tick()
        if isinstance(given, SegueError):
            waiting.append(Observed(name, error=given.message))
            continue
        drawn = variation.draw(frame.size, [Address(0, "audit", 0, 0, name, view) for view in range(VIEWS)])
        _demand_undone(drawn)
        case = _Case(name, {each: _Sums(len(members)) for each in target.foreground})
        waiting.append(case)
        for levels, _, onto in canvases(given, None, frame):
            asked.append(_Canvas.of(case, levels, onto, drawn, frame))
            if len(asked) >= together:
                _answer(asked, predictor, target, worth, members)
        if not asked:
            yield from map(_found, waiting)
            waiting.clear()
    _answer(asked, predictor, target, worth, members)
    yield from map(_found, waiting)


def _demand_undone(drawn: Drawn) -> None:
    for part in _UNSEEN:
        if part in drawn.parts:
            told = "two images mixed" if part == "mix" else "a lesion painted"
            raise BadInput(f"--vary with {told}: what is said of such a view cannot be turned back")


class _Case:
    """On its way, canvas by canvas."""

    def __init__(self, name: str, sums: Mapping[str, _Sums]) -> None:
        self.name, self.sums, self.looking = name, sums, Looking()


@dataclass(frozen=True)
class _Canvas:
    case: _Case
    drawn: Drawn
    clean: Rendered
    varied: Sequence[Rendered]

    @classmethod
    def of(cls, case: _Case, levels: Levels, onto: warp.Floats | None, drawn: Drawn, frame: Frame) -> Self:
        nothing = Drawn.identity(1, frame.size)
        clean = render(nothing, 0, levels, None, frame.size, frame.padding, onto=onto)
        varied = [render(drawn, view, levels, None, frame.size, frame.padding, onto=onto) for view in range(drawn.n)]
        return cls(case, drawn, clean, varied)

    @property
    def images(self) -> list[npt.NDArray[Any]]:
        return [self.clean.image, *(one.image for one in self.varied)]


def _answer(
    asked: list[_Canvas], predictor: Predictor, target: Target, worth: Calibration, members: Sequence[Predictor]
) -> None:
    """All at once, and none is left."""
    if not asked:
        return
    said = predictor(np.stack([image for one in asked for image in one.images]))
    cleans = np.stack([one.clean.image for one in asked])
    others = [member(cleans) for member in members]
    for number, one in enumerate(asked):
        mine = said[number * (1 + VIEWS) : (number + 1) * (1 + VIEWS)]
        _add(one, mine, [each[number] for each in others], target, worth)
    asked.clear()


def _add(
    canvas: _Canvas, raw: npt.NDArray[np.float32], others: Sequence[npt.NDArray[np.float32]], target: Target,
    worth: Calibration,
) -> None:  # fmt: skip
    valid = canvas.clean.valid
    back, known = canvas.drawn.undo(raw[1:], valid=np.stack([one.valid for one in canvas.varied]))
    known &= valid
    mended = np.stack([worth.mended(one, target) for one in (raw[0], *back)])
    mean = (mended[0] + np.where(known[:, None], mended[1:], 0).sum(axis=0)) / (1 + known.sum(axis=0))
    found = _decided(raw[0], target)
    views = [_decided(one, target) for one in back]
    members = [_decided(one, target) for one in others]
    canvas.case.looking.add(canvas.clean.image, valid, np.logical_or.reduce(list(found.values())))
    for name, sums in canvas.case.sums.items():
        channel = target.names.index(name)
        sums.add(found[name], valid, raw[0, channel], mended[0, channel], mean[channel])
        sums.follow(found[name], [each[name] for each in views], known)
        sums.compare([each[name] & valid for each in members])


def _decided(maps: npt.NDArray[np.float32], target: Target) -> Mapping[str, Masks]:
    """By class (height, width)."""
    return masks(plain_decision(maps, target, 0.5), target)


def _found(case: _Case | Observed) -> Observed:
    if isinstance(case, Observed):
        return case
    return Observed(case.name, case.looking.found(), {name: one.found() for name, one in case.sums.items()})


class _Sums:
    """Of one class, over all canvases of a case."""

    def __init__(self, members: int) -> None:
        self.pixels = 0
        self.area = 0
        self.raw, self.mended, self.mean = np.zeros(2), np.zeros(2), np.zeros(2)  # everywhere, in what is found
        self.sureness = 0.0
        self.bins = np.zeros((2, BINS), np.int64)
        self.both, self.either = np.zeros(VIEWS, np.int64), np.zeros(VIEWS, np.int64)
        self.pairs = np.zeros((2, math.comb(members, 2)), np.int64)

    def add(self, found: Masks, valid: Masks, raw: Floats, mended: Floats, mean: Floats) -> None:
        found = found & valid
        self.pixels += int(valid.sum())
        self.area += int(found.sum())
        for sums, maps in ((self.raw, raw), (self.mended, mended), (self.mean, mean)):
            sums += maps[valid].sum(dtype=np.float64), maps[found].sum(dtype=np.float64)
        sure = np.maximum(raw, 1 - raw)
        self.sureness += float(sure[valid].sum(dtype=np.float64))
        place = places(sure)
        for row, where in enumerate((found, valid & ~found)):
            self.bins[row] += np.bincount(place[where], minlength=BINS)

    def follow(self, found: Masks, views: Sequence[Masks], known: Masks) -> None:
        for view, (there, shown) in enumerate(zip(views, known, strict=True)):
            one, other = found & shown, there & shown
            self.both[view] += np.count_nonzero(one & other)
            self.either[view] += np.count_nonzero(one) + np.count_nonzero(other)

    def compare(self, members: Sequence[Masks]) -> None:
        for pair, (one, other) in enumerate(itertools.combinations(members, 2)):
            self.pairs[:, pair] += np.count_nonzero(one & other), np.count_nonzero(one) + np.count_nonzero(other)

    def found(self) -> Evidence:
        steady = _dice(self.both, self.either)
        agree = _dice(*self.pairs)
        return Evidence(
            found=self.area / max(1, self.pixels), promised=self._promise(self.mended), together=self._promise(self.mean),
            steady=float(steady.mean()) if self.area else 0.0, least=float(steady.min()) if self.area else 0.0,
            members=float(agree.mean()) if len(agree) else math.nan, soft=self._promise(self.raw),
            confidence=self.sureness / max(1, self.pixels), sure=tuple(map(int, self.bins[0])),
            rest=tuple(map(int, self.bins[1])),
        )  # fmt: skip

    def _promise(self, sums: Floats) -> float:
        return float(2 * sums[1] / (sums[0] + self.area)) if self.area else 0.0


def _dice(both: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]) -> Floats:
    """Of nothing and nothing it is 1."""
    return np.where(sizes > 0, 2 * both / np.maximum(sizes, 1), 1.0)


def places(sure: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """The bin of each pixel."""
    logit = np.asarray(special.logit(np.clip(sure.astype(np.float64), 0.5, special.expit(_FAR))))
    return np.minimum((logit * (BINS / _FAR)).astype(np.intp), BINS - 1)
