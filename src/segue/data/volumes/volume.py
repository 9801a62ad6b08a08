"""A volume as it was read: voxels as the file has them, and where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.data.volumes.grid import Grid
from segue.errors import BadInput

MOST_VOXELS = 1 << 31


@dataclass(frozen=True)
class Volume:
    voxels: npt.NDArray[Any]  # (i, j, k)
    grid: Grid

    @property
    def turned(self) -> npt.NDArray[Any]:
        """A view, (slice, row, column)."""
        return self.grid.turn.apply(self.voxels)


def demand_finite(voxels: npt.NDArray[Any]) -> None:
    if voxels.dtype.kind == "f" and not np.isfinite(voxels).all():
        bad = np.argwhere(~np.isfinite(voxels))
        where = ", ".join(str(int(place)) for place in bad[0])
        raise BadInput(f"{len(bad):,} of its voxels are not numbers, the first at ({where})")


def as_labels(voxels: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    """Whole numbers from 0 that were stored as whatever."""
    demand_finite(voxels)
    whole = np.rint(voxels)
    low, high = float(whole.min()), float(whole.max())
    if voxels.dtype.kind == "f" and np.abs(voxels - whole).max() > 1e-3:
        odd = float(voxels[np.unravel_index(np.argmax(np.abs(voxels - whole)), voxels.shape)])
        raise BadInput(f"holds {odd:g}, which is no class: a mask holds whole numbers")
    if low < 0 or high > 65535:
        raise BadInput(f"holds values from {low:g} to {high:g}; classes are whole numbers from 0 to 65535")
    found: npt.NDArray[np.uint16] = whole.astype(np.uint16)
    return found
