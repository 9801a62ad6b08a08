"""A class has one colour: in pictures on pages, and in the legends that other programs read."""

from __future__ import annotations

import colorsys

Colour = tuple[int, int, int]  # red, green, blue

# Bright, far from what is grey, and as far from each other as six can be for every kind of colour vision.
_FIRST: tuple[Colour, ...] = (
    (0, 220, 255), (255, 255, 40), (255, 0, 140), (140, 255, 180), (220, 0, 255), (140, 180, 0),
)  # fmt: skip


def class_colour(place: int) -> Colour:
    """Of the first class in a list, the second... Many go around the circle by the golden section, so that neighbours
    differ."""
    if place < len(_FIRST):
        return _FIRST[place]
    red, green, blue = colorsys.hsv_to_rgb(place * 0.618034 % 1, 0.75, 0.95)
    return round(255 * red), round(255 * green), round(255 * blue)


def paler(colour: Colour, share: float = 0.6) -> Colour:
    """Mixed with white."""
    red, green, blue = (round(value + (255 - value) * share) for value in colour)
    return red, green, blue
