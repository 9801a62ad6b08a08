"""Decoder blocks computed in another way give the numbers of segmentation-models-pytorch's own, with the same weights."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segue.networks.enlarging import EnlargingBlock, EnlargingUnetBlock, enlarged_convolution, fold_enlarging, reach
from segue.networks.operators import smp
from tests.networks.small import network

DECODERS = ("Unet", "UnetPlusPlus", "MAnet")


def _made(name: str, **told: Any) -> nn.Module:
    torch.manual_seed(0)
    model: nn.Module = getattr(smp(), name)("resnet18", encoder_weights=None, encoder_depth=3, **told)
    return model


def _channels() -> dict[str, Any]:
    return {"decoder_channels": (32, 24, 16)}


@pytest.mark.parametrize("skipped", [0, 3])
@pytest.mark.parametrize("size", [(1, 1), (1, 4), (5, 3), (8, 8)])
def test_one_convolution_for_two_steps(skipped: int, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 4, *size, dtype=torch.float64, requires_grad=True)
    skip = torch.randn(2, 3, 2 * size[0], 2 * size[1], dtype=torch.float64) if skipped else None
    weight = torch.randn(5, 4 + skipped, 3, 3, dtype=torch.float64, requires_grad=True)
    found = enlarged_convolution(x, skip, weight, reach().double())
    large = F.interpolate(x, scale_factor=2.0, mode="nearest")
    asked = F.conv2d(large if skip is None else torch.cat([large, skip], 1), weight, padding=1)
    torch.testing.assert_close(found, asked, rtol=1e-12, atol=1e-12)
    for ours, theirs in zip(
        torch.autograd.grad(found.square().sum(), (x, weight)),
        torch.autograd.grad(asked.square().sum(), (x, weight)),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_whole_network_is_the_same(name: str, layout: torch.memory_format) -> None:
    plain = _made(name, **_channels())
    plain.to(memory_format=layout)  # type: ignore[call-overload]  # torch's stubs lack it
    folded = copy.deepcopy(plain)
    fold_enlarging(folded)
    assert any(isinstance(module, EnlargingBlock | EnlargingUnetBlock) for module in folded.modules())
    assert list(folded.state_dict()) == list(plain.state_dict()), "published weights would no longer fit"
    x = torch.randn(2, 3, 32, 48).contiguous(memory_format=layout)
    grads: list[list[Tensor]] = []
    outs = []
    for model in (plain, folded):
        out = model(x)
        out.square().mean().backward()
        outs.append(out.detach())
        grads.append([p.grad for p in model.parameters() if p.grad is not None])
    torch.testing.assert_close(outs[1], outs[0], rtol=1e-4, atol=1e-5)
    for ours, theirs in zip(*grads, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4 * float(theirs.abs().max()) + 1e-9)


def test_attention_still_sees_the_joined_maps() -> None:
    plain = _made("Unet", **_channels(), decoder_attention_type="scse").eval()
    folded = copy.deepcopy(plain)
    fold_enlarging(folded)
    x = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(folded(x), plain(x), rtol=1e-4, atol=1e-5)


def test_fewer_products() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    plain = _made("Unet", **_channels())
    folded = copy.deepcopy(plain)
    fold_enlarging(folded)
    counts = []
    for model in (plain.decoder, folded.decoder):
        maps = [torch.randn(1, c, 64 // s, 64 // s) for c, s in ((3, 1), (64, 2), (64, 4), (128, 8))]
        with FlopCounterMode(display=False) as counter:
            model(maps)  # type: ignore[operator]
        counts.append(counter.get_total_flops())
    assert counts[1] < 0.8 * counts[0]


@pytest.mark.parametrize("architecture", ["unet", "unet++", "manet", "triunet", "stacked-unet"])
def test_every_network_with_such_blocks_has_them(architecture: str) -> None:
    built = network(architecture=architecture)
    assert any(isinstance(module, EnlargingBlock | EnlargingUnetBlock) for module in built.modules())


def test_an_encoder_that_skips_a_size_is_enlarged_as_before() -> None:
    block = smp().decoders.unet.decoder.UnetDecoderBlock(4, 0, 5)
    holder = nn.ModuleDict({"block": block})
    x = torch.randn(2, 4, 3, 3)
    asked = copy.deepcopy(block)(x, 12, 12)
    fold_enlarging(holder)
    torch.testing.assert_close(holder["block"](x, 12, 12), asked)
