"""check_network catches every way of being broken that it is there for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segue.data.target import Target
from segue.networks import NetworkSettings, Outputs, SegmentationNetwork, build
from segue.testing import check_network
from tests.networks.small import settings

Change = Callable[[SegmentationNetwork], None]


def _forward(change: Callable[[SegmentationNetwork, Tensor, Outputs], Outputs]) -> Change:
    """The same network, but what it gives back is changed."""

    class Twin(SegmentationNetwork):
        def forward(self, x: Tensor, *, features: Any = False, decode: bool = True, levels: int = 0) -> Outputs:
            return change(self, x, super().forward(x, features=features, decode=decode, levels=levels))

    def become(network: SegmentationNetwork) -> None:
        network.__class__ = Twin

    return become


def _method(name: str, method: Callable[..., Any]) -> Change:
    def become(network: SegmentationNetwork) -> None:
        network.__class__ = type("Twin", (SegmentationNetwork,), {name: method})

    return become


def _uncropped(network: SegmentationNetwork, x: Tensor, found: Outputs) -> Outputs:
    return found._replace(logits=F.pad(found.logits, (0, 1, 0, 1)))


def _squashed(network: SegmentationNetwork, x: Tensor, found: Outputs) -> Outputs:
    return found._replace(logits=found.logits.sigmoid())


def _mingled(network: SegmentationNetwork, x: Tensor, found: Outputs) -> Outputs:
    return found._replace(logits=found.logits - found.logits.mean(0, keepdim=True))


def _paints_on_the_image(network: SegmentationNetwork, x: Tensor, found: Outputs) -> Outputs:
    with torch.no_grad():
        x.mul_(0.5)
    return found


def _a_list(network: SegmentationNetwork, x: Tensor, found: Outputs) -> Outputs:
    return [found.logits]  # type: ignore[return-value]


def _always_features(network: SegmentationNetwork, x: Tensor, found: Outputs) -> Outputs:
    return found._replace(features=(found.logits,))


def _deaf_to_features(self: SegmentationNetwork, x: Tensor, *, features: Any = False) -> Outputs:
    return SegmentationNetwork.forward(self, x, features=features is not False)


def _mirrored(self: SegmentationNetwork, x: Tensor) -> Tensor:
    x = (x - self.colour_mean) / self.colour_std
    down, right = (self._missing(size, axis) for axis, size in enumerate(x.shape[-2:]))
    return F.pad(x, (0, right, 0, down), mode="reflect") if down or right else x


def _all_in_one_group(self: SegmentationNetwork) -> dict[str, list[nn.Parameter]]:
    return {"encoder": list(self.parameters()), "decoder": list(self.body.parameters())}


def _forgets_a_group(self: SegmentationNetwork) -> dict[str, list[nn.Parameter]]:
    groups = SegmentationNetwork.groups(self)
    return {**groups, "decoder": groups["decoder"][1:]}


def _stage_left_in(network: SegmentationNetwork) -> None:
    network.body.add_module("left_in", nn.Conv2d(3, 3, 1))


def _dark(network: SegmentationNetwork) -> None:
    """A layer that is used, but whose gradient is always zero."""
    layer = nn.Conv2d(3, 1, 1)
    network.add_module("dark", layer)
    _forward(lambda _, x, found: found._replace(logits=found.logits + 0 * layer(x[:, :3]).sum()))(network)


def _not_in_the_file(network: SegmentationNetwork) -> None:
    _forward(lambda _, x, found: found._replace(logits=found.logits * 3))(network)


def _needs_company(network: SegmentationNetwork) -> None:
    """A batch norm after pooling to a pixel, as several architectures come with."""
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(network.channels))
    network.add_module("pooled", pooled)
    _forward(lambda self, x, found: found._replace(logits=found.logits + pooled.train(self.training)(x).mean()))(
        network
    )


def _throws_dice(network: SegmentationNetwork) -> None:
    with torch.no_grad():
        next(network.parameters()).add_(torch.randn((), generator=torch.Generator().manual_seed(torch.seed())))


def _moves_its_statistics(self: SegmentationNetwork, mode: bool = True) -> SegmentationNetwork:
    return nn.Module.train(self, mode)


def _learns_after_all(network: SegmentationNetwork) -> None:
    network.requires_grad_(True)


def _adapts_nothing(network: SegmentationNetwork) -> None:
    for parameter in network.groups()["encoder"]:
        parameter.requires_grad_(False)


TWINS: dict[str, tuple[Change, dict[str, Any], str]] = {
    "uncropped": (_forward(_uncropped), {}, "logits of"),
    "sigmoid inside": (_forward(_squashed), {}, "sigmoid"),
    "batch-dependent": (_forward(_mingled), {}, "neighbours"),
    "changes the image": (_forward(_paints_on_the_image), {}, "is changed"),
    "a list": (_forward(_a_list), {}, "not Outputs"),
    "features unasked": (_forward(_always_features), {}, "nobody asked"),
    "features ignored": (_method("forward", _deaf_to_features), {}, "decoded to the same"),
    "mirrored padding": (_method("_fitting", _mirrored), {}, "padded by the mean colour"),
    "one group": (_method("groups", _all_in_one_group), {}, "twice"),
    "half a group": (_method("groups", _forgets_a_group), {}, "not all"),
    "a stage left in": (_stage_left_in, {}, "gets no gradient"),
    "a dark layer": (_dark, {}, "gradient of zero"),
    "not in the file": (_not_in_the_file, {}, "saved and restored"),
    "batch norm on a pixel": (_needs_company, {}, "batch of one"),
    "unseeded": (_throws_dice, {}, "from one seed"),
    "frozen, but its statistics move": (_method("train", _moves_its_statistics), {"tune": "frozen"}, "has changed"),
    "frozen, but it learns": (_learns_after_all, {"tune": "frozen"}, "has changed"),
    "lora without adapters": (_adapts_nothing, {"tune": "lora"}, "tensors learn"),
}


@pytest.mark.parametrize("twin", TWINS)
def test_broken_twin_is_caught(twin: str) -> None:
    change, told, sentence = TWINS[twin]

    def broken(settings: NetworkSettings, target: Target, channels: int) -> SegmentationNetwork:
        network = build(settings, target, channels)
        change(network)
        return network

    with pytest.raises(AssertionError, match=sentence):
        check_network(settings(depth=3, **told), channels=(3,), build=broken)


def test_a_name_that_builds_something_else_is_caught() -> None:
    with pytest.raises(AssertionError, match="holds no FPNDecoder"):
        check_network(settings(depth=3), channels=(3,), part="FPNDecoder")
