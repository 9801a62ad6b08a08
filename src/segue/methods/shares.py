"""How much of an image is of which class: what a network says where nobody drew is held to what masks have.

Who learnt from few masks takes what it has never seen for background, and is sure of it; targets that say so teach it to be
surer still, until it finds nothing at all. So each class's logit is shifted until there is as much of it as in the masks, on
average over the images of many steps: a pixel that was wrongly given up is asked for, or at least no longer taught away.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from segue.methods.processes import mean_over_processes

_STEP = 0.2  # of what is missing (as a logarithm), for each batch: some ten batches are averaged over
_MOST = 8.0  # a logit is not shifted further, where a class cannot be found at all
_LEAST = 1e-6  # no share is smaller, so that its logarithm is finite


class Shares:
    """`wanted`: of each channel, 0 to 1; a class that the masks do not have is left alone."""

    def __init__(self, wanted: Sequence[float], *, exclusive: bool) -> None:
        self.wanted = torch.tensor(wanted, dtype=torch.float32)
        self.exclusive = exclusive
        self.moves = self.wanted > 0
        if exclusive:
            self.moves[0] = False  # the background is what is left
        self.shift = torch.zeros(len(wanted))  # of logits; what has been learnt so far

    @torch.no_grad()
    def balanced(self, said: Tensor, shown: Tensor) -> Tensor:
        """(n, channels, ...): probabilities, each class as likely as the masks have it."""
        shift = self.shift.to(said.device).view(1, -1, *[1] * (said.ndim - 2))
        if self.exclusive:
            found = (said.clamp_min(torch.finfo(said.dtype).tiny).log() + shift).softmax(1)
        else:
            found = (said.logit(1e-7) + shift).sigmoid()
        self._learn(found, shown)
        return found

    def _learn(self, found: Tensor, shown: Tensor) -> None:
        area = shown.flatten(1).sum(1).clamp_min(1)
        each = (found * shown[:, None]).flatten(2).sum(2) / area[:, None]
        mean = mean_over_processes(each.mean(0)).cpu()
        missing = self.wanted.clamp_min(_LEAST).log() - mean.clamp_min(_LEAST).log()
        self.shift += torch.where(self.moves, _STEP * missing, 0.0)
        self.shift.clamp_(-_MOST, _MOST)
