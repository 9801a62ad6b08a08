"""A volume on a grid of another spacing, and what was found there back on its own. Voxels are boxes: a size changes about
the corner, so that there and back again is the same place.

Each axis is one small matrix: the mean over areas where it shrinks, so that nothing aliases; linear where it grows.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.data.geometry import with_every_class

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
Shape = tuple[int, int, int]


def fitting(shape: Shape, spacing: tuple[float, ...], wanted: tuple[float, ...]) -> Shape:
    """The shape whose voxels come closest to the wanted size; never without a voxel."""
    sides = [max(1, round(side * have / want)) for side, have, want in zip(shape, spacing, wanted, strict=True)]
    return (sides[0], sides[1], sides[2])


def resized(voxels: Array, shape: Shape) -> Floats:
    """(slice, row, column[, channels]) of numbers that may be mixed: intensities, probabilities."""
    found = np.asarray(voxels, np.float32)
    # Axes that shrink first: the others then have less to do.
    for axis in sorted(range(3), key=lambda axis: shape[axis] / found.shape[axis]):
        if found.shape[axis] != shape[axis]:
            found = _along(found, axis, _weights(found.shape[axis], shape[axis]))
    return found


def resized_part(voxels: Array, shape: Shape, start: int, stop: int) -> Floats:
    """Slices `start` to `stop` of what `resized` would give, made of those alone that they hang on."""
    weights = _weights(len(voxels), shape[0])[start:stop]
    used = np.flatnonzero(weights.any(axis=0))
    low, high = int(used[0]), int(used[-1]) + 1
    part = np.asarray(voxels[low:high], np.float32)
    whole = _along(part, 0, np.ascontiguousarray(weights[:, low:high])) if len(voxels) != shape[0] else part
    return resized(whole, (stop - start, shape[1], shape[2]))


def resized_labels(ids: Array, shape: Shape) -> npt.NDArray[np.uint8]:
    """Each voxel takes one class; a class that is there stays, however small."""
    found = np.asarray(ids, np.uint8)
    if found.shape == shape:
        return found
    picked = np.ix_(*(_nearest(have, want) for have, want in zip(found.shape, shape, strict=True)))
    return with_every_class(found, np.ascontiguousarray(found[picked]))


def _along(voxels: Floats, axis: int, weights: Floats) -> Floats:
    if axis == 0:
        return (weights @ voxels.reshape(len(voxels), -1)).reshape(len(weights), *voxels.shape[1:])
    lines = np.moveaxis(voxels, axis, 1)
    found = np.matmul(weights, lines.reshape(len(lines), lines.shape[1], -1))
    return np.ascontiguousarray(np.moveaxis(found.reshape(len(lines), len(weights), *lines.shape[2:]), 1, axis))


@functools.lru_cache(maxsize=64)
def _weights(have: int, want: int) -> Floats:
    """(want, have), each row 1 together."""
    if want < have:
        edges = np.arange(want + 1) * (have / want)
        low, high = edges[:-1, None], edges[1:, None]
        cells = np.arange(have)[None]
        covered = np.clip(np.minimum(high, cells + 1) - np.maximum(low, cells), 0, None)
        return np.asarray(covered / covered.sum(axis=1, keepdims=True), np.float32)
    places = np.clip((np.arange(want) + 0.5) * have / want - 0.5, 0, have - 1)
    left = np.minimum(places.astype(int), max(have - 2, 0))
    found = np.zeros((want, have))
    found[np.arange(want), left] = 1 - (places - left)
    found[np.arange(want), np.minimum(left + 1, have - 1)] += places - left
    return np.asarray(found, np.float32)


def _nearest(have: int, want: int) -> npt.NDArray[np.intp]:
    return np.minimum((np.arange(want) * 2 + 1) * have // (2 * want), have - 1)


def typical(values: Sequence[float]) -> float:
    """The middle of several spacings, rounded to what a person would write."""
    middle = sorted(values)[len(values) // 2]
    digits = 4 - math.floor(math.log10(middle)) if middle > 0 else 0
    return round(middle, max(digits, 0))
