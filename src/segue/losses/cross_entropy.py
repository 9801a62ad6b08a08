"""Cross-entropy: the logarithm of the probability that the truth was given, averaged over the pixels that count.

A weight belongs to a class (of regions: to a region) and is the same in every image: the mean is over pixels, not over
weights, so that an image's loss depends on the image alone and a rare class stays rare in an image that has none of it.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.nn import functional

from segue.data.case import IGNORE
from segue.data.target import Target
from segue.errors import BadInput
from segue.losses.pair import Pair
from segue.losses.part import Part

Weights = tuple[Annotated[float, Field(ge=0)], ...] | None


class CrossEntropy(Part):
    """-log(p), p being the true class's probability; of regions, of each region's answer."""

    weights: Weights = None

    def fit(self, target: Target) -> None:
        check_weights(self.weights, target)

    def __call__(self, pair: Pair) -> Tensor:
        return pair.pixel_mean(weigh(surprise(pair), self.weights, pair))


class BinaryCrossEntropy(CrossEntropy):
    """The same, and refused where there are several exclusive classes, for which its name would be wrong."""

    def fit(self, target: Target) -> None:
        if target.exclusive and len(target.names) > 2:
            raise BadInput(
                f"bce is for two classes or for regions, not for {', '.join(target.names)}", hint="Write ce."
            )
        super().fit(target)


def surprise(pair: Pair) -> Tensor:
    """-log of the true class's probability: (n, k, pixels) where binary, else (n, 1, pixels)."""
    if pair.binary:
        return functional.softplus(pair.logits * (1 - 2 * pair.positive))
    truth = pair.truth.squeeze(1).long()
    return functional.cross_entropy(pair.logits, truth, reduction="none", ignore_index=IGNORE).unsqueeze(1)


def weigh(values: Tensor, weights: Weights, pair: Pair) -> Tensor:
    """(n, k, pixels), each pixel by the weight of its true class, of regions by the region's."""
    if weights is None:
        return values
    if not pair.target.exclusive:
        return values * values.new_tensor(weights)[:, None]
    if pair.binary:
        return values * (weights[0] + (weights[1] - weights[0]) * pair.positive)
    table = values.new_zeros(IGNORE + 1)
    table[: len(weights)] = values.new_tensor(weights)
    return values * table[pair.truth.int()]


def check_weights(weights: Weights, target: Target) -> None:
    if weights is None:
        return
    if len(weights) != len(target.names):
        raise BadInput(
            f"weights={weights}: one for each of {', '.join(target.names)} is needed, {len(weights)} are given"
        )
    if not any(weights):
        raise BadInput(f"weights={weights}: at least one must be more than 0")
