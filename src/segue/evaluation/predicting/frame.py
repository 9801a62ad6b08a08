"""What prediction must know of how a network was trained. It is stored with the run and later in the bundle, as JSON.

An image from a file is first brought to the size, channels and number type that its store would have given it, by the
very code of the store: so a stored case and its file give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.config import validate
from segue.data.geometry import Fit, pyramid
from segue.data.pixels import to_channels
from segue.data.volumes.recipe import Recipe
from segue.errors import BadInput, nearest
from segue.evaluation.predicting.views import known_views
from segue.variations.padding import CONSTANT, Padding
from segue.words import count

Levels = Sequence[npt.NDArray[Any]]  # (height, width, channels), the stored size first

_AHEAD = 8  # pictures

TILES = ("auto", "never", "fill")
DTYPES = ("uint8", "uint16")


@dataclass(frozen=True)
class Seen:
    """How a network sees volumes: how these are prepared, and whether slice by slice or in patches."""

    recipe: Recipe
    neighbours: int = 0  # slices on either side of one that are seen with it, as channels
    patch: tuple[int, int, int] | None = None  # slices, rows and columns; None: slice by slice

    @classmethod
    def from_json(cls, given: Mapping[str, Any], *, where: str) -> Seen:
        patch = given.get("patch")
        return cls(validate(Recipe, given["recipe"], where=where), int(given["neighbours"]), patch and tuple(patch))


@dataclass(frozen=True)
class Frame:
    """`tiles`, of pictures; slices of volumes keep their scale in millimetres whatever the canvas:

    never   the whole image is letterboxed into the canvas, as in training.
    auto    the same, unless the network has seen images enlarged (`zoom` above 1: it was trained on crops). Then an
            image with the pixels for it is cut into overlapping tiles, at most `zoom` times as large as letterboxed.
    fill    an image so long that more than half of the canvas would stay empty is scaled until its short side fills the
            canvas, and cut into overlapping tiles along the long one. The network then sees it larger than in training.

    `tight`: rows and columns of the canvas that would hold padding alone are not computed, in steps of 32. A network that
    sees by convolutions says the same of the rest; one that knows places by heart (a plain transformer) may not.
    """

    size: tuple[int, int]  # of the canvas: height, width
    long_side: int  # cap of the store's long side
    channels: int = 3
    dtype: str = "uint8"
    padding: Padding = CONSTANT
    views: tuple[str, ...] = ()  # test-time variations: "flips", "rot90"
    tiles: str = "auto"
    zoom: float = 1.0  # how much larger than letterboxed the network has seen images in training; 1: whole images only
    tight: bool = False
    volumes: Seen | None = None  # None: it sees pictures

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", tuple(int(side) for side in self.size))
        object.__setattr__(self, "views", tuple(self.views))
        if len(self.size) != 2 or min(*self.size, self.long_side, self.channels) < 1 or not self.zoom >= 1:
            raise BadInput(
                f"a frame of size {self.size}, long side {self.long_side}, {self.channels} channels and zoom {self.zoom:g}"
                " is none: sizes are whole numbers from 1, and a zoom is 1 or more"
            )
        known_views(self.views)
        for name, value, known in (("tiles", self.tiles, TILES), ("dtype", self.dtype, DTYPES)):
            if value not in known:
                raise BadInput(f"{name} {value!r}: {nearest(value, known)}")

    @property
    def voxel(self) -> int:
        """Channels of a voxel; a network that sees slices has those of their neighbours too."""
        return self.channels // (1 + 2 * (self.volumes.neighbours if self.volumes is not None else 0))

    def demand_channels(self, there: int) -> None:
        """Of a volume, before anything is done to it."""
        assert self.volumes is not None
        if (taken := len(self.volumes.recipe.taken(there))) != self.voxel:
            raise BadInput(f"has {count(taken, 'channel')}, the network sees {self.voxel}")

    @property
    def ahead(self) -> int:
        """How many cases may be read before their turn."""
        return 1 if self.volumes is not None else _AHEAD

    def fit(self, native: tuple[int, int]) -> Fit:
        return Fit.capped(*native, self.long_side)

    def levels(self, pixels: npt.NDArray[Any]) -> Levels:
        """Of an image as it was read from its file: stored as it would have been in the store of the training."""
        seen = _converted(pixels, self.channels, self.dtype)
        return pyramid(seen, self.fit((seen.shape[0], seen.shape[1])))

    def accept(self, levels: Levels) -> Levels:
        """Levels of another dataset's store, in this network's channels and number type."""
        if levels[0].shape[2] == self.channels and levels[0].dtype == self.dtype:
            return levels
        return [_converted(level, self.channels, self.dtype) for level in levels]

    def as_json(self) -> dict[str, Any]:
        found = asdict(replace(self, volumes=None))
        if self.volumes is not None:
            recipe = self.volumes.recipe.model_dump(mode="json")
            found["volumes"] = {**asdict(replace(self.volumes, recipe=None)), "recipe": recipe}  # type: ignore[arg-type]
        return found

    @classmethod
    def from_json(cls, given: Mapping[str, Any], *, where: str = "the frame") -> Frame:
        known = [field.name for field in fields(cls)]
        for key in given:
            if key not in known:
                raise BadInput(f"{where}: unknown key {key!r}: {nearest(key, known)}")
        try:
            padding = given.get("padding") or {}
            made = Padding(padding.get("mode", "constant"), tuple(padding.get("colour", ())))
            seen = given.get("volumes")
            volumes = None if seen is None else Seen.from_json(seen, where=where)
            return cls(**{**given, "padding": made, "volumes": volumes})
        except (TypeError, ValueError, AttributeError, KeyError) as error:
            raise BadInput(f"{where}: cannot be understood ({error})") from None


def _converted(pixels: npt.NDArray[Any], channels: int, dtype: str) -> npt.NDArray[Any]:
    if pixels.dtype not in (np.uint8, np.uint16):
        raise BadInput(f"the image holds {pixels.dtype} numbers; images are uint8 or uint16")
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or 0 in pixels.shape:
        raise BadInput(f"an image of shape {pixels.shape} is none: height, width and perhaps channels are wanted")
    if pixels.shape[2] != channels and (pixels.shape[2], channels) != (3, 1) and pixels.shape[2] != 1:
        raise BadInput(f"has {pixels.shape[2]} channels, the network sees {channels}")
    if pixels.dtype == np.uint16 and dtype == "uint8":
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    found: npt.NDArray[Any] = to_channels(pixels, channels, dtype)
    return found
