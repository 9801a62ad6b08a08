"""What spoils an image, in eight ways and at five levels each: for the stress test of a network, not for training it.

A variation draws how much; here the level says how much, the same for each image, and only where and which way is drawn.
Nothing moves, so that masks stay where they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from segue.errors import BadInput, nearest
from segue.variations.colour import colour
from segue.variations.variation import Floats, One, Parts, Scene

LEVELS = (1, 2, 3, 4, 5)
_GLINTS = 8

Spoils = Callable[[Floats, Scene], Parts]  # so much of it (n,)


@dataclass(frozen=True, kw_only=True)
class Corruption(One):
    spoils: Spoils
    amount: float

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        return self.spoils(self.amount * severity, scene)


def corruption(name: str, level: int) -> Corruption:
    if name not in CORRUPTIONS:
        raise BadInput(f"no corruption is called {name!r}: {nearest(name, CORRUPTIONS)}")
    spoils, amounts = CORRUPTIONS[name]
    return Corruption(name=name, spoils=spoils, amount=amounts[LEVELS.index(level)])


def _noise(amount: Floats, scene: Scene) -> Parts:
    return {"noise": np.stack([amount, scene.numbers.uniform("place")[:, 0]], 1)}


def _blur(amount: Floats, scene: Scene) -> Parts:
    return {"blur": 2 * amount[:, None]}


def _motion(amount: Floats, scene: Scene) -> Parts:
    angle = np.pi * scene.numbers.uniform("angle")[:, 0]
    return {"motion": np.stack([np.cos(angle), np.sin(angle)], 1)[:, None] * 2 * amount[:, None, None]}


def _jpeg(amount: Floats, scene: Scene) -> Parts:
    return {"jpeg": np.round(amount[:, None])}


def _brightness(amount: Floats, scene: Scene) -> Parts:
    ones = np.ones(len(amount))
    sign = np.where(scene.numbers.uniform("sign")[:, 0] < 0.5, -1.0, 1.0)
    return {"colour": colour(1 + sign * amount, ones, ones, 0 * ones)}


def _cast(amount: Floats, scene: Scene) -> Parts:
    """A tint of any colour: channels are multiplied, their product is one."""
    angle = 2 * np.pi * (scene.numbers.uniform("tint") + np.array([0, 1 / 3, 2 / 3]))
    gain = np.exp(amount[:, None] * np.cos(angle))
    matrix = gain[:, :, None] * np.eye(3)
    return {"colour": np.concatenate([matrix, matrix, np.zeros((len(amount), 3, 1))], 2)}


def _specular(amount: Floats, scene: Scene) -> Parts:
    draws = scene.numbers.uniform("patches", 5 * _GLINTS).reshape(len(amount), _GLINTS, 5)
    half = np.array([scene.shape[1], scene.shape[0]]) / max(scene.shape)
    long = 2 * amount[:, None] * (0.5 + 0.5 * draws[:, :, 2])
    on = np.broadcast_to(0.95 * (amount > 0)[:, None], long.shape)
    places = (2 * draws[:, :, :2] - 1) * half
    short, turn = long * (0.3 + 0.7 * draws[:, :, 3]), np.pi * draws[:, :, 4]
    return {"glints": np.concatenate([places, np.stack([long, short, turn, on], 2)], 2)}


def _occlusion(amount: Floats, scene: Scene) -> Parts:
    """A black box over a share of the image, wherever; what it hides is still to be found."""
    half = np.array([scene.shape[1], scene.shape[0]]) / max(scene.shape)
    sides = half * np.sqrt(amount)[:, None]
    middle = (2 * scene.numbers.uniform("middle", 2) - 1) * (half - sides)
    box = np.zeros((len(amount), 1, 9))
    box[:, 0, 0:2], box[:, 0, 2:4], box[:, 0, 7] = middle, sides, amount > 0
    return {"erase": box}


CORRUPTIONS: dict[str, tuple[Spoils, tuple[float, ...]]] = {
    "noise": (_noise, (0.03, 0.05, 0.08, 0.12, 0.18)),  # standard deviation, white being 1
    "blur": (_blur, (0.002, 0.004, 0.007, 0.011, 0.016)),  # standard deviation, of the long side
    "motion": (_motion, (0.01, 0.02, 0.03, 0.045, 0.06)),  # of the long side
    "jpeg": (_jpeg, (70, 80, 87, 92, 96)),  # of quality, lost
    "brightness": (_brightness, (0.15, 0.25, 0.35, 0.45, 0.55)),  # more or less of it
    "colour-cast": (_cast, (0.1, 0.2, 0.3, 0.4, 0.55)),  # logarithm of a channel's gain
    "specular": (_specular, (0.01, 0.016, 0.024, 0.033, 0.045)),  # half axis of the largest, of the long side
    "occlusion": (_occlusion, (0.03, 0.06, 0.1, 0.15, 0.22)),  # of the area
}
