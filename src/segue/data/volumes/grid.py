"""Where the voxels of a volume lie in the patient, and the one way in which volumes are turned to be worked with.

A file's axes run wherever the scanner or a converter had them run. Inside, a volume is (slice, row, column): slices along
the axis of the largest spacing, each slice as a radiologist looks at it. What is turned is turned by whole axes, so it
comes back to the voxel.

| slices run towards | rows run towards | columns run towards |
|---|---|---|
| the head (axial) | the back | the patient's left |
| the back (coronal) | the feet | the patient's left |
| the left (sagittal) | the feet | the back |
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.errors import BadInput

SLICES = 1.5  # an axis whose spacing is so many times that of the others' is the one that slices run along
_SHEAR = 1e-3  # cosine between two axes
_WORLD = "RL", "AP", "SI"  # of each axis of the world its positive and its negative direction
# Slices, rows and columns by the axis of the world that slices follow; (axis, direction).
_SHOWN = {
    2: ((2, 1), (1, -1), (0, -1)),
    1: ((1, -1), (2, -1), (0, -1)),
    0: ((0, -1), (2, -1), (1, -1)),
}

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Turn:
    """A file's axes to (slice, row, column), and back."""

    order: tuple[int, int, int]  # which axis of the file becomes the first, the second, the third
    flipped: tuple[bool, bool, bool]  # of those

    def apply(self, array: Array) -> Array:
        """A view of (i, j, k[, channels])."""
        rest = range(3, array.ndim)
        return array.transpose(*self.order, *rest)[self._reversed]

    def undo(self, array: Array) -> Array:
        """A view of (slice, row, column[, channels]) as the file has it."""
        rest = range(3, array.ndim)
        return array[self._reversed].transpose(*np.argsort(self.order).tolist(), *rest)

    @property
    def _reversed(self) -> tuple[slice, ...]:
        return tuple(slice(None, None, -1) if flip else slice(None) for flip in self.flipped)


@dataclass(frozen=True)
class Grid:
    """Voxel (i, j, k) of the file is at `affine @ (i, j, k, 1)`: millimetres towards the patient's right, front and head."""

    shape: tuple[int, int, int]
    affine: tuple[tuple[float, float, float, float], ...]  # four rows

    @classmethod
    def of(cls, shape: tuple[int, ...], affine: npt.ArrayLike) -> Grid:
        """Refuses what is no grid: axes of no length, or one that lies in the plane of the others."""
        matrix = np.asarray(affine, float)
        if len(shape) != 3 or min(shape) < 1:
            raise BadInput(f"a volume of shape {'x'.join(map(str, shape))} is none")
        if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
            raise BadInput("its affine is not a 4x4 matrix of numbers")
        lengths = np.linalg.norm(matrix[:3, :3], axis=0)
        if not (lengths > 0).all():
            axis = "ijk"[int(np.argmin(lengths))]
            raise BadInput(f"voxels have no size along axis {axis}")
        if abs(np.linalg.det(matrix[:3, :3] / lengths)) < _SHEAR:
            raise BadInput("its affine puts all voxels into one plane")
        rows = [tuple(float(value) for value in row) for row in matrix]
        return cls((int(shape[0]), int(shape[1]), int(shape[2])), tuple(rows))  # type: ignore[arg-type]  # four each

    @cached_property
    def matrix(self) -> npt.NDArray[np.float64]:
        return np.array(self.affine)

    @cached_property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres between voxels along i, j, k."""
        i, j, k = np.linalg.norm(self.matrix[:3, :3], axis=0).tolist()
        return (i, j, k)

    @property
    def left_handed(self) -> bool:
        return bool(np.linalg.det(self.matrix[:3, :3]) < 0)

    @property
    def sheared(self) -> bool:
        """Axes that do not stand upright on each other, as of a tilted gantry."""
        axes = self.matrix[:3, :3] / np.array(self.spacing)
        return bool(np.abs(axes.T @ axes - np.eye(3)).max() > _SHEAR)

    @cached_property
    def along(self) -> tuple[int, int, int]:
        """Of each axis of the file the axis of the world that it follows most closely, each once."""
        cosines = np.abs(self.matrix[:3, :3] / np.array(self.spacing))
        best = max(itertools.permutations(range(3)), key=lambda way: sum(cosines[way[axis], axis] for axis in range(3)))
        return (best[0], best[1], best[2])

    @property
    def orientation(self) -> str:
        """Where i, j and k run to, such as RAS."""
        return "".join(_WORLD[world][int(self._direction(axis) < 0)] for axis, world in enumerate(self.along))

    @cached_property
    def slices(self) -> int:
        """The axis of the file that slices run along: that of a far larger spacing, else the one towards the head."""
        longest = int(np.argmax(self.spacing))
        others = [length for axis, length in enumerate(self.spacing) if axis != longest]
        return longest if self.spacing[longest] >= SLICES * max(others) else self.along.index(2)

    @cached_property
    def turn(self) -> Turn:
        order, flipped = [], []
        for world, direction in _SHOWN[self.along[self.slices]]:
            axis = self.along.index(world)
            order.append(axis)
            flipped.append(self._direction(axis) != direction)
        return Turn((order[0], order[1], order[2]), (flipped[0], flipped[1], flipped[2]))

    def _direction(self, axis: int) -> int:
        return 1 if self.matrix[self.along[axis], axis] >= 0 else -1

    def turned(self) -> Grid:
        """The grid of (slice, row, column): the same voxels at the same places."""
        turn = self.turn
        matrix = np.eye(4)
        for place, (axis, flip) in enumerate(zip(turn.order, turn.flipped, strict=True)):
            column = self.matrix[:3, axis]
            matrix[:3, place] = -column if flip else column
        first = [self.shape[axis] - 1 if flip else 0 for axis, flip in zip(turn.order, turn.flipped, strict=True)]
        corner = np.zeros(3)
        corner[list(turn.order)] = first
        matrix[:3, 3] = self.matrix[:3, :3] @ corner + self.matrix[:3, 3]
        return Grid.of(tuple(self.shape[axis] for axis in turn.order), matrix)

    def farthest(self, other: Grid) -> float:
        """Millimetres by which two grids of one shape are apart, at the corner where it is most."""
        corners = np.array([[*corner, 1] for corner in itertools.product(*((0, side - 1) for side in self.shape))])
        apart = corners @ (self.matrix - other.matrix).T
        return float(np.linalg.norm(apart[:, :3], axis=1).max())
