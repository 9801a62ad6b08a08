"""The controlled baseline of consistency training: clean and varied image in one step, the same loss on both.

Consistency training sees each image twice; augmentation sees it once. What the second look alone is worth is measured
with this method, which has it and nothing else.
"""

from __future__ import annotations

from collections.abc import Generator

import torch
from torch import Tensor

from segue import variations
from segue.methods.given import Given
from segue.methods.levels import at_all_levels
from segue.methods.supervised import Supervised
from segue.networks.outputs import Outputs
from segue.step import Batch, Loss, View


class TwoView(Supervised):
    def __init__(self, given: Given) -> None:
        super().__init__(given)
        self.views = (variations.parse("none"), given.variation)

    def step(self, batch: Batch) -> Generator[Loss, bool, None]:
        clean, varied = batch.views
        yield self.of_both(clean, varied, *self.seen(clean, varied))

    def seen(self, clean: View, varied: View) -> list[Outputs]:
        """One pass over both, so that batch normalisation sees them together, as the published form has it."""
        found: Outputs = self.networks["segmenter"](torch.cat([clean.images, varied.images]))
        return found.split([len(clean.images), len(varied.images)])

    def learnt(self, view: View, found: Outputs) -> Tensor:
        """(n,): the loss of masks."""
        return at_all_levels(self.loss, found, view.target)

    def of_both(self, clean: View, varied: View, of_clean: Outputs, of_varied: Outputs) -> Loss:
        losses = self.learnt(clean, of_clean), self.learnt(varied, of_varied)
        weights = torch.cat([clean.counted, varied.counted])
        return Loss(
            "segmenter", torch.cat(losses), weights, {"clean": losses[0].detach(), "varied": losses[1].detach()}
        )
