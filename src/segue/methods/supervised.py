"""Learning from masks: f(v.images(x)) = v.carry(y)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

from torch import Tensor, nn

from segue.methods.levels import at_all_levels
from segue.step import Batch, Loss
from segue.variations.variation import Variation


class Supervised:
    accumulates = True

    def __init__(
        self, network: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], *, variation: Variation, plain: Variation
    ) -> None:
        """`plain` is no variation at all: the image as prediction will see it."""
        self.networks: dict[str, nn.Module] = {"segmenter": network}
        self.loss = loss
        self.views: Sequence[Variation] = self.seen_as(variation, plain)

    @staticmethod
    def seen_as(variation: Variation, plain: Variation) -> Sequence[Variation]:
        return (variation,)

    def step(self, batch: Batch) -> Generator[Loss, bool, None]:
        (view,) = batch.views
        found = self.networks["segmenter"](view.images)
        yield Loss("segmenter", at_all_levels(self.loss, found, view.target), view.counted)

    def predictor(self) -> str:
        return "segmenter"
