"""A lean network evaluates alike, with fewer norms, and the one that it was made from stays as it is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from segue.data.target import Target
from segue.networks import NetworkSettings, SegmentationNetwork, build
from segue.networks.lean import lean

KINDS: dict[str, dict[str, Any]] = {
    "decoder's own convolutions": {"encoder": "resnet18"},
    "norms that activate": {"encoder": "mobilenet_v2", "architecture": "unet++"},
    "of timm": {"encoder": "tu-efficientnet_b0"},
    "attention": {"encoder": "resnet18", "attention": "scse"},
    "two in a row": {"encoder": "tu-mobilenetv3_small_050", "architecture": "stacked-unet", "depth": 3},
    "adapters": {"encoder": "tu-mobilenetv3_small_050", "tune": "lora"},
    "group": {"encoder": "tu-mobilenetv3_small_050", "norm": "group"},
    "volumes": {"architecture": "unet-3d", "encoder": "plain-3d", "depth": 3, "stages": {"width": 4}},
}


def learnt(told: dict[str, Any]) -> SegmentationNetwork:
    """With means and spreads that could be got wrong."""
    torch.manual_seed(0)
    usual = {} if told.get("architecture") == "unet-3d" else {"decoder_channels": (16,) * told.get("depth", 5)}
    network = build(NetworkSettings(**{**usual, **told}), Target(("a", "b"), exclusive=True), 3)
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return network.eval()


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, _BatchNorm) for module in network.modules())


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_it_evaluates_alike(kind: str) -> None:
    network = learnt(KINDS[kind])
    before = {name: each.clone() for name, each in network.state_dict().items()}
    slim = lean(network, half=False)
    image = torch.rand(2, 3, *(48,) * network.dims)
    wanted, found = network(image).logits, slim(image).logits
    assert torch.allclose(found, wanted, atol=1e-4 * float(wanted.abs().max()))
    assert all(torch.equal(each, before[name]) for name, each in network.state_dict().items())
    if norms(network):
        # Those of adapted convolutions stay: what follows them is a sum.
        assert norms(slim) < norms(network) * (0.5 if kind == "adapters" else 0.1), "most norms follow a convolution"


@torch.inference_mode()
def test_half_precision_is_halved_once() -> None:
    network = learnt(KINDS["norms that activate"])
    slim = lean(network, half=True)
    convolutions = [module for module in slim.modules() if isinstance(module, nn.Conv2d)]
    assert {each.weight.dtype for each in convolutions} == {torch.bfloat16}
    image = torch.rand(1, 3, 64, 64)
    exact = network(image).logits
    with torch.autocast("cpu", torch.bfloat16):
        plain, found = network(image).logits, slim(image).logits
    assert float((found - exact).abs().mean()) <= 1.5 * float((plain - exact).abs().mean())


@torch.inference_mode()
def test_a_map_that_others_ask_for_too_keeps_its_norm() -> None:
    class Beside(nn.Module):
        """The norm's input is needed as it was."""

        def __init__(self, norm: nn.Module) -> None:
            super().__init__()
            self.norm = norm

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.norm(x) + 3 * x
            return result

    network = learnt(KINDS["decoder's own convolutions"])
    encoder: Any = network.body.encoder
    encoder.bn1 = Beside(encoder.bn1)
    image = torch.rand(1, 3, 64, 64)
    wanted = network(image).logits
    slim = lean(network, half=False)
    assert norms(slim) == norms(network)
    assert torch.equal(slim(image).logits, wanted)


def test_a_wrong_sum_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segue.networks.lean._take_in", lambda convolution, norm: None)
    network = learnt(KINDS["decoder's own convolutions"])
    assert norms(lean(network, half=False)) == norms(network)
