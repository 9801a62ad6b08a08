"""What is done to weights that come from elsewhere before the first step."""

from __future__ import annotations

from torch import nn

from segue.networks.norms import remember_anew
from segue.training.batches import Batches, on_device
from segue.training.machine import untouched_randomness

_BATCHES = 16


def settle(network: nn.Module, batches: Batches) -> None:
    """Batch norms learn anew what their maps look like, on images to be trained on: other images gave them their statistics,
    and an encoder that does not learn would keep these for good."""
    device = next(network.parameters()).device
    with untouched_randomness():
        remember_anew(network, (on_device(batches[step], device).views[0].images for step in range(_BATCHES)))
