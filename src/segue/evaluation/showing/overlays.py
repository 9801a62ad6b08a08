"""Pictures of predictions: the truth's outline and the prediction's over the image.

The truth is a solid line, the prediction a dashed one, both on a dark rim. Of one class they are in two colours that every
kind of colour vision tells apart; of several each class has its own, the prediction a paler one. What does not count is
dimmed and hatched. The legend is the page's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segue.data.case import IGNORE
from segue.data.geometry import resize_labels, shrink_image
from segue.data.target import Target
from segue.errors import BadInput
from segue.evaluation.judging.subject import Labels
from segue.evaluation.predicting.decision import masks, true_masks
from segue.report.palette import Colour, class_colour, paler

Bytes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

TRUTH, PREDICTION = (0, 190, 255), (255, 228, 60)  # RGB: sky blue and yellow
LONG_SIDE = 480

_RIM, _PLAIN = (0, 0, 0), (150, 150, 150)
_DASH, _GAP = 6, 6  # pixels of the picture
_FINE = 4  # binary digits of a pixel's fraction
_DIM, _HATCH = 0.4, 9


def overlay(
    image: npt.NDArray[Any],
    truth: Labels | None,
    prediction: Labels,
    target: Target,
    *,
    long_side: int | None = LONG_SIDE,
    steps: tuple[float, ...] = (1.0, 1.0),
) -> Bytes:
    """An RGB picture of an image (height, width[, channels]), uint8 or uint16, and of labels as `decide` gives them on its
    grid. With `long_side` it is brought to that size, else it stays as it is. `steps`: how far apart rows and columns are, so
    that it has its true form."""
    picture = _rgb(image)
    native = (picture.shape[0], picture.shape[1])
    for labels, what in ((truth, "truth"), (prediction, "prediction")):
        if labels is not None and labels.shape[-2:] != native:
            raise BadInput(f"a {what} of shape {labels.shape} on an image of {native[1]} x {native[0]}")
    extent = (native[0] * steps[0], native[1] * steps[1])
    scale = 1 / min(steps) if long_side is None else long_side / max(extent)
    size = (max(1, round(extent[0] * scale)), max(1, round(extent[1] * scale)))
    picture = _resized(picture, size)
    if truth is not None:
        _hatch(picture, truth, size)
    true = {} if truth is None else _outlines(truth, target, size)
    guessed = {
        name: [piece for line in lines for piece in _dashes(line)]
        for name, lines in _outlines(prediction, target, size).items()
    }
    for drawn, closed in ((true, True), (guessed, False)):
        for lines in drawn.values():
            _draw(picture, lines, _RIM, 4, closed)
    colours = _colours(target)
    for number, (drawn, closed) in enumerate(((true, True), (guessed, False))):
        for name, lines in drawn.items():
            _draw(picture, lines, colours[name][number], 2, closed)
    return picture


def legend(target: Target) -> tuple[tuple[Colour, str], ...]:
    """Of such a picture: colours, and what they show."""
    if len(target.foreground) == 1:
        return ((TRUTH, "as annotated (solid)"), (PREDICTION, "as predicted (broken)"))
    each = tuple((true, name) for name, (true, _) in _colours(target).items())
    return (*each, (_PLAIN, "solid: as annotated"), (paler(_PLAIN), "broken and paler: as predicted"))


def _colours(target: Target) -> dict[str, tuple[Colour, Colour]]:
    """Of a class the truth's and the prediction's."""
    if len(target.foreground) == 1:
        return {target.foreground[0]: (TRUTH, PREDICTION)}
    return {name: (class_colour(place), paler(class_colour(place))) for place, name in enumerate(target.foreground)}


def _rgb(image: npt.NDArray[Any]) -> Bytes:
    planes = image[..., None] if image.ndim == 2 else image
    if planes.dtype == np.uint16:
        planes = planes // 257
    if planes.shape[2] != 3:  # grey, or channels that are no colours
        planes = np.repeat(planes[..., :1], 3, axis=2)
    return np.ascontiguousarray(planes, np.uint8)


def _resized(picture: Bytes, size: tuple[int, int]) -> Bytes:
    if max(size) < max(picture.shape[:2]):
        return np.ascontiguousarray(shrink_image(picture, size), np.uint8)
    return np.asarray(cv2.resize(picture, (size[1], size[0]), interpolation=cv2.INTER_LINEAR), np.uint8)


def _hatch(picture: Bytes, truth: Labels, size: tuple[int, int]) -> None:
    """What does not count, for any class."""
    ignored = (truth == IGNORE).reshape(-1, *truth.shape[-2:]).all(axis=0)
    if not ignored.any():
        return
    there = resize_labels(ignored.view(np.uint8), size) > 0
    down, across = np.indices(size, sparse=True)
    lines = (down + across) % _HATCH < 2
    picture[there] = (picture[there] * _DIM).astype(np.uint8)
    picture[there & lines] += 50


def _outlines(labels: Labels, target: Target, size: tuple[int, int]) -> dict[str, list[npt.NDArray[np.float64]]]:
    """By class, (points, 2) of x and y in the picture, closed."""
    scale = np.array([size[1] / labels.shape[-1], size[0] / labels.shape[-2]])
    found: dict[str, list[npt.NDArray[np.float64]]] = {}
    several = true_masks(labels, target) if labels.ndim == 2 else masks(labels, target)
    for name, mask in several.items():
        lines, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        found[name] = [(line[:, 0].astype(np.float64) + 0.5) * scale - 0.5 for line in lines]
    return found


def _dashes(line: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
    closed = np.concatenate([line, line[:1]])
    steps = np.hypot(*np.diff(closed, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    if along[-1] < _DASH + _GAP:
        return [closed]
    # A whole number of dashes, evenly, at places between the points too.
    period = along[-1] / max(1, round(along[-1] / (_DASH + _GAP)))
    found = []
    for start in np.arange(0, along[-1] - period / 2, period):
        stop = start + period * _DASH / (_DASH + _GAP)
        places = np.unique(np.concatenate([[start, stop], along[(along > start) & (along < stop)]]))
        found.append(np.stack([np.interp(places, along, closed[:, axis]) for axis in (0, 1)], axis=1))
    return found


def _draw(picture: Bytes, lines: Sequence[npt.NDArray[np.float64]], colour: Colour, width: int, closed: bool) -> None:
    whole = [np.round(line * 2**_FINE).astype(np.int32).reshape(-1, 1, 2) for line in lines]
    cv2.polylines(picture, whole, closed, colour, width, cv2.LINE_AA, _FINE)
