"""Targets have as much of each class as masks have."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.distributed as distributed
from torch import Tensor
from torch.multiprocessing.spawn import spawn

from segue.methods.shares import Shares

SHOWN = torch.ones(4, 16, 16, dtype=torch.bool)


def logits(channels: int, bias: tuple[float, ...]) -> Tensor:
    """Of a network that has its preferences, and tells pixels apart all the same."""
    return torch.randn(4, channels, 16, 16, generator=torch.Generator().manual_seed(0)) + torch.tensor(bias).view(
        1, -1, 1, 1
    )


def settled(shares: Shares, said: Tensor) -> Tensor:
    for _ in range(200):
        found = shares.balanced(said, SHOWN)
    return found


def test_of_exclusive_classes() -> None:
    shares = Shares((0.7, 0.2, 0.1), exclusive=True)
    said = logits(3, (3.0, -3.0, 2.0)).softmax(1)
    assert said[:, 1].mean() < 0.01
    found = settled(shares, said)
    torch.testing.assert_close(found.sum(1), torch.ones(4, 16, 16))
    torch.testing.assert_close(found.mean((0, 2, 3)), torch.tensor([0.7, 0.2, 0.1]), rtol=0.02, atol=0)
    assert shares.shift[0] == 0


def test_of_regions_each_by_itself() -> None:
    shares = Shares((0.6, 0.1), exclusive=False)
    found = settled(shares, logits(2, (-4.0, 2.0)).sigmoid())
    torch.testing.assert_close(found.mean((0, 2, 3)), torch.tensor([0.6, 0.1]), rtol=0.02, atol=0)


def test_the_order_of_pixels_stays() -> None:
    said = logits(2, (4.0, -4.0)).softmax(1)
    found = settled(Shares((0.9, 0.1), exclusive=True), said)
    assert torch.equal(found[:, 1].flatten().argsort(), said[:, 1].flatten().argsort())


def test_what_is_right_already_stays_as_it_is() -> None:
    said = logits(3, (1.0, 0.0, 0.0)).softmax(1)
    shares = Shares(said.mean((0, 2, 3)).tolist(), exclusive=True)
    torch.testing.assert_close(settled(shares, said), said)


def test_a_class_that_the_masks_do_not_have_is_left_alone() -> None:
    shares = Shares((0.8, 0.2, 0.0), exclusive=True)
    settled(shares, logits(3, (0.0, 0.0, 0.0)).softmax(1))
    assert shares.shift[1] < 0
    assert shares.shift[2] == 0


def test_what_was_invented_is_not_counted() -> None:
    said = torch.full((4, 2, 16, 16), 0.5)
    said[:, 1, :, 8:], said[:, 0, :, 8:] = 0.01, 0.99
    shown = SHOWN.clone()
    shown[:, :, 8:] = False
    shares = Shares((0.5, 0.5), exclusive=True)
    shares.balanced(said, shown)
    assert float(shares.shift.abs().max()) < 1e-6


@pytest.mark.parametrize("exclusive", [True, False])
def test_finite_where_a_network_is_entirely_sure(exclusive: bool) -> None:
    """It is shifted as far as a shift goes; a class that cannot be found at all is not asked for everywhere."""
    said = torch.stack([torch.ones(4, 16, 16), torch.zeros(4, 16, 16)], 1)
    shares = Shares((0.9, 0.1), exclusive=exclusive)
    for _ in range(500):
        found = shares.balanced(said, SHOWN)
    assert bool(found.isfinite().all())
    assert float(shares.shift.abs().max()) == 8
    assert float(found[:, 1].max()) < 0.01


def side(rank: int, folder: str) -> None:
    """One of two processes, with one half of the images."""
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    shares, said = Shares((0.7, 0.2, 0.1), exclusive=True), logits(3, (3.0, -3.0, 2.0)).softmax(1)
    for _ in range(3):
        shares.balanced(said.chunk(2)[rank], SHOWN.chunk(2)[rank])
    torch.save(shares.shift, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def test_two_processes_shift_as_one_with_both_halves(tmp_path: Path) -> None:
    spawn(side, args=(str(tmp_path),), nprocs=2)
    shares, said = Shares((0.7, 0.2, 0.1), exclusive=True), logits(3, (3.0, -3.0, 2.0)).softmax(1)
    for _ in range(3):
        shares.balanced(said, SHOWN)
    one, other = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    assert torch.equal(one, other)
    torch.testing.assert_close(one, shares.shift)
