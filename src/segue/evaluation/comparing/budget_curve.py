"""What more masks would bring: a curve through the Dice of trainings on label budgets, with its interval.

    Dice(n) = a - b * n ** -c,    a <= 1, b >= 0, 0.1 <= c <= 2

n are the patients learnt from. It never falls and saturates, and that is all that is assumed. It is fitted by least squares,
budgets weighed by how surely each is known; for each c the best a and b follow at once, so c is looked through on a grid.

The interval comes of drawing again, 95 % as in `statistics`: test patients with replacement, the same ones for all budgets;
and the luck of a run (its seed, and which patients the budget held), by its spread. Two or three runs of a budget are too few
to be drawn from, and one says nothing of its own luck: so the spread is that of a budget's runs, drawn to an assumed one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from segue.errors import BadInput
from segue.evaluation.statistics import ALPHA, Spread, addressed

Floats = npt.NDArray[np.float64]

FEWEST = 3  # budgets: the curve has three numbers
BEYOND = 4  # times the largest budget; further out the curve's form decides, and no measurement
RUNS = 0.02  # how much a run's Dice is off by its luck, where no budget was learnt from twice
SPREAD = (
    0.2  # of patients' Dice, where nothing was judged yet: 0.04 of the hippocampus here, 0.10 of hearts, 0.23 of polyps
)
_ASSUMED = 2.0  # runs that the assumed spread counts for
_DRAWS = 2000
_EXPONENTS = np.geomspace(0.1, 2.0, 64)


@dataclass(frozen=True)
class Expected:
    value: float
    low: float  # 95 %
    high: float


@dataclass(frozen=True)
class BudgetCurve:
    budgets: tuple[int, ...]
    patients: int  # of the test
    runs: int
    repeated: bool  # some budget was learnt from twice
    spread: float  # of the test patients' Dice, at the largest budget
    best: Floats  # a, b, c
    draws: Floats  # (draws, 3)

    def at(self, count: int) -> Expected:
        """Dice with so many patients to learn from."""
        return self._expected(_values(self.best, self.reached(count)), _values(self.draws, count))

    def gain(self, now: int, then: int) -> Expected:
        """What the patients between bring. It is known better than either end: the test's luck is in both."""
        best = _values(self.best, self.reached(then)) - _values(self.best, self.reached(now))
        return self._expected(best, _values(self.draws, then) - _values(self.draws, now))

    def reached(self, count: int) -> int:
        """`count`, or a sentence why nothing is said of it."""
        if count < 1:
            raise BadInput("a curve of budgets begins with one patient")
        if count > BEYOND * self.budgets[-1]:
            raise BadInput(
                f"the largest budget learnt from is {self.budgets[-1]:,}, and {count:,} are more than {BEYOND} times "
                "that: so far out nothing measured decides what the curve says"
            )
        return count

    def _expected(self, value: Floats, draws: Floats) -> Expected:
        found = float(value)
        deviations = draws - found
        low, high = Spread(found, deviations, float(deviations.std()), self.patients - 1.0).interval()
        bounded = np.clip([found, low, high], 0.0, 1.0)
        return Expected(*map(float, bounded))


def fit(budgets: Mapping[int, npt.ArrayLike]) -> BudgetCurve:
    """`budgets`: patients learnt from -> Dice, (runs, test patients), the same test patients in the same order for all."""
    if len(budgets) < FEWEST:
        raise BadInput(f"a curve needs {FEWEST} different label budgets, and there are {len(budgets)}")
    counts = sorted(budgets)
    tables = [np.atleast_2d(np.asarray(budgets[count], float)) for count in counts]
    patients = tables[0].shape[1]
    if any(table.shape[1] != patients for table in tables):
        raise BadInput("a curve of budgets needs the same test patients for all of them")
    if patients < 2:
        raise BadInput("of a single test patient nothing can be said: a curve needs two at least")
    means = np.stack([table.mean(axis=0) for table in tables])
    of_runs = np.array([_luck(table) for table in tables])
    # What patients have in common at all budgets moves the curve as a whole; the rest is what a budget's mean is off by.
    own = means - means.mean(axis=0) - means.mean(axis=1, keepdims=True) + means.mean()
    of_patients = (own**2).sum(axis=1) / (patients - 1) / patients * len(counts) / (len(counts) - 1)
    weights = 1 / (of_patients + of_runs)
    numbers = addressed(0, "budgets", *map(str, counts))
    drawn = means[:, numbers.integers(patients, size=(_DRAWS, patients))].mean(axis=-1)
    centre = means.mean(axis=1, keepdims=True)
    drawn = centre + (drawn - centre) * math.sqrt(patients / (patients - 1))  # right for small numbers too
    drawn = drawn + numbers.normal(size=drawn.shape) * np.sqrt(of_runs)[:, None]
    found = _fitted(np.array(counts, float), np.concatenate([centre, drawn], axis=1).T, weights)
    return BudgetCurve(
        tuple(counts), patients, sum(map(len, tables)), any(len(table) > 1 for table in tables),
        float(means[-1].std(ddof=1)), found[0], found[1:],
    )  # fmt: skip


def half_width(patients: int, spread: float) -> float:
    """Of the 95 % interval of a mean over so many test patients."""
    return math.inf if patients < 2 else float(stats.t.ppf(1 - ALPHA / 2, patients - 1)) * spread / math.sqrt(patients)


def patients_for(half: float, spread: float) -> int:
    """How many test patients know their mean so well."""
    count = 2
    while half_width(count, spread) > half:
        count += max(1, count // 50)
    return count


def _luck(runs: Floats) -> float:
    """Variance of the mean over a budget's runs, that of other runs on the same test patients."""
    count = len(runs)
    own = float(runs.mean(axis=1).var(ddof=1)) if count > 1 else 0.0
    return (_ASSUMED * RUNS**2 + (count - 1) * own) / (_ASSUMED + count - 1) / count


def _values(curves: Floats, count: int) -> Floats:
    found: Floats = curves[..., 0] - curves[..., 1] * float(count) ** -curves[..., 2]
    return found


def _fitted(counts: Floats, dice: Floats, weights: Floats) -> Floats:
    """(rows, 3): a, b and c of each row of `dice` (rows, budgets)."""
    share = weights / weights.sum()
    best, least = np.zeros((len(dice), 3)), np.full(len(dice), np.inf)
    middle = dice @ share
    for exponent in _EXPONENTS:
        x = counts**-exponent
        off = x - x @ share
        b = -(dice @ (share * off)) / (share @ off**2)
        a = middle + b * (x @ share)
        # Out of bounds: the best on the bound that was crossed.
        flat, over = b < 0, (b >= 0) & (a > 1)
        b = np.where(over, ((1 - dice) @ (share * x)) / (share @ x**2), b)
        b = np.where(flat, 0.0, np.maximum(b, 0.0))
        a = np.minimum(np.where(flat, middle, a), 1.0)
        loss = (dice - a[:, None] + b[:, None] * x) ** 2 @ share
        better = loss < least
        least = np.where(better, loss, least)
        best[better] = np.stack([a, b, np.full(len(dice), exponent)], axis=1)[better]
    return best
