"""The loss at every level at which a network speaks: each coarser one counts half as much as the one before."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from segue.networks.outputs import Outputs


def at_all_levels(loss: Callable[[Tensor, Tensor], Tensor], found: Outputs, target: Tensor) -> Tensor:
    """(n,). A coarse voxel is compared with the one in its middle. Of several networks in one each learns by itself."""
    if found.members:
        return torch.stack([at_all_levels(loss, one, target) for one in found.members]).mean(0)
    if not found.coarse:
        return loss(found.logits, target)
    total, weight, weights = loss(found.logits, target), 0.5, 1.0
    axes = found.logits.ndim - 2
    for logits in found.coarse:
        steps = [round(side / there) for side, there in zip(target.shape[-axes:], logits.shape[2:], strict=True)]
        picked = target[(*[slice(None)] * (target.ndim - axes), *(slice(step // 2, None, step) for step in steps))]
        # Where the network padded, it says more than there is to compare with.
        inside = logits[(slice(None), slice(None), *(slice(side) for side in picked.shape[-axes:]))]
        total = total + weight * loss(inside, picked)
        weights, weight = weights + weight, weight / 2
    return total / weights
