"""How far sets of images are from each other, as an encoder describes them: a row of numbers an image.

Each set is taken for a normal distribution, and two of these are |m - n|^2 + tr(A + B - 2 (AB)^1/2) apart (Fréchet; of means
m, n and covariances A, B). Told of few images, that is too much, and worse: not by the same for all. With as many numbers as
images, two sets of one kind hardly share a direction, and what always paints the same picture, which has no spread to disagree
with, comes out as nearer to what is real than what is real does. Hence

* only the *main directions* count, of all sets together, and so few that ten images tell of each. They are found in other
  images than those that are compared;
* sets that are compared are of *one size and of other images*: a half of the real ones against the other half, as it is and as
  each fill has it. What real ones are from real ones is then what a perfect fill would be told to be, and what lies beyond it
  is the fill's own. Of one image filled and not, luck would be the same, and a fill could seem nearer than another image is;
* halves are drawn anew, again and again, and means are told.

The kernel distance (KID) is unbiased of any number, but it is one of a kernel, whose width somebody chooses, and says nothing
that one could hold beside other Fréchet distances.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from segue.errors import BadInput
from segue.evaluation.statistics import addressed

Floats = npt.NDArray[np.float64]

HALVINGS = 20
_EACH = 10  # images of a half for each direction
_KEPT = 0.99  # of the variance: the rest is in directions in which no two images differ


@dataclass(frozen=True, eq=False)
class Directions:
    """Those in which images differ most, as they are: a long one counts for more, as in the distance itself."""

    rows: Floats  # (d, k)

    @classmethod
    def of(cls, several: Sequence[npt.ArrayLike], most: int) -> Self:
        given = np.concatenate([np.asarray(one, float) for one in several])
        if not np.isfinite(given).all():
            raise BadInput("the encoder makes numbers of these images that are not finite")
        _, sizes, rows = np.linalg.svd(given - given.mean(0), full_matrices=False)
        if not sizes.any():
            raise BadInput("all images look the same to this encoder: it has collapsed")
        shares = np.cumsum(sizes**2) / (sizes**2).sum()
        kept = min(most, int(np.searchsorted(shares, _KEPT)) + 1)
        return cls(rows[:kept].T)

    def places(self, z: npt.ArrayLike) -> Floats:
        found: Floats = np.asarray(z, float) @ self.rows
        return found


@dataclass(frozen=True)
class Distances:
    """From real images to other real ones, and to each fill: means over the halvings, and their deviations."""

    real: float
    fills: Mapping[str, float]
    deviations: Mapping[str, float]  # of what each fill lies beyond real ones, in the same halves
    directions: int
    half: int  # images of the smallest half
    times: int  # that they were halved

    def way(self, fill: str, ceiling: str) -> float:
        """Where a fill lies between real ones (0) and the ceiling (1); not a number where nothing lies between."""
        room = self.fills[ceiling] - self.real
        return (self.fills[fill] - self.real) / room if room > 0 else math.nan

    def as_json(self) -> dict[str, Any]:
        return {"real": self.real, "fills": dict(self.fills), "deviations": dict(self.deviations),
                "directions": self.directions, "half": self.half, "halvings": self.times}  # fmt: skip


def distances(
    real: npt.ArrayLike, fills: Mapping[str, npt.ArrayLike], units: Sequence[str], aside: Sequence[npt.ArrayLike]
) -> Distances:
    """`units`: of each row what must not stand in both halves; rows of one place are one image, as it is and filled. `aside`:
    of other images, likewise real and filled, where directions are found."""
    halves = halvings(units)
    half = min(min(first.sum(), (~first).sum()) for first in halves)
    axes = Directions.of(aside, max(1, int(half) // _EACH))
    there = axes.places(real)
    told = [frechet(there[first], there[~first]) for first in halves]
    means, deviations = {}, {}
    for name, rows in fills.items():
        here = axes.places(rows)
        each = [(frechet(there[first], here[~first]) + frechet(there[~first], here[first])) / 2 for first in halves]
        means[name] = float(np.mean(each))
        deviations[name] = float(np.std(np.subtract(each, told)))
    return Distances(float(np.mean(told)), means, deviations, axes.rows.shape[1], int(half), len(halves))


def halvings(units: Sequence[str], times: int = HALVINGS) -> list[npt.NDArray[np.bool_]]:
    """Which rows are of the first half; always the same ones."""
    names = sorted(set(units))
    if len(names) < 2:
        raise BadInput("the held-back windows are all of one image, and real holes have none to be laid beside")
    places = np.array([names.index(unit) for unit in units])
    numbers = addressed(0, "frechet")
    found = []
    for _ in range(times):
        chosen = numbers.permutation(len(names))[: len(names) // 2]
        found.append(np.isin(places, chosen))
    return found


def frechet(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """Between the normal distributions of two sets of rows, (n, d) and (m, d).

    No root of a matrix is taken, which few rows make unstable: with A = X'X and B = Y'Y, of centred rows, the eigenvalues of
    AB are the squared singular values of XY'.
    """
    first, second = np.asarray(one, float), np.asarray(other, float)
    if min(len(first), len(second)) < 2:
        raise BadInput("one image has no spread: a distance takes two on either side")
    apart = ((first.mean(0) - second.mean(0)) ** 2).sum()
    x, y = map(_centred, (first, second))
    shared = np.linalg.svd(x @ y.T, compute_uv=False).sum()
    return float(apart + (x**2).sum() + (y**2).sum() - 2 * shared)


def _centred(rows: Floats) -> Floats:
    """As few as they can be, of the same covariance."""
    found: Floats = np.linalg.qr((rows - rows.mean(0)) / math.sqrt(len(rows) - 1))[1]
    return found
