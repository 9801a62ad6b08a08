"""From probabilities to a mask: the last step of every prediction, the same wherever one is made.

One class beside the background, and regions: a threshold. Several exclusive classes: the most probable. Then, where
asked, holes are filled and small components dropped. `choose` finds the numbers on validation cases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from segue.data.case import IGNORE
from segue.data.target import Target
from segue.errors import BadInput
from segue.evaluation.lesions import components

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Decision:
    threshold: float = 0.5  # a pixel is of the class from here on; not for several exclusive classes
    smallest: float = 0.0  # components of less than this share of the image are dropped
    fill: bool = False  # background that a class encloses becomes that class

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise BadInput(f"threshold {self.threshold:g}: it lies between 0 and 1")
        if not 0 <= self.smallest < 1:
            raise BadInput(f"smallest component {self.smallest:g}: it is a share of the image, from 0 to below 1")

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Decision:
        try:
            return cls(**given)
        except TypeError as error:
            raise BadInput(f"a decision cannot be understood ({error})") from None


PLAIN = Decision()


def decide(maps: npt.NDArray[np.float32], target: Target, decision: Decision = PLAIN) -> npt.NDArray[np.uint8]:
    """(classes, height, width) of probabilities to a mask: (height, width) of channel numbers for exclusive classes, and
    (regions, height, width) of 0 and 1 for regions. Volumes have an axis more."""
    return after(plain_decision(maps, target, decision.threshold), target, decision)


def after(labels: npt.NDArray[np.uint8], target: Target, decision: Decision) -> npt.NDArray[np.uint8]:
    """Holes and small components of what was decided."""
    if target.exclusive:
        return processed(labels, decision)
    return np.stack([processed(region, decision) for region in labels])


def plain_decision(maps: npt.NDArray[np.float32], target: Target, threshold: float) -> npt.NDArray[np.uint8]:
    """`decide` without what comes after."""
    if not target.exclusive:
        return np.asarray(maps >= threshold).view(np.uint8)
    if target.logits == 1:
        return np.asarray(maps[1] >= threshold).view(np.uint8)
    return np.asarray(maps.argmax(axis=0), np.uint8)


def masks(labels: npt.NDArray[np.uint8], target: Target) -> dict[str, Mask]:
    """What `decide` gave, by class that is scored."""
    if target.exclusive:
        return true_masks(labels, target)
    return {name: region == 1 for name, region in zip(target.names, labels, strict=True)}


def true_masks(truth: npt.NDArray[np.uint8], target: Target) -> dict[str, Mask]:
    """A truth, in which regions are codes, by class that is scored."""
    if not target.exclusive:
        return {name: (truth >> bit & 1 == 1) & (truth != IGNORE) for bit, name in enumerate(target.names)}
    if target.logits == 1:
        return {target.names[1]: truth == 1}
    return {name: truth == channel for channel, name in enumerate(target.names) if channel}


def processed(labels: npt.NDArray[np.uint8], decision: Decision) -> npt.NDArray[np.uint8]:
    """(height, width) or (slice, row, column), 0 the background."""
    if decision.fill:
        labels = filled(labels)
    if decision.smallest > 0:
        labels = without_small(labels, decision.smallest)
    return labels


def filled(labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Holes become the class around them; where several classes stand around one, nobody knows and it stays."""
    box = _box(labels)
    if box is None:
        return labels
    # A rim of background, so that whatever is open to it is one component: number `outside`.
    inside = np.pad(labels[box], 1)
    count, parts = _background_parts(inside == 0)
    outside = parts[(0,) * parts.ndim]
    if count == 2:  # the classes and what is outside
        return labels
    becomes = _around(inside, parts, count)
    becomes[[0, outside]] = 0
    found = labels.copy()
    found[box] = np.where(inside == 0, becomes[parts], inside)[(slice(1, -1),) * parts.ndim]
    return found


def _background_parts(empty: Mask) -> tuple[int, npt.NDArray[np.int32]]:
    """How many numbers there are, 0 among them, and which stands where; what touches by a corner alone is apart."""
    if empty.ndim == 2:
        count, parts = cv2.connectedComponents(empty.view(np.uint8), connectivity=4)
        return count, np.asarray(parts, np.int32)
    numbered, count = ndimage.label(empty)
    return count + 1, np.asarray(numbered, np.int32)


def _around(inside: npt.NDArray[np.uint8], parts: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.uint8]:
    """(count,): the class around each part of the background; 0 where there are several."""
    highest = int(inside.max())
    if not np.any((inside > 0) & (inside < highest)):  # there is one class
        return np.full(count, highest, np.uint8)
    above = _widened(inside)
    edge = (inside == 0) & (above > 0)
    below = 255 - _widened(np.where(inside > 0, 255 - inside, 0).astype(np.uint8))
    most, least = np.zeros(count, np.uint8), np.full(count, 255, np.uint8)
    np.maximum.at(most, parts[edge], above[edge])
    np.minimum.at(least, parts[edge], below[edge])
    return np.where(most == least, most, 0).astype(np.uint8)


def _widened(values: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The highest of each pixel and those beside it."""
    if values.ndim == 2:
        return np.asarray(cv2.dilate(values, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))), np.uint8)
    cross = ndimage.generate_binary_structure(values.ndim, 1)
    return np.asarray(ndimage.maximum_filter(values, footprint=cross), np.uint8)


def without_small(labels: npt.NDArray[np.uint8], smallest: float) -> npt.NDArray[np.uint8]:
    least = smallest * labels.size
    found = labels
    for number in np.unique(labels[labels > 0]):
        areas, parts, box = parts_of(labels == number)
        small = areas < least
        small[0] = False
        if small.any():
            found = found.copy() if found is labels else found
            found[box][small[parts]] = 0
    return found


def parts_of(mask: Mask) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], tuple[slice, ...]]:
    """Areas by component (number 0 is the rest), the components' numbers within a box, and the box."""
    box = _box(mask)
    if box is None:
        return np.zeros(1, np.int64), np.zeros((0,) * mask.ndim, np.int64), (slice(0),) * mask.ndim
    inside = np.ascontiguousarray(mask[box])
    parts, number = components(inside)
    areas = np.bincount(parts[inside], minlength=number + 1)
    areas[0] = inside.size - areas.sum()
    return areas, parts, box


def _box(labels: npt.NDArray[Any]) -> tuple[slice, ...] | None:
    found: list[slice] = []
    for axis in range(labels.ndim):
        inside = labels[tuple(found)]
        there = np.flatnonzero(inside.any(axis=tuple(other for other in range(labels.ndim) if other != axis)))
        if not len(there):
            return None
        found.append(slice(int(there[0]), int(there[-1]) + 1))
    return tuple(found)
