"""What a scanner does to a slice: too few lines of it were read, or something moved while they were."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segue.variations.variation import Floats, One, Parts, Scene, between


@dataclass(frozen=True, kw_only=True)
class Coarse(One):
    """Read at a lower resolution and enlarged again."""

    factor: float = 2.5  # how many times as coarse, at most

    name: str = "coarse"

    def check(self) -> None:
        between(self.name, low=1, high=8, factor=self.factor)

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        return {"coarse": (self.factor - 1) * severity[:, None] * scene.numbers.uniform("factor")}


@dataclass(frozen=True, kw_only=True)
class Ghost(One):
    """A pale copy of the slice beside it, along the rows or the columns, beginning again at the other edge: what breathing and
    pulsing leave."""

    strength: float = 0.3  # of the copy, at most

    name: str = "ghost"

    def check(self) -> None:
        between(self.name, strength=self.strength)

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        draws = scene.numbers.uniform("copy", 3)
        shift = 0.15 + 0.7 * draws[:, 1]  # of the canvas' side: nearer ones are a blur
        return {"ghost": np.stack([self.strength * severity * draws[:, 0], shift, np.floor(2 * draws[:, 2])], axis=1)}
