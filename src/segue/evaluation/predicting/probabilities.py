"""What a network says of a case, on the case's own grid: a picture's in one piece, a large volume's some slices at a time,
because all at once would not fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segue.data.target import Target
from segue.evaluation.predicting.decision import PLAIN, Decision, after, plain_decision

Maps = npt.NDArray[np.float32]  # (classes, height, width) or (classes, slice, row, column)


def both(foreground: npt.NDArray[np.float32]) -> Maps:
    """(1, ...) of one class and what is left to the background: (2, ...)."""
    found = np.empty((2, *foreground.shape[1:]), np.float32)
    found[1] = foreground[0]
    np.subtract(1, foreground[0], out=found[0])
    return found


@dataclass(frozen=True)
class Probabilities:
    size: tuple[int, ...]  # of the case: height and width, or slices, rows and columns
    parts: Callable[[], Iterator[Maps]]  # of a volume along its slices

    @classmethod
    def of(cls, maps: Maps) -> Probabilities:
        return cls(maps.shape[1:], lambda: iter((maps,)))

    def whole(self) -> Maps:
        several = list(self.parts())
        return several[0] if len(several) == 1 else np.concatenate(several, axis=1)

    def decided(self, target: Target, decision: Decision = PLAIN) -> npt.NDArray[np.uint8]:
        """As `decide` of the whole."""
        several = [plain_decision(part, target, decision.threshold) for part in self.parts()]
        along = 0 if target.exclusive else 1
        return after(several[0] if len(several) == 1 else np.concatenate(several, axis=along), target, decision)
