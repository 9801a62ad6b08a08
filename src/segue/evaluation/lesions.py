"""Lesion by lesion: which parts of the truth were found, and which parts of the prediction are none.

A lesion is a connected component, neighbours by corner included. It is found where the prediction covers at least a tenth
of it; a component of the prediction is false where less than a tenth of it lies in the truth.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

Mask = npt.NDArray[np.bool_]

OVERLAP = 0.1


def lesions(prediction: Mask, truth: Mask, *, overlap: float = OVERLAP) -> tuple[int, int, int]:
    """How many there are in the truth, how many of them were found, and how many false ones the prediction has."""
    both = prediction & truth
    there, covered = _covered(truth, both)
    predicted, right = _covered(prediction, both)
    found = np.count_nonzero((covered > 0) & (covered >= overlap * there))
    true = np.count_nonzero((right > 0) & (right >= overlap * predicted))
    return len(there), int(found), len(predicted) - int(true)


def _covered(mask: Mask, both: Mask) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Pixels of each component of the mask, and how many of them are in both."""
    labels, number = components(mask)
    sizes = np.bincount(labels[mask], minlength=number + 1)
    return sizes[1:], np.bincount(labels[both], minlength=number + 1)[1:]


def components(mask: Mask) -> tuple[npt.NDArray[np.int32], int]:
    """Numbers from 1, and how many there are; pixels or voxels that touch by a corner belong together."""
    if mask.ndim == 2:
        number, labels = cv2.connectedComponents(np.ascontiguousarray(mask).view(np.uint8), connectivity=8)
        return np.asarray(labels, np.int32), number - 1
    labels, number = ndimage.label(mask, np.ones([3] * mask.ndim, bool))
    return labels, int(number)
