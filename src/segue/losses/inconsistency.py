"""How much a prediction changed otherwise than the mask did: https://arxiv.org/abs/2205.15428, for each sample by itself.

    expected = xor(mask before, mask after)
    actual   = xor(prediction before, prediction after)
    inconsistency = sum of xor(expected, actual) / sum of min(1, all four)

with xor(p, q) = p (1 - q) + q (1 - p) of probabilities. It is 0 where both predictions are right, and also where both are
wrong alike, so that it needs a loss of masks beside it. Each class, or region, is a question of its own; the mean is over
those of which something counts.

A sample that has a class neither before nor after has nothing to measure a change against: without more, the same small
probability p everywhere would cost 1 - p, and the cheapest answer would be to find it everywhere. There, as in a loss of
areas, a share of the image stands below the line.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from segue.data.case import IGNORE
from segue.data.target import Target
from segue.losses.areas import spare_pixels
from segue.losses.probabilities import probabilities

EMPTY = 0.01  # of the pixels


@dataclass(frozen=True)
class Side:
    """What is said of images and what is true of them: (n, questions, ...) float32, and where it counts, of like shape."""

    predicted: Tensor
    true: Tensor
    counts: Tensor

    @classmethod
    def of(cls, logits: Tensor, truth: Tensor, target: Target) -> Side:
        """Of a truth that is channels (n, ...), or 0 and 1 of each region (n, regions, ...)."""
        with torch.autocast(logits.device.type, enabled=False):
            said = probabilities(logits, target)
        true, counts = truths(truth, target)
        return cls(said[:, 1:] if target.exclusive else said, true, counts)


def truths(truth: Tensor, target: Target) -> tuple[Tensor, Tensor]:
    """(n, questions, ...): what is true of each question, and where it counts."""
    if not target.exclusive:
        return (truth == 1).float(), truth != IGNORE
    channels = torch.arange(1, len(target.names), device=truth.device).view(1, -1, *[1] * (truth.ndim - 1))
    return (truth[:, None] == channels).float(), (truth != IGNORE)[:, None]


def xor(one: Tensor, other: Tensor) -> Tensor:
    return one * (1 - other) + other * (1 - one)


def inconsistency(before: Side, after: Side) -> Tensor:
    """(n,): 0 where predictions changed as masks did."""
    with torch.autocast(before.predicted.device.type, enabled=False):
        counts = (before.counts & after.counts).expand_as(before.true)
        # Weighing by zero is not enough: what stands there, NaN included, must not reach a sum.
        four = [
            torch.where(counts, each, 0.0).flatten(2)
            for each in (before.true, after.true, before.predicted, after.predicted)
        ]
        true, true_after, said, said_after = four
        unlike = xor(xor(true, true_after), xor(said, said_after)).sum(2)
        any_of = sum(four).clamp(max=1).sum(2)  # type: ignore[union-attr]  # of four tensors, not of nothing
        counted = counts.flatten(2).float().sum(2)
        spare = spare_pixels((true + true_after).sum(2), counted, EMPTY)
        known = (counted > 0).float()
        each = unlike / (any_of + spare).clamp(min=1e-6)
        return (each * known).sum(1) / known.sum(1).clamp(min=1)
