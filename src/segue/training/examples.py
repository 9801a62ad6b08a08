"""What a batch is filled with: frames, or slices of volumes, each with what its class ids mean to the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from segue.data.case import IGNORE
from segue.data.stores.frames import FrameStore
from segue.data.stores.volumes import VolumeStore
from segue.data.volumes.slices import stacked
from segue.variations import warp
from segue.variations.address import Address, Numbers

Labels = npt.NDArray[np.uint8]
Size = tuple[int, int]


class Example(Protocol):
    @property
    def case(self) -> str: ...

    @property
    def size(self) -> Size: ...  # as stored

    @property
    def channels(self) -> int: ...

    @property
    def dtype(self) -> str: ...

    def levels(self) -> Sequence[npt.NDArray[Any]]:
        """(height, width, channels), the stored size first."""

    def labels(self) -> Labels | None:
        """Channels or codes of the target; None: no mask, or one that is not looked at."""

    def has_foreground(self) -> bool: ...

    def place(self, canvas: Size, address: Address) -> warp.Floats | None:
        """Which part of it the canvas shows; None: all, letterboxed."""


@dataclass(frozen=True)
class FrameExample:
    case: str
    store: FrameStore
    number: int
    lookup: Labels | None  # class id -> channel or code; None: its mask is not looked at

    @property
    def size(self) -> Size:
        return self.store.places[self.number].fit.stored

    @property
    def channels(self) -> int:
        return len(self.store.card.channels)

    @property
    def dtype(self) -> str:
        return self.store.card.dtype

    def levels(self) -> Sequence[npt.NDArray[Any]]:
        return self.store.pyramid(self.number)

    def labels(self) -> Labels | None:
        return _looked_up(self.store.mask(self.number), self.lookup)

    def has_foreground(self) -> bool:
        labels = self.labels()
        return labels is not None and bool(((labels > 0) & (labels != IGNORE)).any())

    def place(self, canvas: Size, address: Address) -> None:
        return None


@dataclass(frozen=True)
class SliceExample:
    """In millimetres: a slice is never scaled to a canvas, but padded to it, or a part of it is shown."""

    case: str
    store: VolumeStore
    number: int
    slice: int
    neighbours: int  # slices on either side that are seen as channels
    lookup: Labels | None

    @property
    def size(self) -> Size:
        _, height, width = self.store.places[self.number].placement.stored
        return height, width

    @property
    def channels(self) -> int:
        return len(self.store.card.channels) * (1 + 2 * self.neighbours)

    @property
    def dtype(self) -> str:
        return self.store.card.dtype

    def levels(self) -> Sequence[npt.NDArray[Any]]:
        return [stacked(self.store.image(self.number), self.slice, self.neighbours)]

    def labels(self) -> Labels | None:
        ids = self.store.mask(self.number)
        return _looked_up(None if ids is None else ids[self.slice], self.lookup)

    def has_foreground(self) -> bool:
        there = self.store.places[self.number].slices
        return self.lookup is not None and any(
            0 < self.lookup[value] < IGNORE and self.slice in numbers for value, numbers in there.items()
        )

    def place(self, canvas: Size, address: Address) -> warp.Floats:
        """The middle of a slice that the canvas holds; of a larger one any part, each as likely as the others."""
        room = [side - there for side, there in zip(self.size, canvas, strict=True)]
        # The views of one case show one part.
        where = Numbers([replace(address, view=0)]).within("part").uniform("corner", 2)[0]
        down, across = (
            int(part * (left + 1)) if left > 0 else left // 2 for part, left in zip(where, room, strict=True)
        )
        return warp.at_corner(canvas, (down, across))


def _looked_up(ids: Labels | None, lookup: Labels | None) -> Labels | None:
    return None if ids is None or lookup is None else np.asarray(cv2.LUT(np.ascontiguousarray(ids), lookup), np.uint8)
