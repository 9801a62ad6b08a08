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

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor, nn

from segue.data.case import IGNORE
from segue.variations.variation import Variation

if TYPE_CHECKING:
    from segue.variations.drawn import Drawn


KNOWN = ("image", "volume", "partition", "dataset", "unit")  # partition -1: of what has no axis


@dataclass(frozen=True)
class View:
    """A batch of images as one of a method's variations shows them."""

    images: Tensor  # (n, channels, height, width), 0 to 1; of patches (n, channels, slice, row, column)
    # (n, height, width) channels, or (n, regions, height, width) 0 and 1; IGNORE where it does not count
    target: Tensor
    drawn: Drawn
    shown: Tensor  # (n, height, width): of the picture; what else there is was invented

    @property
    def counted(self) -> Tensor:
        return counted(self.target)


def counted(target: Tensor) -> Tensor:
    """(n,): the share of pixels that count."""
    return (target != IGNORE).float().flatten(1).mean(1)


@dataclass(frozen=True)
class Batch:
    views: tuple[View, ...]
    cases: tuple[str, ...]
    known: Tensor | None = None  # (n, len(KNOWN)) whole numbers: what each image is of, where a method asks
    beside: Batch | None = None  # images whose masks nobody looks at, where a method asks for them
    done: float = 0.0  # share of the training that lies behind
    step: int = 0  # that lie behind


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
    beside: Sequence[Variation]  # likewise a batch without masks beside it; none: there is none
    remembers: dict[str, Tensor]  # from step to step, beside its networks; changed in place, and saved with them
    accumulates: bool  # False: a loss compares the samples of a batch, so the batch cannot be cut
    average: Callable[..., Any] | None  # the predictor with averaged weights, as the loop keeps it; set by the loop

    def step(self, batch: Batch) -> Generator[Loss, bool, None]: ...

    def predictor(self) -> str | None:
        """The network that is judged and kept; None where none predicts."""
