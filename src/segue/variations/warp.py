"""Where each pixel of a result comes from: matrices between grids, dense maps, and their inverses.

Pixels are areas: pixel j of a grid of w covers [j, j + 1] of [0, w], so its centre is j + 1/2, and a place that rounds to
no pixel lies outside.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from segue.data.geometry import PYRAMID
from segue.errors import BadInput
from segue.variations import spline

if TYPE_CHECKING:
    from segue.variations.drawn import Drawn

Floats = npt.NDArray[np.float64]
Map = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]  # x and y of the source, for each pixel of the result

_SNAP = 1e-9  # of a pixel: rounding errors of composed matrices, so that a flip stays a permutation
_TURNS = 12  # of Newton's method; 4 or 5 suffice unless the plane almost folds


def to_relative(size: tuple[int, int]) -> Floats:
    """Pixel index -> relative place on a canvas of that size."""
    height, width = size
    half = max(size) / 2
    return np.array([[1 / half, 0, (0.5 - width / 2) / half], [0, 1 / half, (0.5 - height / 2) / half], [0, 0, 1]])


def to_pixels(size: tuple[int, int]) -> Floats:
    """Relative place on a canvas of that size -> pixel index."""
    height, width = size
    half = max(size) / 2
    return np.array([[half, 0, width / 2 - 0.5], [0, half, height / 2 - 0.5], [0, 0, 1]])


def letterbox(source: tuple[int, int], canvas: tuple[int, int]) -> Floats:
    """Relative place on the canvas -> pixel index of a source that stands in its middle, as large as it can, aspect kept."""
    half = max(canvas) / 2 / min(canvas[0] / source[0], canvas[1] / source[1])
    return np.array([[half, 0, source[1] / 2 - 0.5], [0, half, source[0] / 2 - 0.5], [0, 0, 1]])


def at_corner(canvas: tuple[int, int], corner: tuple[int, int]) -> Floats:
    """Relative place on the canvas -> pixel index of a source that is neither scaled nor interpolated: `corner` (row, column)
    of it lies at the canvas's first pixel, and may lie outside."""
    return np.array([[1, 0, corner[1]], [0, 1, corner[0]], [0, 0, 1]]) @ to_pixels(canvas)


def between(source: tuple[int, int], other: tuple[int, int]) -> Floats:
    """Pixel index of a grid -> pixel index of another grid over the same area."""
    y, x = other[0] / source[0], other[1] / source[1]
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]])


def snapped(matrix: Floats) -> Floats:
    whole = np.round(matrix)
    return np.where(np.abs(matrix - whole) < _SNAP, whole, matrix)


def shrinking(to_source: Floats, size: tuple[int, int]) -> float:
    """Source pixels per pixel of the result, in the middle of the canvas."""
    (a, b, x), (c, d, y), (e, f, w) = to_source.tolist()
    x, y = x / w, y / w
    area = (a - x * e) * (d - y * f) - (b - x * f) * (c - y * e)
    return float(math.sqrt(abs(area)) / abs(w) / (max(size) / 2))


def reading(size: tuple[int, int], shrink: float) -> tuple[int, int]:
    """The size at which a source is read, so that at most PYRAMID of its pixels fall to one of the result."""
    # The tolerance: a shrink of 1.5 is read at full size on every machine.
    steps = max(0, math.floor(math.log(max(shrink, 1.0)) / math.log(PYRAMID) - 1e-6))
    return (max(1, round(size[0] / PYRAMID**steps)), max(1, round(size[1] / PYRAMID**steps)))


def homogeneous(bend: Floats, to_source: Floats) -> Floats:
    """(3, g, g): the spline of x, y and the denominator of matrix (place + bend (place))."""
    places = spline.knots(spline.cells(bend.shape[-1]))
    x, y = places[None, :] + bend[0], places[:, None] + bend[1]
    return np.stack([row[0] * x + row[1] * y + row[2] for row in to_source])


def grid(field: Floats, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """(k, g, g) coefficients on the pixels of a canvas: (k, height, width)."""
    height, width = size
    count, long = spline.cells(field.shape[-1]), max(size)
    rows, columns = spline.basis(height, height / long, count), spline.basis(width, width / long, count)
    found: npt.NDArray[np.float32] = np.matmul(rows, field.astype(np.float32) @ columns.T)
    return found


@dataclass(frozen=True, slots=True)
class Where:
    """Where each pixel of a result comes from: a matrix between pixel indices, or a map if it bends."""

    size: tuple[int, int]  # of the result
    matrix: Floats | None = None
    map: Map | None = None
    hull: tuple[Floats, Floats] | None = None  # the map lies within that of these
    known: npt.NDArray[np.bool_] | None = None  # where the map is one to one; None: everywhere

    def maps(self) -> Map:
        if self.map is not None:
            return self.map
        assert self.matrix is not None
        y, x = (np.arange(length, dtype=np.float64) for length in self.size)
        rows = [row[0] * x[None, :] + row[1] * y[:, None] + row[2] for row in self.matrix]
        return (rows[0] / rows[2]).astype(np.float32), (rows[1] / rows[2]).astype(np.float32)

    def inside(self, source: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """Which pixels are not invented, a nearest pixel being what counts."""
        x, y = self.maps()
        found = (x >= -0.5) & (x <= source[1] - 0.5) & (y >= -0.5) & (y <= source[0] - 0.5)
        return found if self.known is None else found & self.known

    def covers(self, source: tuple[int, int]) -> bool:
        """Whether for sure no pixel is invented: quicker than `inside`, and may say no where it is so."""
        if self.known is not None:
            return False
        if self.matrix is not None:
            height, width = self.size
            corners = self.matrix @ np.array([[0, width - 1, 0, width - 1], [0, 0, height - 1, height - 1], [1] * 4])
            if corners[2].min() <= 0:
                return False
            x, y = corners[:2] / corners[2]
        else:
            x, y = self.maps() if self.hull is None else self.hull
        slack = 0.5 - 1e-4
        low, right, bottom = -slack, source[1] - 1 + slack, source[0] - 1 + slack
        return bool(x.min() >= low and x.max() <= right and y.min() >= low and y.max() <= bottom)


def matrix(drawn: Drawn, index: int) -> Floats:
    return drawn.parts["matrix"][index] if drawn.acts("matrix", index) else np.eye(3)


def forward(drawn: Drawn, index: int, size: tuple[int, int], source: Floats | None = None) -> Where:
    """For each pixel of the result its place in the source. `source`: relative place -> pixel index there; without it,
    the source is the canvas itself."""
    to_source = (to_pixels(size) if source is None else source) @ matrix(drawn, index)
    if not drawn.acts("bend", index):
        return Where(size, snapped(to_source @ to_relative(size)))
    field = homogeneous(drawn.parts["bend"][index], to_source)
    if np.any(to_source[2, :2]):
        maps = grid(field, size)
        return Where(size, map=(maps[0] / maps[2], maps[1] / maps[2]))
    field = field[:2] / to_source[2, 2]
    maps = grid(field, size)
    return Where(size, map=(maps[0], maps[1]), hull=(field[0], field[1]))


def backward(drawn: Drawn, index: int, size: tuple[int, int]) -> Where:
    """For each pixel of the canvas before, its place in the result."""
    straight = Where(size, snapped(to_pixels(size) @ np.linalg.inv(matrix(drawn, index)) @ to_relative(size)))
    if not drawn.acts("bend", index):
        return straight
    maps, known = _unbent(drawn.parts["bend"][index], straight.maps(), size)
    return Where(size, map=maps, known=known)


def _unbent(bend: Floats, wanted: Map, size: tuple[int, int]) -> tuple[Map, npt.NDArray[np.bool_]]:
    """Places p with p + bend(p) = wanted, by Newton's method on fields of a grid."""
    half = np.float32(max(size) / 2)
    slope = _slopes(bend, size)
    shift = grid(bend, size) * half
    x, y = wanted[0].copy(), wanted[1].copy()
    off = np.full(size, np.inf, np.float32)
    for _ in range(_TURNS):
        there = [
            cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for field in (*shift, *slope)
        ]
        error_x, error_y = x + there[0] - wanted[0], y + there[1] - wanted[1]
        off = np.hypot(error_x, error_y)
        if float(off.max()) < 1e-3:
            break
        xx, xy, yx, yy = 1 + there[2], there[3], there[4], 1 + there[5]
        scale = xx * yy - xy * yx
        scale = np.where(np.abs(scale) < 0.05, np.float32(0.05), scale)
        x -= np.clip((yy * error_x - xy * error_y) / scale, -half / 4, half / 4)
        y -= np.clip((xx * error_y - yx * error_x) / scale, -half / 4, half / 4)
    return (x, y), off < 0.25


def _slopes(bend: Floats, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """(4, height, width): d(bend x)/dx, /dy, d(bend y)/dx, /dy."""
    height, width = size
    count, long = spline.cells(bend.shape[-1]), max(size)
    rows, columns = spline.basis(height, height / long, count), spline.basis(width, width / long, count)
    down = spline.basis(height, height / long, count, derivative=True)
    along = spline.basis(width, width / long, count, derivative=True)
    field = bend.astype(np.float32)
    across, up = rows @ (field @ along.T), down @ (field @ columns.T)
    return np.stack([across[0], up[0], across[1], up[1]])


def demand_flat(drawn: Drawn) -> None:
    if "turn" in drawn.active:
        raise BadInput("tilt is for patches of volumes: a picture has nothing behind it")


def checked(drawn: Drawn, size: tuple[int, int]) -> tuple[int, int]:
    """A canvas of another size is welcome, one of another form would move differently."""
    demand_flat(drawn)
    height, width = drawn.shape
    if abs(size[0] * width - size[1] * height) > max(height, width):
        raise BadInput(f"drawn for a canvas of {height} x {width}, not for the form of {size[0]} x {size[1]}")
    return size
