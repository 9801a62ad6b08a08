"""The controlled baseline of consistency training: clean and varied image in one step, the same loss on both.

Consistency training sees each image twice; augmentation sees it once. What the second look alone is worth is measured
with this method, which has it and nothing else.
"""

from __future__ import annotations

from collections.abc import Generator

import torch

from segue import variations
from segue.methods.given import Given
from segue.methods.supervised import Supervised
from segue.step import Batch, Loss


class TwoView(Supervised):
    def __init__(self, given: Given) -> None:
        super().__init__(given)
        self.views = (variations.parse("none"), given.variation)

    def step(self, batch: Batch) -> Generator[Loss, bool, None]:
        clean, varied = batch.views
        # One pass over both, so that batch normalisation sees them together, as the published form has it.
        logits = self.networks["segmenter"](torch.cat([clean.images, varied.images])).logits
        of_clean, of_varied = logits.chunk(2)
        losses = self.loss(of_clean, clean.target), self.loss(of_varied, varied.target)
        weights = clean.counted, varied.counted
        yield Loss(
            "segmenter",
            torch.cat(losses),
            torch.cat(weights),
            {"clean": losses[0].detach(), "varied": losses[1].detach()},
        )
