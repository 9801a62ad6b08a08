"""Learning from images alone, by painting what is hidden: squares are covered, and the network is to say what was there."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segue.methods.settings import MaskedSettings
from segue.networks.network import SegmentationNetwork
from segue.step import Batch, Loss
from segue.variations.variation import Variation


class Masked:
    accumulates = True
    average: Callable[..., Any] | None = None

    def __init__(self, network: SegmentationNetwork, told: MaskedSettings, variation: Variation) -> None:
        self.told = told
        self.plain = network  # its colours are asked for in every step: another device has others
        self.networks: dict[str, nn.Module] = {"encoder": network}
        self.views: Sequence[Variation] = (variation,)
        self.beside: Sequence[Variation] = ()
        self.remembers: dict[str, Tensor] = {}

    def step(self, batch: Batch) -> Generator[Loss, bool, None]:
        (view,) = batch.views
        mean, std = self.plain.colour_mean, self.plain.colour_std
        hidden = self.hidden(view.images)
        painted = self.networks["encoder"](torch.where(hidden, mean, view.images)).logits
        # In the units that the network sees, so that dark and bright datasets weigh alike.
        wrong = (painted.float() - (view.images - mean) / std).square().mean(1)
        counts = (hidden[:, 0] & view.shown).float()
        amount = counts.flatten(1).sum(1)
        losses = (wrong * counts).flatten(1).sum(1) / amount.clamp(min=1)
        yield Loss("encoder", losses, (amount > 0).float())

    def hidden(self, images: Tensor) -> Tensor:
        """(n, 1, ...) bool: squares on a grid that begins anywhere."""
        size, side = images.shape[2:], self.told.side
        cells = [-(-length // side) + 1 for length in size]
        coarse = (torch.rand(len(images), 1, *cells, device=images.device) < self.told.share).float()
        grid = F.interpolate(coarse, scale_factor=float(side))
        starts = torch.randint(side, (len(size),)).tolist()
        inside = (slice(None), slice(None), *(slice(at, at + length) for at, length in zip(starts, size, strict=True)))
        return grid[inside] > 0.5

    def predictor(self) -> str:
        return "encoder"
