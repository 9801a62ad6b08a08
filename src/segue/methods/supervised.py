"""Learning from masks: f(v.images(x)) = v.carry(y)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

from torch import Tensor, nn

from segue.methods.given import Given
from segue.methods.levels import at_all_levels
from segue.step import Batch, Loss
from segue.variations.variation import Variation


class Supervised:
    accumulates = True
    average: Callable[..., Any] | None = None

    def __init__(self, given: Given) -> None:
        self.networks: dict[str, nn.Module] = {"segmenter": given.network}
        self.loss = given.loss
        self.views: Sequence[Variation] = (given.variation,)
        self.beside: Sequence[Variation] = ()
        self.remembers: dict[str, Tensor] = {}

    @property
    def at_once(self) -> int:
        """Images in memory for each of a batch."""
        return len(self.views)

    def step(self, batch: Batch) -> Generator[Loss, bool, None]:
        (view,) = batch.views
        found = self.networks["segmenter"](view.images)
        yield Loss("segmenter", at_all_levels(self.loss, found, view.target), view.counted)

    def predictor(self) -> str:
        return "segmenter"
