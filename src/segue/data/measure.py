"""What `explore` measures: of one case in a worker, and of sites from their cases.

The picture is made small first, which keeps means and hardly changes the spread. Its black border (around an endoscope's
view, around a head) says nothing about colour and is left out of it. The mask is taken as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segue.data.case import IGNORE, Case
from segue.data.dataset import Dataset
from segue.report import figures

LEVELS = 64  # bins of an intensity histogram
BLACK = 0.05  # of the picture's own brightest: darker is border
_FINE = 1024  # bins of 16 bits, until it is known how many of them are used
_SMALL = 256  # long side of what is measured
_SHOWN = 224  # and of what is shown
_SPECK = 1e-4  # of the picture: smaller components are specks, not lesions

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Task:
    case: Case
    colour: bool  # measure the image
    mask: bool  # measure the mask
    picture: bool  # make the small picture


@dataclass(frozen=True, slots=True)
class Colour:
    """Of one image, in its own units: 0-255, or what 16 bits hold."""

    wide: bool  # 16 bits
    top: int  # the largest value
    mean: Floats  # a number a channel, 3 or 1, of all but black
    contrast: float  # spread of the brightness, of all but black
    black: float  # share of black pixels
    counts: npt.NDArray[np.uint32]  # (channels, LEVELS or _FINE), of all but black


@dataclass(frozen=True, slots=True)
class Seen:
    channels: int
    colour: Colour | None = None
    pixels: Mapping[int, int] | None = None  # class -> pixels that count
    components: int = 0
    specks: int = 0
    picture: str = ""  # a data URI


def see(task: Task, dataset: Dataset) -> Seen:
    image = dataset.image(task.case)
    first = image[..., :3] if image.shape[2] >= 3 else image[..., :1]
    mask = dataset.mask(task.case) if task.case.labelled and (task.mask or task.picture) else None
    found: dict[str, Any] = {"channels": image.shape[2]}
    if task.colour:
        found["colour"] = _colour(_shrunk(first, _SMALL))
    if mask is not None and task.mask:
        ids, counts = np.unique(mask[mask != IGNORE], return_counts=True)
        found["pixels"] = {int(number): int(count) for number, count in zip(ids, counts, strict=True)}
        found["components"], found["specks"] = _components(mask)
    if task.picture:
        found["picture"] = figures.jpeg(_picture(_shrunk(first, _SHOWN), mask))
    return Seen(**found)


def _shrunk(image: npt.NDArray[Any], side: int) -> npt.NDArray[Any]:
    height, width = image.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    smaller = cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_AREA)
    return smaller.reshape(*smaller.shape[:2], -1)


def _colour(image: npt.NDArray[Any]) -> Colour:
    wide = image.dtype == np.uint16
    brightest = image.max(axis=2)
    bright = brightest > BLACK * float(np.percentile(brightest, 99.5))
    pixels = image[bright] if bright.any() else image.reshape(-1, image.shape[2])
    bins, shift = (_FINE, 6) if wide else (LEVELS, 2)
    counts = [np.bincount(pixels[:, i] >> shift, minlength=bins) for i in range(pixels.shape[1])]
    return Colour(
        wide=wide,
        top=int(image.max()),
        mean=pixels.mean(axis=0, dtype=np.float64),
        contrast=float(pixels.mean(axis=1, dtype=np.float64).std()),
        black=1 - float(bright.mean()),
        counts=np.stack(counts).astype(np.uint32),
    )


def _components(mask: npt.NDArray[np.uint8]) -> tuple[int, int]:
    """How many pieces the foreground has, and how many specks besides."""
    foreground = ((mask != 0) & (mask != IGNORE)).astype(np.uint8)
    _, _, about, _ = cv2.connectedComponentsWithStats(foreground, connectivity=8)
    areas = about[1:, cv2.CC_STAT_AREA]
    specks = int((areas < _SPECK * mask.size).sum())
    return len(areas) - specks, specks


def _picture(image: npt.NDArray[Any], mask: npt.NDArray[np.uint8] | None) -> figures.Bytes:
    if image.dtype == np.uint16:  # no screen shows 16 bits: from the darkest hundredth to the brightest
        low, high = np.percentile(image, (1, 99))
        image = np.clip((image - low) * (255 / max(1.0, high - low)), 0, 255).astype(np.uint8)
    plain = image[..., 0] if image.shape[2] == 1 else image
    if mask is None:
        return plain
    counted = np.where(mask == IGNORE, 0, mask).astype(np.uint8)
    return figures.contours(plain, cv2.resize(counted, plain.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT))


def full_scale(colours: Sequence[Colour]) -> int:
    """The brightest value there can be: 255, or for 16 bits the power of two above what occurs (12 bits are frequent)."""
    tops = [colour.top for colour in colours if colour.wide]
    return max(255, (1 << max(tops).bit_length()) - 1) if tops else 255


def shares(colours: Sequence[Colour], channels: int, full: int) -> Floats:
    """(channels, LEVELS): which share of the pixels has which brightness, from black to `full`; each image counts alike."""
    total = np.zeros((channels, LEVELS))
    for colour in colours:
        counts = colour.counts.astype(float)
        if colour.wide:
            used = max(LEVELS, (full + 1) * _FINE >> 16)
            counts = counts[:, :used].reshape(len(counts), LEVELS, -1).sum(axis=2)
        total += np.broadcast_to(counts / counts.sum(axis=1, keepdims=True), total.shape)
    return total / len(colours)


@dataclass(frozen=True)
class Look:
    """How the images of a site look."""

    images: int  # that were measured
    mean: tuple[int, int, int]  # colour, 0-255
    brightness: float  # 0-1
    contrast: float  # 0-1
    black: float
    distance: float | None  # from all other sites; None where there is no other
    words: str  # in which way


# Difference from the others, in words: (below, above).
_WORDS = (("darker", "brighter"), ("greener", "redder"), ("bluer", "yellower"), ("less contrast", "more contrast"))


def looks(by_site: Mapping[str, Sequence[Colour]], full: int) -> dict[str, Look]:
    """Each site against all others: the difference of their means, in units of how far images of one site lie apart."""
    rgb = {site: np.stack([_scaled(colour, full) for colour in colours]) for site, colours in by_site.items()}
    traits = {site: _traits(rgb[site], by_site[site], full) for site in by_site}
    inside = np.concatenate([one - one.mean(axis=0) for one in traits.values()])
    # A unit is at least one step of lightness or colour that an eye just sees; grey images have no colour to compare.
    unit = np.maximum(np.sqrt((inside**2).mean(axis=0)), 1.0)
    speaking = [0, 3] if all(np.allclose(colours, colours[:, :1]) for colours in rgb.values()) else [0, 1, 2, 3]
    total, count = sum(one.sum(axis=0) for one in traits.values()), len(inside)
    found = {}
    for site, colours in by_site.items():
        others = count - len(colours)
        distance, words = None, ""
        if others:
            rest = (total - traits[site].sum(axis=0)) / others
            steps = ((traits[site].mean(axis=0) - rest) / unit)[speaking]
            distance = float(np.sqrt((steps**2).mean()))
            strongest = [i for i in np.argsort(-abs(steps)) if abs(steps[i]) >= 0.5][:2]
            words = ", ".join(_WORDS[speaking[i]][int(steps[i] > 0)] for i in strongest)
        mean = rgb[site].mean(axis=0)
        found[site] = Look(
            images=len(colours),
            mean=tuple(int(round(255 * value)) for value in mean),  # type: ignore[arg-type]
            brightness=float(mean.mean()),
            contrast=float(traits[site][:, 3].mean() / 100),
            black=float(np.mean([colour.black for colour in colours])),
            distance=distance,
            words=words,
        )
    return found


def _scaled(colour: Colour, full: int) -> Floats:
    """Red, green and blue from 0 to 1."""
    scaled: Floats = np.broadcast_to(colour.mean / (full if colour.wide else 255), 3)
    return scaled


def _traits(rgb: Floats, colours: Sequence[Colour], full: int) -> Floats:
    """(images, 4): lightness, green to red, blue to yellow (CIELAB), and contrast in percent of the scale."""
    lab = cv2.cvtColor(rgb[None].astype(np.float32), cv2.COLOR_RGB2Lab)[0].astype(np.float64)
    contrast = [100 * colour.contrast / (full if colour.wide else 255) for colour in colours]
    joined: Floats = np.column_stack([lab, contrast])
    return joined
