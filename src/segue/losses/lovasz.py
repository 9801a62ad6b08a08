"""Lovász loss: the Jaccard index of the decided mask, made continuous by taking the pixels in the order of their errors.

https://arxiv.org/abs/1705.08790, on probabilities. Each pixel's error is weighed by what the Jaccard loss grows by when that
pixel turns wrong after all pixels with larger errors have.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from segue.data.target import Target
from segue.losses.areas import Share, refuse_background, spare_pixels
from segue.losses.pair import Pair
from segue.losses.part import Part


class Lovasz(Part):
    """Mean over classes; a class that the truth has not is measured as in the losses of areas."""

    background: bool = False
    empty: Share = 0.01

    def fit(self, target: Target) -> None:
        refuse_background(self.background, target)

    def __call__(self, pair: Pair) -> Tensor:
        predicted, true = pair.channels(self.background)
        errors = (true - predicted).abs()
        with torch.no_grad():
            weights = _growth(errors, true, spare_pixels(true.sum(2), pair.counted, self.empty))
        return pair.channel_mean((errors * weights).sum(2))


def _growth(errors: Tensor, true: Tensor, spare: Tensor) -> Tensor:
    """What each pixel adds to the Jaccard loss 1 - (I + spare) / (U + spare) in its turn."""
    order = _falling(errors)
    true = true.gather(2, order)
    rank = torch.arange(1, order.shape[2] + 1, device=order.device)
    missed = true.cumsum(2)
    area, spare = missed[:, :, -1:], spare.unsqueeze(2)
    union = area + (rank - missed) + spare  # with this pixel's error
    # One miss more takes a pixel from the intersection, one false positive more adds one to the union: as closed forms,
    # since differences of neighbouring Jaccard values would lose their digits.
    false_positive = (area - missed + spare) / (union * (union - 1)).clamp(min=torch.finfo(union.dtype).tiny)
    return torch.empty_like(errors).scatter_(2, order, torch.where(true > 0, 1 / union, false_positive))


def _falling(errors: Tensor) -> Tensor:
    """The order from the largest error to the smallest, along the last axis."""
    if errors.device.type != "cpu":
        return errors.argsort(dim=2, descending=True)
    # Bits of floats that are not negative sort as integers: value and place in one number, which NumPy sorts by vector
    # instructions, about eight times as fast as torch sorts pairs.
    bits = errors.detach().contiguous().numpy().view(np.uint32).astype(np.uint64)
    places = np.arange(bits.shape[2], dtype=np.uint64)
    packed = ((~bits & np.uint64(0xFFFFFFFF)) << np.uint64(32)) | places
    packed.sort(axis=2)
    return torch.from_numpy((packed & np.uint64(0xFFFFFFFF)).astype(np.int64))
