"""One curve for all pixels of an image: gamma, a random tone curve, equalisation, inversion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segue.variations.parts import CURVE
from segue.variations.variation import Floats, One, Parts, Scene, between

_KNOTS = np.linspace(0, 1, CURVE)
_BENDS = 6  # stretches of a random tone curve


@dataclass(frozen=True, kw_only=True)
class Gamma(One):
    amount: float = 0.4  # exponent from 1/1.4 to 1.4

    name: str = "gamma"

    def check(self) -> None:
        between(self.name, high=4, amount=self.amount)

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        exponent = np.exp(np.log1p(self.amount) * scene.numbers.signed("exponent")[:, 0] * severity)
        return {"curve": _KNOTS ** exponent[:, None]}


@dataclass(frozen=True, kw_only=True)
class Tone(One):
    """A random curve that keeps black, white and the order of all greys, as one scanner's contrast differs from another's."""

    strength: float = 0.5  # standard deviation of the logarithm of its slopes

    name: str = "tone"

    def check(self) -> None:
        between(self.name, high=2, strength=self.strength)

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        bends = scene.numbers.normal("slopes", _BENDS) * (self.strength * severity)[:, None]
        along = (_KNOTS[1:] + _KNOTS[:-1]) / 2 * (_BENDS - 1)
        below = np.minimum(along.astype(np.intp), _BENDS - 2)
        slopes = np.exp(bends[:, below] * (below + 1 - along) + bends[:, below + 1] * (along - below))
        risen = np.concatenate([np.zeros((len(slopes), 1)), np.cumsum(slopes, axis=1)], axis=1)
        curve = risen / risen[:, -1:]
        return {"curve": np.where(severity[:, None] > 0, curve, _KNOTS)}


@dataclass(frozen=True, kw_only=True)
class Equalise(One):
    """Towards an even histogram, its slope limited as in CLAHE, but with one curve for the whole image."""

    amount: float = 0.8  # up to which part of the way
    limit: float = 3.0  # of the slope

    name: str = "equalise"

    def check(self) -> None:
        between(self.name, amount=self.amount)
        between(self.name, low=1, high=16, limit=self.limit)

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        amount = scene.numbers.uniform("amount")[:, 0] * self.amount * severity
        return {"equalise": np.stack([amount, np.full_like(amount, self.limit)], axis=1)}


@dataclass(frozen=True, kw_only=True)
class Invert(One):
    """Black for white. All or nothing, so a severity is its probability. For stress tests, and contrasts that swap."""

    name: str = "invert"
    p: float = 0.5

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        inverted = (severity > 0) & (scene.numbers.uniform("inverted")[:, 0] < self.severity)
        return {"curve": np.where(inverted[:, None], 1 - _KNOTS, _KNOTS)}
