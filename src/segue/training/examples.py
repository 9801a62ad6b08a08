"""What a batch is filled with: frames, or slices of volumes, each with what its class ids mean to the network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from segue.data.case import IGNORE
from segue.data.pixels import to_channels
from segue.data.stores.frames import FrameStore
from segue.data.stores.volumes import VolumePlace, VolumeStore
from segue.data.volumes.slices import stacked
from segue.variations import opencv, warp
from segue.variations.address import Address, Numbers
from segue.variations.drawn import Drawn
from segue.variations.padding import Padding

Labels = npt.NDArray[np.uint8]
Size = tuple[int, int]


class Example(Protocol):
    @property
    def case(self) -> str: ...

    @property
    def size(self) -> tuple[int, ...]: ...  # as stored

    @property
    def channels(self) -> int: ...

    @property
    def dtype(self) -> str: ...

    @property
    def unknown(self) -> int: ...  # regions, by bits, that its mask cannot tell of

    def labels(self) -> Labels | None:
        """Channels or codes of the target; None: no mask, or one that is not looked at."""

    def has_foreground(self) -> bool: ...

    def render(self, drawn: Drawn, index: int, size: Any, padding: Padding, address: Address) -> opencv.Rendered:
        """Sample `index` of `drawn` done to it, on a canvas of `size`; where there is a choice, the address makes it."""


@dataclass(frozen=True)
class FrameExample:
    case: str
    store: FrameStore
    number: int
    lookup: Labels | None  # class id -> channel or code; None: its mask is not looked at
    unknown: int = 0

    @property
    def size(self) -> Size:
        return self.store.places[self.number].fit.stored

    @property
    def channels(self) -> int:
        return len(self.store.card.channels)

    @property
    def dtype(self) -> str:
        return self.store.card.dtype

    def labels(self) -> Labels | None:
        return _looked_up(self.store.mask(self.number), self.lookup)

    def has_foreground(self) -> bool:
        labels = self.labels()
        return labels is not None and bool(((labels > 0) & (labels != IGNORE)).any())

    def render(self, drawn: Drawn, index: int, size: Size, padding: Padding, address: Address) -> opencv.Rendered:
        return opencv.render(drawn, index, self.store.pyramid(self.number), self.labels(), size, padding)


@dataclass(frozen=True)
class VolumeExample:
    """What slices and patches of a volume share."""

    case: str
    store: VolumeStore
    number: int
    lookup: Labels | None  # class id -> channel or code; None: its mask is not looked at
    unknown: int = 0

    @property
    def place(self) -> VolumePlace:
        return self.store.places[self.number]

    @property
    def dtype(self) -> str:
        return self.store.card.dtype

    def foreground_ids(self) -> list[int]:
        """Class ids that are something, and stand somewhere in this volume."""
        lookup = self.lookup
        return [] if lookup is None else [value for value in self.place.slices if 0 < lookup[value] < IGNORE]


@dataclass(frozen=True)
class SliceExample(VolumeExample):
    """In millimetres: a slice is never scaled to a canvas, but padded to it, or a part of it is shown."""

    slice: int = 0
    neighbours: int = 0  # slices on either side that are seen as channels

    @property
    def size(self) -> Size:
        _, height, width = self.place.placement.stored
        return height, width

    @property
    def channels(self) -> int:
        return len(self.store.card.channels) * (1 + 2 * self.neighbours)

    def picture(self) -> npt.NDArray[Any]:
        """(row, column, channel)."""
        return stacked(self.store.image(self.number), self.slice, self.neighbours)

    def labels(self) -> Labels | None:
        ids = self.store.mask(self.number)
        return _looked_up(None if ids is None else ids[self.slice], self.lookup)

    def has_foreground(self) -> bool:
        return any(self.slice in self.place.slices[value] for value in self.foreground_ids())

    def render(self, drawn: Drawn, index: int, size: Size, padding: Padding, address: Address) -> opencv.Rendered:
        onto = self.part(size, address)
        return opencv.render(drawn, index, [self.picture()], self.labels(), size, padding, onto=onto)

    def part(self, canvas: Size, address: Address) -> warp.Floats:
        """The middle of a slice that the canvas holds; of a larger one any part, each as likely as the others."""
        room = [side - there for side, there in zip(self.size, canvas, strict=True)]
        # The views of one case show one part.
        where = Numbers([replace(address, view=0)]).within("part").uniform("corner", 2)[0]
        down, across = (
            int(part * (left + 1)) if left > 0 else left // 2 for part, left in zip(where, room, strict=True)
        )
        return warp.at_corner(canvas, (down, across))


@dataclass(frozen=True)
class Widened:
    """An example among others of more channels, or of larger numbers: grey is repeated, 8 bits become 16."""

    example: FrameExample | SliceExample
    channels: int
    dtype: str

    @property
    def case(self) -> str:
        return self.example.case

    @property
    def size(self) -> Size:
        return self.example.size

    @property
    def unknown(self) -> int:
        return self.example.unknown

    def labels(self) -> Labels | None:
        return self.example.labels()

    def has_foreground(self) -> bool:
        return self.example.has_foreground()

    def render(self, drawn: Drawn, index: int, size: Size, padding: Padding, address: Address) -> opencv.Rendered:
        done = self.example.render(drawn, index, size, padding, address)
        return replace(done, image=to_channels(done.image, self.channels, self.dtype))


def _looked_up(ids: Labels | None, lookup: Labels | None) -> Labels | None:
    return None if ids is None or lookup is None else np.asarray(cv2.LUT(np.ascontiguousarray(ids), lookup), np.uint8)
