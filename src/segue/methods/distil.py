"""Distillation: what several networks say of an image together, one learns to say of it varied.

    f(v.images(x)) = v.carry(mean of teachers(x))

Teachers are asked about the image as it would be predicted, and never learn. They need no mask, so that what they know of
other hospitals' images is learnt from these images themselves, beside masks. What they are unsure of, or disagree on, is
learnt as a probability; what the variation invented, erased or cut off does not count.
"""

from __future__ import annotations

import math
from collections.abc import Generator

import torch
from torch import Tensor

from segue import variations
from segue.losses.divergence import divergence
from segue.methods.given import Given
from segue.methods.laying import lay
from segue.methods.levels import at_all_levels
from segue.methods.supervised import Supervised
from segue.step import Batch, Loss, View
from segue.variations.drawn import Drawn


class Distil(Supervised):
    def __init__(self, given: Given) -> None:
        super().__init__(given)
        self.target, self.told, self.teachers = given.target, given.distil, given.teachers
        self.beside = (variations.parse("none"), given.variation)

    @property
    def at_once(self) -> int:
        return len(self.views) + math.ceil(self.told.batch)  # of what teachers see nothing is kept

    def step(self, batch: Batch) -> Generator[Loss, bool, None]:
        if batch.beside is None:
            yield from super().step(batch)
            return
        (masked,), (clean, varied) = batch.views, batch.beside.views
        said, known = self.said(clean, varied)
        # One pass over all that learns, so that batch normalisation sees them together.
        counts = [len(masked.images), len(varied.images)]
        of_masked, of_varied = self.networks["segmenter"](torch.cat([masked.images, varied.images])).split(counts)
        learnt = at_all_levels(self.loss, of_masked, masked.target)
        apart = divergence(of_varied.logits, said, known, self.target)
        # Of a scribble as of a mask: by its own few pixels it would be lost beside images of which nearly all counts.
        of_masks = masked.shown.float().flatten(1).mean(1) * (masked.counted > 0)
        of_others = self.told.weight * counts[0] / counts[1] * known.float().flatten(1).mean(1)
        parts = {"masks": learnt.detach(), "taught": apart.detach()}
        yield Loss("segmenter", torch.cat([learnt, apart]), torch.cat([of_masks, of_others]), parts)

    @torch.no_grad()
    def said(self, clean: View, varied: View) -> tuple[Tensor, Tensor]:
        """What teachers say of the clean images, laid over the varied ones, and where it is known."""
        assert self.teachers is not None
        found = self.teachers(clean.images).clone()  # theirs is perhaps of inference mode, which nothing may learn from
        over, known = lay(varied.drawn, Drawn.carry, found, clean.shown)
        return over, known & varied.shown
