"""A network that learns to tell filled windows from real ones, and how well it does on windows of other images.

What gives a fill away is fine, and far fainter than what windows show: a mean colour has no grain. So grain is given to it
beside the colours, each as strong as the other; it is left to find the rest.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segue.evaluation.statistics import separation
from segue.experiment import assemble
from segue.experiment.inpainting.holes import Holes, Windows
from segue.training.windows import stacked

STEPS, _PAIRS, _RATE = 600, 8, 2e-3
_WIDTH = 48
_SEED = 7


def told_apart(
    taught: tuple[Holes, Windows], asked: tuple[Holes, Windows], tick: Callable[[], None] = lambda: None
) -> float:
    """The area under its curve: of windows that it has not learnt from, with a fill and as they are."""
    real, false = (_stack(taught[0], images) for images in (taught[0].images, taught[1]))
    with assemble.seeded(_SEED, "telling apart"):
        network = Teller(real.shape[1] - 2)
        optimiser = torch.optim.AdamW(network.parameters(), _RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
        for step in range(STEPS):
            rows = torch.randint(len(real), (_PAIRS,))
            both = torch.cat([real[rows], false[rows]])
            both = both.flip([axis for axis, turn in ((2, 2), (3, 1)) if step & turn])
            loss = F.binary_cross_entropy_with_logits(network(both), (torch.arange(len(both)) < _PAIRS).float())
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()
            tick()
        network.eval()
        with torch.inference_mode():
            scores = [
                torch.cat([network(one) for one in torch.split(_stack(asked[0], images), 16)]).numpy()
                for images in (asked[0].images, asked[1])
            ]
    return separation(scores[0], scores[1])


def _stack(given: Holes, images: Windows) -> Tensor:
    return torch.from_numpy(np.stack([stacked(*each) for each in zip(images, given.hole, given.inside, strict=True)]))


class Teller(nn.Module):
    """Windows (n, channels + 2, side, side) -> (n,): the more, the more real. Another than the painter's critic, which must
    not be too sure: this one is to be as sure as it can."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        given = 2 * channels + 2
        self.level = nn.BatchNorm2d(given)
        layers: list[nn.Module] = [nn.PixelUnshuffle(2)]  # four pixels are seen as one, and none is lost
        for have, want, stride in ((4 * given, _WIDTH, 1), (_WIDTH, _WIDTH, 2), (_WIDTH, _WIDTH, 2)):
            layers += [nn.Conv2d(have, want, 3, stride, 1, bias=False), nn.BatchNorm2d(want), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(_WIDTH, 1, 1))

    def forward(self, given: Tensor) -> Tensor:
        colours = given[:, : self.channels]
        grain = colours - F.avg_pool2d(F.pad(colours, (1, 1, 1, 1), mode="reflect"), 3, 1)
        cells: Tensor = self.layers(self.level(torch.cat([given, grain], 1)))
        hole = F.adaptive_max_pool2d(given[:, -2:-1], cells.shape[2:])
        return (cells * hole).flatten(1).sum(1) / hole.flatten(1).sum(1).clamp(min=1)
