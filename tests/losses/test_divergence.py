"""The divergence from probabilities: what it is, once more and slowly, and what follows from it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from segue.data.target import Target
from segue.losses import probabilities
from segue.losses.divergence import divergence
from tests.losses import reference

LESION = Target(("background", "lesion"))
HEART = Target(("background", "myocardium", "left ventricle"))
TUMOUR = Target(("whole", "core"), exclusive=False)
SIZE = (5, 6)


def drawn(target: Target, seed: int = 0, n: int = 3) -> Tensor:
    return 2 * torch.randn(n, target.logits, *SIZE, generator=torch.Generator().manual_seed(seed))


def slowly(target: Target, logits: Tensor, said: Tensor, known: Tensor) -> list[float]:
    found = []
    for index in range(len(logits)):
        of = reference.probabilities(logits[index].double().numpy(), target.exclusive)
        total, pixels = 0.0, 0
        for row in range(SIZE[0]):
            for column in range(SIZE[1]):
                if not known[index, row, column]:
                    continue
                pixels += 1
                q = [float(one) for one in said[index, :, row, column]]
                p = [float(one) for one in of[:, row, column]]
                if target.exclusive:
                    total += sum(a * math.log(a / b) for a, b in zip(q, p, strict=True) if a > 0)
                else:
                    pairs = [
                        (a, b) for one, other in zip(q, p, strict=True) for a, b in ((one, other), (1 - one, 1 - other))
                    ]
                    total += sum(a * math.log(a / b) for a, b in pairs if a > 0) / len(q)
        found.append(total / pixels if pixels else 0.0)
    return found


@pytest.mark.parametrize("target", [LESION, HEART, TUMOUR], ids=["one logit", "classes", "regions"])
def test_it_is_what_it_says(target: Target) -> None:
    logits, said = drawn(target), probabilities(drawn(target, 1), target)
    said[0, :, 0, 0] = torch.tensor([0.0, 1.0, 0.0][: len(target.names)])  # surely
    known = torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(2)) > 0.3
    known[2] = False
    found = divergence(logits, said, known, target)
    torch.testing.assert_close(found, torch.tensor(slowly(target, logits, said, known)), atol=1e-5, rtol=1e-4)
    assert found[2] == 0


@pytest.mark.parametrize("target", [LESION, HEART, TUMOUR], ids=["one logit", "classes", "regions"])
def test_its_slope_is_the_difference_of_probabilities(target: Target) -> None:
    """And is nothing where both say the same, however unsure they are."""
    logits, said = drawn(target).requires_grad_(True), probabilities(drawn(target, 1), target)
    known = torch.ones(3, *SIZE, dtype=torch.bool)
    divergence(logits, said, known, target).sum().backward()
    assert logits.grad is not None
    expected = (probabilities(logits, target) - said).detach() / math.prod(SIZE)
    if target.logits == 1:
        expected = expected[:, 1:]
    if not target.exclusive:
        expected = expected / len(target.names)
    torch.testing.assert_close(logits.grad, expected, atol=1e-6, rtol=1e-4)
    same = divergence(logits, probabilities(logits, target).detach(), known, target)
    assert same.abs().max() < 1e-6


def test_what_is_not_known_reaches_nothing() -> None:
    logits, said = drawn(LESION), probabilities(drawn(LESION, 1), LESION)
    known = torch.ones(3, *SIZE, dtype=torch.bool)
    known[:, 0] = False
    logits[0, :, 0] = float("nan")
    logits.requires_grad_(True)
    said[:, :, 0] = float("nan")
    found = divergence(logits, said, known, LESION)
    found.sum().backward()
    assert found.isfinite().all()
    assert logits.grad is not None
    assert logits.grad[:, :, 0].abs().max() == 0
    assert logits.grad[:, :, 1:].abs().min() > 0
