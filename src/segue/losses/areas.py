"""Losses that compare areas: dice, jaccard and tversky are one formula that weighs false positives and negatives.

Where the truth has the class, no smoothing is needed. Where it has not, there is no area to compare with, and false
positives are measured against a share of the image instead: `empty` = 0.01 means that false positives over 1 % of the pixels
cost one half.
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from segue.data.target import Target
from segue.errors import BadInput
from segue.losses.pair import Pair
from segue.losses.part import Part

Share = Annotated[float, Field(gt=0, le=1)]
Weight = Annotated[float, Field(gt=0)]


class Areas(Part):
    background: bool = False
    empty: Share = 0.01

    def fit(self, target: Target) -> None:
        refuse_background(self.background, target)

    def weights(self) -> tuple[float, float]:
        """Of false positives and of false negatives, a hit being 1."""
        raise NotImplementedError

    def __call__(self, pair: Pair) -> Tensor:
        predicted, true = pair.channels(self.background)
        hit, area = (predicted * true).sum(2), true.sum(2)
        positives, negatives = self.weights()
        false_positive, false_negative = positives * (predicted.sum(2) - hit), negatives * (area - hit)
        spare = positives * spare_pixels(area, pair.counted, self.empty)
        # Errors over all, not 1 minus hits over all: small losses keep their digits.
        errors = false_positive + false_negative
        return pair.channel_mean(errors / (hit + errors + spare))


class Dice(Areas):
    """1 - 2 hits / (predicted + true)."""

    def weights(self) -> tuple[float, float]:
        return 0.5, 0.5


class Jaccard(Areas):
    """1 - hits / (predicted or true)."""

    def weights(self) -> tuple[float, float]:
        return 1.0, 1.0


class Tversky(Areas):
    """1 - hits / (hits + alpha * false positives + beta * false negatives)."""

    alpha: Weight = 0.3
    beta: Weight = 0.7

    def weights(self) -> tuple[float, float]:
        return self.alpha, self.beta


def spare_pixels(area: Tensor, counted: Tensor, share: float) -> Tensor:
    """What errors are measured against where the truth has no area: a share of what counts, at least one pixel; else 0."""
    return torch.where(area > 0, 0.0, (share * counted).clamp(min=1.0))


def refuse_background(background: bool, target: Target) -> None:
    if background and not target.exclusive:
        raise BadInput(
            f"background=true: the regions {', '.join(target.names)} have no background, each is a question of its own"
        )
