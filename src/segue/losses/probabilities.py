"""From logits to probabilities: the one place where a softmax or a sigmoid is applied."""

from __future__ import annotations

import torch
from torch import Tensor

from segue.data.target import Target


def probabilities(logits: Tensor, target: Target) -> Tensor:
    """(n, len(target.names), h, w) float32. One logit for two exclusive classes stands for the softmax over [0, z]."""
    check_logits(logits, target)
    logits = logits.float()
    if not target.exclusive:
        return logits.sigmoid()
    if logits.shape[1] == 1:
        return torch.cat([(-logits).sigmoid(), logits.sigmoid()], dim=1)
    return logits.softmax(dim=1)


def check_logits(logits: Tensor, target: Target) -> None:
    allowed = sorted({target.logits, len(target.names)})
    if logits.dim() not in (4, 5) or logits.shape[1] not in allowed or not logits.is_floating_point():
        raise ValueError(
            f"logits of shape {tuple(logits.shape)} and kind {kind(logits)}: for {', '.join(target.names)} they must be "
            f"(n, {' or '.join(map(str, allowed))}, h, w), or (n, ..., d, h, w) of volumes, of floating point"
        )


def kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
