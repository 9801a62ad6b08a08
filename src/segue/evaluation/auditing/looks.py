"""How the images of a place look beside those of another, and where what is found in them lies: numbers of each image, and
what differs in words.

An image is looked at as the network sees it. Its black border says nothing about colour and is left out of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any, Self

import cv2
import numpy as np
import numpy.typing as npt

from segue.evaluation.stressing.canvases import Masks
from segue.evaluation.stressing.coverage import nearest
from segue.files import without_nan

Floats = npt.NDArray[np.float64]

_BLACK = 0.1  # of the image's own brightest: darker is border
_FINEST = 1e-3
_GREY = 0.004  # of the whole range: a step of eight bits
_TOLD = 0.5  # steps of spread from which on a difference is told
_FEW = 3  # differences in a sentence
_USUAL = 0.95
# What differs, in words: (below, above). Of colour, two of three; which way lightness is said by red, green and blue alike.
WORDS: Mapping[str, tuple[str, str]] = {
    "lightness": ("darker", "brighter"), "redness": ("greener", "redder"), "yellowness": ("bluer", "yellower"),
    "contrast": ("less contrast", "more contrast"), "sharpness": ("less sharp", "sharper"),
    "border": ("less black border", "more black border"), "area": ("finds smaller ones", "finds larger ones"),
    "across": ("finds them further left", "finds them further right"),
    "down": ("finds them higher up", "finds them further down"),
}  # fmt: skip
OF_IMAGES = ("lightness", "redness", "yellowness", "contrast", "sharpness", "border")


@dataclass(frozen=True)
class Look:
    """Of one image, and of what is found there."""

    red: float  # means, 0 to 1
    green: float
    blue: float
    contrast: float  # spread of the brightness
    sharpness: float  # logarithm of how much neighbouring pixels differ, beside the contrast
    border: float  # share that is black
    area: float  # logarithm of the share that is found; not a number: nothing is
    across: float  # its middle, 0 to 1
    down: float

    def as_json(self) -> dict[str, Any]:
        return without_nan(self)

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        return cls(**{one.name: math.nan if given[one.name] is None else given[one.name] for one in fields(cls)})


class Looking:
    """Of one case, canvas by canvas: the mean over them."""

    def __init__(self) -> None:
        self.rows: list[Floats] = []

    def add(self, image: npt.NDArray[Any], valid: Masks, found: Masks) -> None:
        whole = float(np.iinfo(image.dtype).max)
        shown = image.astype(np.float32) / whole
        shown = shown[:, :, :3] if shown.shape[2] >= 3 else np.repeat(shown[:, :, :1], 3, axis=2)
        brightness = shown.max(axis=2)
        inside = valid & (brightness > _BLACK * float(np.percentile(brightness[valid], 99.5)))
        colours = shown[inside if inside.any() else valid]
        grey = shown.mean(axis=2)
        contrast = float(colours.mean(axis=1).std())
        edges = float(np.abs(cv2.Laplacian(grey, cv2.CV_32F))[inside].mean()) if inside.any() else 0.0
        sharpness = math.log(max(edges, _FINEST * _FINEST) / max(contrast, _FINEST))
        there = found & valid
        place = [math.nan, math.nan, math.nan]
        if there.any():
            rows, columns = np.nonzero(there)
            height, width = there.shape
            place = [math.log(there.sum() / valid.sum()), float(columns.mean()) / width, float(rows.mean()) / height]
        border = 1 - inside.sum() / valid.sum()
        self.rows.append(np.array([*colours.mean(axis=0), contrast, sharpness, border, *place]))

    def found(self) -> Look:
        rows = np.array(self.rows)
        known = ~np.isnan(rows)
        means = np.where(known.any(axis=0), np.nansum(rows, axis=0) / np.maximum(known.sum(axis=0), 1), np.nan)
        return Look(*map(float, means))


def colourless(looks: Sequence[Look]) -> bool:
    """Whether most of them are grey: red, green and blue are alike."""
    spread = np.array([max(one.red, one.green, one.blue) - min(one.red, one.green, one.blue) for one in looks])
    return bool((spread < _GREY).mean() > 0.5)


def traits(looks: Sequence[Look], *, swapped: bool = False) -> dict[str, Floats]:
    """By name, as in `WORDS`: colour as an eye sees it (CIELAB). `swapped`: as if red and blue were taken for each other."""
    rows = np.array([astuple(one) for one in looks], np.float64).reshape(-1, len(fields(Look)))
    colours = rows[:, 2::-1] if swapped else rows[:, :3]
    lab = cv2.cvtColor(np.ascontiguousarray(colours[None], np.float32), cv2.COLOR_RGB2Lab)[0].astype(np.float64)
    names = ("contrast", "sharpness", "border", "area", "across", "down")
    found = dict(zip(("lightness", "redness", "yellowness"), lab.T, strict=True))
    return found | dict(zip(names, rows[:, 3:].T, strict=True))


# Below these a spread is that of a few images that happen to be alike.
_LEAST = {
    "lightness": 2.0, "redness": 1.0, "yellowness": 1.0, "contrast": 0.01, "sharpness": 0.1, "border": 0.02, "area": 0.3,
    "across": 0.05, "down": 0.05,
}  # fmt: skip


@dataclass(frozen=True)
class Usual:
    """How images of one place look: middle and spread of each trait."""

    middle: Mapping[str, float]
    spread: Mapping[str, float]

    @classmethod
    def of(cls, looks: Sequence[Look]) -> Usual:
        found = traits(looks)
        known = {name: values[~np.isnan(values)] for name, values in found.items()}
        return cls(
            {name: float(values.mean()) if len(values) else math.nan for name, values in known.items()},
            {name: max(_LEAST[name], float(values.std()) if len(values) else 0.0) for name, values in known.items()},
        )

    def steps(self, looks: Sequence[Look], *, swapped: bool = False) -> dict[str, Floats]:
        """By trait, how many spreads each image lies from the middle."""
        found = traits(looks, swapped=swapped)
        return {name: (values - self.middle[name]) / self.spread[name] for name, values in found.items()}

    def places(self, looks: Sequence[Look], *, swapped: bool = False) -> Floats:
        """(images, traits) of what they show and not of what is found there, in spreads."""
        steps = self.steps(looks, swapped=swapped)
        return np.column_stack([steps[name] for name in OF_IMAGES])

    def distances(self, looks: Sequence[Look], *, swapped: bool = False) -> Floats:
        """Of each image; 1 is usual."""
        return np.asarray(np.sqrt((self.places(looks, swapped=swapped) ** 2).mean(axis=1)))


def strange(known: Mapping[str, Sequence[Look]], looks: Sequence[Look], home: Usual) -> npt.NDArray[np.bool_]:
    """Which images look like none that is known: farther from the nearest than, of those known, nineteen in twenty lie from
    the nearest of another family. `known`: by family."""
    families = {family: home.places(own) for family, own in known.items()}
    usual = [
        nearest(own, np.concatenate([rest for other, rest in families.items() if other != family]))[0]
        for family, own in families.items()
        if len(families) > 1
    ]
    if not usual:
        return np.zeros(len(looks), np.bool_)
    far = float(np.quantile(np.concatenate(usual), _USUAL))
    return np.asarray(nearest(home.places(looks), np.concatenate(list(families.values())))[0] > far)


@dataclass(frozen=True)
class Difference:
    """Of one trait: the mean of a place, and of the source, in spreads of the source."""

    name: str
    steps: float

    @property
    def words(self) -> str:
        return WORDS[self.name][int(self.steps > 0)]


def differences(usual: Usual, looks: Sequence[Look]) -> tuple[Difference, ...]:
    """Of every trait that is known, the largest first."""
    found = []
    for name, values in usual.steps(looks).items():
        known = values[~np.isnan(values)]
        if len(known):
            found.append(Difference(name, float(known.mean())))
    return tuple(sorted(found, key=lambda one: -abs(one.steps)))


def told(found: Sequence[Difference]) -> str:
    """What differs most, in words; empty where little does."""
    much = [one for one in found if abs(one.steps) >= _TOLD]
    return ", ".join(f"{one.words} ({one.steps:+.1f} spreads)" for one in much[:_FEW])
