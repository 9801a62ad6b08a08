"""What an encoder makes of images, without a mask: whether it tells them apart at all, by what, and which it takes for alike.

Representations are z (n, d), a row an image. Where directions are compared, every row is first brought to length 1, as the
cosine does; a row of zeros stays one. Numbers that are not finite are refused, and `collapsed` tells of them. Patients (units)
are kept apart: slices of one patient, or copies of one picture, find each other under any encoder.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segue.errors import BadInput
from segue.words import of_all, percent

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# What is below these has collapsed, on any data that is worth an encoder; what is above may still be poor.
_SAME = 0.05  # spread: two images then have a cosine above 0.997 on average
_LINE = 0.95  # share of one direction in the variance: more than twenty times all that tells images apart otherwise
_FEW = 4.0  # effective rank: fewer directions than place, size, brightness and contrast alone would take
_ROOM = 16  # directions that there could be, below which so few are no wonder
_ENOUGH = 8  # images that, if they lie on a line, hardly do so by luck

_CHUNK = 1 << 22  # numbers at a time: 32 MiB
_SHARPNESS = 2.0  # of uniformity, as Wang and Isola (2020) have it


@dataclass(frozen=True)
class Known:
    """What is known of the images behind the rows of z, one entry an image."""

    cases: tuple[str, ...]
    datasets: tuple[str, ...]
    sites: tuple[str, ...]  # empty: not told
    units: tuple[str, ...]  # a patient and whatever is a copy of their images
    partitions: tuple[int, ...]  # where along its volume a slice lies; -1: of what has no axis
    volumes: tuple[str, ...]  # empty: a picture
    slices: tuple[int, ...]  # -1: a picture

    def __post_init__(self) -> None:
        lengths = {len(entries) for entries in vars(self).values()}
        if len(lengths) > 1:
            raise ValueError(f"one entry an image, but there are {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.cases)


@dataclass(frozen=True)
class Probe:
    """How often a label is guessed from the nearest images of other patients."""

    accuracy: float
    chance: float  # what always guessing the commonest label would give
    n: int  # images that were guessed


@dataclass(frozen=True)
class Principal:
    places: Floats  # (n, count): along the directions of the most variance
    shares: tuple[float, ...]  # of each in the whole variance


def spread(z: npt.ArrayLike) -> float:
    """How far apart the directions are: 0 when all are the same, about 1 when there is none that they prefer."""
    directions = _directions(z)
    if len(directions) < 2:
        return math.nan
    return float(directions.std(axis=0).mean() * math.sqrt(directions.shape[1]))


def effective_rank(z: npt.ArrayLike) -> float:
    """How many directions are made use of (Roy and Vetterli, 2007): 1 on a line, d when all alike, 0 in a point."""
    given = _finite(z)
    return _rank(_sizes(given)) if len(given) > 1 else math.nan


def uniformity(z: npt.ArrayLike) -> float:
    """How evenly directions fill the sphere: 0 when all are the same, about -4 when even in many dimensions."""
    directions = _directions(z)
    if len(directions) < 2:
        return math.nan
    squares, total = (directions**2).sum(axis=1), 0.0
    for rows in _blocks(len(directions)):
        later = slice(rows.start, None)  # each pair once
        apart = squares[rows, None] + squares[later] - 2 * directions[rows] @ directions[later].T
        total += float(np.triu(np.exp(-_SHARPNESS * np.maximum(apart, 0)), 1).sum())
    return math.log(total / (len(directions) * (len(directions) - 1) / 2))


def alignment(z: npt.ArrayLike, z2: npt.ArrayLike) -> float:
    """The mean squared distance of two views of the same images: 0 when equal, 2 when they have nothing in common."""
    one, other = _directions(z), _directions(z2)
    if one.shape != other.shape:
        raise ValueError(f"views of the same images, but of shapes {one.shape} and {other.shape}")
    return float(((one - other) ** 2).sum(axis=1).mean()) if len(one) else math.nan


def neighbours(z: npt.ArrayLike, units: Sequence[str], k: int) -> Ints:
    """(n, k): by cosine the nearest rows of other units, the nearest first; -1 where there are no more."""
    directions = _directions(z)
    unit = np.unique(np.asarray(units), return_inverse=True)[1]
    places = np.full((len(directions), k), -1, np.int64)
    some = min(k, len(directions))
    for rows in _blocks(len(directions)):
        unlike = -(directions[rows] @ directions.T)
        unlike[unit[rows, None] == unit] = np.inf
        found = np.argpartition(unlike, some - 1, axis=1)[:, :some]
        far = np.take_along_axis(unlike, found, axis=1)
        order = np.lexsort((found, far))  # of those equally far, the first
        found[np.isinf(far)] = -1
        places[rows, :some] = np.take_along_axis(found, order, axis=1)
    return places


def knn_probe(z: npt.ArrayLike, labels: npt.ArrayLike, units: Sequence[str], k: int = 5) -> Probe:
    """Labels guessed by the vote of the nearest images of other units; of labels with as many votes, the nearer one's.

    An image whose label no other unit has could not be guessed: it neither is nor votes.
    """
    given, unit = _finite(z), np.asarray(units)
    values, label = np.unique(np.asarray(labels), return_inverse=True)
    pairs = np.unique(np.stack((label, np.unique(unit, return_inverse=True)[1])), axis=1)
    kept = (np.bincount(pairs[0], minlength=len(values)) > 1)[label]
    number, label = int(kept.sum()), label[kept]
    if not number:
        return Probe(math.nan, math.nan, 0)
    near = neighbours(given[kept], unit[kept].tolist(), k)
    votes = np.where(near < 0, -1, label[near])
    # How many vote as this one does; the first of the highest is the nearest.
    agreeing = (votes[:, :, None] == votes[:, None, :]).sum(axis=2) * (votes >= 0)
    guessed = votes[np.arange(number), agreeing.argmax(axis=1)]
    return Probe(float((guessed == label).mean()), float(np.bincount(label).max() / number), number)


def probes(z: npt.ArrayLike, known: Known) -> dict[str, Probe]:
    """Of "partition", "dataset" and "site", those that are known and that there is something to guess in."""
    given, units = _finite(z), np.asarray(known.units)
    found = {}
    for what, labels, nothing in (
        ("partition", np.asarray(known.partitions), -1),
        ("dataset", np.asarray(known.datasets), ""),
        ("site", np.asarray(known.sites), ""),
    ):
        told = labels != nothing
        probe = knn_probe(given[told], labels[told], units[told].tolist())
        if probe.n and probe.chance < 1:
            found[what] = probe
    return found


def principal(z: npt.ArrayLike, count: int = 2) -> Principal:
    """The first components. Each points to where its largest loading is positive, so that the same z is the same picture."""
    centred = _centred(_finite(z))
    left, sizes, right = np.linalg.svd(centred, full_matrices=False)
    there = min(count, len(sizes))
    places, shares = np.zeros((len(centred), count)), np.zeros(count)
    largest = right[np.arange(there), np.abs(right[:there]).argmax(axis=1)]
    places[:, :there] = left[:, :there] * sizes[:there] * np.sign(largest)
    if sizes.any():
        shares[:there] = sizes[:there] ** 2 / (sizes**2).sum()
    return Principal(places, tuple(shares.tolist()))


def collapsed(z: npt.ArrayLike) -> str:
    """One sentence that says what collapsed; nothing where nothing has, or where too few images are there to tell."""
    given = np.asarray(z, float)
    lost = int((~np.isfinite(given)).any(axis=1).sum())
    if lost:
        return f"the representations of {of_all(lost, len(given), 'image')} are not finite numbers"
    if len(given) < 2:
        return ""
    if (apart := spread(given)) < _SAME:
        return f"all images have nearly the same representation (spread {apart:.3f})"
    sizes, room = _sizes(given), min(given.shape[1], len(given) - 1)
    # Not by the effective rank alone: a little noise in each of many dimensions adds up in it, and hides a line.
    share, rank = float(sizes[0] ** 2 / (sizes**2).sum()), _rank(sizes)
    if room > 1 and len(given) >= _ENOUGH and share > _LINE:
        return f"the representations lie on a line ({percent(share)} of their variance, effective rank {rank:.1f})"
    if room >= _ROOM and rank < _FEW:
        return f"the representations vary in hardly any of {room:,} directions (effective rank {rank:.1f})"
    return ""


def _finite(z: npt.ArrayLike) -> Floats:
    given: Floats = np.asarray(z, float)
    lost = int((~np.isfinite(given)).any(axis=1).sum())
    if lost:
        raise BadInput(f"the representations of {of_all(lost, len(given), 'image')} are not finite numbers")
    return given


def _sizes(given: Floats) -> Floats:
    """How far the rows reach in each of the directions that principal components take."""
    return np.asarray(np.linalg.svd(_centred(given), compute_uv=False), np.float64)


def _rank(sizes: Floats) -> float:
    if not sizes.any():
        return 0.0
    shares = sizes[sizes > 0] / sizes.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _directions(z: npt.ArrayLike) -> Floats:
    given = _finite(z)
    lengths = np.linalg.norm(given, axis=1, keepdims=True)
    directions: Floats = given / np.where(lengths > 0, lengths, 1)
    return directions


def _centred(given: Floats) -> Floats:
    """Equal rows become zeros to the last bit: what rounding leaves would look like variance in all directions."""
    moved = given - given[:1]
    centred: Floats = moved - moved.sum(axis=0) / max(1, len(moved))
    return centred


def _blocks(number: int) -> Iterator[slice]:
    step = max(1, _CHUNK // max(1, number))
    return (slice(start, min(start + step, number)) for start in range(0, number, step))
