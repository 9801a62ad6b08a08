"""Brightness, contrast, saturation and hue: one matrix for each image.

Contrast turns about the image's own mean, so it changes neither its brightness nor its tint. An image of one channel,
or of other than three, is scaled and shifted as a grey picture would be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segue.variations.variation import Floats, One, Parts, Scene, between

LUMA = np.array([0.299, 0.587, 0.114])
_TO_YIQ = np.array([LUMA, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


@dataclass(frozen=True, kw_only=True)
class Colour(One):
    brightness: float = 0.2  # factor 1 - 0.2 .. 1 + 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    hue: float = 0.02  # of the colour circle, either way

    name: str = "colour"

    def check(self) -> None:
        between(self.name, brightness=self.brightness, contrast=self.contrast, saturation=self.saturation)
        between(self.name, high=0.5, hue=self.hue)

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        brightness, contrast, saturation, hue = (scene.numbers.signed("jitter", 4) * severity[:, None]).T
        return {
            "colour": colour(
                1 + self.brightness * brightness,
                1 + self.contrast * contrast,
                1 + self.saturation * saturation,
                2 * np.pi * self.hue * hue,
            )
        }


def colour(brightness: Floats, contrast: Floats, saturation: Floats, hue: Floats) -> Floats:
    """(n, 3, 7) from factors and an angle, each (n,)."""
    cosine, sine = np.cos(hue), np.sin(hue)
    turn = np.zeros((len(hue), 3, 3))
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = cosine * saturation
    turn[:, 1, 2], turn[:, 2, 1] = -sine * saturation, sine * saturation
    # Away from the identity, so that no turn at all leaves no rounding error.
    matrix = np.eye(3) + np.linalg.inv(_TO_YIQ) @ (turn - np.eye(3)) @ _TO_YIQ
    matrix = matrix * brightness[:, None, None]
    return np.concatenate([matrix * contrast[:, None, None], matrix, np.zeros((len(hue), 3, 1))], axis=2)


def brightness(amount: float = 0.2, p: float = 1.0, severity: float = 1.0) -> Colour:
    return Colour(name="brightness", brightness=amount, contrast=0, saturation=0, hue=0, p=p, severity=severity)


def contrast(amount: float = 0.2, p: float = 1.0, severity: float = 1.0) -> Colour:
    return Colour(name="contrast", brightness=0, contrast=amount, saturation=0, hue=0, p=p, severity=severity)


def saturation(amount: float = 0.3, p: float = 1.0, severity: float = 1.0) -> Colour:
    return Colour(name="saturation", brightness=0, contrast=0, saturation=amount, hue=0, p=p, severity=severity)


def hue(amount: float = 0.05, p: float = 1.0, severity: float = 1.0) -> Colour:
    return Colour(name="hue", brightness=0, contrast=0, saturation=0, hue=amount, p=p, severity=severity)
