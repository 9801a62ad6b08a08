"""The store of volumes: a file for each image and each mask, in the form that numpy reads by itself.

index.csv          a row a case: file, native shape, the box that was kept, stored shape and spacing, where slices run,
                   brightness, and which class stands in which slices
images/000000.npy  (slice, row, column, channel), 16 bits
masks/000000.npy   (slice, row, column) class ids, 255 = does not count
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.data.case import IGNORE, write_rows
from segue.data.stores.store import INDEX, Store, StoreCard, read_index
from segue.data.volumes.placement import Placement
from segue.errors import BadInput
from segue.files import atomic

IMAGES, MASKS = "images", "masks"
_OPEN = 256  # files that are mapped at once

Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class VolumePlace:
    """Where a case lies in the store, and where it lay in its file."""

    case: str
    file: str
    labelled: bool
    placement: Placement
    spacing: Triple  # of the stored voxels, in millimetres: slice, row, column
    along: Triple  # the direction in which slices follow each other: right, front, head
    first: str  # which end the first slice is, where that has a name: base or apex of a heart
    scale: tuple[tuple[float, float], ...]  # of each channel: what became 0, and what the highest number
    slices: dict[int, tuple[int, ...]] = field(default_factory=dict)  # class id -> the slices that it stands in

    @property
    def annotated(self) -> tuple[int, ...]:
        """The slices in which anything was drawn, be it background."""
        return tuple(sorted({number for numbers in self.slices.values() for number in numbers}))

    def counting(self, lookup: npt.NDArray[np.uint8]) -> tuple[int, ...]:
        """Those in which something is left that counts, given what class ids become."""
        return tuple(sorted({n for value, numbers in self.slices.items() if lookup[value] != IGNORE for n in numbers}))


class VolumeStore(Store):
    def __init__(self, folder: Path, card: StoreCard, places: Sequence[VolumePlace]) -> None:
        super().__init__(folder, card)
        self.places = tuple(places)
        self._mapped = lru_cache(_OPEN)(self._map)

    @classmethod
    def read(cls, folder: Path, card: StoreCard) -> VolumeStore:
        return cls(folder, card, read_index(folder, card, _place))

    @property
    def cases(self) -> list[str]:
        return [place.case for place in self.places]

    def image(self, number: int) -> npt.NDArray[np.uint16]:
        place = self.places[number]
        shape = (*place.placement.stored, len(self.card.channels))
        return self._mapped(f"{IMAGES}/{place.file}", shape, "uint16")

    def mask(self, number: int) -> npt.NDArray[np.uint8] | None:
        place = self.places[number]
        return self._mapped(f"{MASKS}/{place.file}", place.placement.stored, "uint8") if place.labelled else None

    def _map(self, name: str, shape: tuple[int, ...], dtype: str) -> npt.NDArray[Any]:
        path = self.folder / name
        try:
            # A plain array over the map: np.memmap's own indexing costs more than the reading.
            found = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        except (OSError, ValueError, EOFError) as error:
            raise BadInput(f"{path}: cannot be read ({error}); prepare again") from None
        if found.shape != shape or found.dtype != dtype:
            raise BadInput(f"{path}: is not what the index says; prepare again")
        return found


def slices_of(ids: npt.NDArray[np.uint8]) -> dict[int, tuple[int, ...]]:
    """Class id -> the slices that it stands in."""
    found: dict[int, list[int]] = {}
    for number, plane in enumerate(ids):
        for value in np.flatnonzero(np.bincount(plane.reshape(-1), minlength=256)).tolist():
            if value != IGNORE:
                found.setdefault(value, []).append(number)
    return {value: tuple(numbers) for value, numbers in sorted(found.items())}


def write_index(folder: Path, places: Sequence[VolumePlace]) -> None:
    head = [
        "case",
        "file",
        "labelled",
        "native",
        "start",
        "stop",
        "stored",
        "spacing",
        "along",
        "first",
        "scale",
        "slices",
    ]
    with atomic(folder / INDEX) as file:
        write_rows(file, [head, *(as_row(place) for place in places)])


def as_row(place: VolumePlace) -> list[str]:
    at = place.placement
    return [
        place.case, place.file, "yes" if place.labelled else "", *map(_crossed, (at.native, at.start, at.stop, at.stored)),
        _crossed(place.spacing), " ".join(f"{part:.6g}" for part in place.along), place.first,
        " ".join(f"{low!r}:{high!r}" for low, high in place.scale),
        " ".join(f"{value}:{_ranges(numbers)}" for value, numbers in place.slices.items()),
    ]  # fmt: skip


def of_row(cells: Sequence[str]) -> VolumePlace:
    case, file, labelled, *shapes, spacing, along, first, scale, slices = cells
    native, start, stop, stored = (_three(text, int) for text in shapes)
    low_high = [part.split(":") for part in scale.split()]
    by_class = [part.split(":") for part in slices.split()]
    return VolumePlace(
        case, file, labelled == "yes", Placement(native, start, stop, stored), _three(spacing, float),
        _three(along.replace(" ", "x"), float), first, tuple((float(low), float(high)) for low, high in low_high),
        {int(value): tuple(_numbers(text)) for value, text in by_class},
    )  # fmt: skip


def _place(row: dict[str, str]) -> VolumePlace:
    return of_row(list(row.values()))


def _crossed(numbers: Iterable[float]) -> str:
    return "x".join(f"{number:g}" for number in numbers)


def _three(text: str, kind: Any) -> Any:
    one, two, three = (kind(part) for part in text.split("x"))
    return one, two, three


def _ranges(numbers: Sequence[int]) -> str:
    """3-7,9"""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][-1] == number - 1:
            found[-1] = [found[-1][0], number]
        else:
            found.append([number])
    return ",".join("-".join(map(str, part)) for part in found)


def _numbers(text: str) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found
