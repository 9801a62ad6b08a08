"""How well the masks are fitted is a Dice of the last batches, that of the class that is fitted worst."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.distributed as distributed
from torch import Tensor
from torch.multiprocessing.spawn import spawn

from segue.data.case import IGNORE
from segue.methods.fit import Fit


def logits(decided: Tensor, channels: int) -> Tensor:
    return torch.nn.functional.one_hot(decided.long(), channels).movedim(-1, 1).float()


def images(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """What is decided and what is true, of three channels: two thirds of the pixels are right."""
    random = torch.Generator().manual_seed(seed)
    true = torch.randint(0, 3, (n, 16, 16), generator=random, dtype=torch.uint8)
    other = torch.randint(0, 3, (n, 16, 16), generator=random, dtype=torch.uint8)
    return torch.where(torch.rand(n, 16, 16, generator=random) < 0.5, true, other), true


def dice(decided: Tensor, true: Tensor, channel: int) -> float:
    one, other = decided == channel, true == channel
    return 2 * float((one & other).sum()) / float(one.sum() + other.sum())


def test_nothing_is_fitted_before_a_mask_was_seen() -> None:
    assert Fit(3, exclusive=True).worst == 0


def test_of_exclusive_classes_without_the_background() -> None:
    fit, (decided, true) = Fit(3, exclusive=True), images(4, 0)
    fit.saw(logits(decided, 3), true)
    assert fit.worst == pytest.approx(min(dice(decided, true, 1), dice(decided, true, 2)))


def test_of_two_channels_one_logit_is_enough() -> None:
    fit, (decided, true) = Fit(2, exclusive=True), images(4, 0)
    fit.saw((decided == 1)[:, None].float() - 0.5, (true == 1).to(torch.uint8))
    assert fit.worst == pytest.approx(dice(decided, true, 1))


def test_of_regions_each_by_itself() -> None:
    """Pixels that nobody drew do not count; of the second region they are all but a few."""
    fit = Fit(2, exclusive=False)
    decided, true = torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 4, dtype=torch.uint8)
    decided[0, 0, :2], true[0, 0, 1:3] = 1, 1
    true[0, 1] = IGNORE
    decided[0, 1, 0], true[0, 1, 0, :2] = 1, 1
    fit.saw(decided - 0.5, true)
    assert fit.worst == pytest.approx(0.5)


def test_a_class_that_was_not_drawn_is_left_out() -> None:
    decided = torch.zeros(2, 8, 8, dtype=torch.uint8)
    decided[:, :4] = 1
    true = decided.clone()
    decided[:, 6:] = 2
    fit = Fit(3, exclusive=True)
    fit.saw(logits(decided, 3), true)
    assert fit.worst == 1


def test_of_patches_as_of_pictures() -> None:
    decided, true = images(4, 0)
    flat, deep = Fit(3, exclusive=True), Fit(3, exclusive=True)
    flat.saw(logits(decided, 3), true)
    deep.saw(logits(decided[None], 3), true[None])
    assert deep.worst == pytest.approx(flat.worst)


def test_what_was_said_long_ago_is_forgotten() -> None:
    """And slowly: one lucky batch is not a fit."""
    fit, (decided, true) = Fit(3, exclusive=True), images(4, 0)
    nothing = torch.zeros_like(decided)
    for _ in range(100):
        fit.saw(logits(nothing, 3), true)
    fit.saw(logits(true, 3), true)
    assert fit.worst < 0.15
    for _ in range(100):
        fit.saw(logits(decided, 3), true)
    assert fit.worst == pytest.approx(min(dice(decided, true, 1), dice(decided, true, 2)), rel=0.02)


def side(rank: int, folder: str) -> None:
    """One of two processes, with one half of the images."""
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    fit = Fit(3, exclusive=True)
    for seed in range(3):
        decided, true = images(4, seed)
        fit.saw(logits(decided.chunk(2)[rank], 3), true.chunk(2)[rank])
    torch.save(fit.areas, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def test_two_processes_see_the_fit_of_one_with_both_halves(tmp_path: Path) -> None:
    """Else one would follow while the other does not."""
    spawn(side, args=(str(tmp_path),), nprocs=2)
    fit = Fit(3, exclusive=True)
    for seed in range(3):
        decided, true = images(4, seed)
        fit.saw(logits(decided, 3), true)
    one, other = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    assert torch.equal(one, other)
    torch.testing.assert_close(one, fit.areas)
