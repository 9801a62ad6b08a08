"""What `segue data prepare` can be told, for frames and for volumes."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from segue.config import Auto, Settings
from segue.errors import BadInput

Millimetres = Annotated[float, Field(ge=0, le=1000)]


class PrepareSettings(Settings):
    size: Annotated[int, Field(ge=16, le=8192)] | Auto = "auto"  # frames: cap of the long side; proposed from the data
    # Volumes. Slice, row, column; 0 leaves an axis as it is; proposed from the data.
    spacing: tuple[Millimetres, Millimetres, Millimetres] | Auto = "auto"
    window: tuple[float, float] | Auto = "auto"  # CT: Hounsfield units that become black and white
    n4: bool = False  # MR: take out the slow change of brightness that a coil leaves
    crop: bool = True  # leave rims away in which nothing is
    channels: tuple[str, ...] | Auto = "auto"  # by the card's names, where a volume has several; all of them

    @field_validator("channels", mode="before")
    @classmethod
    def _listed(cls, given: object) -> object:
        return tuple(name.strip() for name in given.split(",")) if isinstance(given, str) and given != "auto" else given

    @field_validator("spacing", mode="before")
    @classmethod
    def _crossed(cls, given: object) -> object:
        if not isinstance(given, str) or given == "auto":
            return given
        if len(parts := given.split("x")) != 3:
            raise ValueError("it is three numbers in millimetres, slice x row x column, such as 0x1.25x1.25")
        return tuple(parts)

    @field_validator("size", mode="before")
    @classmethod
    def _one_number(cls, given: object) -> object:
        if isinstance(given, str) and "x" in given:
            raise ValueError("it is one number, the most that the long side may have")
        return given

    @field_validator("window", mode="before")
    @classmethod
    def _pair(cls, given: object) -> object:
        return tuple(given.split(",")) if isinstance(given, str) and "," in given else given

    def demand_unasked(self, names: tuple[str, ...], why: str) -> None:
        """An option that would change nothing is refused."""
        for name in names:
            if getattr(self, name) != type(self).model_fields[name].default:
                raise BadInput(f"{name}: {why}")
