"""Tables made of numbers, where no mask is needed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from segue.evaluation.judging.metrics import Scores, score
from segue.evaluation.judging.table import Row, Table

_PRESENT = score(np.ones((10, 10), bool), np.ones((10, 10), bool))


def present(dice: float, *, truth_pixels: int = 20) -> Scores:
    return replace(_PRESENT, dice=dice, iou=dice / (2 - dice), truth_pixels=truth_pixels, counted_pixels=100)


def absent(*, found: bool = False) -> Scores:
    return score(np.full((10, 10), found), np.zeros((10, 10), bool))


def uncounted() -> Scores:
    return score(np.zeros((2, 2), bool), np.zeros((2, 2), bool), counts=np.zeros((2, 2), bool))


def table(
    values: Sequence[float], *, patients: Sequence[str] | None = None, name: str = "polyp", seen: str = ""
) -> Table:
    """A case for each Dice; not a number: nothing counts."""
    return Table.of(
        Row(
            f"case{number:03d}",
            name,
            uncounted() if math.isnan(value) else present(value),
            patient=patients[number] if patients else f"p{number:03d}",
            seen=seen,
        )
        for number, value in enumerate(values)
    )
