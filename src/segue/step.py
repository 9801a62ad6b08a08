"""What the loop asks of a method.

A method owns its networks and says which losses a batch gives; the loop does the rest: gradients, accumulation,
processes, precision, clipping, steps, saving. One step is a generator:

    def step(self, batch):
        logits = self.networks["segmenter"](batch.views[0].images).logits
        stepped = yield Loss("segmenter", self.loss(logits, target), weight)

The loop resumes it once the gradients of that loss have been applied (`stepped`: False while they are still being
gathered), so that a second loss sees what the first one changed, as adversarial training needs. A method never yields
inside a context manager: precision belongs to the loop.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from torch import Tensor, nn

from segue.variations.variation import Variation

if TYPE_CHECKING:
    from segue.variations.drawn import Drawn


@dataclass(frozen=True)
class View:
    """A batch of images as one of a method's variations shows them."""

    images: Tensor  # (n, channels, height, width), 0 to 1; of patches (n, channels, slice, row, column)
    target: (
        Tensor  # (n, height, width) channels, or (n, regions, height, width) 0 and 1; IGNORE where it does not count
    )
    drawn: Drawn

    @property
    def counted(self) -> Tensor:
        """(n,): the share of pixels that count."""
        return (self.target != 255).float().flatten(1).mean(1)


@dataclass(frozen=True)
class Batch:
    views: tuple[View, ...]
    cases: tuple[str, ...]


@dataclass(frozen=True)
class Loss:
    """What is to become smaller: the weighted mean over the samples of all micro-batches and processes."""

    network: str  # whose parameters it moves: a key of the method's networks
    per_sample: Tensor  # (n,)
    weight: Tensor  # (n,): how much each counts
    parts: Mapping[str, Tensor] = field(default_factory=dict)  # (n,) each: for the curves only


class Method(Protocol):
    networks: dict[str, nn.Module]  # the loop may wrap them, for several devices: call what stands here
    views: Sequence[Variation]  # how the batch is to be drawn, one view each
    accumulates: bool  # False: a loss compares the samples of a batch, so the batch cannot be cut

    def step(self, batch: Batch) -> Generator[Loss, bool, None]: ...

    def predictor(self) -> str | None:
        """The network that is judged and kept; None where none predicts."""
