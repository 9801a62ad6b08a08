"""What some masks prove: the mean Dice of a place's images with an interval that holds whatever the audit is worth.

So many images are drawn at random, masked and judged. What the audit expects of all of them is corrected by how far it was off
on the drawn ones (prediction-powered inference, https://arxiv.org/abs/2301.09633, with the weight of the expectations found
from the drawn ones, https://arxiv.org/abs/2311.01453). A good audit makes the interval narrow; a bad one gets no weight. The
drawing is what makes it valid, so nobody may choose which images are masked. It speaks of the images of this place, of which
the drawn ones are a part, and not of those that will come.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from segue.data.case import Case
from segue.evaluation.statistics import ALPHA, addressed

Floats = npt.NDArray[np.float64]

FEWEST = 5  # masks, from which a spread is told
WITHIN = 0.02  # how narrow one would like it, on either side


@dataclass(frozen=True)
class Proof:
    """Of one class."""

    class_name: str
    masks: int
    images: int  # of the place
    dice: float
    low: float
    high: float
    weight: float  # of the audit, 0 to 1
    alone: tuple[float, float, float]  # from the masks without the audit: mean and interval
    whom: str  # what the mean is over: patients, scenes or images
    more: int  # masks beside these until it is known to within so much; 0: none

    @property
    def told(self) -> str:
        alone = self.alone[2] - self.alone[1]
        saved = 1 - (self.high - self.low) / alone if alone > 0 else 0.0
        of_whom = "" if self.whom == "image" else f"{self.whom}s of the "
        narrower = f", {saved:.0%} narrower than by the masks alone" if saved >= 0.01 else ", as by the masks alone"
        more = f"; {self.more:,} more masks would bring it to within {WITHIN:g}" if self.more else ""
        return (
            f"{self.class_name}: {self.masks} masks prove a mean Dice of {self.dice:.3f} (95 %: {self.low:.3f} to "
            f"{self.high:.3f}) over the {of_whom}{self.images:,} images of this place{narrower}{more}."
        )

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "alone": list(self.alone)}


def drawn(cases: Iterable[Case], masks: int, place: str) -> list[str]:
    """Which to mask: at random, always the same, and of fewer masks the first ones. By their files, since once there are masks
    a scan may call cases otherwise."""
    ordered = sorted(cases, key=lambda one: (one.images, one.case))
    order = addressed(0, "verify", place).permutation(len(ordered))
    return [ordered[number].case for number in order[:masks]]


def prove(
    class_name: str, chosen: Sequence[int], true: Floats, present: npt.NDArray[np.bool_], expected: Floats, there: Floats,
    share: Floats, whom: str = "patient",
) -> Proof:  # fmt: skip
    """`chosen`: the places of drawn cases among all, with their true Dice and whether the class is there at all; of all:
    what is expected, how probably the class is there, and the case's share of the mean."""
    every, n = len(expected), len(chosen)
    weight = share * every / share.sum()
    where = np.asarray(chosen)
    # A quotient of two means: of Dice where the class is there, and of being there.
    y, here = weight[where] * np.where(present, np.nan_to_num(true), 0.0), weight[where] * present
    said, held = weight * there * expected, weight * there
    best = _estimated(y, here, said, held, where, every, freely=True)
    plain = _estimated(y, here, said, held, where, every, freely=False)
    reach = float(_reach(n, every, best.spread))
    low, high = max(0.0, best.mean - reach), min(1.0, best.mean + reach)
    around = float(_reach(n, every, plain.spread))
    alone = (plain.mean, max(0.0, plain.mean - around), min(1.0, plain.mean + around))
    return Proof(class_name, n, every, best.mean, low, high, best.weight, alone, whom, _more(best.spread, n, every))


@dataclass(frozen=True)
class _Estimated:
    mean: float
    spread: float  # of one case's part in it
    weight: float


def _estimated(
    y: Floats, here: Floats, said: Floats, held: Floats, where: npt.NDArray[np.intp], every: int, *, freely: bool
) -> _Estimated:
    """With the audit's weight as the drawn cases have it, or with none."""
    plain = float(y.sum() / here.sum()) if here.sum() > 0 else math.nan
    # Linear around the plain quotient, so that one weight serves both its parts.
    true, guess = y - plain * here, said - plain * held
    weight = 0.0
    if freely and len(where) > 2 and (spread := float(guess[where].var())) > 0:
        slope = float(np.cov(true, guess[where], bias=True)[0, 1]) / spread
        weight = min(1.0, max(0.0, slope))
    over = y.mean() + weight * (said.mean() - said[where].mean())
    under = here.mean() + weight * (held.mean() - held[where].mean())
    mean = float(over / under) if under > 0 else math.nan
    # A weight that was found from the same cases makes what is left look smaller: a degree of freedom for it.
    free = max(1, len(where) - 1 - int(freely))
    rest = true - weight * guess[where]
    return _Estimated(
        mean, math.sqrt(float(((rest - rest.mean()) ** 2).sum()) / free) / max(float(under), 1e-9), weight
    )


def _reach(n: npt.ArrayLike, every: int, spread: float) -> Floats:
    """Half of the interval; what was masked is known and not guessed."""
    masks = np.asarray(n, np.float64)
    left = np.maximum(0.0, 1 - masks / every)
    return np.asarray(special.stdtrit(np.maximum(1, masks - 2), 1 - ALPHA / 2) * spread * np.sqrt(left / masks))


def _more(spread: float, n: int, every: int) -> int:
    if math.isnan(spread):
        return 0
    several = np.arange(n, every + 1)
    return int(several[np.argmax(_reach(several, every, spread) <= WITHIN)]) - n
