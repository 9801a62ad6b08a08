"""A volume's prediction on one picture: slices through the structure above, the two cuts across them below, each with its
outlines, the right way up and in its true form."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from segue.data.case import IGNORE
from segue.data.target import Target
from segue.data.volumes.cuts import below, beside, cuts_across, grey, plane, slices_through, steps_of
from segue.evaluation.showing.overlays import Bytes, overlay

WIDTH = 900  # pixels


def montage(
    image: npt.NDArray[Any],
    truth: npt.NDArray[np.uint8] | None,
    labels: npt.NDArray[np.uint8],
    target: Target,
    *,
    steps: tuple[float, ...],
) -> Bytes:
    """`image` (slice, row, column, channel), of which the first channel is shown; `steps` in millimetres, or empty."""
    shown = grey(image[..., 0])
    there = _there(labels if truth is None else truth)
    there = there if there.any() else _there(labels)
    rows = []
    for cuts in (slices_through(there), cuts_across(there)):
        drawn = [
            overlay(
                plane(shown, cut), None if truth is None else plane(truth, cut), plane(labels, cut), target,
                long_side=WIDTH // 2, steps=steps_of(steps or (1.0, 1.0, 1.0), cut),
            )
            for cut in cuts
        ]  # fmt: skip
        rows.append(beside(drawn, WIDTH, WIDTH // 2))
    return below(rows)


def _there(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    found = (labels > 0) & (labels != IGNORE)
    return np.asarray(found if found.ndim == 3 else found.any(axis=0))
