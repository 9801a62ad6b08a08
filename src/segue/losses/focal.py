"""Focal loss: cross-entropy in which a pixel counts less the surer its right answer already is."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from segue.data.target import Target
from segue.losses.cross_entropy import Weights, check_weights, surprise, weigh
from segue.losses.pair import Pair
from segue.losses.part import Part


class Focal(Part):
    """(1 - p)^gamma * -log(p), p being the true class's probability; gamma=0 is cross-entropy."""

    gamma: Annotated[float, Field(ge=0)] = 2.0
    weights: Weights = None

    def fit(self, target: Target) -> None:
        check_weights(self.weights, target)

    def __call__(self, pair: Pair) -> Tensor:
        values = surprise(pair)
        # By way of the logarithm: a power of 0 has no finite slope where gamma is below 1.
        focused = values * torch.exp(self.gamma * _doubt(pair, values))
        return pair.pixel_mean(weigh(focused, self.weights, pair))


def _doubt(pair: Pair, surprise: Tensor) -> Tensor:
    """log(1 - p), in the shape of `surprise` = -log(p)."""
    if pair.binary:
        return pair.logits * (1 - 2 * pair.positive) - surprise
    others = pair.logits.log_softmax(1).masked_fill(pair.one_hot > 0, -torch.inf)
    return others.logsumexp(1, keepdim=True)
