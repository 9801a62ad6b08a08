"""From evidence to an expected Dice: what evidence was worth where there were masks.

Where that was are groups of cases: validation as it is, its copies spoilt in many ways, other places with masks. A logistic
curve of a few numbers is enough, and does not run wild where evidence is worse than any that was seen. Home, with all that
was made of it, counts as one place. What is learnt of how far it may be off comes from groups that were left out, a whole
family at a time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from segue.evaluation.auditing.evidence import Evidence

Floats = npt.NDArray[np.float64]

FEWEST_ABSENT = 10  # cases that lack the class, from which it is learnt which do
HOME = "home"  # the family of validation as it is
_FAR = 5.0  # of logits
_RIDGE = 0.01
_LEAST = 0.05  # of a Dice's spread, so that no case is taken for certain


@dataclass(frozen=True)
class Known:
    """A case of which the mask is known, and one class: what evidence said, and what was so."""

    case: str
    who: str  # its patient
    group: str  # such as "blur 3"
    family: str  # such as "blur": groups of one are left out together
    evidence: Evidence
    present: bool
    dice: float  # where it is present
    wrong: float = 0.0  # share of what is found that is not so
    missed: float = 0.0  # share of the rest that is of the class

    @property
    def made(self) -> bool:
        """Of home, as it is or spoilt: not of another place."""
        return self.family == HOME or self.group != self.family

    def as_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "evidence": self.evidence.as_json(),
            "dice": None if math.isnan(self.dice) else self.dice,
        }

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        dice = math.nan if given["dice"] is None else given["dice"]
        return cls(**{**given, "evidence": Evidence.from_json(given["evidence"]), "dice": dice})


def features(several: Sequence[Evidence]) -> Floats:
    """(n, some): the numbers that a Dice is expected from; each a Dice of its own, as a logit."""
    names = ["promised", "together", "certain", "steady", "least"]
    if several and not any(math.isnan(one.members) for one in several):
        names.append("members")
    rows = np.array([[getattr(one, name) for name in names] for one in several], np.float64).reshape(-1, len(names))
    return _logit(rows)


def _logit(values: Floats) -> Floats:
    kept = special.expit(_FAR)
    return np.asarray(special.logit(np.clip(values, 1 - kept, kept)))


@dataclass(frozen=True)
class Curve:
    """expit(offset + weights . (x - middle) / spread)"""

    offset: float
    weights: Floats
    middle: Floats
    spread: Floats

    @classmethod
    def through(cls, x: Floats, y: Floats, weight: Floats) -> Self:
        """Nearest to shares y from 0 to 1; ridged, so that a few groups do not decide on many numbers."""
        share = weight / weight.sum()
        middle = share @ x
        spread = np.sqrt(np.maximum(share @ (x - middle) ** 2, 1e-6))
        z = (x - middle) / spread

        def off(w: Floats) -> tuple[float, Floats]:
            at = w[0] + z @ w[1:]
            said = special.expit(at)
            surprise = float(share @ (np.logaddexp(0, at) - y * at)) + _RIDGE / 2 * float(w[1:] @ w[1:])
            slope = share * (said - y)
            return surprise, np.concatenate([[slope.sum()], slope @ z + _RIDGE * w[1:]])

        found = optimize.minimize(off, np.zeros(1 + x.shape[1]), jac=True, method="L-BFGS-B").x
        return cls(float(found[0]), found[1:], middle, spread)

    def __call__(self, x: Floats) -> Floats:
        return np.asarray(special.expit(self.offset + (x - self.middle) / self.spread @ self.weights))


@dataclass(frozen=True)
class Fit:
    """Of one class."""

    dice: Curve | None  # where something is found that is there; None: that never was
    presence: Curve | None  # None: hardly a known case lacks the class, so that every case is taken to have it

    @classmethod
    def of(cls, known: Sequence[Known]) -> Self:
        here = [one for one in known if one.present and one.evidence.found > 0]
        dice = Curve.through(features([one.evidence for one in here]), _dices(here), _alike(here)) if here else None
        absent = len({one.case for one in known if not one.present})
        if absent < FEWEST_ABSENT or absent == len({one.case for one in known}):
            return cls(dice, None)
        there = np.array([float(one.present) for one in known])
        return cls(dice, Curve.through(_of_presence([one.evidence for one in known]), there, _alike(known)))

    def dices(self, several: Sequence[Evidence]) -> Floats:
        """Where the class is there; 0 where nothing is found."""
        if self.dice is None or not several:
            return np.zeros(len(several))
        found = np.array([one.found > 0 for one in several])
        return np.where(found, self.dice(features(several)), 0.0)

    def there(self, several: Sequence[Evidence]) -> Floats:
        """How probably the class is there at all."""
        return np.ones(len(several)) if self.presence is None else self.presence(_of_presence(several))


def _of_presence(several: Sequence[Evidence]) -> Floats:
    """Whether something is found, how much, and how sure that is."""
    area = np.array([[float(one.found > 0), math.log(max(one.found, 1e-4))] for one in several])
    return np.column_stack([area.reshape(-1, 2), features(several)])


def _dices(known: Sequence[Known]) -> Floats:
    return np.array([one.dice for one in known])


def _alike(known: Sequence[Known]) -> Floats:
    """Weights by which every group that was made of home counts alike, all of them together as one place, and each other
    place as one."""
    given = _inverse_counts([one.group for one in known])
    made = np.array([one.made for one in known])
    return np.where(made, given / max(1.0, float(given[made].sum())), given)


def _inverse_counts(groups: Sequence[str] | npt.NDArray[Any]) -> Floats:
    _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / counts[inverse])


def of_patients(whose: Sequence[str]) -> Floats:
    """Weights of cases, a sum of 1: every patient counts alike."""
    given = _inverse_counts(whose)
    return np.asarray(given / given.sum())


@dataclass(frozen=True)
class LeftOut:
    """A family that was left out: what was expected of its cases by what the others taught, and what was so."""

    family: str
    known: tuple[Known, ...]  # that have the class
    expected: Floats

    @property
    def truth(self) -> Floats:
        return _dices(self.known)


@dataclass(frozen=True, eq=False)
class Lessons:
    """Of one class: all that is known, what it teaches, and each family by what the others do. Fitted once, whoever asks."""

    known: Sequence[Known]

    @cached_property
    def fit(self) -> Fit:
        return Fit.of(self.known)

    @cached_property
    def left_out(self) -> tuple[LeftOut, ...]:
        found = []
        for family in dict.fromkeys(one.family for one in self.known):
            own, rest = tuple(one for one in self.known if one.family == family and one.present), self.without(family)
            if own and rest:
                found.append(LeftOut(family, own, Fit.of(rest).dices([one.evidence for one in own])))
        return tuple(found)

    def without(self, family: str) -> list[Known]:
        return [one for one in self.known if one.family != family]


def spread(expected: Floats) -> Floats:
    """By how much a case's Dice may differ, in form: little near 0 and 1."""
    return np.sqrt(np.maximum(expected * (1 - expected), _LEAST**2))


@dataclass(frozen=True)
class Margins:
    """How far expectations were off where they were not learnt."""

    low: float  # of a case, in units of `spread`
    high: float
    of_groups: float  # of the mean of a group, beyond what its few cases explain: root mean square
    freedom: int  # families behind that
    of_cases: float  # root mean square, of a case

    @classmethod
    def of(cls, several: Sequence[LeftOut], level: float) -> Self:
        """As wide for a case as the hardest kind needed: another place is seldom easier than what was made of home."""
        tail = (1 - level) / 2
        bounds, gaps, squares = [], [], []
        for one in several:
            off = one.truth - one.expected
            groups, whose = (np.array([getattr(each, name) for each in one.known]) for name in ("group", "who"))
            bounds.append(_quantiles(off / spread(one.expected), _inverse_counts(groups), (tail, 1 - tail)))
            inside = [groups == group for group in np.unique(groups)]
            gaps.append(float(np.mean([_beyond(off[where], whose[where]) for where in inside])))
            squares.append(float(np.average(off**2, weights=_inverse_counts(groups))))
        weight = _inverse_counts(["made" if one.known[0].made else one.family for one in several])
        low, high = np.min(bounds, axis=0)[0], np.max(bounds, axis=0)[1]
        return cls(
            min(float(low), 0.0), max(float(high), 0.0), math.sqrt(max(0.0, float(np.average(gaps, weights=weight)))),
            max(1, len(several) - 1), math.sqrt(float(np.average(squares, weights=weight))),
        )  # fmt: skip


def _beyond(off: Floats, whose: Sequence[str]) -> float:
    """The square of a group's mean, less what so few patients explain."""
    share = of_patients(whose)
    mean = float(share @ off)
    return mean**2 - float(share @ (off - mean) ** 2) / len(set(whose))


def _quantiles(values: Floats, weight: Floats, at: Sequence[float]) -> list[float]:
    order = np.argsort(values)
    share = (np.cumsum(weight[order]) - weight[order] / 2) / weight.sum()
    return [float(np.interp(each, share, values[order])) for each in at]
