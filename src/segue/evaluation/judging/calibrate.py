"""What a network's probabilities are worth: of pixels of which it says .8, are 8 of 10 so? And the temperature that mends it.

A temperature is one number a class: logits are divided by it, so that above 1 everything is less sure, and what is decided at
.5 stays. It is found on validation cases, and what is reported of others is reported before and after. Each case gives as many
pixels, so that large images do not decide.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from segue.data.splitting.split import Split
from segue.data.target import Target
from segue.errors import BadInput, SegueError
from segue.evaluation.judging.choose import allowed
from segue.evaluation.judging.judge import nothing, predicted
from segue.evaluation.judging.subject import Subject, Truths, counted, unique_names
from segue.evaluation.predicting.decision import true_masks
from segue.evaluation.predicting.frame import Frame
from segue.evaluation.predicting.predict import Predictor
from segue.evaluation.predicting.probabilities import Maps
from segue.evaluation.statistics import addressed
from segue.executors.progress import Progress

PIXELS = 4096  # of each case
BINS = 15
DOUBT = 0.05  # from here to as much below 1 a pixel is in doubt: of the others nearly all are background, and right
_FAR = 12.0  # of logits: beyond, float32 knows no difference
_COLDEST, _HOTTEST = 0.05, 20.0

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pixels:
    """Of one class, some pixels of every case: what was said, as a logit, and whether it is so."""

    logits: Floats
    true: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Bin:
    said: float  # means
    true: float
    pixels: int


@dataclass(frozen=True)
class Reliability:
    """Of one class, with probabilities as they are or after a temperature."""

    error: float  # expected calibration error: the mean distance of what is said from what is so
    doubt: float  # the same over pixels in doubt; not a number: none is
    in_doubt: float  # the share of those
    bins: tuple[Bin, ...]

    @classmethod
    def of(cls, given: Pixels, temperature: float = 1.0) -> Reliability:
        said = special.expit(given.logits / temperature)
        doubt = (said >= DOUBT) & (said <= 1 - DOUBT)
        bins = _bins(said, given.true)
        return cls(
            _error(bins), _error(_bins(said[doubt], given.true[doubt])) if doubt.any() else math.nan,
            float(doubt.mean()), bins,
        )  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        return {
            "error": self.error, "doubt": None if math.isnan(self.doubt) else self.doubt, "in_doubt": self.in_doubt,
            "bins": [[one.said, one.true, one.pixels] for one in self.bins],
        }  # fmt: skip


@dataclass(frozen=True)
class Calibration:
    """By class. What a case says of a class that was never drawn there is not asked."""

    temperatures: Mapping[str, float]
    cases: int
    before: Mapping[str, Reliability] = field(default_factory=dict)
    after: Mapping[str, Reliability] = field(default_factory=dict)

    @property
    def told(self) -> list[str]:
        return [_told(name, self.temperatures[name], self.before[name], self.after[name]) for name in self.before]

    def as_json(self) -> dict[str, Any]:
        sides = {"before": self.before, "after": self.after}
        found = {side: {name: one.as_json() for name, one in by.items()} for side, by in sides.items()}
        return {"temperatures": dict(self.temperatures), "cases": self.cases, **found}

    def mended(self, maps: Maps, target: Target) -> Maps:
        """Probabilities (classes, ...) after the temperature; of several exclusive classes brought back to a sum of 1."""
        heat = np.array([self.temperatures.get(name, 1.0) for name in target.names], np.float32)
        if target.exclusive and target.logits == 1:
            heat[0] = heat[1]
        found = special.expit(_logits(maps) / heat.reshape(-1, *[1] * (maps.ndim - 1)))
        if target.exclusive:
            found = found / found.sum(axis=0, keepdims=True)
        return np.asarray(found, np.float32)


def _told(name: str, temperature: float, before: Reliability, after: Reliability) -> str:
    sure = "too sure" if temperature > 1.05 else "not sure enough" if temperature < 0.95 else "as sure as it may be"
    if math.isnan(before.doubt):
        return f"{name}: no pixel is in doubt"
    return (
        f"{name}: {sure} (temperature {temperature:.2f}); of pixels in doubt ({before.in_doubt:.1%}) what is said is off by "
        f"{before.doubt:.3f}, after it by {'-' if math.isnan(after.doubt) else f'{after.doubt:.3f}'}"
    )


def calibrate(
    predictor: Predictor,
    subjects: Sequence[Subject],
    *,
    frame: Frame,
    target: Target,
    part: str = "validation",
    split: Split | None = None,
    tick: Callable[[], None] = nothing,
    progress: bool = False,
) -> Calibration:
    """The temperature of each class, and what probabilities are worth with it, on the cases that it was found on."""
    allowed(subjects, part, split)
    pixels = pixels_of(predictor, subjects, frame=frame, target=target, tick=tick, progress=progress)
    if not pixels:
        raise BadInput("no pixel of the given cases counts, so there is nothing to calibrate by")
    return reliability(pixels, {name: temperature_of(given) for name, given in pixels.items()}, len(subjects))


def reliability(pixels: Mapping[str, Pixels], temperatures: Mapping[str, float], cases: int) -> Calibration:
    """Of any cases, at temperatures that were found on others."""
    return Calibration(
        dict(temperatures), cases, {name: Reliability.of(given) for name, given in pixels.items()},
        {name: Reliability.of(given, temperatures.get(name, 1.0)) for name, given in pixels.items()},
    )  # fmt: skip


def pixels_of(
    predictor: Predictor,
    subjects: Sequence[Subject],
    *,
    frame: Frame,
    target: Target,
    tick: Callable[[], None] = nothing,
    progress: bool = False,
) -> dict[str, Pixels]:
    """By class, where any case has one; the same pixels of a case each time."""
    truths, cases = Truths(keep=0), unique_names(subjects)
    found: dict[str, list[tuple[Floats, npt.NDArray[np.bool_]]]] = {}
    with Progress("calibrating", len(subjects), shown=progress) as shown:
        for number, said in predicted(predictor, subjects, frame=frame, target=target, tick=tick):
            tick()
            if isinstance(said, SegueError):
                raise BadInput(f"{cases[number].case}: {said.message}")
            truth = truths.of(subjects[number], said.size)
            counts = counted(truth)
            where = np.arange(truth.size) if counts is None else np.flatnonzero(counts)
            if len(where) > PIXELS:
                where = np.sort(addressed(0, "calibrate", cases[number].case).choice(where, PIXELS, replace=False))
            maps, known = said.whole().reshape(len(target.names), -1), subjects[number].annotated(target)
            for name, mask in true_masks(truth, target).items() if len(where) else ():
                if name in known:
                    logits = _logits(maps[target.names.index(name), where])
                    found.setdefault(name, []).append((logits, mask.ravel()[where]))
            shown.advance()
    return {
        name: Pixels(*(np.concatenate(each) for each in zip(*several, strict=True))) for name, several in found.items()
    }


def temperature_of(given: Pixels) -> float:
    """At which what is so was the most probable."""
    sign = np.where(given.true, -1.0, 1.0) * given.logits

    def surprise(log: float) -> float:
        return float(np.logaddexp(0, sign / math.exp(log)).mean())

    bounds = (math.log(_COLDEST), math.log(_HOTTEST))
    return math.exp(float(optimize.minimize_scalar(surprise, bounds=bounds, method="bounded").x))


def _logits(said: npt.NDArray[np.float32]) -> Floats:
    kept = special.expit(_FAR)
    return np.asarray(special.logit(np.clip(said.astype(np.float64), 1 - kept, kept)))


def _bins(said: Floats, true: npt.NDArray[np.bool_]) -> tuple[Bin, ...]:
    place = np.minimum((said * BINS).astype(np.intp), BINS - 1)
    pixels = np.bincount(place, minlength=BINS)
    sums, so = (np.bincount(place, weights=values, minlength=BINS) for values in (said, true.astype(np.float64)))
    return tuple(
        Bin(float(sums[number] / count), float(so[number] / count), int(count))
        for number, count in enumerate(pixels)
        if count
    )


def _error(bins: Sequence[Bin]) -> float:
    total = sum(one.pixels for one in bins)
    return sum(one.pixels * abs(one.said - one.true) for one in bins) / total
