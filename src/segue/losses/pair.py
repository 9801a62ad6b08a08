"""Logits beside the truth: checked once, and whatever several losses need of the two is computed once.

Two exclusive classes are one question (is it the lesion?) and so is each region; several exclusive classes are one choice.
Hence two kinds: `binary`, k questions with a logit each, and a softmax over all classes.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from segue.data.case import IGNORE
from segue.data.target import Target
from segue.errors import BadInput
from segue.losses.probabilities import check_logits


class Pair:
    """`logits` (n, k, pixels) float32, zero where nothing counts; `counts` 1 where something does, None if everywhere.

    `truth` is (n, k, pixels) of 0 and 1 where `binary`, else (n, pixels) of channel indices.
    """

    def __init__(self, logits: Tensor, truth: Tensor, target: Target) -> None:
        _check(logits, truth, target)
        self.target = target
        self.shape = tuple(logits.shape[2:])  # of an image or a volume
        logits = logits.float().flatten(2)
        truth = truth.flatten(1).unsqueeze(1) if target.exclusive else truth.flatten(2)
        if target.exclusive and logits.shape[1] == 2:
            logits = logits[:, 1:] - logits[:, :1]  # a softmax of two is the sigmoid of their difference
        self.binary = not target.exclusive or logits.shape[1] == 1

        self.counts: Tensor | None = None  # (n, k, pixels) or (n, 1, pixels)
        if _ignores(truth, target):
            ignored = truth == IGNORE
            # Not only weighed by zero: whatever stands there, NaN included, must not reach a sum.
            logits, truth = logits.masked_fill(ignored, 0.0), truth.masked_fill(ignored, 0)
            self.counts = (~ignored).float()
        self.logits = logits
        self.truth = truth.float() if self.binary else truth.squeeze(1).long()

    @cached_property
    def counted(self) -> Tensor:
        """(n, k or 1): how many pixels count."""
        if self.counts is None:
            channels = self.logits.shape[1] if self.binary else 1
            return self.logits.new_full((len(self.logits), channels), self.logits.shape[2])
        return self.counts.sum(2)

    @cached_property
    def _foreground(self) -> tuple[Tensor, Tensor]:
        if self.binary:
            return self.logits.sigmoid(), self.truth
        return self._all[0][:, 1:], self._all[1][:, 1:]

    @cached_property
    def _all(self) -> tuple[Tensor, Tensor]:
        if self.binary:
            return torch.cat([(-self.logits).sigmoid(), self._foreground[0]], 1), torch.cat(
                [1 - self.truth, self.truth], 1
            )
        classes = torch.arange(self.logits.shape[1], device=self.logits.device)
        return self.logits.softmax(1), (self.truth.unsqueeze(1) == classes[:, None]).float()

    def channels(self, background: bool = False) -> tuple[Tensor, Tensor]:
        """Probabilities and truths, (n, channels, pixels) each; where nothing counts, both are 0."""
        predicted, true = self._all if background else self._foreground
        return (predicted, true) if self.counts is None else (predicted * self.counts, true * self.counts)

    def pixel_mean(self, values: Tensor) -> Tensor:
        """(n, k, pixels) to (n,): over the pixels that count, 0 where none does."""
        if self.counts is None:
            return values.mean((1, 2))
        return (values * self.counts).sum((1, 2)) / self.counted.sum(1).clamp(min=1)

    def channel_mean(self, values: Tensor) -> Tensor:
        """(n, channels) to (n,): over the channels in which something counts, 0 where none does."""
        if self.counts is None:
            return values.mean(1)
        present = (self.counted > 0).float().expand_as(values)
        return (values * present).sum(1) / present.sum(1).clamp(min=1)


def _check(logits: Tensor, truth: Tensor, target: Target) -> None:
    check_logits(logits, target)
    channels = () if target.exclusive else (len(target.names),)
    wanted = (len(logits), *channels, *logits.shape[2:])
    if tuple(truth.shape) != wanted:
        raise ValueError(f"a truth of shape {tuple(truth.shape)} beside logits {tuple(logits.shape)}: must be {wanted}")
    if truth.is_floating_point() or truth.is_complex() or truth.dtype == torch.bool:
        raise ValueError(
            f"a truth of {str(truth.dtype).removeprefix('torch.')}: must be whole numbers, {IGNORE} = IGNORE"
        )


def _ignores(truth: Tensor, target: Target) -> bool:
    """Whether IGNORE occurs; any other value that is no channel is an error."""
    if not truth.numel():
        return False
    highest = len(target.names) - 1 if target.exclusive else 1
    least, most = (int(value) for value in truth.aminmax())
    if least >= 0 and most <= highest:
        return False
    wrong = truth[((truth < 0) | (truth > highest)) & (truth != IGNORE)]
    if len(wrong):
        names = ", ".join(f"{number} = {name}" for number, name in enumerate(target.names))
        raise BadInput(
            f"the truth holds the value {int(wrong[0])}, which is none of "
            + (names if target.exclusive else "0 and 1")
            + f", {IGNORE} = IGNORE",
            hint="Bring class ids to channels with Target.table first.",
        )
    return True
