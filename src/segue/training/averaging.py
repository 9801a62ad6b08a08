"""The exponential moving average of a network's weights: what is judged and kept, where it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """Buffers (the statistics of batch normalisation) are averaged too; whole numbers are copied."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.weights = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        # A young average would mostly remember the random beginning.
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        for name, value in network.state_dict().items():
            kept = self.weights[name]
            if kept.dtype.is_floating_point:
                kept.lerp_(value, 1 - decay)
            else:
                kept.copy_(value)

    @contextmanager
    def instead(self, network: nn.Module) -> Iterator[None]:
        """The network has the average's weights for a while."""
        own = {name: value.detach().clone() for name, value in network.state_dict().items()}
        network.load_state_dict(self.weights)
        try:
            yield
        finally:
            network.load_state_dict(own)

    def state(self) -> dict[str, object]:
        return {"updates": self.updates, "weights": self.weights}

    def load(self, updates: int, weights: Mapping[str, Tensor]) -> None:
        self.updates = updates
        for name, value in weights.items():
            self.weights[name].copy_(value)
