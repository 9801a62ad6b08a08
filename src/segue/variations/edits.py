"""Masks that are edited by numbers: something is added, or one that is there grows, shrinks, bends, moves, goes, or is painted
anew where it is.

What is asked of whoever paints is `after`, the mask as it is then, and `hole`, where pixels may change: what the edit changed,
and some room around it. An edit that finds nothing to do to a mask leaves it alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

KINDS = ("none", "add", "grow", "bend", "move", "remove", "repaint")
WAVES = (2, 3, 4, 5)  # of a blob's outline around its middle
# kind, seed of the texture, x, y, size, width, and of each wave its height and its phase.
WIDTH = 6 + 2 * len(WAVES)
_ROOM = 0.12  # of the radius of what changed, around it
_LEAST = 2  # pixels of room, and the radius of the smallest that is edited


@dataclass(frozen=True)
class Edited:
    after: Bools
    hole: Bools  # where pixels may change
    room: float  # pixels around what changed


def edited(values: Floats, before: Bools, shown: Bools) -> Edited | None:
    """One row of numbers done to a mask, within what is of the picture; None: it changes nothing."""
    kind = KINDS[int(values[0])]
    if kind == "add":
        after = before | (blob(values, before.shape) & shown)
        changed = after & ~before
        radius = _radius(changed)
    else:
        one = _one(before & shown, float(values[1]))
        if one is None or kind == "none":
            return None
        radius = _radius(one)
        after = (before & ~one) | (_ALTERED[kind](values, one, radius) & shown)
        changed = one if kind == "repaint" else before ^ after
    if radius < _LEAST or not changed.any():
        return None
    room = max(float(_LEAST), _ROOM * radius)
    hole = cv2.distanceTransform((~changed).astype(np.uint8), cv2.DIST_L2, 5) <= room
    return Edited(after, np.asarray(hole & shown), room)


def blob(values: Floats, shape: tuple[int, ...]) -> Bools:
    """A smooth outline around a middle: relative, as all places of a Drawn."""
    height, width = shape
    unit = max(shape) / 2
    across = (np.arange(width) + 0.5 - width / 2) / unit - values[2]
    down = (np.arange(height) + 0.5 - height / 2)[:, None] / unit - values[3]
    angle = np.arctan2(down, across)
    heights, phases = values[6 : 6 + len(WAVES)], values[6 + len(WAVES) :]
    outline = 1 + sum(h * np.cos(wave * angle + p) for wave, h, p in zip(WAVES, heights, phases, strict=True))
    return np.asarray(np.hypot(across, down) < values[4] * outline)


def _grown(values: Floats, one: Bools, radius: float) -> Bools:
    """By a share of its radius, or shrunk."""
    return np.asarray(_depth(one) > -values[4] * radius)


def _bent(values: Floats, one: Bools, radius: float) -> Bools:
    """Likewise, near one place of its outline."""
    rows, columns = np.nonzero(one & (cv2.erode(one.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0))
    angles = np.arctan2(rows - rows.mean(), columns - columns.mean())
    place = np.abs(np.angle(np.exp(1j * (angles - math.atan2(values[3], values[2]))))).argmin()
    down, across = (np.arange(side) for side in one.shape)
    near = np.hypot(down[:, None] - rows[place], across - columns[place]) / max(1.0, values[5] * radius)
    return np.asarray(_depth(one) > -values[4] * radius * np.exp(-(near**2) / 2))


def _moved(values: Floats, one: Bools, radius: float) -> Bools:
    """In the direction of its place, by a multiple of its radius."""
    angle = math.atan2(values[3], values[2])
    step = np.array([[1, 0, values[4] * radius * math.cos(angle)], [0, 1, values[4] * radius * math.sin(angle)]])
    return np.asarray(cv2.warpAffine(one.astype(np.uint8), step, one.shape[::-1], flags=cv2.INTER_NEAREST) > 0)


def _gone(values: Floats, one: Bools, radius: float) -> Bools:
    return np.zeros_like(one)


def _same(values: Floats, one: Bools, radius: float) -> Bools:
    return one


_ALTERED = {"none": _same, "grow": _grown, "bend": _bent, "move": _moved, "remove": _gone, "repaint": _same}


def _one(mask: Bools, choice: float) -> Bools | None:
    """One of the separate pieces that are large enough."""
    count, pieces, sizes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    large = [number for number in range(1, count) if sizes[number, cv2.CC_STAT_AREA] >= math.pi * _LEAST**2]
    return np.asarray(pieces == large[int(choice * len(large))]) if large else None


def _radius(mask: Bools) -> float:
    """Of a disc as large."""
    return math.sqrt(np.count_nonzero(mask) / math.pi)


def _depth(mask: Bools) -> npt.NDArray[np.float32]:
    """Pixels to the outline: positive inside."""
    inside, outside = (cv2.distanceTransform(each.astype(np.uint8), cv2.DIST_L2, 5) for each in (mask, ~mask))
    return np.asarray(inside - outside, np.float32)
