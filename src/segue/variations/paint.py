"""A lesion is added, altered or taken away, in the mask and, by a painter that has learnt it, in the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segue.errors import BadInput
from segue.variations.edits import KINDS, WAVES, WIDTH
from segue.variations.variation import Floats, One, Parts, Scene, between

_ALTERING = ("grow", "bend", "move")
_WAVES = 0.18  # of the radius, the highest of a blob's waves together
_SMALLEST = 0.3  # of the largest size


@dataclass(frozen=True, kw_only=True)
class Paint(One):
    """Of four chances each sample gets one; what is left of 1 is left alone. It needs a painter: `segue inpaint fit`."""

    add: float = 0.4
    alter: float = 0.4  # one that is there grows, shrinks, bends or moves
    remove: float = 0.0
    repaint: float = 0.2  # in its place: no change is expected
    size: float = 0.35  # of half the long side, the largest radius of what is added
    amount: float = 0.4  # of its radius, the most that one is altered by

    name: str = "paint"

    def check(self) -> None:
        chances = {"add": self.add, "alter": self.alter, "remove": self.remove, "repaint": self.repaint}
        between(self.name, size=self.size, amount=self.amount, **chances)
        if sum(chances.values()) > 1 + 1e-9:
            raise BadInput(f"{self.name}: add, alter, remove and repaint are more than 1 together")

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        n, numbers = len(severity), scene.numbers
        edges = np.cumsum([self.add, *[self.alter / len(_ALTERING)] * len(_ALTERING), self.remove, self.repaint])
        named = np.array([KINDS.index(name) for name in ("add", *_ALTERING, "remove", "repaint", "none")])
        kind = named[np.searchsorted(edges, numbers.uniform("kind")[:, 0], side="right")]
        kind = np.where(severity > 0, kind, 0)
        half = np.array([scene.shape[1], scene.shape[0]]) / max(scene.shape)
        amount = self.amount * (0.3 + 0.7 * numbers.uniform("amount")[:, 0]) * severity
        signs = np.sign(numbers.signed("sign")[:, 0] + 1e-12)
        added = self.size * (_SMALLEST + (1 - _SMALLEST) * numbers.uniform("size")[:, 0]) * severity
        heights = numbers.signed("waves", len(WAVES)) * _WAVES / np.sqrt(np.arange(1, len(WAVES) + 1))
        values = np.zeros((n, WIDTH))
        values[:, 0], values[:, 1] = kind, numbers.uniform("texture")[:, 0]
        values[:, 2:4] = 0.8 * numbers.signed("place", 2) * half
        values[:, 4] = np.select(
            [kind == KINDS.index("add"), kind == KINDS.index("move")], [added, 2 * amount], signs * amount
        )
        values[:, 5] = 0.4 + 0.6 * numbers.uniform("width")[:, 0]
        values[:, 6 : 6 + len(WAVES)] = heights
        values[:, 6 + len(WAVES) :] = 2 * np.pi * numbers.uniform("phases", len(WAVES))
        return {"edit": values}
