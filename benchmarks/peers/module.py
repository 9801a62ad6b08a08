"""The network and how it learns: a LightningModule around segmentation-models-pytorch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import lightning as L
import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn

WARM_UP = 0.05  # share of the training


def build(architecture: str, encoder: str, **options: Any) -> nn.Module:
    """One logit from scratch; `options` go to segmentation-models-pytorch."""
    network: nn.Module = smp.create_model(
        architecture, encoder_name=encoder, encoder_weights=None, in_channels=3, classes=1, **options
    )
    return network


class Segmenter(L.LightningModule):
    def __init__(
        self, network: nn.Module, lr: float, progress: Callable[[int], float], *, channels_last: bool = False
    ) -> None:
        super().__init__()
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        self.network = network.to(memory_format=self.layout)  # type: ignore[call-overload]
        self.lr = lr
        self.progress = progress  # of a step: 0 at the start of the training, 1 at its end
        self.dice = smp.losses.DiceLoss("binary", from_logits=True)
        self.bce = nn.BCEWithLogitsLoss()
        self._counts: list[tuple[Tensor, ...]] = []

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images.to(memory_format=self.layout))
        return logits

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        images, masks = batch
        logits = self(images)
        loss: Tensor = self.dice(logits, masks) + self.bce(logits, masks)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        images, masks = batch
        self._counts.append(smp.metrics.get_stats((self(images) > 0).long(), masks.long(), mode="binary"))

    def on_validation_epoch_end(self) -> None:
        counts = [torch.cat(part) for part in zip(*self._counts, strict=True)]
        self._counts.clear()
        self.log("val_dice", smp.metrics.f1_score(*counts, reduction="micro-imagewise"))
        self.log("val_iou", smp.metrics.iou_score(*counts, reduction="micro-imagewise"))

    def configure_optimizers(self) -> Any:
        optimiser = torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate(self.progress(step)))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def rate(progress: float) -> float:
    """A short linear rise, then half a cosine down to 1 %."""
    if progress < WARM_UP:
        return max(progress / WARM_UP, 0.02)
    fallen = min((progress - WARM_UP) / (1 - WARM_UP), 1.0)
    return 0.01 + 0.99 * (1 + math.cos(math.pi * fallen)) / 2
