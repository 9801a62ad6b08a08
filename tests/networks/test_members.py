"""Several networks in one: the mean of what they say, and each by itself again."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from torch import Tensor

from segue import losses, networks
from segue.data.target import Target
from segue.errors import BadInput
from segue.losses import probabilities
from segue.methods.levels import at_all_levels
from segue.networks import NetworkSettings, SegmentationNetwork, build
from segue.networks.members import mean

SMALL = NetworkSettings(encoder="tu-mobilenetv3_small_050", depth=3, decoder_channels=(16, 8, 8), members=3)
LESION = Target(("background", "lesion"))
HEART = Target(("background", "myocardium", "left ventricle"))
TUMOUR = Target(("whole", "core"), exclusive=False)
TARGETS = pytest.mark.parametrize("target", [LESION, HEART, TUMOUR], ids=["one logit", "classes", "regions"])


def made(target: Target = LESION, **changes: object) -> SegmentationNetwork:
    torch.manual_seed(0)
    return build(SMALL.model_copy(update=changes), target, 3)


def images(n: int = 2) -> Tensor:
    return torch.rand(n, 3, 40, 50, generator=torch.Generator().manual_seed(1))


@TARGETS
def test_it_says_the_mean_of_probabilities(target: Target) -> None:
    network = made(target).eval()
    with torch.no_grad():
        found = network(images())
        each = [probabilities(one(images()).logits, target) for one in networks.apart(network)]
    assert len(each) == 3
    torch.testing.assert_close(probabilities(found.logits, target), torch.stack(each).mean(0), atol=1e-6, rtol=1e-5)
    for one, said in zip(found.members, each, strict=True):
        torch.testing.assert_close(probabilities(one.logits, target), said)
    assert found.logits.shape[2:] == images().shape[2:]
    assert all((one - other).abs().max() > 1e-3 for one, other in itertools.pairwise(each))  # begun apart


def test_the_mean_keeps_its_digits() -> None:
    """A probability of 1e-30 is none of 0, and its slope is not lost."""
    one, other = (torch.full((1, 1, 2, 2), value, requires_grad=True) for value in (-70.0, -71.0))
    found = mean([one, other], exclusive=True)
    expected = torch.tensor([-70.0, -71.0]).double().sigmoid().mean().logit()
    torch.testing.assert_close(found.double(), expected.expand(1, 1, 2, 2), rtol=1e-5, atol=1e-4)
    found.sum().backward()
    assert one.grad is not None
    assert 0.7 < float(one.grad[0, 0, 0, 0]) < 0.76  # e / (1 + e): its share of the mean
    sure = mean([torch.full((1, 3, 1, 1), 300.0), torch.zeros(1, 3, 1, 1)], exclusive=True)
    assert sure.isfinite().all()


@TARGETS
def test_each_learns_masks_by_itself(target: Target) -> None:
    """The loss is the mean of theirs, not that of their mean, and each gets the gradient that it would get alone."""
    network = made(target, norm="group")
    truth = torch.randint(0, 2, (2, *([2] if not target.exclusive else []), 40, 50), dtype=torch.uint8)
    loss = losses.parse("dice", target)
    found = at_all_levels(loss, network(images()), truth)
    alone = [at_all_levels(loss, one(images()), truth) for one in networks.apart(network)]
    torch.testing.assert_close(found, torch.stack(alone).mean(0))
    assert (found - loss(network(images()).logits, truth)).abs().max() > 1e-4
    several = [list(one.parameters()) for one in networks.apart(network)]
    for mine, own in zip(several, alone, strict=True):
        together = torch.autograd.grad(found.sum(), mine, retain_graph=True)
        single = torch.autograd.grad(own.sum(), mine, retain_graph=True)
        assert any(bool(slope.any()) for slope in together)
        for one, other in zip(together, single, strict=True):
            torch.testing.assert_close(3 * one, other, rtol=1e-3, atol=1e-6)


def test_several_batches_at_once_are_split_for_each() -> None:
    network = made(norm="group")
    both = network(images(4)).split([1, 3])
    assert [len(one.logits) for one in both] == [1, 3]
    for part, rows in zip(both, (slice(0, 1), slice(1, 4)), strict=True):
        alone = network(images(4)[rows])
        for one, other in zip(part.members, alone.members, strict=True):
            torch.testing.assert_close(one.logits, other.logits, atol=1e-4, rtol=1e-3)
    assert len(both[0].apart) == 3
    assert made(members=1)(images()).split([2])[0].members == ()


def test_saved_and_had_again(tmp_path: Path) -> None:
    network = made().eval()
    networks.save(network, tmp_path / "several.safetensors")
    again = networks.restore(tmp_path / "several.safetensors").eval()
    assert again.settings.members == 3
    with torch.no_grad():
        assert torch.equal(network(images()).logits, again(images()).logits)
    one = networks.apart(network)[1]
    networks.save(one, tmp_path / "one.safetensors")
    with torch.no_grad():
        assert torch.equal(networks.restore(tmp_path / "one.safetensors").eval()(images()).logits, one(images()).logits)


def test_each_begins_from_the_encoder_that_is_given(tmp_path: Path) -> None:
    torch.manual_seed(7)
    networks.save(build(SMALL.model_copy(update={"members": 1}), LESION, 3), tmp_path / "encoder.safetensors")
    network = made(weights=str(tmp_path / "encoder.safetensors"))
    one, two, three = (next(iter(each.body.trunks().values())).state_dict() for each in networks.apart(network))
    assert all(torch.equal(one[name], two[name]) and torch.equal(one[name], three[name]) for name in one)
    assert network.matched is not None
    heads = [each.groups()["decoder"][0] for each in networks.apart(network)]
    assert not torch.equal(heads[0], heads[1])


def test_of_volumes_coarse_levels_are_each_members_own() -> None:
    settings = NetworkSettings.model_validate(
        {"architecture": "unet-3d", "depth": 3, "stages": {"width": 4}, "members": 2}
    )
    network = build(settings, LESION, 1).train()
    found = network(torch.rand(1, 1, 16, 16, 16))
    assert len(found.members) == 2
    assert all(one.coarse for one in found.members)
    truth = torch.zeros(1, 16, 16, 16, dtype=torch.uint8)
    loss = losses.parse("dice", LESION)
    each = [at_all_levels(loss, one, truth) for one in found.members]
    torch.testing.assert_close(at_all_levels(loss, found, truth), torch.stack(each).mean(0))


def test_whose_maps_is_not_known() -> None:
    for asked in ({"features": True}, {"features": True, "decode": False}):
        with pytest.raises(BadInput, match=r"network\.members: each has an encoder of its own"):
            made()(images(), **asked)
