"""A slice as a picture, its neighbours as further channels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def stacked(voxels: npt.NDArray[Any], number: int, neighbours: int) -> npt.NDArray[Any]:
    """(row, column, channel) of (slice, row, column, channel): the slices around `number` in their order, the outermost
    one again beyond the ends."""
    if not neighbours:
        return np.ascontiguousarray(voxels[number])
    around = np.clip(np.arange(number - neighbours, number + neighbours + 1), 0, len(voxels) - 1)
    return np.concatenate([voxels[each] for each in around], axis=-1)
