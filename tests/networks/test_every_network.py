"""Every name builds what it says, and that keeps to everything that `check_network` asks."""

from __future__ import annotations

from typing import Any

import pytest

from segue.networks import NetworkSettings
from segue.networks.architectures import ARCHITECTURES
from segue.networks.settings import Stages
from segue.testing import check_network
from tests.networks.small import NARROW, SMALL, VIT

# By the library's own class, since this is where a name once built something else ("FPN" was a U-Net).
PARTS = {
    "unet": "UnetDecoder",
    "unet++": "UnetPlusPlusDecoder",
    "manet": "MAnetDecoder",
    "linknet": "LinknetDecoder",
    "fpn": "FPNDecoder",
    "pspnet": "PSPDecoder",
    "pan": "PANDecoder",
    "deeplabv3": "DeepLabV3Decoder",
    "deeplabv3+": "DeepLabV3PlusDecoder",
    "upernet": "UPerNetDecoder",
    "segformer": "SegformerDecoder",
    "dpt": "DPTDecoder",
    "triunet": "TriUnet",
    "stacked-unet": "Stacked",
    "linear": "Linear",
    "unet-3d": "VolumeUnet",
    "dd-deeplabv3+": "DualDecoder",
}


def test_every_name_is_listed_here() -> None:
    assert list(PARTS) == list(ARCHITECTURES)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_architecture(name: str) -> None:
    usual: dict[object, Any] = {"levels": NARROW, "none": "auto"}
    channels = usual.get(ARCHITECTURES[name].decoder, 32)
    if name == "unet-3d":
        stages = Stages(kernels=((1, 3, 3), (3, 3, 3), (3, 3, 3)), strides=((1, 1, 1), (1, 2, 2), (2, 2, 2)), width=4)
        for encoder in ("plain-3d", "residual-3d"):
            check_network(NetworkSettings(architecture=name, encoder=encoder, stages=stages), part=PARTS[name])
        return
    encoder = VIT if name == "dpt" else SMALL
    check_network(NetworkSettings(architecture=name, encoder=encoder, decoder_channels=channels), part=PARTS[name])


@pytest.mark.parametrize(
    "told",
    [
        {"tune": "frozen"},
        {"tune": "lora", "rank": 4},
        {"norm": "group"},
        {"norm": "group", "architecture": "pan", "decoder_channels": 32},
        {"attention": "scse"},
        {"depth": 3, "encoder": "resnet18", "decoder_channels": (32, 16, 16)},
        {"encoder": VIT},
        {"encoder": "vit_small_patch14_dinov2", "architecture": "dpt", "decoder_channels": 32, "tune": "lora"},
        {"encoder": VIT, "architecture": "deeplabv3+", "decoder_channels": 32, "tune": "frozen"},
        {"architecture": "stacked-unet", "tune": "lora", "rank": 2, "decoder_channels": (16, 16, 16), "depth": 3},
    ],
    ids=lambda told: " ".join(f"{value}" for value in told.values()),
)
def test_choice(told: dict[str, Any]) -> None:
    usual = {"encoder": SMALL, "decoder_channels": NARROW}
    check_network(NetworkSettings(**{**usual, **told}), channels=(3,))
