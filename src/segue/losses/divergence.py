"""How far what is said lies from what others say, where these give probabilities and no mask: Kullback and Leibler's.

    divergence = mean over pixels of sum of q (log q - log p)

p being what is said and q what others say, over the classes; of regions over yes and no, the mean over regions. It is 0 where
both are the same, so that a probability of one half is learnt as such.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from segue.data.target import Target
from segue.losses.probabilities import check_logits


def divergence(logits: Tensor, said: Tensor, known: Tensor, target: Target) -> Tensor:
    """(n,): of logits from probabilities (n, len(target.names), ...), over the pixels (n, ...) that are known."""
    check_logits(logits, target)
    with torch.autocast(logits.device.type, enabled=False):
        # Weighing by zero is not enough: what stands there, NaN included, must reach neither a sum nor a gradient.
        logits, said = (torch.where(known[:, None], each.float(), 0.0) for each in (logits, said))
        said = said.clamp(0, 1)
        if target.exclusive and logits.shape[1] > 1:
            each = (torch.xlogy(said, said) - said * logits.log_softmax(1)).sum(1)
        else:
            if target.exclusive:  # of two channels one question
                said = said[:, 1:]
            sure = torch.xlogy(said, said) + torch.xlogy(1 - said, 1 - said)
            each = (sure + functional.binary_cross_entropy_with_logits(logits, said, reduction="none")).mean(1)
        return torch.where(known, each, 0.0).flatten(1).sum(1) / known.flatten(1).sum(1).clamp(min=1)
