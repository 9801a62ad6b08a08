"""A volume on a picture: which slices and cuts show its structure, each the right way up, and how they are put together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Bytes = npt.NDArray[np.uint8]
Cut = tuple[int, int]  # across which axis (slice, row, column), and where

_SLICES = (0.2, 0.5, 0.8)  # of the structure's extent
_GAP = 4  # pixels between cuts
_DARK, _BRIGHT = 0.5, 99.5  # percentiles that become black and white
_SEEN = 1 << 20  # voxels that these are taken of


def grey(volume: Array) -> Bytes:
    few = volume.reshape(-1)[:: max(1, volume.size // _SEEN)]
    low, high = np.percentile(few, (_DARK, _BRIGHT))
    seen = (volume.astype(np.float32) - np.float32(low)) * np.float32(255 / max(float(high - low), 1e-6))
    return np.asarray(np.clip(seen, 0, 255), np.uint8)


def slices_through(there: npt.NDArray[np.bool_]) -> list[Cut]:
    """Three slices through what is there, fewer of a flat one; of nothing, through the volume's middle."""
    first, last = _extent(there, 0)
    return [(0, number) for number in dict.fromkeys(round(first + part * (last - first)) for part in _SLICES)]


def cuts_across(there: npt.NDArray[np.bool_]) -> list[Cut]:
    """Through its middle, across the rows and across the columns."""
    return [(axis, sum(_extent(there, axis)) // 2) for axis in (1, 2)]


def _extent(there: npt.NDArray[np.bool_], axis: int) -> tuple[int, int]:
    """First and last; of nothing, the middle."""
    found = np.flatnonzero(there.any(axis=tuple({0, 1, 2} - {axis})))
    middle = there.shape[axis] // 2
    return (int(found[0]), int(found[-1])) if len(found) else (middle, middle)


def plane(volume: Array, cut: Cut) -> Array:
    """Of (..., slice, row, column). Across slices the last one is the topmost, as a patient stands."""
    axis, number = cut
    taken = np.take(volume, number, axis=volume.ndim - 3 + axis)
    return np.ascontiguousarray(taken if axis == 0 else taken[..., ::-1, :])


def steps_of(steps: Sequence[float], cut: Cut) -> tuple[float, float]:
    """How far apart a cut's rows and columns are."""
    one, two = (each for axis, each in enumerate(steps) if axis != cut[0])
    return one, two


def beside(pictures: Sequence[Bytes], width: int, most: int) -> Bytes:
    """Pictures (height, width, 3) in a row of this width, equally high, at most so high."""
    room = width - _GAP * (len(pictures) - 1)
    height = max(1, min(most, int(room / sum(each.shape[1] / each.shape[0] for each in pictures))))
    parts: list[Bytes] = []
    for each in pictures:
        size = (max(1, round(each.shape[1] * height / each.shape[0])), height)
        parts += [np.asarray(cv2.resize(each, size, interpolation=cv2.INTER_AREA), np.uint8)]
        parts += [np.zeros((height, _GAP, 3), np.uint8)]
    row = np.concatenate(parts[:-1], axis=1)[:, :width]
    left = (width - row.shape[1]) // 2
    return np.pad(row, ((0, 0), (left, width - row.shape[1] - left), (0, 0)))


def below(rows: Sequence[Bytes]) -> Bytes:
    gap = np.zeros((_GAP, rows[0].shape[1], 3), np.uint8)
    return np.concatenate([part for row in rows for part in (row, gap)][:-1])
