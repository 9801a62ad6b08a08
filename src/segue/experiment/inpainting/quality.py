"""How real what was painted looks, in images that the painter has never seen, beside two fills that have learnt nothing.

In the same holes: how far from what was there (L1, SSIM), though that is only one of the many that could have been there; and
whether a network that is trained for it tells filled windows from real ones of other images (area under the ROC curve: .5, it
cannot). It must see through a mean colour, or its word means nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segue.evaluation.statistics import separation
from segue.experiment import assemble
from segue.experiment.inpainting.fit import Learnt
from segue.training.batches import Batches
from segue.training.orders import InTurn
from segue.training.painting import HOLE, INSIDE, HoleExample, Painting
from segue.training.windows import stacked
from segue.variations import parse
from segue.variations.padding import CONSTANT

Windows = npt.NDArray[Any]
_TRAINED, _TESTED = 1200, 300  # windows that the one who tells apart learns from, and is asked about
STEPS, _PAIRS, _RATE = 600, 8, 2e-3
_SEED = 7
_BLUR, _STABLE = 1.5, (0.01**2, 0.03**2)  # of SSIM, as published


@dataclass(frozen=True)
class Holes:
    """Windows as they are, where each has its hole, and what their masks say."""

    images: Windows  # (n, side, side, channels)
    hole: npt.NDArray[np.bool_]
    inside: npt.NDArray[np.bool_]
    cases: tuple[str, ...]


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

    def as_json(self) -> dict[str, Any]:
        fills = {one.name: {"off": one.off, "ssim": one.ssim, "told_apart": one.told, "lesions": one.lesions,
                            "healthy": one.healthy} for one in self.fills}  # fmt: skip
        return {"windows": self.windows, "variety": self.variety, "fills": fills}


def quality(learnt: Learnt, painting: Painting, tick: Callable[[], None] = lambda: None) -> Quality:
    """Of a painter, by the windows of training images that teach who tells apart, and held-back ones that are asked about."""
    several = [holes(learnt.examples, _TRAINED, learnt.side, tick), holes(learnt.held, _TESTED, learnt.side, tick)]
    fills = {
        "a mean colour": _mean_colour,
        **({"what is around, drawn in": _around} if several[0].images.dtype == np.uint8 else {}),
        "the painter": lambda given: filled(painting, given, 0, tick),
    }
    found = []
    for name, fill in fills.items():
        taught, asked = map(fill, several)
        told = told_apart((several[0], taught), (several[1], asked), tick)
        found.append(_fill(name, several[1], asked, told))
    both = (asked, filled(painting, several[1], 1, tick))
    apart = _in_holes(np.abs(_unit(both[0]) - _unit(both[1])).mean(3), several[1].hole)
    return Quality(tuple(found), float(apart.mean()), len(asked), several[1], both)


def ticks() -> int:
    """Of a measurement: windows cut and painted, and steps of those who tell apart."""
    return 2 * _TRAINED + 3 * _TESTED + 3 * STEPS


def holes(examples: Sequence[HoleExample], count: int, side: int, tick: Callable[[], None] = lambda: None) -> Holes:
    """So many windows, the images in turn; always the same ones."""
    order = InTurn(len(examples), _SEED)
    batches = Batches(examples, order, [parse("none")], size=(side, side), batch=1, padding=CONSTANT)
    parcels = []
    for step in range(count):
        parcels.append(batches[step])
        tick()
    codes = np.concatenate([parcel.stored[0].target for parcel in parcels])
    images = np.concatenate([parcel.stored[0].images for parcel in parcels])
    return Holes(images, (codes & HOLE) > 0, (codes & INSIDE) > 0, tuple(parcel.cases[0] for parcel in parcels))


def filled(painting: Painting, given: Holes, draw: int, tick: Callable[[], None] = lambda: None) -> Windows:
    """By the painter; another draw is another noise."""
    found = []
    for number, (image, hole, inside) in enumerate(zip(given.images, given.hole, given.inside, strict=True)):
        found.append(painting.window(image, hole, inside, draw * len(given.images) + number))
        tick()
    return np.stack(found)


def _mean_colour(given: Holes) -> Windows:
    found = given.images.copy()
    for image, hole in zip(found, given.hole, strict=True):
        image[hole] = image[~hole].mean(0) if (~hole).any() else image.mean((0, 1))
    return found


def _around(given: Holes) -> Windows:
    """Telea's method: from the edge inwards."""
    each = [
        cv2.inpaint(np.ascontiguousarray(image), hole.astype(np.uint8), 3, cv2.INPAINT_TELEA).reshape(image.shape)
        for image, hole in zip(given.images, given.hole, strict=True)
    ]
    return np.stack(each)


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


def told_apart(
    taught: tuple[Holes, Windows], asked: tuple[Holes, Windows], tick: Callable[[], None] = lambda: None
) -> float:
    """How well a network learns to tell filled windows from real ones, on windows of other images."""
    real, false = (_stack(taught[0], images) for images in (taught[0].images, taught[1]))
    with assemble.seeded(_SEED, "telling apart"):
        network = _teller(real.shape[1])
        optimiser = torch.optim.AdamW(network.parameters(), _RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
        for step in range(STEPS):
            rows = torch.randint(len(real), (_PAIRS,))
            both = torch.cat([real[rows], false[rows]])
            both = both.flip([axis for axis, turn in ((2, 2), (3, 1)) if step & turn])
            said = _said(network, both)
            loss = F.binary_cross_entropy_with_logits(said, (torch.arange(len(both)) < _PAIRS).float())
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()
            tick()
        network.eval()
        with torch.inference_mode():
            scores = [
                torch.cat([_said(network, one) for one in torch.split(_stack(asked[0], images), 16)]).numpy()
                for images in (asked[0].images, asked[1])
            ]
    return separation(scores[0], scores[1])


def _stack(given: Holes, images: Windows) -> Tensor:
    return torch.from_numpy(np.stack([stacked(*each) for each in zip(images, given.hole, given.inside, strict=True)]))


def _teller(channels: int) -> nn.Module:
    """Another than the painter's critic, which must not be too sure: this one is to be as sure as it can. It begins at full
    size, since what gives a fill away is fine."""
    layers: list[nn.Module] = []
    for have, want, stride in ((channels, 16, 1), (16, 32, 2), (32, 64, 2), (64, 64, 2)):
        layers += [nn.Conv2d(have, want, 3, stride, 1, bias=False), nn.BatchNorm2d(want), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(64, 1, 1))


def _said(network: nn.Module, given: Tensor) -> Tensor:
    """(n,): over the cells that the hole reaches into."""
    cells: Tensor = network(given - 0.5)
    hole: Tensor = F.adaptive_max_pool2d(given[:, -2:-1], cells.shape[2:])
    return (cells * hole).flatten(1).sum(1) / hole.flatten(1).sum(1).clamp(min=1)
