"""What size to work at, proposed from the data; spacing joins it with volumes."""

from __future__ import annotations

from collections.abc import Sequence

from segue.data.case import Case

LARGEST = 512  # of the long side: what polyps and lesions are published at, and a store that fits a laptop
STEP = 32  # networks halve the size five times


def working_size(cases: Sequence[Case]) -> int:
    """Long side in pixels: the lower quartile, so that few images are enlarged, capped, in steps of 32."""
    sides = sorted(max(case.height, case.width) for case in cases)
    if not sides:
        return LARGEST
    typical = sides[len(sides) // 4]
    return max(STEP, min(LARGEST, typical // STEP * STEP))
