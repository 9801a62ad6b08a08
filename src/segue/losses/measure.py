"""What is asked of a batch beside its loss, without a gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from segue.data.case import IGNORE


def counted(truth: Tensor) -> Tensor:
    """(n,) float32: the share of a sample's pixels (and regions) that count."""
    return (truth != IGNORE).flatten(1).float().mean(1)


@torch.no_grad()
def overlap(logits: Tensor, truth: Tensor) -> Tensor:
    """(n,) float32: the IoU of the decided foreground with the true one, per sample; 1 where neither has a pixel.

    The truth is exclusive as (n, h, w) and of regions as (n, K, h, w). Several classes or regions share one intersection
    and one union, so a pixel of the wrong class is wrong.
    """
    exclusive = truth.dim() == logits.dim() - 1
    wanted = (len(logits), *logits.shape[2:]) if exclusive else tuple(logits.shape)
    if logits.dim() not in (4, 5) or tuple(truth.shape) != wanted:
        raise ValueError(
            f"a truth of shape {tuple(truth.shape)} beside logits {tuple(logits.shape)}: must be (n, h, w) or (n, K, h, w)"
        )
    choice = exclusive and logits.shape[1] > 1
    decided = logits.argmax(1) if choice else (logits > 0).to(torch.uint8).reshape(truth.shape)
    counts = truth != IGNORE
    predicted, true = (decided > 0) & counts, (truth > 0) & counts
    both = (true & (decided == truth)).flatten(1).sum(1)
    # Where classes are confused, one pixel is in the union twice: as what it is and as what it was taken for.
    either = predicted.flatten(1).sum(1) + true.flatten(1).sum(1) - both
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)
