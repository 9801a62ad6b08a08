"""Patches of volumes as examples: where each lies in its volume has an address, as all that is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segue.data.case import IGNORE
from segue.training.examples import VolumeExample
from segue.variations import volume
from segue.variations.address import Address, Numbers
from segue.variations.drawn import Drawn
from segue.variations.opencv import Rendered
from segue.variations.padding import Padding

Labels = npt.NDArray[np.uint8]
Size = tuple[int, int, int]
Part = tuple[npt.NDArray[Any], Labels | None, Size, tuple[int, int]]

FOREGROUND = 1 / 3  # of the patches have a voxel of some class in their middle, where nothing else is asked for
_AROUND = 0.5  # of a patch's longer side that is read on each side of it, for what is turned into it


@dataclass(frozen=True)
class PatchExample(VolumeExample):
    """A volume that patches are taken of."""

    foreground: float = FOREGROUND  # the share of patches that stand on a voxel of some class

    @property
    def size(self) -> Size:
        return self.place.placement.stored

    @property
    def channels(self) -> int:
        return len(self.store.card.channels)

    def labels(self) -> Labels | None:
        """Of the whole volume."""
        return self._looked_up(slice(None), slice(None), slice(None))

    def has_foreground(self) -> bool:
        return bool(self.foreground_ids())

    def render(self, drawn: Drawn, index: int, patch: Size, padding: Padding, address: Address) -> Rendered:
        leans = drawn.acts("turn", index)
        voxels, labels, begins, beyond = self.part(patch, self.corner(patch, address), around_slices=leans)
        ratio = self.place.spacing[0] / self.place.spacing[1]
        return volume.render(drawn, index, voxels, labels, patch, padding, corner=begins, ratio=ratio, beyond=beyond)

    def corner(self, patch: Size, address: Address) -> Size:
        """(slice, row, column) of the volume at the patch's first voxel; outside of it where the patch is the larger."""
        numbers = Numbers([replace(address, view=0)]).within("patch")
        room = [side - there for side, there in zip(self.size, patch, strict=True)]
        middle = None
        if numbers.uniform("foreground")[0, 0] < self.foreground:
            middle = self._some_voxel(numbers.uniform("voxel", 3)[0].tolist())
        if middle is None:
            places = numbers.uniform("corner", 3)[0]
            found = [int(part * (left + 1)) if left > 0 else left // 2 for part, left in zip(places, room, strict=True)]
        else:
            found = [
                min(max(at - there // 2, 0), left) if left > 0 else left // 2
                for at, there, left in zip(middle, patch, room, strict=True)
            ]
        return found[0], found[1], found[2]

    def _some_voxel(self, draws: Sequence[float]) -> tuple[int, int, int] | None:
        """Of a class, of a slice, of a voxel: each as likely as the others. None: there is no foreground."""
        there, classes = self.place.slices, self.foreground_ids()
        if not classes:
            return None
        value = classes[int(draws[0] * len(classes))]
        number = there[value][int(draws[1] * len(there[value]))]
        mask = self.store.mask(self.number)
        assert mask is not None
        rows, columns = np.nonzero(mask[number] == value)
        at = int(draws[2] * len(rows))
        return number, int(rows[at]), int(columns[at])

    def part(self, patch: Size, corner: Size, *, around_slices: bool = False) -> Part:
        """The patch with a good deal of what is around it, where in that it begins, and how many slices before and behind are
        invented: these are black, and do not count."""
        around = int(_AROUND * max(patch[1:]))
        deep = int(_AROUND * max(patch)) if around_slices else 0
        first, last = max(corner[0] - deep, 0), min(corner[0] + patch[0] + deep, self.size[0])
        top, left = max(corner[1] - around, 0), max(corner[2] - around, 0)
        rows = slice(top, max(top + 1, min(corner[1] + patch[1] + around, self.size[1])))
        columns = slice(left, max(left + 1, min(corner[2] + patch[2] + around, self.size[2])))
        voxels = self.store.image(self.number)[first:last, rows, columns]
        labels = self._looked_up(slice(first, last), rows, columns)
        missing = (max(0, first - corner[0]), max(0, corner[0] + patch[0] - last))
        if any(missing):
            voxels = np.pad(voxels, (missing, (0, 0), (0, 0), (0, 0)))
            if labels is not None:
                labels = np.pad(labels, (missing, (0, 0), (0, 0)), constant_values=IGNORE)
        return voxels, labels, (corner[0] - first + missing[0], corner[1] - top, corner[2] - left), missing

    def _looked_up(self, slices: slice, rows: slice, columns: slice) -> Labels | None:
        mask = self.store.mask(self.number)
        if mask is None or self.lookup is None:
            return None
        ids = np.ascontiguousarray(mask[slices, rows, columns])
        return np.asarray(cv2.LUT(ids.reshape(len(ids), -1), self.lookup), np.uint8).reshape(ids.shape)
