"""Volumes, on stored arrays: every slice is warped alike, as the picture that it is, and a patch is varied as a whole.

Contrast turns about the patch's own mean and noise is another in each slice; what spreads over neighbours (blur, a bias
field) does so within a slice. What follows is a pancake model of a body: right for thick slices, and for thin ones without
the turns out of the plane.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from segue.data.case import IGNORE
from segue.errors import BadInput
from segue.variations import boxes, opencv, pixels, warp
from segue.variations.padding import CONSTANT, Padding

if TYPE_CHECKING:
    from segue.variations.drawn import Drawn

Array = npt.NDArray[Any]

_POINTWISE = ("colour", "equalise", "curve", "noise")  # asked of the whole patch at once


def render(
    drawn: Drawn,
    index: int,
    voxels: Array,
    labels: npt.NDArray[np.uint8] | None,
    size: tuple[int, int],
    padding: Padding = CONSTANT,
    *,
    onto: warp.Floats,
) -> opencv.Rendered:
    """Sample `index` of `drawn` done to a stack (slice, row, column, channel) and its labels; `size` is that of a slice of
    the result, `onto` says which place of a slice each relative place on the canvas is."""
    depth, height, width, channels = voxels.shape
    # Slices as the channels of one picture: one look-up of places for all.
    picture = np.ascontiguousarray(voxels.transpose(1, 2, 0, 3)).reshape(height, width, depth * channels)
    warped = opencv.render(drawn.geometric(), index, [picture], None, size, padding, onto=onto)
    image = np.ascontiguousarray(warped.image.reshape(*size, depth, channels).transpose(2, 0, 1, 3))
    found = None if labels is None else np.empty((depth, *size), np.uint8)
    if labels is not None and found is not None:
        where = warp.forward(drawn, index, size, onto)
        for number, plane in enumerate(labels):
            found[number] = opencv.nearest(plane, where, IGNORE)
    image = _developed(drawn, index, image, warped.valid, padding)
    erased = boxes.ignored(drawn, index, size)
    if found is not None and erased is not None:
        found[:, erased] = IGNORE
    return opencv.Rendered(image, found, np.broadcast_to(warped.valid, (depth, *size)))


def _developed(drawn: Drawn, index: int, image: Array, valid: npt.NDArray[np.bool_], padding: Padding) -> Array:
    if "mix" in drawn.active:
        raise BadInput("cutmix is for pictures: a box of one volume in another is no body")
    plain = drawn.photometric()
    # Slices one below the other: a tall picture, to stages that look at each voxel by itself.
    depth, height, width, channels = image.shape
    tall = pixels.develop(
        plain.only(_POINTWISE),
        index,
        image.reshape(depth * height, width, channels),
        np.tile(valid, (depth, 1)),
        padding,
    )
    image = tall.reshape(image.shape)
    rest = plain.without(_POINTWISE)
    if rest.active:
        image = np.stack([pixels.develop(rest, index, plane.copy(), valid, padding) for plane in image])
    return image
