"""A volume's prediction on one picture: slices through the structure above, the two cuts across them below, each with its
outlines, the right way up and in its true form."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segue.data.case import IGNORE
from segue.data.target import Target
from segue.evaluation.overlays import Bytes, overlay

Array = npt.NDArray[Any]

WIDTH = 900  # pixels
_GAP = 4
_SLICES = (0.2, 0.5, 0.8)  # of the structure's extent
_DARK, _BRIGHT = 0.5, 99.5  # percentiles that become black and white


def montage(
    image: Array,
    truth: npt.NDArray[np.uint8] | None,
    labels: npt.NDArray[np.uint8],
    target: Target,
    *,
    steps: tuple[float, ...],
) -> Bytes:
    """`image` (slice, row, column, channel), of which the first channel is shown; `steps` in millimetres, or empty."""
    step = steps or (1.0, 1.0, 1.0)
    grey = _grey(image[..., 0])
    there = _there(labels if truth is None else truth, target)
    if not there.any():
        there = _there(labels, target)
    places = [_extent(there, axis) for axis in range(3)]
    chosen = [round(places[0][0] + part * (places[0][1] - places[0][0])) for part in _SLICES]
    above = [_cut(grey, truth, labels, target, 0, number, step) for number in dict.fromkeys(chosen)]
    below = [_cut(grey, truth, labels, target, axis, sum(places[axis]) // 2, step) for axis in (1, 2)]
    rows = [_beside(above), _beside(below)]
    return np.concatenate([rows[0], np.zeros((_GAP, WIDTH, 3), np.uint8), rows[1]])


def _grey(volume: Array) -> Bytes:
    few = volume.reshape(-1)[:: max(1, volume.size >> 20)]
    low, high = np.percentile(few, (_DARK, _BRIGHT))
    seen = (volume.astype(np.float32) - np.float32(low)) * np.float32(255 / max(float(high - low), 1e-6))
    return np.asarray(np.clip(seen, 0, 255), np.uint8)


def _there(labels: npt.NDArray[np.uint8], target: Target) -> npt.NDArray[np.bool_]:
    found = (labels > 0) & (labels != IGNORE)
    return np.asarray(found if found.ndim == 3 else found.any(axis=0))


def _extent(there: npt.NDArray[np.bool_], axis: int) -> tuple[int, int]:
    """First and last; of nothing, the middle."""
    found = np.flatnonzero(there.any(axis=tuple({0, 1, 2} - {axis})))
    middle = there.shape[axis] // 2
    return (int(found[0]), int(found[-1])) if len(found) else (middle, middle)


def _cut(
    grey: Bytes, truth: npt.NDArray[np.uint8] | None, labels: npt.NDArray[np.uint8], target: Target, axis: int, number: int,
    step: tuple[float, ...],
) -> Bytes:  # fmt: skip
    def plane(volume: Array) -> Array:
        taken = np.take(volume, number, axis=volume.ndim - 3 + axis)
        # Cuts across slices: the last slice is the topmost, as a patient stands.
        return np.ascontiguousarray(taken if axis == 0 else taken[..., ::-1, :])

    rest = tuple(each for place, each in enumerate(step) if place != axis)
    return overlay(
        plane(grey), None if truth is None else plane(truth), plane(labels), target, long_side=WIDTH // 2, steps=rest
    )


def _beside(cuts: list[Bytes]) -> Bytes:
    """As wide as the montage, equally high."""
    room = WIDTH - _GAP * (len(cuts) - 1)
    height = min(WIDTH // 2, int(room / sum(cut.shape[1] / cut.shape[0] for cut in cuts)))
    parts: list[Bytes] = []
    for cut in cuts:
        width = max(1, round(cut.shape[1] * height / cut.shape[0]))
        parts += [cv2.resize(cut, (width, height), interpolation=cv2.INTER_AREA), np.zeros((height, _GAP, 3), np.uint8)]  # type: ignore[list-item]
    row = np.concatenate(parts[:-1], axis=1)[:, :WIDTH]
    left = (WIDTH - row.shape[1]) // 2
    return np.pad(row, ((0, 0), (left, WIDTH - row.shape[1] - left), (0, 0)))
