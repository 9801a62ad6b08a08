"""What a network can be told. Names are looked up when it is built, so that settings need no torch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from segue.config import Auto, Settings

Width = Annotated[int, Field(ge=1, le=4096)]


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
