"""How sharp an image is: out of focus, moved, sharpened. Lengths are parts of the canvas' long side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segue.variations.variation import Floats, One, Parts, Scene, between


@dataclass(frozen=True, kw_only=True)
class Blur(One):
    sigma: float = 0.006  # at most; 0.004 is a pixel of 256

    name: str = "blur"

    def check(self) -> None:
        between(self.name, high=0.05, sigma=self.sigma)

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        return {"blur": 2 * self.sigma * severity[:, None] * scene.numbers.uniform("sigma")}


@dataclass(frozen=True, kw_only=True)
class MotionBlur(One):
    length: float = 0.03  # of the stroke, at most

    name: str = "motion_blur"

    def check(self) -> None:
        between(self.name, high=0.1, length=self.length)

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        draws = scene.numbers.uniform("stroke", 2)
        angle, length = np.pi * draws[:, 0], 2 * self.length * severity * draws[:, 1]
        return {"motion": np.stack([np.cos(angle) * length, np.sin(angle) * length], axis=1)[:, None]}


@dataclass(frozen=True, kw_only=True)
class Sharpen(One):
    amount: float = 1.0  # of the difference to the blurred image that is added, at most
    radius: float = 0.006

    name: str = "sharpen"

    def check(self) -> None:
        between(self.name, high=5, amount=self.amount)
        between(self.name, low=0.001, high=0.02, radius=self.radius)

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        amount = self.amount * severity * scene.numbers.uniform("amount")[:, 0]
        return {"sharpen": np.stack([amount, np.full_like(amount, 2 * self.radius)], axis=1)}
