"""What a Drawn can hold: one array for each stage, first axis the batch, in the order in which they are done.

An absent part changes nothing, and neither does a sample whose numbers are neutral. `then` says what two parts of one
kind come to when one follows the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segue.errors import BadInput
from segue.variations import spline

Floats = npt.NDArray[np.float64]

CURVE = 65  # knots of a tone curve over 0..1


@dataclass(frozen=True)
class Part:
    geometric: bool
    neutral: Callable[[tuple[int, ...]], Floats]  # of one sample, from the shape after the batch axis
    then: Callable[[Floats, Floats], Floats]
    level: Callable[[Floats, Floats], tuple[Floats, Floats]]  # two arrays to one trailing shape
    switch: int | None = None  # the number that says whether anything happens; None: any that is not neutral

    def acts(self, values: Floats) -> npt.NDArray[np.bool_]:
        """(n,): which samples it changes."""
        tail = values.shape[1:]
        differs = values != self.neutral(tail) if self.switch is None else values[..., self.switch] != 0
        return np.asarray(differs.any(axis=tuple(range(1, differs.ndim))))


def _zeros(shape: tuple[int, ...]) -> Floats:
    return np.zeros(shape)


def _as_is(one: Floats, other: Floats) -> tuple[Floats, Floats]:
    if one.shape[1:] != other.shape[1:]:
        raise BadInput(f"parts of shapes {one.shape[1:]} and {other.shape[1:]} do not go together")
    return one, other


def _longer(one: Floats, other: Floats) -> tuple[Floats, Floats]:
    """Lists of shapes or strokes: the shorter one gets neutral entries."""
    count = max(one.shape[1], other.shape[1])

    def filled(part: Floats) -> Floats:
        return np.concatenate([part, np.zeros((len(part), count - part.shape[1], *part.shape[2:]))], axis=1)

    return filled(one), filled(other)


def _finer(one: Floats, other: Floats) -> tuple[Floats, Floats]:
    small, large = (spline.cells(part.shape[-1]) for part in (one, other))
    if not spline.refinable(small, large):
        raise BadInput(f"fields of {small} and {large} cells do not add up: use 2, 4, 8 or 16")
    count = max(small, large)
    return spline.refine(one, count), spline.refine(other, count)


def _later(switch: int) -> Callable[[Floats, Floats], Floats]:
    """The second where it is switched on."""
    return lambda one, other: np.where(other[:, switch, None] != 0, other, one)


def _listed(one: Floats, other: Floats) -> Floats:
    return np.concatenate([one, other], axis=1)


def _noise(one: Floats, other: Floats) -> Floats:
    """(strength, place in the bank): strengths add as variances, the place is the stronger one's."""
    place = np.where(one[:, 0] > other[:, 0], one[:, 1], other[:, 1])
    return np.stack([np.hypot(one[:, 0], other[:, 0]), place], axis=1)


def _colour(one: Floats, other: Floats) -> Floats:
    """[M | G | b]: pixel -> M (pixel - mean) + G mean + b, where mean is the image's own."""
    matrix, mean, offset = other[:, :, :3], other[:, :, 3:6], other[:, :, 6:]
    return np.concatenate(
        [matrix @ one[:, :, :3], mean @ one[:, :, 3:6], mean @ one[:, :, 6:] + offset],
        axis=2,
    )


def _curve(one: Floats, other: Floats) -> Floats:
    along = np.clip(one, 0, 1) * (CURVE - 1)
    below = np.minimum(along.astype(np.intp), CURVE - 2)
    rest = along - below
    rows = np.arange(len(one))[:, None]
    found: Floats = other[rows, below] * (1 - rest) + other[rows, below + 1] * rest
    return found


def _sharpen(one: Floats, other: Floats) -> Floats:
    """(amount, radius)"""
    return np.stack([one[:, 0] + other[:, 0], np.maximum(one[:, 1], other[:, 1])], axis=1)


PARTS: dict[str, Part] = {
    # (n, 14): see edits.py. Of image and mask before anything else, by whoever can paint; `carry` moves what was there.
    "edit": Part(False, _zeros, _later(0), _as_is, 0),
    # (n, 3, 3): of volumes, out of the plane; from (x, y, z) of the result to the source, before what happens in the plane.
    "turn": Part(True, lambda shape: np.eye(3), lambda one, other: one @ other, _as_is),
    # (n, d+1, d+1): from a place of the result to a place of the source, relative, homogeneous. Written order kept.
    "matrix": Part(True, lambda shape: np.eye(shape[0]), lambda one, other: one @ other, _as_is),
    # (n, d, g, g): displacement before the matrix, in coefficients of a spline. Displacements add up.
    "bend": Part(True, _zeros, lambda one, other: one + other, _finer),
    "colour": Part(
        False, lambda shape: np.concatenate([np.eye(3), np.eye(3), np.zeros((3, 1))], axis=1), _colour, _as_is
    ),
    "equalise": Part(False, _zeros, _later(0), _as_is, 0),  # (n, 2): amount, limit of the slope
    "curve": Part(False, lambda shape: np.linspace(0, 1, CURVE), _curve, _as_is),  # (n, 65): values at knots over 0..1
    "light": Part(False, _zeros, lambda one, other: one + other, _finer),  # (n, g, g): logarithm of the gain, a spline
    "glints": Part(False, _zeros, _listed, _longer, 5),  # (n, k, 6): x, y, two half axes, angle, strength
    "blur": Part(False, _zeros, np.hypot, _as_is),  # (n, 1): standard deviation, relative
    "motion": Part(False, _zeros, _listed, _longer),  # (n, k, 2): the stroke, relative
    "sharpen": Part(False, _zeros, _sharpen, _as_is, 0),  # (n, 2): amount, radius
    "ghost": Part(False, _zeros, _later(0), _as_is, 0),  # (n, 3): strength, shift, along the columns or the rows
    "coarse": Part(False, _zeros, np.maximum, _as_is),  # (n, 1): how many times as coarse, less one
    "noise": Part(False, _zeros, _noise, _as_is, 0),  # (n, 2): standard deviation, place in the bank
    "jpeg": Part(False, _zeros, np.maximum, _as_is),  # (n, 1): quality lost, 0..99
    "erase": Part(False, _zeros, _listed, _longer, 7),  # (n, k, 9): x, y, half sides, red, green, blue, on, ignored
    "mix": Part(False, _zeros, _later(4), _as_is, 4),  # (n, 7): x, y, half sides, on, own position, partner's position
}
