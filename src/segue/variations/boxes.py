"""Boxes that are erased or pasted, as rows and columns of a grid. A pixel belongs to a box if its centre does."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from segue.errors import BadInput

if TYPE_CHECKING:
    from segue.variations.drawn import Drawn

Box = tuple[slice, slice]
Bools = npt.NDArray[np.bool_]


def box(middle_and_half: npt.NDArray[Any], size: tuple[int, int]) -> Box:
    """From relative x, y and half sides to rows and columns."""
    x, y, wide, high = (float(value) * max(size) / 2 for value in middle_and_half)
    return _stretch(y, high, size[0]), _stretch(x, wide, size[1])


def _stretch(middle: float, half: float, length: int) -> slice:
    start = max(0, math.ceil(middle - half + length / 2 - 0.5))
    return slice(start, max(start, min(length, math.floor(middle + half + length / 2 - 0.5) + 1)))


def erasures(drawn: Drawn, index: int, size: tuple[int, int]) -> Iterator[tuple[Box, npt.NDArray[Any], bool]]:
    """(box, colour in 0..1, whether labels under it do not count)"""
    if drawn.acts("erase", index):
        for values in drawn.parts["erase"][index]:
            if values[7]:
                yield box(values[:4], size), values[4:7], bool(values[8])


def pastes(drawn: Drawn, size: tuple[int, int], *, own: bool) -> list[tuple[int, int, Box]]:
    """(sample, which of the partners, box). `own`: the batch is its own partner; else sample by sample."""
    acts = drawn.active.get("mix")
    if acts is None:
        return []
    numbers = drawn.parts["mix"]
    place = {int(position): index for index, position in enumerate(numbers[:, 5])}
    found = []
    for index in np.flatnonzero(acts):
        partner = place.get(int(numbers[index, 6])) if own else int(index)
        if partner is None:
            raise BadInput(
                f"sample {index} is mixed with position {int(numbers[index, 6])}, which is not in this batch",
                hint="Give what is pasted: images(x, partner=...) and carry(maps, partner=...).",
            )
        found.append((int(index), partner, box(numbers[index, :4], size)))
    return found


def ignored(drawn: Drawn, index: int, size: tuple[int, int]) -> Bools | None:
    """Where labels do not count, because what they tell of was erased; None: nowhere."""
    return _covered([where for where, _, counts_not in erasures(drawn, index, size) if counts_not], size)


def lost(drawn: Drawn, index: int, size: tuple[int, int]) -> Bools | None:
    """Where the result shows nothing of its own source: erased without keeping labels, or pasted from the partner."""
    covered = [where for where, _, counts_not in erasures(drawn, index, size) if counts_not]
    if drawn.acts("mix", index):
        covered.append(box(drawn.parts["mix"][index, :4], size))
    return _covered(covered, size)


def _covered(where: list[Box], size: tuple[int, int]) -> Bools | None:
    if not where:
        return None
    found = np.zeros(size, np.bool_)
    for each in where:
        found[each] = True
    return found
