"""What size and spacing to work at, proposed from the data."""

from __future__ import annotations

from collections.abc import Sequence

from segue.data.case import Case
from segue.data.volumes.grid import SLICES
from segue.data.volumes.resample import typical

LARGEST = 512  # of the long side: what polyps and lesions are published at, and a store that fits a laptop
STEP = 32  # networks halve the size five times


def working_size(cases: Sequence[Case]) -> int:
    """Long side in pixels: the lower quartile, so that few images are enlarged, capped, in steps of 32."""
    sides = sorted(max(case.height, case.width) for case in cases)
    if not sides:
        return LARGEST
    typical = sides[len(sides) // 4]
    return max(STEP, min(LARGEST, typical // STEP * STEP))


def working_spacing(cases: Sequence[Case]) -> tuple[float, float, float]:
    """Slice, row, column in millimetres: what is usual among these. Thick slices stay as they are (0): nothing that lies
    between them is known."""
    if not cases:
        return (0.0, 0.0, 0.0)
    plane = typical([step for case in cases for step in case.spacing[:2]])
    between = typical([case.spacing[2] for case in cases])
    return (between if between < SLICES * plane else 0.0, plane, plane)
