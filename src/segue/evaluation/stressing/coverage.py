"""How much of another site lies within what training sees of its own images, varied ones included: in a space of numbers an
image, by nearest neighbours, without a mask.

A *bank* is what training sees: the images of the source, and varied copies of them. An image is covered if it lies no
farther from a bank than 95 % of *held-back images of the source* lie from that same bank. So each bank has a ruler of its
own. A larger bank is nearer to everything, and with one ruler for all banks any copies at all would seem to cover more;
with its own, copies that help home as much as elsewhere gain nothing. It also makes 95 % the reference of every bank:
images that home itself might have taken are covered so often whatever the bank is, and by luck within a band that is known
exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from segue.errors import BadInput
from segue.evaluation.statistics import ALPHA, separation
from segue.words import of_all

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEVEL = 0.95  # of held-back images are covered
FEWEST = 2  # images of a site, and held-back ones

_KEPT = 0.99  # of the source's variance: what is left are directions in which its images hardly differ
_CHUNK = 1 << 22  # numbers at a time: 32 MiB


@dataclass(frozen=True, eq=False)
class Space:
    """Numbers of images as the source's own images spread: along each of its main directions the spread is one, so that a
    direction counts by how unusual a step along it would be at home, and not by how large the network writes it."""

    middle: Floats  # (d,)
    directions: Floats  # (d, k), each divided by the source's spread along it

    @classmethod
    def of(cls, source: npt.ArrayLike) -> Space:
        given = _finite(source, "the source")
        middle = given.mean(axis=0)
        _, sizes, rows = np.linalg.svd(given - middle, full_matrices=False)
        if len(given) < 2 or not sizes.any():
            raise BadInput(
                "all images of the source look the same to this network: it has collapsed, or they are copies"
            )
        shares = np.cumsum(sizes**2) / (sizes**2).sum()
        kept = int(np.searchsorted(shares, _KEPT)) + 1
        return cls(middle, rows[:kept].T / (sizes[:kept] / math.sqrt(len(given) - 1)))

    def places(self, z: npt.ArrayLike, what: str) -> Floats:
        found: Floats = (_finite(z, what) - self.middle) @ self.directions
        return found


def nearest(points: Floats, bank: Floats) -> tuple[Floats, Ints]:
    """Of each point, how far the nearest of the bank is and which it is."""
    far, which = np.empty(len(points)), np.empty(len(points), np.int64)
    squares = (bank**2).sum(axis=1)
    step = max(1, _CHUNK // max(1, len(bank)))
    for start in range(0, len(points), step):
        rows = slice(start, start + step)
        which[rows] = (squares - 2 * points[rows] @ bank.T).argmin(axis=1)
        far[rows] = np.linalg.norm(points[rows] - bank[which[rows]], axis=1)  # exact: of an image itself it is 0
    return far, which


@dataclass(frozen=True)
class Ruler:
    """How far from a bank an image may lie."""

    radius: float
    place: int  # it is the distance of the so manieth held-back image, the nearest first,
    held: int  # of so many

    @classmethod
    def of(cls, held: Floats) -> Ruler:
        """From the distances of held-back images. Of fewer than 19 the farthest is taken, and the reference is lower."""
        if len(held) < FEWEST:
            raise BadInput(f"{of_all(len(held), FEWEST, 'image')} of the source held back: too few to say what is near")
        place = min(len(held), math.ceil((len(held) + 1) * LEVEL))
        return cls(float(np.sort(held)[place - 1]), place, len(held))

    @property
    def reference(self) -> float:
        """The share of images like the held-back ones that is covered on average."""
        return self.place / (self.held + 1)

    def by_luck(self, count: int) -> tuple[float, float]:
        """In between lies that share in 95 of 100 sites of so many images, if they are like the held-back ones."""
        chances = stats.betabinom(count, self.place, self.held + 1 - self.place).pmf(np.arange(count + 1))
        low, high = np.searchsorted(np.cumsum(chances), (ALPHA / 2, 1 - ALPHA / 2)) / count
        return float(low), float(min(high, 1.0))


@dataclass(frozen=True)
class Coverage:
    """Of a site by one bank."""

    bank: str
    images: int
    covered: int
    low: float  # its interval; images of one patient count as one for its width
    high: float
    middle: float  # the median image's distance, in radii
    farther: float  # the chance that an image lies farther than one that is held back; .5: like home
    reference: float
    luck: tuple[float, float]

    @property
    def share(self) -> float:
        return self.covered / self.images

    def as_json(self) -> dict[str, Any]:
        return {
            "bank": self.bank, "images": self.images, "covered": self.covered, "share": self.share, "low": self.low,
            "high": self.high, "median_distance": self.middle if math.isfinite(self.middle) else None,
            "farther": self.farther,
            "reference": self.reference, "by_luck": list(self.luck),
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Measured:
    """A site's images against one bank."""

    coverage: Coverage
    distances: Floats  # in radii: up to 1 is covered
    nearest: Ints  # which of the bank


def measured(name: str, site: Floats, held: Floats, bank: Floats, patients: int) -> Measured:
    """`patients`: of the site."""
    if len(site) < FEWEST:
        raise BadInput(f"{of_all(len(site), FEWEST, 'image')}: of a single one no share can be told")
    ruler = Ruler.of(back := nearest(held, bank)[0])
    far, which = nearest(site, bank)
    inside = far <= ruler.radius
    with np.errstate(divide="ignore", invalid="ignore"):
        radii = np.where(inside & (ruler.radius == 0), 0.0, far / ruler.radius)
    covered = int(inside.sum())
    told = Coverage(
        name, len(site), covered, *interval(far, back, ruler, patients), float(np.median(radii)), separation(far, back),
        ruler.reference, ruler.by_luck(len(site)),
    )  # fmt: skip
    return Measured(told, radii, which)


def interval(site: Floats, held: Floats, ruler: Ruler, patients: int) -> tuple[float, float]:
    """Of the share covered: as few images of the site tell it, and as few held-back ones tell the radius. Two doubts that have
    nothing to do with each other, put together by the squares of what each alone would leave open (Zou and Donner, 2008)."""
    share = float((site <= ruler.radius).mean())
    low, high = wilson(share, patients)
    places = stats.binom(len(held), LEVEL).ppf((ALPHA / 2, 1 - ALPHA / 2)).astype(int)
    radii = np.sort(held)[np.clip(places, 1, len(held)) - 1]
    less, more = (float((site <= radius).mean()) for radius in radii)
    return (
        max(0.0, share - math.hypot(share - low, share - min(less, share))),
        min(1.0, share + math.hypot(high - share, max(more, share) - share)),
    )


def wilson(share: float, count: int) -> tuple[float, float]:
    """From where to where a share of so many may as well lie; unlike a bootstrap also where it is none or all."""
    z = float(special.ndtri(1 - ALPHA / 2))
    middle, room = share + z**2 / (2 * count), z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return max(0.0, (middle - room) / (1 + z**2 / count)), min(1.0, (middle + room) / (1 + z**2 / count))


def _finite(z: npt.ArrayLike, what: str) -> Floats:
    given: Floats = np.asarray(z, float)
    lost = int((~np.isfinite(given)).any(axis=1).sum())
    if lost:
        raise BadInput(f"{what}: what the network makes of {of_all(lost, len(given), 'image')} are not finite numbers")
    return given
