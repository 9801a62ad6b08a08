"""Networks for volumes: stages that fit patch and spacing, and a mask asked for at several levels."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from segue import losses
from segue.data.case import IGNORE
from segue.data.target import Target
from segue.errors import BadInput
from segue.methods.levels import at_all_levels
from segue.networks import NetworkSettings, Outputs, build, planned
from segue.networks.settings import Stages

THREE = Target(("background", "one", "two"))


@pytest.mark.parametrize(
    ("patch", "spacing", "kernels", "strides"),
    [
        # Equal voxels: every axis at every stage, until four voxels are left.
        ((40, 56, 40), (1, 1, 1), [(3, 3, 3)] * 4, [(1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2)]),
        # Slices three times as thick: they wait until rows and columns have caught up.
        (
            (16, 64, 64), (3.0, 1.0, 1.0), [(1, 3, 3), *[(3, 3, 3)] * 4],
            [(1, 1, 1), (1, 2, 2), (2, 2, 2), (2, 2, 2), (1, 2, 2)],
        ),
        # As the heart's: ten times as thick, and few.
        (
            (8, 128, 128), (10.0, 1.25, 1.25), [*[(1, 3, 3)] * 3, *[(3, 3, 3)] * 3],
            [(1, 1, 1), (1, 2, 2), (1, 2, 2), (1, 2, 2), (2, 2, 2), (1, 2, 2)],
        ),
    ],
)  # fmt: skip
def test_stages(patch: Any, spacing: Any, kernels: Any, strides: Any) -> None:
    found = planned(patch, spacing, 5)
    assert list(found.kernels) == kernels
    assert list(found.strides) == strides


def test_depth_is_the_most() -> None:
    assert len(planned((128, 128, 128), (1, 1, 1), 3).strides) == 4
    assert len(planned((128, 128, 128), (1, 1, 1), 5).strides) == 6


def small(**given: Any) -> Any:
    stages = {"kernels": ((3, 3, 3),) * 4, "strides": ((1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2)), "width": 4, **given}
    torch.manual_seed(0)
    return build(NetworkSettings(architecture="unet-3d", stages=Stages(**stages)), THREE, 1)


def test_coarse_logits_only_while_it_learns() -> None:
    network, x = small(), torch.rand(1, 1, 16, 24, 32)
    coarse = network.train()(x).coarse
    assert [tuple(each.shape[2:]) for each in coarse] == [(8, 12, 16)]
    assert network.eval()(x).coarse == ()
    assert small(deep=False).train()(x).coarse == ()
    assert sum(p.numel() for p in small().parameters()) > sum(p.numel() for p in small(deep=False).parameters())


def test_the_loss_at_all_levels() -> None:
    loss = losses.parse("ce", THREE)
    torch.manual_seed(0)
    target = torch.randint(0, 3, (2, 8, 8, 8), dtype=torch.uint8)
    target[:, 0] = IGNORE
    fine, half, quarter = (torch.randn(2, 3, side, side, side) for side in (8, 4, 2))
    found = at_all_levels(loss, Outputs(fine, coarse=(half, quarter)), target)
    wanted = (
        loss(fine, target)
        + loss(half, target[:, 1::2, 1::2, 1::2]) / 2
        + loss(quarter, target[:, 2::4, 2::4, 2::4]) / 4
    ) / 1.75
    assert torch.allclose(found, wanted)
    assert torch.equal(at_all_levels(loss, Outputs(fine), target), loss(fine, target))


def test_coarse_levels_change_what_is_learnt() -> None:
    """The gradient at the deepest stage is another one with them."""
    x, target = torch.rand(1, 1, 16, 16, 16), torch.randint(0, 3, (1, 16, 16, 16), dtype=torch.uint8)
    loss = losses.parse("dice + ce", THREE)

    def gradient(levels: bool) -> Tensor:
        network = small().train()
        found = network(x)
        at_all_levels(loss, found if levels else found._replace(coarse=()), target).sum().backward()
        weight: Tensor = network.body.decoder.ups[0].weight.grad
        return weight

    assert not torch.allclose(gradient(True), gradient(False))


def test_padded_sizes_are_compared_where_there_is_a_mask() -> None:
    network = small().train()
    found = network(torch.rand(1, 1, 13, 19, 16))
    target = torch.randint(0, 3, (1, 13, 19, 16), dtype=torch.uint8)
    assert torch.isfinite(at_all_levels(losses.parse("dice", THREE), found, target)).all()


def test_regions_have_a_channel_each() -> None:
    regions = Target(("whole", "core"), exclusive=False)
    loss = losses.parse("dice", regions)
    found = Outputs(torch.randn(1, 2, 8, 8, 8), coarse=(torch.randn(1, 2, 4, 4, 4),))
    assert at_all_levels(loss, found, torch.randint(0, 2, (1, 2, 8, 8, 8), dtype=torch.uint8)).shape == (1,)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"architecture": "unet-3d", "encoder": "resnet18"}, "has encoders of its own: plain-3d, residual-3d"),
        ({"architecture": "unet", "encoder": "plain-3d"}, "the encoder plain-3d is of unet-3d"),
        ({"architecture": "unet-3d", "norm": "group"}, "norm: unet-3d has instance norms"),
        ({"architecture": "unet-3d", "tune": "frozen"}, "tune: unet-3d"),
        ({"architecture": "unet-3d", "attention": "scse"}, "attention: the decoder of unet-3d"),
        ({"architecture": "unet-3d", "decoder_channels": 32}, "takes those of its encoder"),
        ({"architecture": "unet", "stages": {"width": 8}}, "stages: are of unet-3d"),
        ({"architecture": "unet-3d", "stages": {"kernels": [[3, 3, 3]], "strides": [[1, 1, 1]]}}, "as many, from 2"),
    ],
)
def test_what_does_not_go_together(given: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        build(NetworkSettings.model_validate(given), THREE, 1)
