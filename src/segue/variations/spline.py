"""Smooth fields on a coarse lattice: cubic B-splines over [-1, 1] along each axis.

A field of m cells has m + 3 coefficients along each axis and is two small matrix products away from any grid of pixels.
Straight lines are kept exactly, so an affine map folds into the coefficients, and m cells are exactly 2m cells of
half the size, so fields of different coarseness add up.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

EDGE = 3  # coefficients beyond the number of cells
# Coefficients that move by less than this part of a cell's side never fold the plane (Choi and Lee 2000: 1/2.48).
FOLD = 0.4


def cells(coefficients: int) -> int:
    return coefficients - EDGE


@functools.lru_cache(maxsize=256)
def basis(length: int, extent: float, count: int, derivative: bool = False) -> Singles:
    """(length, count + 3): what each coefficient gives to `length` pixel centres spread over [-extent, extent]."""
    places = (np.arange(length) + 0.5) / length * (2 * extent) - extent
    matrix = at(places, count, derivative).astype(np.float32)
    matrix.setflags(write=False)
    return matrix


def at(places: Floats, count: int, derivative: bool = False) -> Floats:
    """(len(places), count + 3) for places in [-1, 1]; beyond it the last cell's polynomial goes on."""
    along = (places + 1) * (count / 2)
    cell = np.clip(np.floor(along), 0, count - 1).astype(np.intp)
    t = along - cell
    if derivative:
        parts = [-((1 - t) ** 2) / 2, (3 * t**2 - 4 * t) / 2, (-3 * t**2 + 2 * t + 1) / 2, t**2 / 2]
        parts = [part * (count / 2) for part in parts]
    else:
        parts = [
            (1 - t) ** 3 / 6,
            (3 * t**3 - 6 * t**2 + 4) / 6,
            (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6,
            t**3 / 6,
        ]
    matrix = np.zeros((len(places), count + EDGE))
    for step, part in enumerate(parts):
        matrix[np.arange(len(places)), cell + step] = part
    return matrix


@functools.lru_cache(maxsize=32)
def knots(count: int) -> Floats:
    """(count + 3,): where the coefficients stand; a straight line's coefficients are its values there."""
    found: Floats = (np.arange(count + EDGE, dtype=np.float64) - 1) * (2 / count) - 1
    return found


@functools.lru_cache(maxsize=32)
def _finer(count: int) -> Floats:
    """(2 count + 3, count + 3): the same field on cells of half the size."""
    matrix = np.zeros((2 * count + EDGE, count + EDGE))
    for new in range(2 * count + EDGE):
        middle, odd = divmod(new + 1, 2)  # new coefficient number `new` stands at old place (new + 1) / 2
        if odd:
            matrix[new, middle : middle + 2] = 0.5
        else:
            matrix[new, middle - 1 : middle + 2] = (0.125, 0.75, 0.125)
    return matrix


def refine(field: Floats, count: int) -> Floats:
    """(..., m + 3, m + 3) to the same field on `count` cells, a power of two times as many."""
    while cells(field.shape[-1]) < count:
        step = _finer(cells(field.shape[-1]))
        field = step @ field @ step.T
    return field


def refinable(one: int, other: int) -> bool:
    small, large = sorted((one, other))
    return large % small == 0 and (large // small) & (large // small - 1) == 0


def fit(values: Floats, count: int) -> Floats:
    """The field nearest to `values`, which stand at (k + 0.5) / n over [-1, 1] along both axes."""
    inverse = np.linalg.pinv(basis(values.shape[-1], 1.0, count).astype(np.float64))
    return np.asarray(inverse @ values @ inverse.T)
