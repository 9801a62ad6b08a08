"""What is done to a volume before a network sees it: bias field, box, spacing, brightness. The same lines prepare a store
and a file that is to be predicted, so both give the same numbers.

Stored are whole numbers of 16 bits: of MR 0 is the 1st percentile and two thirds of the range the 99th, so that bright
voxels have room above; of CT the ends of the range are those of the window.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import model_validator

from segue.config import Settings
from segue.data.volumes.placement import Placement
from segue.data.volumes.resample import fitting, resized
from segue.data.volumes.volume import Volume
from segue.errors import BadInput
from segue.words import count

Floats = npt.NDArray[np.float32]
Triple = tuple[float, float, float]

DTYPE = "uint16"
HEADROOM = 1.5  # times the 99th percentile is the brightest number that is kept
_LOW, _HIGH = 1.0, 99.0  # percentiles
_SEEN = 1 << 20  # voxels that percentiles are taken of
_WHOLE = 65535


class Recipe(Settings):
    """Resolved: nothing is left to the data but what is each volume's own."""

    spacing: tuple[float, float, float]  # millimetres: slice, row, column; 0: as it is
    n4: bool = False  # the slow change of brightness that a coil leaves in MR is taken out
    window: tuple[float, float] | None = None  # what becomes black and white, as Hounsfield units; None: percentiles
    crop: bool = True  # rims in which nothing is are left away
    channels: tuple[int, ...] = ()  # of a case's own, from 0; none named: all
    mixed: bool = False  # some are CT and some are not: each must say which it is

    @property
    def read(self) -> int:
        """The fewest channels of a case from which these can be taken; 0: what there is."""
        return max(self.channels, default=-1) + 1

    def taken(self, there: int) -> tuple[int, ...]:
        """Which of a case's channels. A case that has just as many as are wanted has been cut down to them already."""
        if not self.channels or there == len(self.channels) < self.read:
            return tuple(range(there))
        if there < self.read:
            raise BadInput(f"has {count(there, 'channel')}, and number {self.read} of them is asked for")
        return self.channels

    def of(self, modality: str) -> Recipe:
        """For a volume of this modality, among several."""
        if not modality and self.mixed:
            raise BadInput(
                "is it CT or something else? The network has learnt from both", hint="--modality CT or MR says it."
            )
        left_out = {"n4": False} if modality == "CT" else {"window": None} if modality else {}
        return self.model_copy(update={**left_out, "mixed": False})

    @property
    def all_ct(self) -> bool:
        return self.window is not None and not self.mixed

    def joined(self, other: Recipe) -> Recipe | None:
        """For what either has prepared; None: a network cannot see both as one."""
        windows = {one.window for one in (self, other)} - {None}
        same_n4 = self.n4 == other.n4 or self.all_ct or other.all_ct
        same = (self.spacing, self.crop, self.channels) == (other.spacing, other.crop, other.channels)
        if not same or not same_n4 or len(windows) > 1:
            return None
        return self.model_copy(
            update={
                "n4": self.n4 or other.n4,
                "window": next(iter(windows), None),
                "mixed": self.mixed or other.mixed or self.all_ct != other.all_ct,
            }
        )

    @model_validator(mode="after")
    def _sensible(self) -> Recipe:
        if self.window is not None and not self.window[0] < self.window[1]:
            raise ValueError("a window goes from a lower to a higher number")
        if len(set(self.channels)) < len(self.channels) or min(self.channels, default=0) < 0:
            raise ValueError("channels are numbers from 0, each once")
        if min(self.spacing) < 0:
            raise ValueError("a spacing is a length in millimetres, or 0 to leave it as it is")
        return self


@dataclass(frozen=True)
class Ready:
    voxels: npt.NDArray[np.uint16]  # (slice, row, column, channel)
    placement: Placement
    spacing: Triple  # of the stored voxels
    scale: tuple[tuple[float, float], ...]  # of each channel: what became black, and what white


def ready(
    channels: Sequence[Volume],
    recipe: Recipe,
    *,
    keep: npt.NDArray[np.bool_] | None = None,
    corrected: Callable[[int, Floats, Triple], Floats] | None = None,
) -> Ready:
    """`channels`: all of a case, on one grid. `keep`: voxels that no cropping may take away. `corrected`: N4, of a channel's
    number, voxels and spacing."""
    spacing = channels[0].grid.turned().spacing
    taken = recipe.taken(len(channels))
    planes: list[npt.NDArray[Any]] = [channels[number].turned for number in taken]
    if recipe.n4 and corrected is not None:
        of = zip(taken, planes, strict=True)
        planes = [corrected(number, np.asarray(plane, np.float32), spacing) for number, plane in of]
    start, stop = _box(planes, recipe, keep)
    shape = planes[0].shape
    inside = (stop[0] - start[0], stop[1] - start[1], stop[2] - start[2])
    wanted = tuple(want or have for want, have in zip(recipe.spacing, spacing, strict=True))
    placement = Placement((shape[0], shape[1], shape[2]), start, stop, fitting(inside, spacing, wanted))
    voxels = np.empty((*placement.stored, len(planes)), np.uint16)
    scale = []
    for number, plane in enumerate(planes):
        box = plane[placement.box]
        low, high = recipe.window or _percentiles(box)
        seen = resized(box, placement.stored)
        seen = (seen - np.float32(low)) * np.float32(_WHOLE / max(high - low, 1e-6))
        voxels[..., number] = np.rint(np.clip(seen, 0, _WHOLE, out=seen), out=seen)
        scale.append((float(low), float(high)))
    steps = [have * side / kept for have, side, kept in zip(spacing, inside, placement.stored, strict=True)]
    return Ready(voxels, placement, (steps[0], steps[1], steps[2]), tuple(scale))


def _percentiles(box: npt.NDArray[Any]) -> tuple[float, float]:
    flat = box.reshape(-1)
    low, high = np.percentile(flat[:: max(1, flat.size // _SEEN)], (_LOW, _HIGH))
    return float(low), float(low + HEADROOM * (high - low))


def _box(
    planes: Sequence[npt.NDArray[Any]], recipe: Recipe, keep: npt.NDArray[np.bool_] | None
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Without the rims that would become black in every channel."""
    shape = planes[0].shape
    everything = (0, 0, 0), (shape[0], shape[1], shape[2])
    if not recipe.crop:
        return everything
    there = np.zeros(shape, np.bool_)
    for plane in planes:
        rim = recipe.window[0] if recipe.window is not None else _padding(plane)
        if rim is None:
            return everything
        there |= plane > rim if recipe.window is not None else plane != rim
    if keep is not None:
        there |= keep
    sides = [np.flatnonzero(there.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    if not len(sides[0]):
        return everything
    first, last = [int(side[0]) for side in sides], [int(side[-1]) + 1 for side in sides]
    return (first[0], first[1], first[2]), (last[0], last[1], last[2])


def _padding(plane: npt.NDArray[Any]) -> float | None:
    """The one value of all eight corners: what was put around an image. None: it reaches into its corners."""
    ends = tuple(slice(None, None, max(1, side - 1)) for side in plane.shape)
    corners = {float(value) for value in plane[ends].flat}
    return corners.pop() if len(corners) == 1 else None
