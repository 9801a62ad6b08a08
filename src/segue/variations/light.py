"""Light that is not even: a coil's bias field, a shadow over a part, wet surfaces that glare."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from segue.variations import spline
from segue.variations.elastic import lattice
from segue.variations.variation import Floats, One, Parts, Scene, between

_SHADOW = 8  # cells
_SAMPLES = 33


@dataclass(frozen=True, kw_only=True)
class Bias(One):
    strength: float = 0.7  # largest logarithm of the gain
    cells: int = 2

    name: str = "bias"

    def check(self) -> None:
        between(self.name, high=3, strength=self.strength)
        lattice(self.name, self.cells)

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        side = self.cells + spline.EDGE
        draws = scene.numbers.signed("field", side * side).reshape(-1, side, side)
        draws = draws - draws.mean((1, 2), keepdims=True)  # the mean belongs to brightness
        return {"light": draws * (severity * self.strength)[:, None, None]}


@dataclass(frozen=True, kw_only=True)
class Shadow(One):
    """One side of a line lies in the dark; the line runs anywhere, its edge is hard or soft."""

    strength: float = 0.6  # part of the light that is lost at most

    name: str = "shadow"

    def check(self) -> None:
        between(self.name, high=0.95, strength=self.strength)

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        draws = scene.numbers.uniform("line", 4)
        x, y, inverse = _lattice()
        angle, far, soft = 2 * np.pi * draws[:, 0], 1.2 * draws[:, 1] - 0.6, 0.08 + 0.25 * draws[:, 2]
        across = np.cos(angle)[:, None, None] * x + np.sin(angle)[:, None, None] * y
        dark = 1 / (1 + np.exp((far[:, None, None] - across) / soft[:, None, None]))
        lost = np.log1p(-self.strength * severity * (0.5 + 0.5 * draws[:, 3]))
        return {"light": inverse @ dark @ inverse.T * lost[:, None, None]}


@dataclass(frozen=True, kw_only=True)
class Highlights(One):
    """Specular highlights: small bright patches with a clear edge."""

    count: int = 8  # at most
    size: float = 0.03  # of the canvas' long side, the largest half axis
    strength: float = 0.9  # how white

    name: str = "highlights"

    def check(self) -> None:
        between(self.name, high=64, count=self.count)
        between(self.name, high=0.5, size=self.size)
        between(self.name, strength=self.strength)

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        n = len(severity)
        half = np.array([scene.shape[1], scene.shape[0]]) / max(scene.shape)
        many = scene.numbers.uniform("many")
        draws = scene.numbers.uniform("patches", 6 * self.count).reshape(n, self.count, 6)
        shown = np.arange(self.count) < np.floor(many * self.count) + 1
        # Less severe ones are smaller, not paler: half-transparent patches are nowhere seen.
        long = 2 * self.size * severity[:, None] * (0.3 + 0.7 * draws[:, :, 2])
        patches = np.stack(
            [
                (2 * draws[:, :, 0] - 1) * half[0],
                (2 * draws[:, :, 1] - 1) * half[1],
                long,
                long * (0.25 + 0.75 * draws[:, :, 3]),
                np.pi * draws[:, :, 4],
                shown * self.strength * (severity > 0)[:, None] * (0.6 + 0.4 * draws[:, :, 5]),
            ],
            axis=2,
        )
        return {"glints": patches}


@functools.cache
def _lattice() -> tuple[Floats, Floats, Floats]:
    along = (np.arange(_SAMPLES) + 0.5) / _SAMPLES * 2 - 1
    x, y = np.meshgrid(along, along)
    return x, y, np.asarray(np.linalg.pinv(spline.at(along, _SHADOW)), np.float64)
