"""Straight lines stay straight: rotation, scale, shear, shift; crops; perspective."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segue.errors import BadInput
from segue.variations.variation import Floats, One, Parts, Scene, between


@dataclass(frozen=True, kw_only=True)
class Affine(One):
    rotate: float = 15.0  # degrees, either way
    scale: float = 0.1  # 0.1: from 1/1.1 to 1.1 times as large
    shear: float = 0.0  # degrees, either way
    shift: float = 0.05  # of the canvas' long side, either way, along each axis

    name: str = "affine"

    def check(self) -> None:
        between(self.name, high=180, rotate=self.rotate)
        between(self.name, high=3, scale=self.scale)
        between(self.name, high=60, shear=self.shear)
        between(self.name, shift=self.shift)

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        draws = (scene.numbers.signed("moves", 5) * severity[:, None]).T
        angle, shear = np.radians(self.rotate) * draws[0], np.tan(np.radians(self.shear) * draws[2])
        size = np.exp(-np.log1p(self.scale) * draws[1])  # the map runs from the result to the source
        matrix = np.zeros((len(severity), 3, 3))
        matrix[:, 2, 2] = 1
        cosine, sine = np.cos(angle) * size, np.sin(angle) * size
        matrix[:, 0, 0], matrix[:, 0, 1] = cosine, shear * cosine - sine
        matrix[:, 1, 0], matrix[:, 1, 1] = sine, shear * sine + cosine
        matrix[:, 0, 2], matrix[:, 1, 2] = 2 * self.shift * draws[3], 2 * self.shift * draws[4]
        return {"matrix": matrix}


@dataclass(frozen=True, kw_only=True)
class Crop(One):
    """A part of the canvas, enlarged to all of it; no pixel is invented that was not before."""

    smallest: float = 0.6  # side of the smallest part

    name: str = "crop"

    def check(self) -> None:
        between(self.name, low=0.05, smallest=self.smallest)

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        draws = scene.numbers.uniform("part", 3)
        side = 1 - (1 - self.smallest) * severity * draws[:, 0]
        height, width = scene.shape
        room = (1 - side[:, None]) * np.array([width, height]) / max(scene.shape)
        matrix = np.tile(np.eye(3), (len(severity), 1, 1)) * np.stack([side, side, np.ones_like(side)], 1)[:, :, None]
        matrix[:, :2, 2] = room * (2 * draws[:, 1:] - 1)
        return {"matrix": matrix}


@dataclass(frozen=True, kw_only=True)
class Perspective(One):
    """The canvas seen aslant: each corner moves by itself."""

    strength: float = 0.1  # of the canvas' side, in or out, along each axis

    name: str = "perspective"

    def check(self) -> None:
        between(self.name, high=0.3, strength=self.strength)

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        n = len(severity)
        height, width = scene.shape
        half = np.array([width, height]) / max(scene.shape)
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
        moved = scene.numbers.signed("corners", 8).reshape(n, 4, 2) * severity[:, None, None]
        return {"matrix": homography(corners, corners + moved * half * 2 * self.strength)}


def homography(start: Floats, end: Floats) -> Floats:
    """(n, 3, 3): the matrix that takes the four places `start` (4, 2) to each of `end` (n, 4, 2)."""
    n = len(end)
    x, y = np.broadcast_to(start, end.shape).transpose(2, 0, 1)
    u, v = end.transpose(2, 0, 1)
    one, zero = np.ones_like(x), np.zeros_like(x)
    rows = np.concatenate(
        [
            np.stack([x, y, one, zero, zero, zero, -u * x, -u * y], 2),
            np.stack([zero, zero, zero, x, y, one, -v * x, -v * y], 2),
        ],
        axis=1,
    )
    try:
        found = np.linalg.solve(rows, np.concatenate([u, v], axis=1)[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        raise BadInput("perspective: the four corners fell on a line") from None
    matrix = np.concatenate([found, np.ones((n, 1))], axis=1).reshape(n, 3, 3)
    still = (end == start).all((1, 2))  # exactly: solving leaves rounding errors
    matrix[still] = np.eye(3)
    return matrix
