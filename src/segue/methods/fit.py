"""How well a network says what the masks say: before it does, there is nothing worth following.

Who follows a network that finds nothing yet learns to find nothing, and is soon so sure of it that masks teach it otherwise no
more. When that is over cannot be told in steps: hearts are found after a hundred, a hippocampus after many hundreds.
"""

from __future__ import annotations

import torch
from torch import Tensor

from segue.data.case import IGNORE
from segue.methods.processes import mean_over_processes

_NEW = 0.05  # of what is known, with each batch: the last twenty count


class Fit:
    """Dice of what is decided, over the pixels of the last batches together: that of the class that is fitted worst, since it
    is the one that would be followed away."""

    def __init__(self, channels: int, *, exclusive: bool) -> None:
        self.exclusive = exclusive
        self.areas = torch.zeros(3, channels)  # hit, predicted and true, of each channel

    @torch.no_grad()
    def saw(self, logits: Tensor, truth: Tensor) -> None:
        """Logits (n, channels, ...) of images with masks; truth is channels, or 0 and 1 of each region."""
        counts = truth != IGNORE
        if self.exclusive:
            # Of two channels one logit is enough.
            decided = logits.argmax(1) if logits.shape[1] > 1 else (logits[:, 0] > 0).to(torch.uint8)
            channels = torch.arange(self.areas.shape[1], device=logits.device).view(1, -1, *[1] * (truth.ndim - 1))
            predicted, true, counts = decided[:, None] == channels, truth[:, None] == channels, counts[:, None]
        else:
            predicted, true = logits > 0, truth == 1
        areas = [
            (each & counts).transpose(0, 1).flatten(1).float().mean(1) for each in (predicted & true, predicted, true)
        ]
        self.areas.lerp_(mean_over_processes(torch.stack(areas)).cpu(), _NEW)

    @property
    def worst(self) -> float:
        hit, predicted, true = self.areas[:, 1:] if self.exclusive else self.areas  # without the background
        drawn = true > 0
        return float((2 * hit[drawn] / (predicted + true)[drawn]).min()) if drawn.any() else 0.0
