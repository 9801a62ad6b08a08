"""The smallest networks that will do, and files of weights that nobody had to train."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from segue.data.target import Target
from segue.networks import NetworkSettings, SegmentationNetwork, build
from segue.networks.operators import smp, timm

LESION = Target(("background", "lesion"))
SMALL = "mobilenetv3_small_050"
VIT = "vit_tiny_patch16_224"
NARROW = (32, 32, 32, 32, 32)


def settings(**told: Any) -> NetworkSettings:
    usual = {"encoder": SMALL, "decoder_channels": NARROW[-told.get("depth", 5) :]}
    if told.get("architecture", "unet") != "unet":
        del usual["decoder_channels"]
    return NetworkSettings(**{**usual, **told})


def network(channels: int = 3, target: Target = LESION, **told: Any) -> SegmentationNetwork:
    return build(settings(**told), target, channels)


def of_timm(path: Path, name: str = SMALL, **told: Any) -> dict[str, Tensor]:
    """A whole classifier, as timm publishes them."""
    return _written(path, timm().create_model(name, **told).state_dict())


def of_smp(path: Path, name: str = "resnet18") -> dict[str, Tensor]:
    """An encoder, as segmentation-models-pytorch publishes them."""
    return _written(path, smp().encoders.get_encoder(name, weights=None).state_dict())


def _written(path: Path, state: dict[str, Tensor]) -> dict[str, Tensor]:
    state = {name: tensor.contiguous() for name, tensor in state.items()}
    save_file(state, path)
    return state


@torch.no_grad()
def logits(network: SegmentationNetwork, x: Tensor) -> Tensor:
    found: Tensor = network.eval()(x).logits
    return found
