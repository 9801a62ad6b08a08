"""Tissue gives: each crossing of a coarse lattice is moved by itself, and a spline carries everything between along."""

from __future__ import annotations

from dataclasses import dataclass

from segue.errors import BadInput
from segue.variations import spline
from segue.variations.variation import Floats, One, Parts, Scene, between

LATTICES = (2, 4, 8, 16)


@dataclass(frozen=True, kw_only=True)
class Elastic(One):
    strength: float = 0.6  # 1 is as strong as can be without the plane ever folding, so it can always be undone
    cells: int = 4  # along the long side: few are large swings, many are ripples

    name: str = "elastic"

    def check(self) -> None:
        between(self.name, strength=self.strength)
        lattice(self.name, self.cells)

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        side = self.cells + spline.EDGE
        draws = scene.numbers.signed("bend", 2 * side * side).reshape(-1, 2, side, side)
        furthest = spline.FOLD * 2 / self.cells
        return {"bend": draws * (severity * self.strength * furthest)[:, None, None, None]}


def lattice(name: str, cells: int) -> None:
    if cells not in LATTICES:
        raise BadInput(f"{name}: cells={cells} is not one of 2, 4, 8 and 16")
