"""The exponential moving average of a network's weights: what is judged and kept, where it is asked for, and what a method
may learn from."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

_GROWN = 1 << 20  # updates, after which the decay is what it was told to be


class Average:
    """Buffers (the statistics of batch normalisation) are averaged too; whole numbers are copied."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.network = copy.deepcopy(network).eval().requires_grad_(False)

    def grown(self) -> None:
        """What it begins with is no random beginning: it is left no faster than anything later."""
        self.updates = max(self.updates, _GROWN)

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        # A young average would mostly remember the random beginning.
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        averaged = self.network.state_dict()
        for name, value in network.state_dict().items():
            kept = averaged[name]
            if kept.dtype.is_floating_point:
                kept.lerp_(value, 1 - decay)
            else:
                kept.copy_(value)

    def state(self) -> dict[str, object]:
        return {"updates": self.updates, "weights": self.network.state_dict()}

    def load(self, updates: int, weights: Mapping[str, Tensor]) -> None:
        self.updates = updates
        self.network.load_state_dict(weights)
