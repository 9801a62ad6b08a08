"""Flips and quarter turns: nothing is interpolated. All or nothing, so a severity is their probability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segue.variations.variation import Floats, One, Parts, Scene, between


@dataclass(frozen=True, kw_only=True)
class Flips(One):
    horizontal: float = 0.5  # probability
    vertical: float = 0.5

    name: str = "flips"

    def check(self) -> None:
        between(self.name, horizontal=self.horizontal, vertical=self.vertical)

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        chance = np.array([self.horizontal, self.vertical]) * self.severity
        flipped = (scene.numbers.uniform("which", 2) < chance) & (severity > 0)[:, None]
        matrix = np.tile(np.eye(3), (len(severity), 1, 1))
        matrix[:, 0, 0], matrix[:, 1, 1] = np.where(flipped, -1.0, 1.0).T
        return {"matrix": matrix}


@dataclass(frozen=True, kw_only=True)
class QuarterTurns(One):
    """0, 1, 2 or 3 quarter turns. On a canvas that is not square, the ends are cut off and the sides invented."""

    name: str = "rot90"

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        draws = scene.numbers.uniform("turns", 2)
        turns = np.floor(4 * draws[:, 0]).astype(np.intp) * ((severity > 0) & (draws[:, 1] < self.severity))
        matrix = np.zeros((len(severity), 3, 3))
        matrix[:, 2, 2] = 1
        cosine, sine = np.array([1.0, 0, -1, 0])[turns], np.array([0.0, 1, 0, -1])[turns]
        matrix[:, 0, 0] = matrix[:, 1, 1] = cosine
        matrix[:, 0, 1], matrix[:, 1, 0] = -sine, sine
        return {"matrix": matrix}
