"""What is done to weights that come from elsewhere before the first step."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from segue.training.batches import Batches, on_device
from segue.training.machine import untouched_randomness

_BATCHES = 16


def settle(network: nn.Module, batches: Batches) -> None:
    """Batch norms learn anew what their maps look like, on images to be trained on: other images gave them their statistics,
    and an encoder that does not learn would keep these for good."""
    norms = [each for each in network.modules() if isinstance(each, _BatchNorm)]
    if not norms:
        return
    device = next(network.parameters()).device
    momenta, training = [norm.momentum for norm in norms], network.training
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum, norm.training = None, True  # the mean over all batches
    with untouched_randomness(), torch.no_grad():
        for step in range(_BATCHES):
            network(on_device(batches[step], device).views[0].images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.train(training)
