"""How real what was painted looks, in images that the painter has never seen, beside two fills that have learnt nothing.

In the same holes: how far from what was there (L1, SSIM), though that is only one of the many that could have been there;
whether a network that is trained for it tells filled windows from real ones of other images (area under the ROC curve: .5, it
cannot), which must see through a mean colour, or its word means nothing; and how far the holes of one half of the images are,
as an encoder of our own sees them, from those of the other half, as they are and filled (the Fréchet distance).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segue.evaluation.frechet import Distances, distances
from segue.experiment.inpainting import teller
from segue.experiment.inpainting.encoder import rows
from segue.experiment.inpainting.fit import Learnt
from segue.experiment.inpainting.holes import Holes, Windows, around, filled, holes, mean_colour
from segue.networks import SegmentationNetwork
from segue.training.painting import Painting

_TRAINED, _TESTED = 1200, 300  # windows that the one who tells apart learns from, and is asked about
_BLUR, _STABLE = 1.5, (0.01**2, 0.03**2)  # of SSIM, as published
MEAN, PAINTED = "a mean colour", "the painter"


@dataclass(frozen=True)
class Fill:
    name: str
    off: float  # of the range of colours, in the holes
    ssim: float
    told: float  # area under the curve: filled or real
    lesions: float  # off, in holes that are mostly lesion
    healthy: float


@dataclass(frozen=True)
class Quality:
    fills: tuple[Fill, ...]
    variety: float  # how far two draws of a window are from each other
    windows: int
    held: Holes
    drawn: tuple[Windows, Windows]  # of the held windows
    far: Distances | None  # as an encoder sees them; None: none was given

    def as_json(self) -> dict[str, Any]:
        fills = {one.name: {"off": one.off, "ssim": one.ssim, "told_apart": one.told, "lesions": one.lesions,
                            "healthy": one.healthy} for one in self.fills}  # fmt: skip
        far = None if self.far is None else {**self.far.as_json(), "way": self.far.way(PAINTED, MEAN)}
        return {"windows": self.windows, "variety": self.variety, "fills": fills, "frechet": far}


def quality(
    learnt: Learnt,
    painting: Painting,
    encoder: SegmentationNetwork | None = None,
    tick: Callable[[], None] = lambda: None,
) -> Quality:
    """Of a painter, by the windows of training images that teach who tells apart, and held-back ones that are asked about."""
    several = [holes(learnt.examples, _TRAINED, learnt.side, tick), holes(learnt.held, _TESTED, learnt.side, tick)]
    fills: dict[str, Callable[[Holes], Windows]] = {
        MEAN: mean_colour,
        **({"what is around, drawn in": around} if several[0].images.dtype == np.uint8 else {}),
        PAINTED: lambda given: filled(painting, given, 0, tick),
    }
    done = {name: (fill(several[0]), fill(several[1])) for name, fill in fills.items()}
    found = []
    for name, (taught, asked) in done.items():
        told = teller.told_apart((several[0], taught), (several[1], asked), tick)
        found.append(_fill(name, several[1], asked, told))
    both = (done[PAINTED][1], filled(painting, several[1], 1, tick))
    apart = _in_holes(np.abs(_unit(both[0]) - _unit(both[1])).mean(3), several[1].hole)
    far = None if encoder is None else _far(encoder, several[0], several[1], done)
    return Quality(tuple(found), float(apart.mean()), len(both[0]), several[1], both, far)


def ticks() -> int:
    """Of a measurement: windows cut and painted, and steps of those who tell apart."""
    return 2 * _TRAINED + 3 * _TESTED + 3 * teller.STEPS


def _far(
    encoder: SegmentationNetwork, taught: Holes, asked: Holes, done: dict[str, tuple[Windows, Windows]]
) -> Distances:
    """Directions are found in as many of the other images' windows as are compared."""
    some = taught.first(len(asked.images))
    aside = [rows(encoder, some, some.images)]
    aside += [rows(encoder, some, images[: len(some.images)]) for images, _ in done.values()]
    fills = {name: rows(encoder, asked, images) for name, (_, images) in done.items()}
    return distances(rows(encoder, asked, asked.images), fills, asked.cases, aside)


# Measures


def _fill(name: str, given: Holes, done: Windows, told: float) -> Fill:
    off = _in_holes(np.abs(_unit(done) - _unit(given.images)).mean(3), given.hole)
    alike = _in_holes(
        np.stack([ssim(one, other) for one, other in zip(_unit(done), _unit(given.images), strict=True)]), given.hole
    )
    lesion = _in_holes(given.inside.astype(np.float32), given.hole) > 0.5
    parts = [float(off[which].mean()) if which.any() else float("nan") for which in (lesion, ~lesion)]
    return Fill(name, float(off.mean()), float(alike.mean()), told, *parts)


def ssim(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(height, width) of two images of 0 to 1 (height, width, channels): how alike they are around each place."""

    def local(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.asarray(cv2.GaussianBlur(values, (0, 0), _BLUR), np.float32).reshape(values.shape)

    means = local(one), local(other)
    spreads = local(one * one) - means[0] ** 2, local(other * other) - means[1] ** 2
    both = local(one * other) - means[0] * means[1]
    light = (2 * means[0] * means[1] + _STABLE[0]) / (means[0] ** 2 + means[1] ** 2 + _STABLE[0])
    form = (2 * both + _STABLE[1]) / (spreads[0] + spreads[1] + _STABLE[1])
    return np.asarray((light * form).mean(2), np.float32)


def _unit(images: Windows) -> npt.NDArray[np.float32]:
    return images.astype(np.float32) / np.float32(np.iinfo(images.dtype).max)


def _in_holes(values: npt.NDArray[Any], hole: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """(n,): means over each hole."""
    inside = hole.reshape(len(hole), -1)
    found: npt.NDArray[np.float64] = (values.reshape(len(hole), -1) * inside).sum(1) / inside.sum(1).clip(1)
    return found
