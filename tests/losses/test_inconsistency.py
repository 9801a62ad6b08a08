"""The loss of inconsistency: what it is, once more and slowly, and what follows from it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from segue.data.case import IGNORE
from segue.data.target import Target
from segue.losses.inconsistency import Side, inconsistency
from tests.losses import reference

LESION = Target(("background", "lesion"))
HEART = Target(("background", "myocardium", "left ventricle"))
TUMOUR = Target(("whole", "core"), exclusive=False)
SIZE = (7, 9)


def drawn(target: Target, n: int = 4, seed: int = 0, ignored: float = 0.1) -> tuple[Tensor, Tensor]:
    """Logits and a truth in which the last sample has no foreground, and some pixels do not count."""
    source = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(n, target.logits, *SIZE, generator=source)
    regions = () if target.exclusive else (len(target.names),)
    most = len(target.names) if target.exclusive else 2
    truth = torch.randint(0, most, (n, *regions, *SIZE), generator=source, dtype=torch.uint8)
    truth[-1] = 0
    gone = torch.rand(truth.shape, generator=source) < ignored
    return logits, truth.masked_fill(gone, IGNORE)


def xor(p: float, q: float) -> float:
    return p * (1 - q) + q * (1 - p)


def slowly(target: Target, one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> list[float]:
    found = []
    for index in range(len(one[0])):
        maps = [reference.probabilities(logits[index].double().numpy(), target.exclusive) for logits, _ in (one, other)]
        truths = [truth[index].numpy() for _, truth in (one, other)]
        each = []
        for channel in range(1 if target.exclusive else 0, len(maps[0])):
            unlike = any_of = area = counted = 0.0
            for at in np.ndindex(*SIZE):
                values = [truth[at] if target.exclusive else truth[(channel, *at)] for truth in truths]
                if IGNORE in values:
                    continue
                y, a = (float(value == (channel if target.exclusive else 1)) for value in values)
                p, q = (float(each[(channel, *at)]) for each in maps)
                unlike += xor(xor(y, a), xor(p, q))
                any_of += min(1.0, y + a + p + q)
                area, counted = area + y + a, counted + 1
            if counted:
                each.append(unlike / (any_of + (0.0 if area else max(1.0, 0.01 * counted))))
        found.append(reference.mean(each))
    return found


def between(target: Target, one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> Tensor:
    return inconsistency(Side.of(*one, target), Side.of(*other, target))


@pytest.mark.parametrize("target", [LESION, HEART, TUMOUR], ids=["one logit", "classes", "regions"])
def test_it_is_its_definition(target: Target) -> None:
    one, other = drawn(target, seed=0), drawn(target, seed=1)
    assert between(target, one, other).tolist() == pytest.approx(slowly(target, one, other), abs=1e-5)


def sure(truth: Tensor, target: Target) -> Tensor:
    """Logits that say just this."""
    if not target.exclusive:
        return torch.where(truth == 1, 40.0, -40.0)
    if target.logits == 1:
        return torch.where(truth == 1, 40.0, -40.0)[:, None]
    channels = torch.arange(len(target.names)).view(1, -1, 1, 1)
    return torch.where(truth[:, None] == channels, 40.0, -40.0)


@pytest.mark.parametrize("target", [LESION, HEART, TUMOUR], ids=["one logit", "classes", "regions"])
def test_right_twice_is_consistent_and_so_is_wrong_alike(target: Target) -> None:
    (_, one), (_, other) = drawn(target, ignored=0.0), drawn(target, seed=1, ignored=0.0)
    assert between(target, (sure(one, target), one), (sure(other, target), other)).max() < 1e-6
    if target is not LESION:
        return
    wrong = torch.zeros_like(one)
    wrong[:, 2:4] = 1
    flipped = (one ^ wrong, other ^ wrong)  # both predictions wrong in the same pixels
    found = between(target, (sure(flipped[0], target), one), (sure(flipped[1], target), other))
    assert found.max() < 1e-6
    once = between(target, (sure(one, target), one), (sure(flipped[1], target), other))
    assert once.min() > 0.1


def test_a_prediction_that_ignores_an_edit_is_inconsistent() -> None:
    """The mask grows, the prediction stays: what is missing is the expected change."""
    before = torch.zeros(1, 8, 8, dtype=torch.uint8)
    before[:, 2:4, 2:4] = 1
    after = before.clone()
    after[:, 2:4, 4:8] = 1
    stays = sure(before, LESION)
    found = between(LESION, (stays, before), (stays, after))
    assert found.item() == pytest.approx(8 / 12, abs=1e-6)  # of the union, what was added


def test_a_sample_stands_for_itself() -> None:
    one, other = drawn(HEART, seed=0), drawn(HEART, seed=1)
    whole = between(HEART, one, other)
    alone = [
        between(HEART, (one[0][i : i + 1], one[1][i : i + 1]), (other[0][i : i + 1], other[1][i : i + 1]))
        for i in range(4)
    ]
    assert torch.equal(whole, torch.cat(alone))


def test_where_there_is_nothing_finding_less_is_better() -> None:
    """As published a small probability everywhere costs 1 - p: it would be driven up, not down."""
    nothing = torch.zeros(1, 32, 32, dtype=torch.uint8)
    logits = torch.full((1, 1, 32, 32), -5.0, requires_grad=True)
    between(LESION, (logits, nothing), (logits, nothing)).sum().backward()
    assert logits.grad is not None
    assert (logits.grad > 0).all()  # a step down is a step to less


def test_what_does_not_count_reaches_nothing() -> None:
    one, other = drawn(LESION, seed=0), drawn(LESION, seed=1)
    broken = one[0].clone()
    broken[one[1][:, None] == IGNORE] = torch.nan
    assert torch.equal(between(LESION, one, other), between(LESION, (broken, one[1]), other))
    nowhere = torch.full_like(one[1], IGNORE)
    assert between(LESION, (one[0], nowhere), other).tolist() == [0.0] * 4
