"""Lesion by lesion: which parts of the truth were found, and which parts of the prediction are none.

A lesion is a connected component, neighbours by corner included. It is found where the prediction covers at least a tenth
of it; a component of the prediction is false where less than a tenth of it lies in the truth.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

OVERLAP = 0.1


def lesions(prediction: Mask, truth: Mask) -> tuple[int, int, int]:
    """How many there are in the truth, how many of them were found, and how many false ones the prediction has."""
    both = prediction & truth
    there, covered = _covered(truth, both)
    predicted, right = _covered(prediction, both)
    found = np.count_nonzero(covered >= OVERLAP * there)
    true = np.count_nonzero(right >= OVERLAP * predicted)
    return len(there), int(found), len(predicted) - int(true)


def components(mask: Mask) -> tuple[Ints, int]:
    """Numbers from 1, and how many there are; what touches by a corner belongs together."""
    if mask.ndim == 2:
        number, numbers = cv2.connectedComponents(np.ascontiguousarray(mask).view(np.uint8), connectivity=8)
        return numbers.astype(np.int64), number - 1
    runs = _Runs.of(mask)
    labels = np.zeros(mask.shape, np.int64)
    labels[mask] = np.repeat(runs.component + 1, runs.length)
    return labels, runs.number


def _covered(mask: Mask, both: Mask) -> tuple[Ints, Ints]:
    """Pixels of each component of the mask, and how many of them are in both."""
    if not mask.any():
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    if mask.ndim == 2:
        labels, number = components(mask)
        sizes = np.bincount(labels[mask], minlength=number + 1)
        return sizes[1:], np.bincount(labels[both], minlength=number + 1)[1:]
    runs = _Runs.of(mask)
    hits = np.add.reduceat(both[mask], np.cumsum(runs.length) - runs.length, dtype=np.int64)
    return runs.sum(runs.length), runs.sum(hits)


@dataclass(frozen=True, slots=True)
class _Runs:
    """A mask as stretches along its rows, each a component's: a volume has a hundred times fewer of these than voxels."""

    length: Ints
    component: Ints
    number: int

    @classmethod
    def of(cls, mask: Mask) -> _Runs:
        # Around is padding: no run leaves its row, and a step to the row beside is a step in the flat array.
        padded = np.zeros([size + 2 for size in mask.shape], bool)
        padded[(slice(1, -1),) * mask.ndim] = mask
        flat = padded.reshape(-1)
        edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        start, end = edges[::2], edges[1::2]
        links = [_links(start, end, step) for step in _rows_behind(padded)]
        one, other = (np.concatenate(side) for side in zip(*links, strict=True))
        graph = coo_array((np.ones(len(one), np.int8), (one, other)), shape=(len(start), len(start)))
        number, component = connected_components(graph, directed=False)
        return cls(end - start, np.asarray(component, np.int64), int(number))

    def sum(self, values: Ints) -> Ints:
        found: Ints = np.bincount(self.component, weights=values, minlength=self.number).astype(np.int64)
        return found


def _rows_behind(padded: Mask) -> list[int]:
    """Steps to half of the neighbouring rows, corners included; the other half sees them from there."""
    steps = [stride // padded.itemsize for stride in padded.strides[:-1]]
    around = itertools.product((-1, 0, 1), repeat=len(steps))
    return [total for by in around if (total := sum(map(int.__mul__, by, steps))) > 0]


def _links(start: Ints, end: Ints, step: int) -> tuple[Ints, Ints]:
    """Pairs of runs that touch, the second of them in the row that is `step` further on."""
    first = np.searchsorted(end, start + step - 1, side="right")  # a corner reaches one further on either side
    number = np.maximum(np.searchsorted(start, end + step + 1, side="left") - first, 0)
    one = np.repeat(np.arange(len(start)), number)
    along = np.arange(len(one)) - np.repeat(np.cumsum(number) - number, number)
    return one, np.repeat(first, number) + along
