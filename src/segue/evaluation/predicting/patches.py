"""A volume on its way through a network that sees patches: a window slid over it, each place seen by several, those counting
most in whose middle it lies."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.data.target import Target
from segue.evaluation.predicting.frame import Frame
from segue.evaluation.predicting.probabilities import Maps, Probabilities
from segue.evaluation.predicting.stack import WHOLE, Stack, only_foreground

OVERLAP = 0.5  # of a window's side, at least
_SPREAD = 1 / 8  # of a window's side: the standard deviation of what its places count
_LEAST = 1e-3  # of the middle's: what the window's corners count


class PatchJob:
    def __init__(self, stack: Stack, frame: Frame, target: Target) -> None:
        assert frame.volumes is not None
        assert frame.volumes.patch is not None
        self.stack, self.frame, self.name, self.target = stack, frame, stack.name, target
        self.tile = frame.volumes.patch
        shape = stack.voxels.shape[:3]
        # A volume smaller than a window stands in its middle.
        self.before = [max(0, side - have) // 2 for side, have in zip(self.tile, shape, strict=True)]
        starts = [_starts(have, side) for have, side in zip(shape, self.tile, strict=True)]
        self.corners = list(itertools.product(*starts))
        self.weights = [
            dict(zip(some, _weights(some, side, have), strict=True))
            for some, side, have in zip(map(tuple, starts), self.tile, shape, strict=True)
        ]
        self.two = only_foreground(target)
        self.total = np.zeros((1 if self.two else len(target.names), *shape), np.float32)
        self.left = len(self.corners)

    @property
    def done(self) -> bool:
        return self.left == 0

    def windows(self) -> Iterator[npt.NDArray[Any]]:
        """(slice, row, column, channel)"""
        colour = self.frame.padding.value(self.stack.voxels.shape[3])
        for corner in self.corners:
            seen = self.stack.voxels[self._inside(corner)]
            if seen.shape[:3] == self.tile:
                yield np.ascontiguousarray(seen)
                continue
            whole = np.empty((*self.tile, seen.shape[3]), seen.dtype)
            whole[:] = np.rint(colour * np.iinfo(seen.dtype).max).astype(seen.dtype)
            whole[self._kept(seen.shape[:3])] = seen
            yield whole

    def add(self, number: int, maps: Maps) -> None:
        corner = self.corners[number]
        where = self._inside(corner)
        shape = tuple(part.stop - part.start for part in where)
        shown = (maps[1:] if self.two else maps)[(slice(None), *self._kept(shape))]
        down, along, across = (weights[start] for weights, start in zip(self.weights, corner, strict=True))
        self.total[(slice(None), *where)] += shown * (down[:, None, None] * along[:, None] * across)
        self.left -= 1

    def found(self) -> Probabilities:
        # The weights of a place are 1 together but for rounding.
        kept = np.rint(np.clip(self.total, 0, 1) * np.float32(WHOLE)).astype(np.uint16)
        self.total = np.zeros(0, np.float32)
        return self.stack.back(kept, self.target)

    def _inside(self, corner: tuple[int, ...]) -> tuple[slice, ...]:
        """What a window shows of the volume."""
        sides = zip(corner, self.tile, self.stack.voxels.shape, strict=False)
        return tuple(slice(start, min(start + side, have)) for start, side, have in sides)

    def _kept(self, shape: tuple[int, ...]) -> tuple[slice, ...]:
        """Where that stands in the window."""
        return tuple(slice(first, first + side) for first, side in zip(self.before, shape, strict=True))


def _starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [0]
    count = 1 + math.ceil((length - side) / (side * (1 - OVERLAP)))
    return [round(place) for place in np.linspace(0, length - side, count)]


@functools.lru_cache(maxsize=64)
def _weights(starts: tuple[int, ...], side: int, length: int) -> list[npt.NDArray[np.float32]]:
    """Along one axis, of each window: a bell, and 1 together everywhere."""
    seen = min(side, length)
    bell = np.maximum(np.exp(-(((np.arange(seen) + 0.5 - seen / 2) / (side * _SPREAD)) ** 2) / 2), _LEAST)
    total = np.zeros(length)
    for start in starts:
        total[start : start + seen] += bell
    return [np.asarray(bell / total[start : start + seen], np.float32) for start in starts]
