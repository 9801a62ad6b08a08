"""What a network can be told. Names are looked up when it is built, so that settings need no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from segue.config import Auto, Settings

VOLUMES = "unet-3d"  # the architecture

Width = Annotated[int, Field(ge=1, le=4096)]


Triple = tuple[int, int, int]


class Stages(Settings):
    """Of a network for volumes. Kernels and strides (slice, row, column) of each stage, found from patch and spacing."""

    kernels: tuple[Triple, ...] | Auto = "auto"
    strides: tuple[Triple, ...] | Auto = "auto"
    width: Annotated[int, Field(ge=2, le=512)] = 32  # channels of the first stage; each further one has twice as many
    deep: bool = True  # coarser stages are asked for the mask too while it learns


class NetworkSettings(Settings):
    """One network; `decoder_channels` left to "auto" is resolved by `build` and stands in `network.settings`."""

    architecture: str = "unet"
    encoder: str = "resnet18"
    depth: Annotated[int, Field(ge=3, le=5)] = 5
    """How many times the encoder halves the image; what lies deeper is cut off."""
    weights: str = "none"
    """none, imagenet, a .safetensors file, or the folder of a run."""
    decoder_channels: tuple[Width, ...] | Width | Auto = "auto"
    """Per level, deepest first, for those that are built like a U-Net; one number for the others."""
    attention: Literal["none", "scse"] = "none"
    norm: Literal["batch", "group"] = "batch"
    """group: every batch norm becomes a group norm, for batches of one or two."""
    tune: Literal["full", "frozen", "lora"] = "full"
    """What of the encoder learns: all, nothing, or low-rank adapters on its linear layers and convolutions."""
    rank: Annotated[int, Field(ge=1, le=256)] = 8
    """Of the adapters."""
    members: Annotated[int, Field(ge=1, le=32)] = 1
    """So many such networks side by side in one, which says the mean of what they say."""
    stages: Stages | None = None
    """Of unet-3d; None: as its patch and spacing want them."""

    @model_validator(mode="before")
    @classmethod
    def _of_volumes(cls, given: Any) -> Any:
        """A network for volumes has encoders of its own, and one that is usual."""
        if isinstance(given, Mapping) and given.get("architecture") == VOLUMES and "encoder" not in given:
            return {**given, "encoder": "plain-3d"}
        return given
