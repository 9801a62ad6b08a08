"""Contrast: an embedding shall be nearer to its positives than to its negatives, by cosine (InfoNCE).

https://arxiv.org/abs/2006.10511 and, where an image's own views are its only positives, https://arxiv.org/abs/2002.05709.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from segue.losses.pairs import Pairs


class Contrasted(NamedTuple):
    loss: Tensor  # (n,) float32
    weight: Tensor  # (n,) float32: 1, or 0 of an anchor that has nothing to be near to; its loss is 0 then


def contrast(z: Tensor, others: Tensor, pairs: Pairs, temperature: float) -> Contrasted:
    """Anchors (n, d) beside others (m, d), often the same tensor; the mean over an anchor's positives j of

        -log( e^s_ij / (e^s_ij + sum over its negatives k of e^s_ik) ),   s = cosine / temperature.

    An anchor sees the negatives from its own side. Both images of a pair are anchors in their turn, so that the mean over
    anchors is the symmetrised loss. A temperature of 1 makes cosines almost flat: 0.1 is usual.
    """
    # Half precision would round cosines before they are divided by a small temperature.
    with torch.autocast(z.device.type, enabled=False):
        similar = (directions(z) / temperature) @ directions(others).T
        return info_nce(similar, pairs.positives, similar, pairs.negatives)


def info_nce(near: Tensor, positives: Tensor, far: Tensor, negatives: Tensor) -> Contrasted:
    """Along the last axis: similarities and which of them are positives, others and which of them are negatives."""
    against = far.masked_fill(~negatives, -torch.inf).logsumexp(-1, keepdim=True)
    # -log(e^s / (e^s + e^a)) is softplus(a - s): nothing to overflow, and 0 where there are no negatives.
    losses = functional.softplus(against - near).masked_fill(~positives, 0.0)
    count = positives.sum(-1)
    return Contrasted(losses.sum(-1) / count.clamp(min=1), (count > 0).float())


def directions(vectors: Tensor) -> Tensor:
    """Of length 1, float32. Zeros have no direction: they stay zeros, like nothing, and their slope is finite."""
    vectors = vectors.float()
    length = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return vectors / length.masked_fill(length == 0, 1.0)
