"""A volume on its way through a network that sees slices: each slice on its canvas, in millimetres, and the slices'
probabilities back on the volume's own grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.data.target import Target
from segue.data.volumes.placement import Placement
from segue.data.volumes.slices import stacked
from segue.evaluation.predicting.frame import Frame
from segue.evaluation.predicting.probabilities import Maps, Probabilities, both
from segue.evaluation.predicting.tiles import Blend, slice_tiling
from segue.variations import warp
from segue.variations.drawn import Drawn
from segue.variations.opencv import render

WHOLE = 65535  # probabilities are kept as whole numbers: half the memory, and far finer than they are true


@dataclass(frozen=True)
class Stack:
    """A volume as prediction takes it: prepared, and with its way back."""

    voxels: npt.NDArray[Any]  # (slice, row, column, channel)
    placement: Placement
    name: str = "the volume"

    def back(self, maps: npt.NDArray[np.uint16], target: Target) -> Probabilities:
        """Of what was kept of the stored voxels, onto the native grid: interpolate first, decide after."""
        two = only_foreground(target)
        # Where nothing was there to be seen, there is nothing.
        beyond = [0.0] * len(maps)
        if target.exclusive and not two:
            beyond[0] = WHOLE

        def parts() -> Iterator[Maps]:
            for part in self.placement.parts_back(maps, tuple(beyond)):
                part *= np.float32(1 / WHOLE)
                yield both(part) if two else part

        return Probabilities(self.placement.native, parts)


def only_foreground(target: Target) -> bool:
    """Of two exclusive classes one tells both."""
    return target.exclusive and target.logits == 1


def in_the_middle(size: tuple[int, int], canvas: tuple[int, int]) -> tuple[int, int]:
    """Row and column of a slice that lie at its canvas's first pixel."""
    down, across = ((have - there) // 2 for have, there in zip(size, canvas, strict=True))
    return down, across


class StackJob:
    def __init__(self, stack: Stack, frame: Frame, target: Target) -> None:
        assert frame.volumes is not None
        self.stack, self.frame, self.name, self.target = stack, frame, stack.name, target
        self.neighbours = frame.volumes.neighbours
        self.size = (stack.voxels.shape[1], stack.voxels.shape[2])
        self.plan = slice_tiling(self.size, frame)
        self.tile = self.plan.tile
        self.corner = in_the_middle(self.size, self.plan.canvas)
        self.two = only_foreground(target)
        classes = 1 if self.two else len(target.names)
        self.maps = np.empty((classes, len(stack.voxels), *self.size), np.uint16)
        self.blends: dict[int, Blend] = {}
        self.left = len(stack.voxels)

    @property
    def done(self) -> bool:
        return self.left == 0

    def windows(self) -> Iterator[npt.NDArray[Any]]:
        """Slice by slice."""
        height, width = self.plan.tile
        canvas, nothing = self.plan.canvas, Drawn.identity(1, self.plan.canvas)
        for number in range(len(self.stack.voxels)):
            seen = stacked(self.stack.voxels, number, self.neighbours)
            onto = warp.at_corner(canvas, self.corner)
            rendered = render(nothing, 0, [seen], None, canvas, self.frame.padding, onto=onto)
            for top, left in self.plan.windows:
                yield rendered.image[top : top + height, left : left + width]

    def add(self, number: int, maps: Maps) -> None:
        slice_, tile = divmod(number, len(self.plan))
        blend = self.blends.setdefault(slice_, Blend(self.plan))
        if not blend.add(tile, maps):
            return
        down, across = (-place for place in self.corner)  # where the slice begins on its canvas
        found = blend.maps[1:] if self.two else blend.maps
        shown = found[:, down : down + self.size[0], across : across + self.size[1]]
        self.maps[:, slice_] = np.rint(shown * np.float32(WHOLE))
        del self.blends[slice_]
        self.left -= 1

    def found(self) -> Probabilities:
        return self.stack.back(self.maps, self.target)
