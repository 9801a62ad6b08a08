"""Low-rank adapters: a frozen encoder learns through the product of two thin matrices beside each of its weights.

They are torch parametrisations of the weights, so that networks which reach for a layer's weight see the adapted one
too, and merging is exact: the merged weight is the very tensor that the adapted layer used.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

ORIGINAL = "parametrizations.weight.original"
DOWN, UP = "parametrizations.weight.0.down", "parametrizations.weight.0.up"


class LowRank(nn.Module):
    """weight + up @ down. `up` begins at zero, so that an adapted network begins as the network it was."""

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        rows, columns = weight.flatten(1).shape
        self.down = nn.Parameter(weight.new_empty(rank, columns))
        self.up = nn.Parameter(weight.new_zeros(rows, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + (self.up @ self.down).view_as(weight)


def adapt(trunk: nn.Module, rank: int) -> int:
    """Freeze it all, and put adapters on its linear layers and convolutions; how many there are."""
    trunk.requires_grad_(False)
    layers = list(_layers(trunk, rank))
    for layer in layers:
        parametrize.register_parametrization(layer, "weight", LowRank(layer.weight, rank))
    return len(layers)


def merge(module: nn.Module) -> None:
    """Leave the adapted weights in place of the weights with adapters; they learn again."""
    for layer in list(module.modules()):
        if parametrize.is_parametrized(layer, "weight"):
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
    module.requires_grad_(True)


def merged(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Likewise, of tensors from a file."""
    found = {}
    for name, tensor in tensors.items():
        start, mark, _ = name.partition("parametrizations.weight.")
        if not mark:
            found[name] = tensor
        elif name.endswith(ORIGINAL):
            product = tensors[start + UP] @ tensors[start + DOWN] if start + UP in tensors else torch.zeros(())
            found[start + "weight"] = tensor + (product.view_as(tensor) if product.ndim else product)
    return found


def _layers(trunk: nn.Module, rank: int) -> Iterator[nn.Linear | nn.Conv2d]:
    for layer in trunk.modules():
        if not isinstance(layer, nn.Linear | nn.Conv2d) or getattr(layer, "groups", 1) > 1:
            continue
        # An adapter as large as the weight would save nothing.
        if rank < min(layer.weight.flatten(1).shape):
            yield layer
