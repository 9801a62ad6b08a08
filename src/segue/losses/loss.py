"""A loss by expression: `dice + 0.5*bce`, parts by name with their weights, on logits, a number per sample."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from segue import expression
from segue.config import validate
from segue.data.target import Target
from segue.errors import BadInput, nearest
from segue.losses.areas import Dice, Jaccard, Tversky
from segue.losses.boundary import Boundary
from segue.losses.cross_entropy import BinaryCrossEntropy, CrossEntropy
from segue.losses.focal import Focal
from segue.losses.lovasz import Lovasz
from segue.losses.pair import Pair
from segue.losses.part import Part

LOSSES: dict[str, type[Part]] = {
    "dice": Dice,
    "jaccard": Jaccard,
    "tversky": Tversky,
    "ce": CrossEntropy,
    "bce": BinaryCrossEntropy,
    "focal": Focal,
    "lovasz": Lovasz,
    "boundary": Boundary,
}


class Loss(nn.Module):
    """The weighted sum of parts. Pixels that are IGNORE in the truth do not count."""

    def __init__(self, parts: Sequence[tuple[float, Part]], target: Target, text: str) -> None:
        super().__init__()
        self.parts, self.target, self._text = tuple(parts), target, text

    def forward(self, logits: Tensor, truth: Tensor) -> Tensor:
        """(n, L, h, w) beside (n, h, w) channel indices, or (n, K, h, w) for regions, to (n,) float32."""
        with torch.autocast(logits.device.type, enabled=False):
            pair = Pair(logits, truth, self.target)
            losses = [weight * part(pair) for weight, part in self.parts]
        return torch.stack(losses).sum(0)

    def __str__(self) -> str:
        return self._text


def parse(text: str, target: Target) -> Loss:
    """`dice`, `dice + 0.5*ce(weights=(0.1, 0.9))`, ...; the names are those of LOSSES."""
    terms = expression.parse(text)
    parts = []
    for term in terms:
        if term.name not in LOSSES:
            raise BadInput(f"unknown loss {term.name!r}: {nearest(term.name, LOSSES)}")
        if not (math.isfinite(term.weight) and term.weight >= 0):
            raise BadInput(f"loss {text!r}: the weight {term.weight:g} of {term.name} is not 0 or more")
        part = validate(LOSSES[term.name], term.arguments, where=f"loss {term.name!r}")
        part.fit(target)
        if term.weight:
            parts.append((term.weight, part))
    if not parts:
        raise BadInput(f"loss {text!r}: all weights are 0, nothing would be learnt")
    return Loss(parts, target, expression.write(terms))
