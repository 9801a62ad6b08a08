"""An image on its canvas, cut into overlapping tiles of the network's size, and the predictions joined without seams.

The whole image is rendered once, at the scale of the tiles; tiles are windows of that one rendering. So a network that
looks at single pixels gives the same whether an image is tiled or not, and the common case is that of one tile.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segue.data.preparing.propose import STEP
from segue.evaluation.predicting.frame import Frame

OVERLAP = 0.25  # of a tile's side, at least
WORTH = 1.25  # an image that would be seen less than this times larger is not cut


@dataclass(frozen=True)
class Tiling:
    canvas: tuple[int, int]  # what the whole image is rendered onto
    tile: tuple[int, int]
    tops: tuple[int, ...]
    lefts: tuple[int, ...]

    @property
    def windows(self) -> Iterator[tuple[int, int]]:
        """(top, left), row by row."""
        return ((top, left) for top in self.tops for left in self.lefts)

    def __len__(self) -> int:
        return len(self.tops) * len(self.lefts)


def tiling(stored: tuple[int, int], frame: Frame) -> Tiling:
    """How an image of this stored size is cut; the rule is told at `Frame`."""
    height, width = frame.size
    down, across = height / stored[0], width / stored[1]
    whole, filling = min(down, across), max(down, across)
    wanted = whole
    if frame.tiles == "auto":
        wanted = whole * frame.zoom
    elif frame.tiles == "fill" and filling > 2 * whole:
        wanted = filling
    scale = min(wanted, max(whole, 1.0))  # no tile shows more than the stored image has
    if scale < WORTH * whole:
        canvas = _tight(stored, whole, frame.size) if frame.tight and "rot90" not in frame.views else frame.size
        return Tiling(canvas, canvas, (0,), (0,))
    canvas = (max(height, round(stored[0] * scale)), max(width, round(stored[1] * scale)))
    return Tiling(canvas, frame.size, _starts(canvas[0], height), _starts(canvas[1], width))


def slice_tiling(stored: tuple[int, int], frame: Frame) -> Tiling:
    """Of a slice, which keeps its scale: a canvas that holds it, in one tile where the network does not mind."""
    if frame.tight:
        canvas = _tight(stored, 1.0, (stored[0] + STEP, stored[1] + STEP))
        return Tiling(canvas, canvas, (0,), (0,))
    height, width = frame.size
    canvas = (max(height, stored[0]), max(width, stored[1]))
    return Tiling(canvas, frame.size, _starts(canvas[0], height), _starts(canvas[1], width))


def _tight(stored: tuple[int, int], scale: float, size: tuple[int, int]) -> tuple[int, int]:
    height, width = (
        min(most, math.ceil(round(side * scale) / STEP) * STEP) for side, most in zip(stored, size, strict=True)
    )
    return height, width


def _starts(length: int, side: int) -> tuple[int, ...]:
    count = 1 + math.ceil((length - side) / (side * (1 - OVERLAP)))
    return tuple(round(place) for place in np.linspace(0, length - side, count))


class Blend:
    """The predictions of an image's tiles, one after the other, to one map on its canvas."""

    def __init__(self, plan: Tiling) -> None:
        self.plan = plan
        self._down = _weights(plan.tops, plan.tile[0], plan.canvas[0])
        self._across = _weights(plan.lefts, plan.tile[1], plan.canvas[1])
        self._places = list(plan.windows)
        self._left = len(plan)
        self._maps: npt.NDArray[np.float64] | npt.NDArray[np.float32] | None = None

    def add(self, number: int, maps: npt.NDArray[np.float32]) -> bool:
        """(classes, height, width) of one tile; true when it was the last."""
        self._left -= 1
        if len(self.plan) == 1:
            self._maps = maps
            return True
        if self._maps is None:
            # In double precision the weights of equal values give that very value back.
            self._maps = np.zeros((len(maps), *self.plan.canvas))
        row, column = divmod(number, len(self.plan.lefts))
        (top, left), (height, width) = self._places[number], self.plan.tile
        weights = self._down[row][:, None] * self._across[column][None, :]
        self._maps[:, top : top + height, left : left + width] += weights * maps
        return self._left == 0

    @property
    def maps(self) -> npt.NDArray[np.float32]:
        assert self._maps is not None
        return self._maps.astype(np.float32, copy=False)


@functools.lru_cache(maxsize=64)
def _weights(starts: tuple[int, ...], side: int, length: int) -> npt.NDArray[np.float64]:
    """(tiles, side) along one axis: falling towards a neighbour, 1 together everywhere."""
    place = np.arange(side) + 0.5
    falling = np.minimum(np.minimum(place, side - place) / (side * OVERLAP), 1)
    total = np.zeros(length)
    for start in starts:
        total[start : start + side] += falling
    return np.stack([falling / total[start : start + side] for start in starts])
