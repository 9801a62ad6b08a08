"""Truths and logits that a loss is tried on: an L in every form of labels, and the answers that say so."""

from __future__ import annotations

import torch
from torch import Tensor

from segue.data.target import Target

FORMS = (
    Target(("background", "lesion")),
    Target(("background", "myocardium", "left ventricle", "right ventricle")),
    Target(("whole", "core"), exclusive=False),
)
HEIGHT, WIDTH = 22, 30
UPPER = 9  # rows: less than half of each L lies in them


def phantom(target: Target) -> Tensor:
    """Three samples of an L, which no flip or turn maps to itself, cut into the classes by columns."""
    inside = torch.zeros(3, HEIGHT, WIDTH, dtype=torch.bool)
    inside[0, 3:18, 4:9] = inside[0, 13:18, 4:24] = True
    inside[1, 4:20, 18:27] = inside[1, 4:7, 9:27] = True
    inside[2, 8:19, 6:25] = True
    inside[2, 8:13, 14:25] = False
    if not target.exclusive:
        rows = torch.arange(HEIGHT)[:, None]
        return torch.stack([inside & (rows >= 2 * k) for k in range(len(target.names))], 1).to(torch.uint8)
    columns = torch.arange(WIDTH)
    bands = columns * len(target.foreground) // WIDTH + 1
    return (inside * bands).to(torch.uint8)


def answer(target: Target, truth: Tensor, strength: float) -> Tensor:
    """Logits that say so, as surely as that."""
    if not target.exclusive or target.logits == 1:
        yes = (truth == 1).float() if not target.exclusive else (truth == 1).float().unsqueeze(1)
        return strength * (2 * yes - 1)
    classes = torch.arange(len(target.names))
    return strength * (truth.unsqueeze(1) == classes[:, None, None]).float()


def noise(target: Target, truth: Tensor) -> Tensor:
    return 2 * torch.randn(len(truth), target.logits, *truth.shape[-2:])


def channel_of(target: Target, truth: Tensor, channel: int) -> Tensor:
    """Where the truth has that class or region, in the truth's shape."""
    if target.exclusive:
        return truth == channel
    found = torch.zeros_like(truth, dtype=torch.bool)
    found[:, channel] = truth[:, channel] == 1
    return found
