"""Whether a difference between two models is more than luck: paired, by patient, and by run where there are several.

Differences are those of patients, each the mean over that patient's cases and over a model's runs. Everything random is
addressed: the same seed and the same names give the same numbers, whatever else is compared beside them. docs/statistics.md
says why each of these.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]

ALPHA = 0.05
POWER = 0.8
DRAWS = 10_000
_PERMUTATIONS = 20_000  # where there are too many for all
_ALL_UP_TO = 30  # differing patients, up to which all 2**n sign patterns are counted
_RANKS_UP_TO = 500  # likewise for ranks; beyond, the normal distribution is as good
_CHUNK = 1 << 21  # numbers at a time
_DIGITS = 12  # a difference below the rounding of a mean of shares is none


def addressed(seed: int, *address: str) -> np.random.Generator:
    """Random numbers that depend on the seed and the names, and on nothing that was drawn before."""
    digest = hashlib.blake2b("\0".join(address).encode(), digest_size=16).digest()
    return np.random.default_rng([seed, *np.frombuffer(digest, np.uint32)])


@dataclass(frozen=True)
class Spread:
    """How far a mean of differences may be off: draws of it, its standard error, the degrees of freedom behind that."""

    estimate: float
    draws: Floats  # deviations from the estimate
    error: float
    freedom: float

    def interval(self, level: float = 1 - ALPHA) -> tuple[float, float]:
        """The bootstrap's percentiles, their distance to the estimate stretched as Student's t is wider than the normal:
        a handful of patients or runs cannot know its own spread.
        """
        if math.isnan(self.error):
            return math.nan, math.nan
        tail = (1 - level) / 2
        stretch = special.stdtrit(self.freedom, 1 - tail) / special.ndtri(1 - tail) if self.error else 1.0
        low, high = np.quantile(self.draws, (tail, 1 - tail)) * stretch
        return self.estimate + float(low), self.estimate + float(high)

    @property
    def p(self) -> float:
        """Two-sided, of Student's t; what tells of runs, too few to be permuted."""
        if not self.error:
            return 1.0 if self.estimate == 0 else 0.0
        return float(2 * special.stdtr(self.freedom, -abs(self.estimate) / self.error))


def spread_of_mean(values: npt.ArrayLike, numbers: np.random.Generator, *, draws: int = DRAWS) -> Spread:
    """Of one value a patient. With a single patient nothing can be said: not a number."""
    given = np.asarray(values, float)
    if len(given) < 2:
        nothing = np.full(1, math.nan)
        return Spread(float(given.mean()) if len(given) else math.nan, nothing, math.nan, 0.0)
    return Spread(
        float(given.mean()), _deviations(given, numbers, draws), float(given.std(ddof=1)) / math.sqrt(len(given)),
        len(given) - 1.0,
    )  # fmt: skip


def spread_of_difference(
    one: npt.ArrayLike, other: npt.ArrayLike, numbers: np.random.Generator, *, matched: bool = False, draws: int = DRAWS
) -> Spread:
    """Of two models' values, (runs, patients) each: patients are resampled as pairs, and so are each model's runs; where they
    are matched, run by run, runs are resampled as pairs too.

    Patients are resampled on the means over runs, and runs on their means over patients, from whose spread that part is
    taken off which comes of having only so many patients: it is in the patients' own spread already. Of pairs of runs nothing
    is taken off: they are half as many, and too few to know how much.
    """
    first, second = np.atleast_2d(np.asarray(one, float)), np.atleast_2d(np.asarray(other, float))
    if matched:
        first, second = first - second, np.zeros((1, first.shape[1]))
    patients = spread_of_mean(first.mean(axis=0) - second.mean(axis=0), numbers, draws=draws)
    total, doubt = patients.error**2, patients.error**4 / patients.freedom if patients.freedom else 0.0
    deviations = patients.draws
    for runs in (first, second):
        if len(runs) > 1:
            means = runs.mean(axis=1)
            own = float(means.var(ddof=1)) / len(means)
            variance = own if matched else run_variance(runs)
            if variance > 0:
                deviations = deviations + _deviations(means, numbers, draws) * math.sqrt(variance / own)
            total += variance
            doubt += own * variance / (len(means) - 1)  # how little so few runs know of their own spread
    # After Welch and Satterthwaite: as many degrees of freedom as the parts that matter have. The geometric mean of the
    # runs' whole variance and what is left of it errs least in simulated studies (benchmarks/statistics_honesty.py).
    freedom = total**2 / doubt if doubt > 0 else patients.freedom
    return Spread(patients.estimate, deviations, math.sqrt(total), freedom)


def run_variance(runs: Floats) -> float:
    """Of the mean over a model's runs, (runs, patients): what another draw of runs would change for the same patients."""
    count, patients = len(runs), len(runs[0])
    if count < 2 or patients < 2:
        return 0.0
    means = runs.mean(axis=1, keepdims=True)
    rest = runs - means - runs.mean(axis=0) + runs.mean()
    noise = float((rest**2).sum()) / ((count - 1) * (patients - 1))
    return max(0.0, (float(means.var(ddof=1)) - noise / patients) / count)


def _deviations(values: Floats, numbers: np.random.Generator, draws: int) -> Floats:
    """Of resampled means from the mean, enlarged so that their variance is right for small numbers too."""
    count = len(values)
    centred = values - values.mean()
    step = max(1, _CHUNK // count)
    means = [
        centred[numbers.integers(count, size=(min(step, draws - start), count))].mean(axis=1)
        for start in range(0, draws, step)
    ]
    deviations: Floats = np.concatenate(means) * math.sqrt(count / (count - 1))
    return deviations


def permutation(differences: npt.ArrayLike, numbers: np.random.Generator) -> float:
    """Two-sided p that the mean difference is so large by luck: had each patient's two values changed places at random.

    All sign patterns are counted up to 30 patients that differ; beyond, 20,000 drawn ones, the observed one among them.
    """
    given = _differing(differences)
    if not len(given):
        return 1.0
    size: Floats = np.abs(given)
    bound = abs(math.fsum(given)) - 1e-9 * math.fsum(size)  # what differs by rounding only is equal
    if len(given) <= _ALL_UP_TO:
        half = len(given) // 2
        left, right = np.sort(_sums(size[:half])), _sums(size[half:])
        beyond = len(left) * len(right) - int(np.searchsorted(left, bound - right, side="left").sum())
        below = int(np.searchsorted(left, -bound - right, side="right").sum())
        return min(1.0, (beyond + below) / float(2 ** len(given)))
    beyond, step = 1, max(1, _CHUNK // len(given))
    for start in range(0, _PERMUTATIONS - 1, step):
        rows = min(step, _PERMUTATIONS - 1 - start)
        signs = numbers.integers(0, 2, size=(rows, len(given)), dtype=np.int8) * np.int8(2) - np.int8(1)
        beyond += int(np.count_nonzero(np.abs(signs @ size) >= bound))
    return beyond / _PERMUTATIONS


def _sums(values: Floats) -> Floats:
    """Of all sign patterns."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate((sums - value, sums + value))
    return sums


def wilcoxon(differences: npt.ArrayLike) -> float:
    """The signed-rank test, two-sided: patients without a difference left out, ties at their mean rank, and exact with
    these, up to 500 patients.
    """
    given = _differing(differences)
    if not len(given):
        return 1.0
    ranks = _ranks(np.abs(given))
    plus, total = float(ranks[given > 0].sum()), float(ranks.sum())
    extreme = max(plus, total - plus)
    if len(given) > _RANKS_UP_TO:
        z = (extreme - total / 2 - 0.5) / math.sqrt(float((ranks**2).sum()) / 4)
        return float(min(1.0, 2 * special.ndtr(-z)))
    doubled = np.rint(2 * ranks).astype(int)  # mean ranks are halves
    chance = np.zeros(int(doubled.sum()) + 1)
    chance[0], top = 1.0, 0
    for rank in doubled:
        chance[: top + rank + 1] *= 0.5
        chance[rank : top + rank + 1] += chance[: top + 1].copy()
        top += rank
    return float(min(1.0, 2 * chance[round(2 * extreme) :].sum()))


def smallest_p(differing: int, test: str = "permutation") -> float:
    """The least that a test can say of so many patients that differ: all in one direction."""
    if test == "permutation" and differing > _ALL_UP_TO:
        return 1 / _PERMUTATIONS
    return min(1.0, 2.0 ** (1 - differing))


def holm(ps: Sequence[float]) -> list[float]:
    """Adjusted for being several: the smallest p times their number, the next times one less, never falling."""
    adjusted, worst = [0.0] * len(ps), 0.0
    for place, number in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        worst = max(worst, min(1.0, (len(ps) - place) * ps[number]))
        adjusted[number] = worst
    return adjusted


def rank_biserial(differences: npt.ArrayLike) -> float:
    """Matched: the share of ranks for one model less the share for the other, -1 to 1; patients that do not differ are
    left out.
    """
    given = _differing(differences)
    if not len(given):
        return 0.0
    ranks = _ranks(np.abs(given))
    return float((ranks * np.sign(given)).sum() / ranks.sum())


def standardised(differences: npt.ArrayLike) -> float:
    """The mean difference in units of the differences' own spread (Cohen's d of pairs)."""
    given = np.asarray(differences, float)
    if len(given) < 2:
        return math.nan
    spread = float(np.round(given, _DIGITS).std(ddof=1))
    mean = float(given.mean())
    return mean / spread if spread else math.copysign(math.inf, mean) if round(mean, _DIGITS) else 0.0


def needed(difference: float, deviation: float, *, of_runs: float = 0.0, alpha: float = ALPHA) -> int | None:
    """How many patients show a difference of this size in four of five studies, if patients' differences spread so.

    `of_runs` is the variance that runs add, which no patient takes away: if that alone is too much, none is enough.
    """
    least = next(count for count in range(1, 100) if 2.0 ** (1 - count) < alpha)
    if not difference:
        return None
    count = float(least)
    for _ in range(100):
        both = special.stdtrit(count - 1, 1 - alpha / 2) + special.stdtrit(count - 1, POWER)
        left = (difference / both) ** 2 - of_runs
        if left <= 0:
            return None
        wanted = max(float(least), float(deviation**2 / left))
        if abs(wanted - count) < 0.5:
            break
        count = (count + wanted) / 2
    return math.ceil(wanted)


def separation(higher: npt.ArrayLike, lower: npt.ArrayLike) -> float:
    """The area under the ROC curve: how often one of the first is above one of the second; a tie is half."""
    one, other = np.asarray(higher, np.float64), np.asarray(lower, np.float64)
    ranks = _ranks(np.concatenate([one, other]))[: len(one)]
    return float((ranks.sum() - len(one) * (len(one) + 1) / 2) / (len(one) * len(other)))


def _differing(differences: npt.ArrayLike) -> Floats:
    given: Floats = np.round(np.asarray(differences, float), _DIGITS)
    differing: Floats = given[given != 0]
    return differing


def _ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """From 1; those that are equal share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    found: npt.NDArray[np.float64] = (last - (counts - 1) / 2)[inverse]
    return found
