"""The store of frames: every image at its working size in one memory-mapped file, its mask in another.

    index.csv    case, native and stored size, where its bytes begin
    images.bin   for each case its pyramid: (height, width, channels) at full stored size, then each level
    masks.bin    class ids, 255 = does not count

Sizes are known before anything is read, so places are too: many processes write at once, and nothing is moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.data.case import write_rows
from segue.data.geometry import Fit
from segue.data.stores.store import INDEX, Store, StoreCard, read_index
from segue.errors import BadInput
from segue.files import atomic

IMAGES, MASKS = "images.bin", "masks.bin"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a case lies in the store."""

    case: str
    fit: Fit
    image: int  # byte offset
    mask: int  # byte offset; -1: unlabelled


@dataclass(frozen=True)
class Layout:
    """The places of all cases and what they take."""

    places: tuple[Place, ...]
    image_bytes: int
    mask_bytes: int

    @classmethod
    def plan(cls, sizes: Sequence[tuple[str, int, int, bool]], *, long_side: int, pixel_bytes: int) -> Layout:
        """`sizes`: case, height, width, labelled."""
        places, image, mask = [], 0, 0
        for case, height, width, labelled in sizes:
            fit = Fit.capped(height, width, long_side)
            places.append(Place(case, fit, image, mask if labelled else -1))
            image += sum(h * w for h, w in fit.levels()) * pixel_bytes
            mask += fit.stored[0] * fit.stored[1] if labelled else 0
        return cls(tuple(places), image, mask)


class FrameStore(Store):
    def __init__(self, folder: Path, card: StoreCard, places: Sequence[Place]) -> None:
        super().__init__(folder, card)
        self.places = tuple(places)
        self._dtype = np.dtype(card.dtype)
        self._images = self._mapped(folder / IMAGES, self._dtype)
        self._masks = self._mapped(folder / MASKS, np.dtype(np.uint8))
        depth = len(card.channels)
        self._levels = [
            [
                (offset, (height, width, depth))
                for offset, (height, width) in _offsets(place, depth, self._dtype.itemsize)
            ]
            for place in places
        ]
        for place, levels in zip(self.places, self._levels, strict=True):
            offset, shape = levels[-1]
            end = offset + shape[0] * shape[1] * shape[2]
            if place.image < 0 or end > len(self._images) or place.mask + self._area(place) > len(self._masks):
                raise BadInput(f"{folder}: {place.case!r} lies outside of its files; prepare again")

    @classmethod
    def read(cls, folder: Path, card: StoreCard) -> FrameStore:
        return cls(folder, card, read_index(folder, card, _place))

    @property
    def cases(self) -> list[str]:
        return [place.case for place in self.places]

    @staticmethod
    def _area(place: Place) -> int:
        return place.fit.stored[0] * place.fit.stored[1] if place.mask >= 0 else 0

    def _mapped(self, path: Path, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        try:
            if path.stat().st_size == 0:
                return np.zeros(0, dtype)
            # A plain array over the map: np.memmap's own indexing costs more than the reading.
            return np.asarray(np.memmap(path, dtype, "r"))
        except (OSError, ValueError) as error:
            raise BadInput(f"{path}: cannot be read ({error}); prepare again") from None

    def levels(self, number: int) -> list[tuple[int, int]]:
        return [shape[:2] for _, shape in self._levels[number]]

    def pyramid(self, number: int) -> list[npt.NDArray[Any]]:
        """All levels, the stored size first."""
        return [self.image(number, level) for level in range(len(self._levels[number]))]

    def image(self, number: int, level: int = 0) -> npt.NDArray[Any]:
        """(height, width, channels)."""
        offset, shape = self._levels[number][level]
        return self._images[offset : offset + shape[0] * shape[1] * shape[2]].reshape(shape)

    def mask(self, number: int) -> npt.NDArray[np.uint8] | None:
        """(height, width) of class ids; None: unlabelled."""
        place = self.places[number]
        if place.mask < 0:
            return None
        height, width = place.fit.stored
        found: npt.NDArray[np.uint8] = self._masks[place.mask : place.mask + height * width].reshape(height, width)
        return found


def _offsets(place: Place, depth: int, itemsize: int) -> list[tuple[int, tuple[int, int]]]:
    """(offset in elements, size) of each level."""
    found, offset = [], place.image // itemsize
    for height, width in place.fit.levels():
        found.append((offset, (height, width)))
        offset += height * width * depth
    return found


def write_index(folder: Path, places: Sequence[Place]) -> None:
    with atomic(folder / INDEX) as file:
        head = ["case", "native_height", "native_width", "height", "width", "image", "mask"]
        rows = ([place.case, *place.fit.native, *place.fit.stored, place.image, place.mask] for place in places)
        write_rows(file, [head, *rows])


def _place(row: dict[str, str]) -> Place:
    native, stored = (int(row["native_height"]), int(row["native_width"])), (int(row["height"]), int(row["width"]))
    return Place(row["case"], Fit(native, stored), int(row["image"]), int(row["mask"]))
