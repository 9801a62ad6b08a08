"""What a loss is made of: its arguments, and a number per sample."""

from __future__ import annotations

from torch import Tensor

from segue.config import Settings
from segue.data.target import Target
from segue.losses.pair import Pair


class Part(Settings):
    """A loss of its own or a term of a sum. Its fields are the arguments that an expression may give."""

    def fit(self, target: Target) -> None:
        """Raise BadInput where the arguments do not suit the classes."""

    def __call__(self, pair: Pair) -> Tensor:
        """(n,): 0 where the prediction is perfect or nothing counts, never below."""
        raise NotImplementedError
