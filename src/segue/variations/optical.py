"""A lens bends the picture: barrel or pincushion, about the middle of the canvas."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from segue.variations import spline
from segue.variations.variation import Floats, One, Parts, Scene, between

_CELLS = 8
_SAMPLES = 64
# How far a lens may magnify towards the corner of a square before it shows the same place twice.
_BARREL = 0.6


@dataclass(frozen=True, kw_only=True)
class Optical(One):
    """Source radius = r (1 + k (r^2 / 4 + r^4 / 16)), r being 1 at the middle of the long side's end; for negative k, where
    that would fold, r (1 + 0.6 k r^2 / 4)."""

    limit: float = 0.5  # k is between -limit and limit

    name: str = "optical"

    def check(self) -> None:
        between(self.name, limit=self.limit)

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        k = (scene.numbers.signed("k")[:, 0] * severity * self.limit)[:, None, None, None]
        cubic, quintic = _lenses()
        return {"bend": np.where(k > 0, k * (cubic / 4 + quintic / 16), k * _BARREL / 4 * cubic)}


@functools.cache
def _lenses() -> tuple[Floats, Floats]:
    """Displacements place * r^2 and place * r^4 as splines."""
    along = (np.arange(_SAMPLES) + 0.5) / _SAMPLES * 2 - 1
    places = np.stack(np.meshgrid(along, along))
    square = (places**2).sum(0)
    cubic, quintic = (np.stack([spline.fit(axis * power, _CELLS) for axis in places]) for power in (square, square**2))
    return cubic, quintic
