"""The prepared store: every image at its working size in one memory-mapped file, its mask in another.

    store.yaml   format, settings, classes, what it was made from
    index.csv    case, native and stored size, where its bytes begin
    images.bin   for each case its pyramid: (height, width, channels) at full stored size, then each level
    masks.bin    class ids, 255 = does not count

Sizes are known before anything is read, so places are too: many processes write at once, and nothing is moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from segue.config import Strict, read_yaml, validate
from segue.data.case import read_table, write_rows
from segue.data.geometry import Fit
from segue.errors import BadInput
from segue.files import atomic

FORMAT = 1
CARD, INDEX, IMAGES, MASKS = "store.yaml", "index.csv", "images.bin", "masks.bin"


class StoreCard(Strict):
    format: int = FORMAT
    dataset: str
    dataset_folder: str
    size: int  # cap of the long side
    channels: tuple[str, ...]
    classes: dict[int, str]
    dtype: Literal["uint8", "uint16"]
    cases: int
    labelled: int
    made_from: str  # hash of settings, labels and sources
    sources: str  # hash of the source files alone
    left_out: dict[str, str] = Field(default_factory=dict)  # case -> why, with skip_bad


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


class Store:
    """Read a store. Arrays are views of the file: copy before you change them (they are read-only)."""

    def __init__(self, folder: Path, card: StoreCard, places: Sequence[Place]) -> None:
        self.folder, self.card, self.places = folder, card, tuple(places)
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

    def __reduce__(self) -> tuple[object, ...]:
        return Store.open, (self.folder,)  # a worker process maps the files itself, instead of being sent them

    @staticmethod
    def _area(place: Place) -> int:
        return place.fit.stored[0] * place.fit.stored[1] if place.mask >= 0 else 0

    @classmethod
    def open(cls, where: Path | str) -> Store:
        folder = Path(where)
        if not (folder / CARD).is_file():
            raise BadInput(f"{folder}: is not a prepared store", hint="segue data prepare DATASET makes one.")
        given = read_yaml(folder / CARD)
        if given.get("format") != FORMAT:
            raise BadInput(
                f"{folder}: format {given.get('format')} is not the one this version reads ({FORMAT}); prepare again"
            )
        card = validate(StoreCard, given, where=str(folder / CARD))
        places = read_index(folder / INDEX)
        if len(places) != card.cases:
            raise BadInput(f"{folder / INDEX}: has {len(places)} cases, {CARD} says {card.cases}; prepare again")
        return cls(folder, card, places)

    def _mapped(self, path: Path, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        try:
            if path.stat().st_size == 0:
                return np.zeros(0, dtype)
            # A plain array over the map: np.memmap's own indexing costs more than the reading.
            return np.asarray(np.memmap(path, dtype, "r"))
        except (OSError, ValueError) as error:
            raise BadInput(f"{path}: cannot be read ({error}); prepare again") from None

    def __len__(self) -> int:
        return len(self.places)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Case -> its number in the store."""
        return {place.case: number for number, place in enumerate(self.places)}

    def levels(self, number: int) -> list[tuple[int, int]]:
        return [shape[:2] for _, shape in self._levels[number]]

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


def write_index(path: Path, places: Sequence[Place]) -> None:
    with atomic(path) as file:
        head = ["case", "native_height", "native_width", "height", "width", "image", "mask"]
        rows = ([place.case, *place.fit.native, *place.fit.stored, place.image, place.mask] for place in places)
        write_rows(file, [head, *rows])


def read_index(path: Path) -> list[Place]:
    try:
        return [
            Place(
                row["case"],
                Fit((int(row["native_height"]), int(row["native_width"])), (int(row["height"]), int(row["width"]))),
                int(row["image"]),
                int(row["mask"]),
            )
            for row in read_table(path)
        ]
    except (KeyError, ValueError) as error:
        raise BadInput(f"{path}: is not the index of a store ({error}); prepare again") from None
