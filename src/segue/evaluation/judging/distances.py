"""Distances between the borders of two masks, exact in any spacing.

A border pixel is a pixel of the mask with a face neighbour outside it; outside the image is outside the mask. Distances
run from each border pixel of one mask to the nearest of the other, centre to centre.

Many border pixels of a fair prediction lie within a few pixels of the truth's. These are found by looking around them,
ring by ring; only the rest asks a tree.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

_REACH = 3  # of the rings, in units of the smallest spacing
_FEW = 2000  # points, up to which a tree alone is faster


@dataclass(frozen=True, slots=True)
class Borders:
    """Distances of each border pixel of the prediction to the truth's border, and of the truth's to the prediction's."""

    to_truth: Floats
    to_prediction: Floats

    @property
    def hd95(self) -> float:
        """The larger of the two directions' 95th percentiles, interpolated between neighbours."""
        return max(percentile(self.to_truth, 0.95), percentile(self.to_prediction, 0.95))

    @property
    def assd(self) -> float:
        """The mean over the border pixels of both masks together."""
        return float(self.to_truth.sum() + self.to_prediction.sum()) / (len(self.to_truth) + len(self.to_prediction))

    def within(self, tolerance: float) -> float:
        """The share of both masks' border pixels that are no further than this from the other border (NSD)."""
        near = np.count_nonzero(self.to_truth <= tolerance) + np.count_nonzero(self.to_prediction <= tolerance)
        return near / (len(self.to_truth) + len(self.to_prediction))


def percentile(values: Floats, share: float) -> float:
    # As NumPy's own, which takes longer to start than all the rest of a small image.
    place = (len(values) - 1) * share
    below = math.floor(place)
    above = min(below + 1, len(values) - 1)
    parted = np.partition(values, (below, above))
    return float(parted[below] + (parted[above] - parted[below]) * (place - below))


def box(mask: Mask) -> tuple[slice, ...]:
    """The smallest box that holds the whole mask, which must not be empty."""
    slices: list[slice] = []
    for axis in range(mask.ndim):
        inside = mask[tuple(slices)]
        found = np.flatnonzero(inside.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        slices.append(slice(int(found[0]), int(found[-1]) + 1))
    return tuple(slices)


def between(prediction: Mask, truth: Mask, spacing: Sequence[float]) -> Borders:
    """Both masks hold something; they may be cropped to any box that holds all of both."""
    one, other = _Border(prediction, spacing), _Border(truth, spacing)
    return Borders(one.to(other), other.to(one))


class _Border:
    def __init__(self, mask: Mask, spacing: Sequence[float]) -> None:
        self.spacing = tuple(spacing)
        padded = np.zeros([size + 2 * _REACH for size in mask.shape], bool)
        padded[(slice(_REACH, -_REACH),) * mask.ndim] = mask
        self.shape = padded.shape
        self.strides = tuple(stride // padded.itemsize for stride in padded.strides)
        # Around is all padding, so that a step along any axis is a step in the flat array.
        flat, edge = padded.reshape(-1), max(self.strides)
        middle = flat[edge:-edge]
        inner = middle.copy()
        for step in self.strides:
            inner &= flat[edge - step : -edge - step]
            inner &= flat[edge + step : len(flat) - edge + step]
        self.mask = np.zeros_like(flat)
        np.greater(middle, inner, out=self.mask[edge:-edge])
        self.places = np.flatnonzero(self.mask)

    def points(self, places: npt.NDArray[np.intp]) -> Floats:
        points: Floats = np.stack(np.unravel_index(places, self.shape), axis=1) * np.asarray(self.spacing, float)
        return points

    @functools.cached_property
    def tree(self) -> Any:
        # Built in half the time without balance, and asked only once.
        return KDTree(self.points(self.places), leafsize=64, compact_nodes=False, balanced_tree=False)

    def to(self, other: _Border) -> Floats:
        distances, left = np.zeros(len(self.places)), np.arange(len(self.places))
        if len(left) > _FEW:
            for distance, steps in _rings(self.spacing):
                places = self.places[left]
                near = np.zeros(len(left), bool)
                for step in steps:
                    near |= other.mask[places + sum(map(int.__mul__, step, self.strides))]
                distances[left[near]] = distance
                left = left[~near]
        else:  # what both borders share needs no tree
            left = left[~other.mask[self.places]]
        if len(left):
            distances[left] = other.tree.query(self.points(self.places[left]))[0]
        return distances


@functools.lru_cache(64)
def _rings(spacing: tuple[float, ...]) -> list[tuple[float, list[tuple[int, ...]]]]:
    """Steps to all pixels within reach, by their distance: none that is nearer is left out."""
    rings: dict[float, list[tuple[int, ...]]] = {}
    for step in itertools.product(range(-_REACH, _REACH + 1), repeat=len(spacing)):
        distance = math.sqrt(math.fsum((s * mm) ** 2 for s, mm in zip(step, spacing, strict=True)))
        if distance <= _REACH * min(spacing) * (1 + 1e-12):
            rings.setdefault(distance, []).append(step)
    return sorted(rings.items())
