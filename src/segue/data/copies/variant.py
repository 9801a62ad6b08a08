"""The ways in which a copy of an image may be hidden: a crop, a turn, a flip."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Variant:
    """One way in which a copy may differ: a crop, then a turn, then flips."""

    rows: tuple[float, float] = (0.0, 1.0)
    columns: tuple[float, float] = (0.0, 1.0)
    turned: bool = False
    flipped_rows: bool = False
    flipped_columns: bool = False

    def words(self) -> str:
        told = [
            name
            for name, does in (
                ("cropped", (self.rows, self.columns) != ((0.0, 1.0), (0.0, 1.0))),
                ("turned", self.turned),
                ("flipped", self.flipped_rows or self.flipped_columns),
            )
            if does
        ]
        return " and ".join(told)

    def of(self, pictures: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The variant of square pictures, (n, side, side), by two products."""
        side = pictures.shape[1]
        cropped = sampling(self.rows, side) @ pictures @ sampling(self.columns, side).T
        if self.turned:
            cropped = cropped.transpose(0, 2, 1)
        if self.flipped_rows:
            cropped = cropped[:, ::-1]
        if self.flipped_columns:
            cropped = cropped[:, :, ::-1]
        return np.ascontiguousarray(cropped, np.float32)

    def matrix(self) -> npt.NDArray[np.float32]:
        """From a place (row, column, 1) of the copy, 0..1, to the place of the original that it shows."""
        matrix = np.eye(3)
        if self.flipped_rows:
            matrix = np.array([[-1, 0, 1], [0, 1, 0], [0, 0, 1]]) @ matrix
        if self.flipped_columns:
            matrix = np.array([[1, 0, 0], [0, -1, 1], [0, 0, 1]]) @ matrix
        if self.turned:
            matrix = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]]) @ matrix
        (top, bottom), (left, right) = self.rows, self.columns
        crop = np.array([[bottom - top, 0, top], [0, right - left, left], [0, 0, 1]])
        return (crop @ matrix).astype(np.float32)


@cache
def sampling(span: tuple[float, float], side: int) -> npt.NDArray[np.float32]:
    """Linear interpolation of a row at the crop's own pixel centres, as a matrix."""
    at = (span[0] + (span[1] - span[0]) * (np.arange(side) + 0.5) / side) * side - 0.5
    left = np.clip(np.floor(at).astype(int), 0, side - 2)
    weight = np.clip(at - left, 0, 1)
    matrix = np.zeros((side, side), np.float32)
    matrix[np.arange(side), left] += 1 - weight
    matrix[np.arange(side), left + 1] += weight
    return matrix


def _variants() -> tuple[Variant, ...]:
    flips = [(False, False), (False, True), (True, False), (True, True)]
    whole = [Variant(turned=turned, flipped_rows=r, flipped_columns=c) for turned in (False, True) for r, c in flips]
    places = [(start, start + 0.9) for start in (0.0, 0.05, 0.1)]
    cropped = [Variant(rows, columns, False, r, c) for rows in places for columns in places for r, c in flips]
    return tuple(whole + cropped)


VARIANTS = _variants()
