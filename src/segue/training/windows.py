"""Square windows around what is to be painted: cut from an image, and laid back so that only the hole changes.

A window is as large as its hole and some room for what surrounds it, brought to one size whatever the image's: a small polyp
and a large one look alike to who paints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import cv2
import numpy as np
import numpy.typing as npt

from segue.variations.edits import Bools, Edited

Array = npt.NDArray[Any]

_AROUND = 1.8  # times the hole's longer side
_SHARP = 1.5  # pixels of the source for one of the window, from which on they are averaged


@dataclass(frozen=True)
class Window:
    """Where it lies: the middle of the square and its side, in pixels of the image."""

    across: float
    down: float
    extent: float
    side: int  # of what is cut

    @classmethod
    def around(cls, hole: Bools, side: int) -> Self:
        rows, columns = (np.flatnonzero(hole.any(axis=axis)) for axis in (1, 0))
        height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
        extent = min(max(side / 4, _AROUND * max(height, width)), max(hole.shape))
        down, across = (rows[0] + rows[-1] + 1) / 2, (columns[0] + columns[-1] + 1) / 2
        across = _within(across, extent, hole.shape[1])
        return cls(across, _within(down, extent, hole.shape[0]), extent, side)

    @property
    def _matrix(self) -> npt.NDArray[np.float64]:
        """From a pixel of the window to one of the image."""
        step = self.extent / self.side
        left, top = self.across - self.extent / 2, self.down - self.extent / 2
        return np.array([[step, 0, left + step / 2 - 0.5], [0, step, top + step / 2 - 0.5]])

    def cut(self, image: Array) -> Array:
        """What is beyond the image's edges is mirrored."""
        if self.extent > _SHARP * self.side and image.ndim == 3:
            image = cv2.GaussianBlur(image, (0, 0), 0.35 * self.extent / self.side)
        flags = cv2.WARP_INVERSE_MAP | (cv2.INTER_LINEAR if image.ndim == 3 else cv2.INTER_NEAREST)
        found = cv2.warpAffine(
            image, self._matrix, (self.side, self.side), flags=flags, borderMode=cv2.BORDER_REFLECT_101
        )
        return np.asarray(found).reshape(self.side, self.side, *image.shape[2:])

    def back(self, window: Array, image: Array, edited: Edited) -> Array:
        """The image with the window's pixels in the hole, more and more from its edge to the room's end."""
        size = (image.shape[1], image.shape[0])
        laid = cv2.warpAffine(window, self._matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        depth = cv2.distanceTransform(edited.hole.astype(np.uint8), cv2.DIST_L2, 5)
        share = np.clip(depth / max(1.0, edited.room), 0, 1)[:, :, None]
        mixed = image + share * (laid.reshape(image.shape).astype(np.float32) - image)
        return np.where(edited.hole[:, :, None], np.rint(mixed), image).astype(image.dtype)


def _within(middle: float, extent: float, length: int) -> float:
    """Moved so that it does not leave the image, where there is room for that."""
    if extent >= length:
        return length / 2
    return min(max(middle, extent / 2), length - extent / 2)


def stacked(image: Array, hole: Bools, mask: Bools) -> npt.NDArray[np.float32]:
    """What painter and critic see of a window: (channels + 2, side, side), 0 to 1."""
    whole = float(np.iinfo(image.dtype).max)
    colours = np.moveaxis(image, -1, 0).astype(np.float32) / whole
    return np.concatenate([colours, hole[None].astype(np.float32), mask[None].astype(np.float32)])


def cut_all(image: Array, edited: Edited, mask: Bools, side: int) -> tuple[Window, Array, Bools, Bools]:
    """The window of an edit, and in it the image, the hole, and a mask."""
    window = Window.around(edited.hole, side)
    hole, inside = (window.cut(each.astype(np.uint8)) > 0 for each in (edited.hole, mask))
    return window, window.cut(image), np.asarray(hole), np.asarray(inside)
