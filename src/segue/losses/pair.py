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
from segue.losses.probabilities import check_logits, kind

_SURELY_NOT = -1e4  # its sigmoid and its softplus are exactly 0


class Pair:
    """`logits` are (n, k, pixels) float32; `truth` is (n, k or 1, pixels) uint8, as it came.

    Where the truth is IGNORE, the logits are replaced: by a sure and right "no" where `binary`, by zeros in a softmax.
    `counts` has the truth's shape: 1 where a pixel counts, 0 where it is IGNORE; None where all count.
    """

    def __init__(self, logits: Tensor, truth: Tensor, target: Target) -> None:
        _check_shapes(logits, truth, target)
        self.target = target
        self.shape = tuple(logits.shape[2:])  # of an image or a volume
        self.truth, ignores = _channels_only(truth, target)
        self.truth = self.truth.flatten(1).unsqueeze(1) if target.exclusive else self.truth.flatten(2)
        logits = logits.float().flatten(2)
        if target.exclusive and logits.shape[1] == 2:
            logits = logits[:, 1:] - logits[:, :1]  # a softmax of two is the sigmoid of their difference
        self.binary = not target.exclusive or logits.shape[1] == 1
        self.counts: Tensor | None = None
        if ignores:
            ignored = self.truth == IGNORE
            # Weighing by zero is not enough: what stands there, NaN included, must not reach a sum.
            logits = torch.where(ignored, _SURELY_NOT if self.binary else 0.0, logits)
            self.counts = (~ignored).float()
        self.logits = logits

    @cached_property
    def counted(self) -> Tensor:
        """(n, k or 1): how many pixels count."""
        if self.counts is None:
            return self.logits.new_full(self.truth.shape[:2], self.truth.shape[2])
        return self.counts.sum(2)

    @cached_property
    def positive(self) -> Tensor:
        """Where `binary`: 1 where the answer is yes, else 0, float32."""
        return (self.truth == 1).float()

    @cached_property
    def one_hot(self) -> Tensor:
        """Of exclusive classes, the background among them: (n, classes, pixels) float32; IGNORE is none of them."""
        classes = torch.arange(len(self.target.names), device=self.truth.device, dtype=torch.uint8)
        return (self.truth == classes[:, None]).float()

    @cached_property
    def _foreground(self) -> tuple[Tensor, Tensor]:
        if self.binary:
            return self.logits.sigmoid(), self.positive
        predicted, true = self._all
        return predicted[:, 1:], true[:, 1:]

    @cached_property
    def _all(self) -> tuple[Tensor, Tensor]:
        if self.binary:
            return torch.cat([self._counting((-self.logits).sigmoid()), self._foreground[0]], 1), self.one_hot
        return self._counting(self.logits.softmax(1)), self.one_hot

    def _counting(self, values: Tensor) -> Tensor:
        return values if self.counts is None else values * self.counts

    def channels(self, background: bool = False) -> tuple[Tensor, Tensor]:
        """Probabilities and truths, (n, channels, pixels) each; where nothing counts, both are 0."""
        return self._all if background else self._foreground

    def pixel_mean(self, values: Tensor) -> Tensor:
        """(n, channels, pixels) to (n,): over the pixels that count, 0 where none does."""
        if self.counts is None:
            return values.mean((1, 2))
        counted = self.counted.expand(-1, values.shape[1]).sum(1)
        return (values * self.counts).sum((1, 2)) / counted.clamp(min=1)

    def channel_mean(self, values: Tensor) -> Tensor:
        """(n, channels) to (n,): over the channels in which something counts, 0 where none does."""
        if self.counts is None:
            return values.mean(1)
        present = (self.counted > 0).float().expand_as(values)
        return (values * present).sum(1) / present.sum(1).clamp(min=1)


def _check_shapes(logits: Tensor, truth: Tensor, target: Target) -> None:
    check_logits(logits, target)
    channels = () if target.exclusive else (len(target.names),)
    wanted = (len(logits), *channels, *logits.shape[2:])
    if tuple(truth.shape) != wanted:
        raise ValueError(f"a truth of shape {tuple(truth.shape)} beside logits {tuple(logits.shape)}: must be {wanted}")
    if not truth.numel():
        raise ValueError(f"a truth of shape {wanted} has no pixels")
    if truth.is_floating_point() or truth.is_complex() or truth.dtype == torch.bool:
        raise ValueError(f"a truth of {kind(truth)}: must be whole numbers, {IGNORE} where nothing counts")


def _channels_only(truth: Tensor, target: Target) -> tuple[Tensor, bool]:
    """The truth as uint8, and whether IGNORE occurs; a value that is no channel is an error."""
    highest = len(target.names) - 1 if target.exclusive else 1
    least, most = (int(value) for value in truth.aminmax())
    small = truth.to(torch.uint8)
    # One more than 255 is 0 here, so that a single maximum tells.
    if least < 0 or most > IGNORE or (most > highest and int((small + 1).amax()) > highest + 1):
        wrong = truth[((truth < 0) | (truth > highest)) & (truth != IGNORE)]
        known = [f"{number} = {name}" for number, name in enumerate(target.names)] if target.exclusive else ["0", "1"]
        raise BadInput(
            f"the truth holds the value {int(wrong[0])}; it can hold {', '.join(known)} and {IGNORE} = does not count",
            hint="Target.table brings class ids to channels.",
        )
    return small, most == IGNORE
