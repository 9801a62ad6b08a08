"""A part of the image is taken away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segue.errors import BadInput, nearest
from segue.variations.variation import Floats, One, Parts, Scene, between

FILLS = ("black", "grey", "random")
LABELS = ("ignore", "keep")


@dataclass(frozen=True, kw_only=True)
class Erase(One):
    """Boxes, each with sides of its own. Under them labels do not count, or are kept: then the network must infer them."""

    count: int = 1  # at most
    size: float = 0.3  # of the canvas' sides, the longest
    fill: str = "black"
    labels: str = "ignore"

    name: str = "erase"

    def check(self) -> None:
        between(self.name, low=1, high=64, count=self.count)
        between(self.name, size=self.size)
        for word, value, known in (("fill", self.fill, FILLS), ("labels", self.labels, LABELS)):
            if value not in known:
                raise BadInput(f"{self.name}: {word}={value!r}: {nearest(value, known)}")

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        n = len(severity)
        half = np.array([scene.shape[1], scene.shape[0]]) / max(scene.shape)
        shown = np.arange(self.count) < np.floor(scene.numbers.uniform("many") * self.count) + 1
        draws = scene.numbers.uniform("boxes", 7 * self.count).reshape(n, self.count, 7)
        boxes = np.zeros((n, self.count, 9))
        boxes[:, :, 0:2] = (2 * draws[:, :, 0:2] - 1) * half
        boxes[:, :, 2:4] = half * self.size * (0.3 + 0.7 * draws[:, :, 2:4]) * severity[:, None, None]
        boxes[:, :, 4:7] = draws[:, :, 4:7] if self.fill == "random" else {"black": 0.0, "grey": 0.5}[self.fill]
        boxes[:, :, 7] = shown & (severity > 0)[:, None]
        boxes[:, :, 8] = self.labels == "ignore"
        return {"erase": boxes}
