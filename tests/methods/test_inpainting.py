"""Learning to paint: which network each loss moves, and what it looks at."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from segue.data.target import Target
from segue.methods.inpainting import Inpainting, laid, maps_of, unlike_by, windows
from segue.methods.settings import InpaintingSettings
from segue.networks import NetworkSettings, SegmentationNetwork, build
from segue.networks.painter import Critic, Painter
from segue.step import Batch, Loss, View
from segue.testing import check_method
from segue.variations import Drawn, parse

SIDE = 32


def made(encoder: SegmentationNetwork | None = None, **told: Any) -> Inpainting:
    torch.manual_seed(0)
    return Inpainting(Painter(3, 4), Critic(3, 8), InpaintingSettings(**told), parse("none"), encoder)


@pytest.fixture(scope="module")
def encoder() -> SegmentationNetwork:
    torch.manual_seed(3)
    told = NetworkSettings(
        encoder="tu-mobilenetv3_small_050", weights="none", depth=3, decoder_channels=(16, 8, 8), norm="group"
    )
    return build(told, Target(("background", "lesion")), 3).eval().requires_grad_(False)


def batch(n: int = 3, *, outside: float = 0.0) -> Batch:
    torch.manual_seed(1)
    images = torch.rand(n, 3, SIDE, SIDE)
    target = torch.zeros(n, 2, SIDE, SIDE, dtype=torch.uint8)
    target[:, 0, 10:20, 10:20] = 1
    target[:, 1, 8:22, 8:22] = 1
    images[:, :, 8:22, 8:22] += outside
    view = View(images, target, Drawn.identity(n, (SIDE, SIDE)), torch.ones(n, SIDE, SIDE, dtype=torch.bool))
    return Batch((view,), ("a",) * n)


def losses(method: Inpainting, given: Batch) -> dict[str, Loss]:
    torch.manual_seed(2)
    running = method.step(given)
    found = {}
    loss = next(running, None)
    while loss is not None:
        found[loss.network] = loss
        try:
            loss = running.send(True)
        except StopIteration:
            break
    return found


def test_the_hole_is_not_seen() -> None:
    painter = Painter(3, 4).eval()
    noise = painter.seeded([0] * 3, SIDE)
    one, other = (windows(batch(outside=amount).views[0])[0] for amount in (0.0, 5.0))
    assert not torch.equal(one, other)
    assert torch.equal(painter(one, noise).logits, painter(other, noise).logits)


def test_two_noises_give_two_pictures_and_a_seed_one() -> None:
    painter = Painter(3, 4).eval()
    given, _ = windows(batch(1).views[0])
    one, same, other = (painter(given, painter.seeded([seed], SIDE)).logits for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_each_loss_moves_its_own_network() -> None:
    method = made()
    for name, loss in losses(method, batch()).items():
        for network in method.networks.values():
            network.zero_grad()
        own = list(method.networks[name].parameters())
        torch.autograd.backward(loss.per_sample.sum(), inputs=own)
        assert sum(float(p.grad.abs().sum()) for p in own if p.grad is not None) > 0
        others = [p for key, network in method.networks.items() if key != name for p in network.parameters()]
        assert all(p.grad is None for p in others)


def test_what_lies_around_the_hole_stays_as_it_is() -> None:
    given, hole = windows(batch().views[0])
    found = laid(given, hole, torch.zeros(3, 3, SIDE, SIDE))
    assert torch.equal(found[:, :3] * (1 - hole), given[:, :3] * (1 - hole))
    assert float((found[:, :3] * hole).abs().max()) == 0
    assert torch.equal(found[:, 3:], given[:, 3:])


@pytest.mark.parametrize("name", ["critic", "variety"])
def test_each_part_of_the_loss_counts_as_told(name: str) -> None:
    def total(amount: float) -> Tensor:
        told: dict[str, Any] = {"critic": 0, "variety": 0, name: amount}
        return losses(made(**told), batch())["painter"].per_sample

    none, one, two = (total(amount) for amount in (0.0, 1.0, 2.0))
    assert not torch.allclose(none, one)
    assert torch.allclose(two - none, 2 * (one - none), atol=1e-5)


def test_the_painter_alone_is_to_be_near_what_was_there() -> None:
    found = losses(made(critic=0, variety=0), batch())["painter"]
    assert torch.allclose(found.per_sample, found.parts["off"], atol=1e-6)
    assert (found.parts["off"] > 0).all()


def slopes(method: Inpainting) -> Tensor:
    """Of the painter's loss by its own weights."""
    own = list(method.networks["painter"].parameters())
    found = losses(method, batch())["painter"]
    return torch.cat([each.flatten() for each in torch.autograd.grad(found.per_sample.sum(), own)])


def test_an_encoder_counts_as_told_in_the_loss_and_in_its_slopes(encoder: SegmentationNetwork) -> None:
    none, one, two = (made(encoder, critic=0, variety=0, perceptual=amount) for amount in (0.0, 1.0, 2.0))
    totals = [losses(each, batch())["painter"] for each in (none, one, two)]
    unlike = totals[1].parts["unlike"]
    assert (unlike > 0).all()
    assert torch.allclose(totals[0].per_sample, totals[0].parts["off"])
    assert torch.allclose(totals[1].per_sample, totals[1].parts["off"] + unlike)
    assert torch.allclose(totals[2].per_sample - totals[1].per_sample, unlike, atol=1e-5)
    first, second, third = map(slopes, (none, one, two))
    assert not torch.allclose(first, second, rtol=0.05)
    assert torch.allclose(third - second, second - first, atol=1e-4)


def test_the_encoder_itself_does_not_learn(encoder: SegmentationNetwork) -> None:
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    method = made(encoder, perceptual=1.0)
    assert set(method.networks) == {"painter", "critic"}
    for loss in losses(method, batch()).values():
        torch.autograd.backward(loss.per_sample.sum(), retain_graph=True)
    assert all(one.grad is None for one in encoder.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in encoder.state_dict().items())
    assert not encoder.training


def test_unlike_is_nothing_where_nothing_differs_and_more_where_more_does(encoder: SegmentationNetwork) -> None:
    given, hole = windows(batch().views[0])
    grey = torch.full_like(given[:, :3], 0.5)
    same, near, far = (
        unlike_by(encoder, laid(given, hole, given[:, :3] * (1 - share) + grey * share), given, hole)
        for share in (0.0, 0.3, 1.0)
    )
    assert torch.equal(same, torch.zeros(3))
    assert (far > near).all()
    assert (near > 0).all()


def test_where_the_hole_does_not_reach_nothing_counts(encoder: SegmentationNetwork) -> None:
    given, hole = windows(batch().views[0])
    other = given.clone()
    other[:, :3] = torch.where(hole > 0, given[:, :3], 1 - given[:, :3])
    fine = unlike_by(encoder, other, given, torch.zeros_like(hole))
    assert torch.equal(fine, torch.zeros(3))


def test_grey_pictures_are_seen_by_an_encoder_of_colours(encoder: SegmentationNetwork) -> None:
    grey = torch.rand(2, 1, SIDE, SIDE)
    one, other = maps_of(encoder, grey), maps_of(encoder, grey.repeat(1, 3, 1, 1))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert all(level.shape[2] < SIDE for level in one)  # the picture itself is none of them


def test_with_an_encoder_too_it_keeps_what_the_loop_takes_for_granted(encoder: SegmentationNetwork) -> None:
    check_method(
        lambda: made(encoder, perceptual=1.0),
        target=Target(("lesion", "hole"), exclusive=False, made_of=(("a",), ("b",))), size=(SIDE, SIDE),
    )  # fmt: skip


def test_it_keeps_what_the_loop_takes_for_granted() -> None:
    check_method(made, target=Target(("lesion", "hole"), exclusive=False, made_of=(("a",), ("b",))), size=(SIDE, SIDE))
