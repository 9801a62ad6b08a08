"""Out of the plane of slices: a patch of a volume leans, or is seen from its other end. Pictures have no such direction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segue.variations.variation import Floats, One, Parts, Scene, between


@dataclass(frozen=True, kw_only=True)
class Tilt(One):
    degrees: float = 15.0  # either way, about rows and about columns
    reverse: float = 0.0  # probability that the last slice becomes the first

    name: str = "tilt"

    def check(self) -> None:
        between(self.name, high=45, degrees=self.degrees)
        between(self.name, reverse=self.reverse)

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        angles = np.radians(self.degrees) * scene.numbers.signed("angles", 2) * severity[:, None]
        (cos_x, cos_y), (sin_x, sin_y) = np.cos(angles).T, np.sin(angles).T
        about_x, about_y = (np.tile(np.eye(3), (len(severity), 1, 1)) for _ in range(2))
        about_x[:, 1, 1], about_x[:, 1, 2], about_x[:, 2, 1], about_x[:, 2, 2] = cos_x, -sin_x, sin_x, cos_x
        about_y[:, 0, 0], about_y[:, 0, 2], about_y[:, 2, 0], about_y[:, 2, 2] = cos_y, sin_y, -sin_y, cos_y
        chance = scene.numbers.uniform("reversed")[:, 0] < self.reverse * self.severity
        about_x[:, :, 2] *= np.where(chance & (severity > 0), -1.0, 1.0)[:, None]
        return {"turn": about_y @ about_x}
