"""From an image's own pixels to the stored ones and back. Pixels are areas: a size changes about the corner, not the centre.

Labels are never mixed: each stored pixel takes one class, and a class that is in the mask stays in it, however small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segue.data.case import IGNORE

PYRAMID = 1.5  # each level is smaller by this; a warp reads the level within it, so that shrinking does not alias
_SMALLEST = 64  # of the long side


@dataclass(frozen=True, slots=True)
class Fit:
    """How a case was brought to its stored size: the long side capped, the aspect kept, never enlarged."""

    native: tuple[int, int]  # height, width
    stored: tuple[int, int]

    @classmethod
    def capped(cls, height: int, width: int, long_side: int) -> Fit:
        shrink = min(1.0, long_side / max(height, width))
        return cls((height, width), (max(1, round(height * shrink)), max(1, round(width * shrink))))

    def levels(self) -> list[tuple[int, int]]:
        """Sizes of the pyramid, the stored one first."""
        sizes = [self.stored]
        while max(sizes[-1]) / PYRAMID >= _SMALLEST:
            shrink = PYRAMID ** len(sizes)
            sizes.append((max(1, round(self.stored[0] / shrink)), max(1, round(self.stored[1] / shrink))))
        return sizes

    def labels(self, ids: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        return resize_labels(ids, self.stored)

    def labels_back(self, ids: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Stored size to native."""
        return resize_labels(ids, self.native)

    def probabilities_back(self, maps: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(height, width) or (height, width, classes), stored size to native: interpolate first, decide after."""
        height, width = self.native
        if maps.shape[:2] == self.native:
            return maps
        resized = cv2.resize(maps, (width, height), interpolation=cv2.INTER_LINEAR)
        return resized.reshape(height, width, *maps.shape[2:]).astype(np.float32)


def shrink_image(pixels: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    """(height, width, channels) to a smaller size, each pixel the mean of its area."""
    if pixels.shape[:2] == size:
        return pixels
    resized = cv2.resize(pixels, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    return resized.reshape(*size, pixels.shape[2])


def pyramid(pixels: npt.NDArray[Any], fit: Fit) -> list[npt.NDArray[Any]]:
    """The stored image and its smaller levels.

    A level is made from the one above it, by linear interpolation: over a step of 1.5 that blurs as much as a mean over
    areas does, at a fifth of the time.
    """
    levels = [shrink_image(pixels, fit.stored)]
    for height, width in fit.levels()[1:]:
        smaller = cv2.resize(levels[-1], (width, height), interpolation=cv2.INTER_LINEAR)
        levels.append(smaller.reshape(height, width, pixels.shape[2]))
    return levels


def resize_labels(ids: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    if ids.shape == size:
        return ids
    resized = np.asarray(cv2.resize(ids, (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
    return with_every_class(ids, resized)


def with_every_class(ids: npt.NDArray[np.uint8], resized: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """`resized` itself, of any number of axes, a pixel of each class put back that was lost on the way."""
    lost = set(np.flatnonzero(_present(ids))) - set(np.flatnonzero(_present(resized))) - {0, IGNORE}
    for number in sorted(lost):
        places = np.nonzero(ids == number)
        scaled = [at * want // have for at, want, have in zip(places, resized.shape, ids.shape, strict=True)]
        resized[_spared(resized, np.ravel_multi_index(scaled, resized.shape))] = number
    return resized


def _spared(resized: npt.NDArray[np.uint8], places: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.intp], ...]:
    """Of a structure's own pixels the one in the middle of their row (a centre of mass may lie outside), unless another class
    would lose its last pixel by it: then the next one, in the end one beside the structure."""
    counts = _present(resized)
    spare = (counts > 1) | np.isin(np.arange(256), (0, IGNORE))
    middle = places[len(places) // 2]
    for some in (places, np.arange(resized.size)):
        free = some[spare[resized.ravel()[some]]]
        if len(free):
            return np.unravel_index(free[np.abs(free - middle).argmin()], resized.shape)
    return np.unravel_index(middle, resized.shape)  # fewer pixels than classes


def _present(ids: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    return cv2.calcHist([np.ascontiguousarray(ids).reshape(len(ids), -1)], [0], None, [256], [0, 256]).ravel()
