"""Learning to paint: which network each loss moves, and what it looks at."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from segue.data.target import Target
from segue.methods.inpainting import Inpainting, laid, windows
from segue.methods.settings import InpaintingSettings
from segue.networks.painter import Critic, Painter
from segue.step import Batch, Loss, View
from segue.testing import check_method
from segue.variations import Drawn, parse

SIDE = 32


def made(**told: Any) -> Inpainting:
    torch.manual_seed(0)
    return Inpainting(Painter(3, 4), Critic(3, 8), InpaintingSettings(**told), parse("none"))


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
        return losses(made(**{"critic": 0, "variety": 0, name: amount}), batch())["painter"].per_sample

    none, one, two = (total(amount) for amount in (0.0, 1.0, 2.0))
    assert not torch.allclose(none, one)
    assert torch.allclose(two - none, 2 * (one - none), atol=1e-5)


def test_the_painter_alone_is_to_be_near_what_was_there() -> None:
    found = losses(made(critic=0, variety=0), batch())["painter"]
    assert torch.allclose(found.per_sample, found.parts["off"], atol=1e-6)
    assert (found.parts["off"] > 0).all()


def test_it_keeps_what_the_loop_takes_for_granted() -> None:
    check_method(made, target=Target(("lesion", "hole"), exclusive=False, made_of=(("a",), ("b",))), size=(SIDE, SIDE))
