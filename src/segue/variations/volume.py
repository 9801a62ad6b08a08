"""Volumes, on stored arrays: a patch is warped once and varied as a whole.

Without a turn out of the plane every slice is warped alike, as the picture that it is; with one each voxel is looked up in
its own slice, in millimetres. Contrast turns about the patch's own mean and noise is another in each slice; what spreads over
neighbours (blur, a bias field) does so within a slice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from segue.data.case import IGNORE
from segue.errors import BadInput
from segue.variations import boxes, opencv, pixels, warp
from segue.variations.padding import CONSTANT, Padding

if TYPE_CHECKING:
    from segue.variations.drawn import Drawn

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]
Size = tuple[int, int, int]

_POINTWISE = ("colour", "equalise", "curve", "noise")  # asked of the whole patch at once


def render(
    drawn: Drawn,
    index: int,
    voxels: Array,
    labels: npt.NDArray[np.uint8] | None,
    size: Size,
    padding: Padding = CONSTANT,
    *,
    corner: Size,
    ratio: float = 1.0,
    beyond: tuple[int, int] = (0, 0),
) -> opencv.Rendered:
    """Sample `index` of `drawn` done to a stack (slice, row, column, channel) and its labels. The patch of `size` begins at
    `corner` of the stack, which holds what is around it too; `ratio` is how many times as far apart slices are as rows, and
    `beyond` how many of the first and of the last slices are invented."""
    if "mix" in drawn.active:
        raise BadInput("cutmix is for pictures: a box of one volume in another is no body")
    if drawn.acts("turn", index):
        image, found, valid = _turned(drawn, index, voxels, labels, size, corner, ratio, beyond)
    else:
        image, found, valid = _alike(drawn, index, voxels, labels, size, padding, corner, beyond)
    image = _developed(drawn, index, image, valid, padding)
    erased = boxes.ignored(drawn, index, size[1:])
    if found is not None and erased is not None:
        found[:, erased] = IGNORE
    return opencv.Rendered(image, found, valid)


def _alike(
    drawn: Drawn, index: int, voxels: Array, labels: npt.NDArray[np.uint8] | None, size: Size, padding: Padding,
    corner: Size, beyond: tuple[int, int],
) -> tuple[Array, npt.NDArray[np.uint8] | None, Bools]:  # fmt: skip
    """Slices as the channels of one picture: one look-up of places for all."""
    drawn = drawn.without(("turn",))  # others of the batch may lean
    inside = slice(corner[0], corner[0] + size[0])
    stack, plane = voxels[inside], (size[1], size[2])
    depth, height, width, channels = stack.shape
    onto = warp.at_corner(plane, corner[1:])
    picture = np.ascontiguousarray(stack.transpose(1, 2, 0, 3)).reshape(height, width, depth * channels)
    warped = opencv.render(drawn.geometric(), index, [picture], None, plane, padding, onto=onto)
    image = np.ascontiguousarray(warped.image.reshape(*plane, depth, channels).transpose(2, 0, 1, 3))
    found = None
    if labels is not None:
        where = warp.forward(drawn, index, plane, onto)
        found = np.stack([opencv.nearest(each, where, IGNORE) for each in labels[inside]])
    number = np.arange(corner[0], corner[0] + size[0])
    real = (number >= beyond[0]) & (number < len(voxels) - beyond[1])
    return image, found, warped.valid & real[:, None, None]


def _turned(
    drawn: Drawn, index: int, voxels: Array, labels: npt.NDArray[np.uint8] | None, size: Size, corner: Size, ratio: float,
    beyond: tuple[int, int],
) -> tuple[Array, npt.NDArray[np.uint8] | None, Bools]:  # fmt: skip
    """The turn, then what happens in the plane, as one look-up of places."""
    half = max(size[1:]) / 2
    turn = drawn.parts["turn"][index]
    z, y, x = (np.arange(side) - (side - 1) / 2 for side in size)
    z = z[:, None, None] * ratio / half
    y, x = y[:, None] / half, x[None, :] / half
    x, y, z = (row[0] * x + row[1] * y + row[2] * z for row in turn)
    if drawn.acts("bend", index):  # of the place before it was turned: both sides of the map are smooth
        bend = warp.grid(drawn.parts["bend"][index], (size[1], size[2]))
        x, y = x + bend[0], y + bend[1]
    places = warp.at_corner((size[1], size[2]), corner[1:]) @ warp.matrix(drawn, index)
    over = places[2, 0] * x + places[2, 1] * y + places[2, 2]
    column, row = ((each[0] * x + each[1] * y + each[2]) / over for each in places[:2])
    where = np.stack([z * half / ratio + (size[0] - 1) / 2 + corner[0], row, column])
    starts = np.array([beyond[0], 0, 0])[:, None, None, None]
    ends = np.array([len(voxels) - beyond[1], *voxels.shape[1:3]])[:, None, None, None]
    valid = np.asarray(((where >= starts - 0.5) & (where <= ends - 0.5)).all(axis=0))
    image = np.empty((*size, voxels.shape[3]), voxels.dtype)
    for channel in range(voxels.shape[3]):
        seen = ndimage.map_coordinates(voxels[..., channel].astype(np.float32), where, order=1, mode="nearest")
        image[..., channel] = np.rint(seen) if voxels.dtype.kind == "u" else seen
    found = None
    if labels is not None:
        nearest = [
            np.clip(np.rint(axis), 0, end - 1).astype(np.intp) for axis, end in zip(where, labels.shape, strict=True)
        ]
        found = np.where(valid, labels[tuple(nearest)], np.uint8(IGNORE))
    return image, found, valid


def _developed(drawn: Drawn, index: int, image: Array, valid: Bools, padding: Padding) -> Array:
    plain = drawn.photometric()
    # Slices one below the other: a tall picture, to stages that look at each voxel by itself.
    depth, height, width, channels = image.shape
    tall, known = image.reshape(depth * height, width, channels), valid.reshape(depth * height, width)
    image = pixels.develop(plain.only(_POINTWISE), index, tall, known, padding).reshape(image.shape)
    rest = plain.without(_POINTWISE)
    if rest.active:
        several = zip(image, valid, strict=True)
        image = np.stack([pixels.develop(rest, index, plane.copy(), there, padding) for plane, there in several])
    return image
