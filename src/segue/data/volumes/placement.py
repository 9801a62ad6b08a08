"""How a volume was brought to its stored shape, and the way back: the three-dimensional sibling of `geometry.Fit`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.data.volumes.resample import Shape, resized_labels, resized_part

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

PART = 64 << 20  # bytes of probabilities that are brought back at once


@dataclass(frozen=True, slots=True)
class Placement:
    """A box of the volume (slice, row, column), resampled."""

    native: Shape
    start: Shape
    stop: Shape
    stored: Shape

    @property
    def box(self) -> tuple[slice, slice, slice]:
        one, two, three = (slice(first, last) for first, last in zip(self.start, self.stop, strict=True))
        return one, two, three

    def labels(self, ids: Array) -> npt.NDArray[np.uint8]:
        """Native to stored."""
        return resized_labels(ids[self.box], self.stored)

    def labels_back(self, ids: Array) -> npt.NDArray[np.uint8]:
        """Stored to native; outside of the box lies the background."""
        found = np.zeros(self.native, np.uint8)
        found[self.box] = resized_labels(ids, self._inside)
        return found

    def parts_back(self, maps: Array, beyond: tuple[float, ...], *, most: int = PART) -> Iterator[Floats]:
        """Stored probabilities (classes, slice, row, column) on the native grid, some slices at a time, in order:
        of a large volume all at once would not fit into memory. `beyond`: of each class, outside of the box."""
        plane = len(maps) * self.native[1] * self.native[2] * 4
        step = max(1, most // plane)
        first, last = self.start[0], self.stop[0]
        for begin in range(0, self.native[0], step):
            end = min(begin + step, self.native[0])
            part = np.empty((len(maps), end - begin, *self.native[1:]), np.float32)
            part[:] = np.array(beyond, np.float32)[:, None, None, None]
            low, high = max(begin, first), min(end, last)
            for number, volume in enumerate(maps if low < high else ()):
                inside = resized_part(volume, self._inside, low - first, high - first)
                part[number, low - begin : high - begin, self.box[1], self.box[2]] = inside
            yield part

    @property
    def _inside(self) -> Shape:
        one, two, three = (last - first for first, last in zip(self.start, self.stop, strict=True))
        return one, two, three
