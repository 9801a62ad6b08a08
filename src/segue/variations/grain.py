"""What a sensor and a file add: noise, and the blocks of a JPEG."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segue.variations.variation import Floats, One, Parts, Scene, between


@dataclass(frozen=True, kw_only=True)
class Noise(One):
    """Gaussian, for each pixel and channel by itself."""

    strength: float = 0.05  # standard deviation at most, white being 1

    name: str = "noise"

    def check(self) -> None:
        between(self.name, strength=self.strength)

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        draws = scene.numbers.uniform("noise", 2)
        return {"noise": np.stack([self.strength * severity * draws[:, 0], draws[:, 1]], axis=1)}


@dataclass(frozen=True, kw_only=True)
class Jpeg(One):
    loss: float = 70.0  # of quality, at most: quality 30
    least: float = 0.0

    name: str = "jpeg"

    def check(self) -> None:
        between(self.name, high=99, loss=self.loss)
        between(self.name, high=self.loss, least=self.least)

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        loss = self.least + (self.loss - self.least) * scene.numbers.uniform("loss")
        return {"jpeg": np.round(loss * severity[:, None])}
