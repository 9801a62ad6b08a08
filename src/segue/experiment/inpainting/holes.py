"""The same holes, of the same windows each time, filled in several ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segue.training.batches import Batches
from segue.training.orders import InTurn
from segue.training.painting import HOLE, INSIDE, HoleExample, Painting
from segue.variations import parse
from segue.variations.padding import CONSTANT

Windows = npt.NDArray[Any]
_SEED = 7


@dataclass(frozen=True)
class Holes:
    """Windows as they are, where each has its hole, and what their masks say."""

    images: Windows  # (n, side, side, channels)
    hole: npt.NDArray[np.bool_]
    inside: npt.NDArray[np.bool_]
    cases: tuple[str, ...]

    def first(self, count: int) -> Holes:
        return Holes(self.images[:count], self.hole[:count], self.inside[:count], self.cases[:count])


def holes(examples: Sequence[HoleExample], count: int, side: int, tick: Callable[[], None] = lambda: None) -> Holes:
    """So many windows, the images in turn; always the same ones."""
    order = InTurn(len(examples), _SEED)
    batches = Batches(examples, order, [parse("none")], size=(side, side), batch=1, padding=CONSTANT)
    parcels = []
    for step in range(count):
        parcels.append(batches[step])
        tick()
    codes = np.concatenate([parcel.stored[0].target for parcel in parcels])
    images = np.concatenate([parcel.stored[0].images for parcel in parcels])
    return Holes(images, (codes & HOLE) > 0, (codes & INSIDE) > 0, tuple(parcel.cases[0] for parcel in parcels))


def filled(painting: Painting, given: Holes, draw: int, tick: Callable[[], None] = lambda: None) -> Windows:
    """By the painter; another draw is another noise."""
    found = []
    for number, (image, hole, inside) in enumerate(zip(given.images, given.hole, given.inside, strict=True)):
        found.append(painting.window(image, hole, inside, draw * len(given.images) + number))
        tick()
    return np.stack(found)


def mean_colour(given: Holes) -> Windows:
    found = given.images.copy()
    for image, hole in zip(found, given.hole, strict=True):
        image[hole] = image[~hole].mean(0) if (~hole).any() else image.mean((0, 1))
    return found


def around(given: Holes) -> Windows:
    """Telea's method: from the edge inwards."""
    each = [
        cv2.inpaint(np.ascontiguousarray(image), hole.astype(np.uint8), 3, cv2.INPAINT_TELEA).reshape(image.shape)
        for image, hole in zip(given.images, given.hole, strict=True)
    ]
    return np.stack(each)
