"""From images to probabilities on each image's own grid: letterboxed, predicted in batches, and the letterbox undone.

A network comes in as a predictor: (n, height, width, channels) as stored in, (n, classes, height, width) of probabilities
out. Batches are filled across images, and pictures are taken one by one as they are needed, so that a folder of any
length takes no more memory than a batch; what an image gets does not depend on its neighbours.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from segue.data.geometry import Fit
from segue.data.target import Target
from segue.errors import BadInput, Failed
from segue.evaluation.predicting.frame import Frame, Levels
from segue.evaluation.predicting.patches import PatchJob
from segue.evaluation.predicting.probabilities import Maps, Probabilities, both
from segue.evaluation.predicting.stack import Stack, StackJob
from segue.evaluation.predicting.tiles import Blend, tiling
from segue.evaluation.predicting.views import seen_through
from segue.variations.drawn import Drawn
from segue.variations.opencv import render, restore

Predictor = Callable[[npt.NDArray[Any]], Maps]
T = TypeVar("T")
R = TypeVar("R")

BATCH = 8
_PIXELS, _MOST = 8 * 192 * 192, 64  # of a batch, and windows of one at most
_PATIENCE = 4  # batches that wait for a picture in front of them


@dataclass(frozen=True)
class Picture:
    """An image as prediction takes it: its stored levels, and the size that it had before."""

    levels: Levels
    native: tuple[int, int]
    name: str = "the image"


def predict(
    predictor: Predictor, pictures: Iterable[Picture], *, frame: Frame, target: Target, batch: int | None = None
) -> Iterator[Maps]:
    """Probabilities (classes, height, width) of each picture on its native grid, in order."""
    tagged = ((None, picture) for picture in pictures)
    for _, found in predict_tagged(predictor, tagged, frame=frame, target=target, batch=batch):
        assert found is not None
        yield found.whole()


def predict_array(predictor: Predictor, pixels: npt.NDArray[Any], *, frame: Frame, target: Target) -> Maps:
    """Of one image as it was read from its file: (height, width[, channels]), uint8 or uint16."""
    return next(predict(predictor, [picture_of(pixels, frame)], frame=frame, target=target))


def picture_of(pixels: npt.NDArray[Any], frame: Frame, name: str = "the image") -> Picture:
    levels = frame.levels(pixels)
    return Picture(levels, (pixels.shape[0], pixels.shape[1]), name)


def predict_tagged(
    predictor: Predictor,
    items: Iterable[tuple[T, Picture | Stack | None]],
    *,
    frame: Frame,
    target: Target,
    batch: int | None = None,
) -> Iterator[tuple[T, Probabilities | None]]:
    """Of pictures and volumes, each with a tag; a tag without one (it could not be read) passes in its turn. `batch`: windows
    at once; None: as many as their size suggests."""
    waiting: deque[tuple[T, _Job | None]] = deque()
    alike: dict[tuple[int, ...], list[_Window]] = {}  # by size: a batch is of one
    for tag, given in items:
        job = None if given is None else _job(given, frame, target)
        waiting.append((tag, job))
        if job is not None:
            windows = alike.setdefault(job.tile, [])
            most = batch or at_once(job.tile)
            for number, window in enumerate(job.windows()):
                windows.append((job, number, window))
                if len(windows) >= most:
                    _run(predictor, windows, frame, target)
                    windows.clear()
            if windows and isinstance(given, Stack):  # volumes are too large to wait for each other
                _run(predictor, windows, frame, target)
                windows.clear()
        yield from _finished(waiting)
        if len(waiting) > _PATIENCE * (batch or BATCH):  # behind one of a rare size
            first = waiting[0][1]
            assert first is not None
            _run(predictor, alike.pop(first.tile), frame, target)
            yield from _finished(waiting)
    for windows in alike.values():
        if windows:
            _run(predictor, windows, frame, target)
    yield from _finished(waiting)


def _finished(waiting: deque[tuple[T, _Job | None]]) -> Iterator[tuple[T, Probabilities | None]]:
    while waiting and (waiting[0][1] is None or waiting[0][1].done):
        tag, job = waiting.popleft()
        yield tag, None if job is None else job.found()


def at_once(tile: tuple[int, ...]) -> int:
    """Windows of a batch: of small ones more, so that a network has something to do; of large patches of volumes fewer."""
    fitting = _PIXELS // math.prod(tile)
    return max(BATCH, min(fitting, _MOST)) if len(tile) == 2 else max(1, min(fitting, BATCH))


class _Job(Protocol):
    """A picture or a volume on its way."""

    @property
    def name(self) -> str: ...

    @property
    def tile(self) -> tuple[int, ...]: ...

    @property
    def done(self) -> bool: ...

    def windows(self) -> Iterator[npt.NDArray[Any]]: ...

    def add(self, number: int, maps: Maps) -> None:
        """Of a window, by its number."""

    def found(self) -> Probabilities: ...


def _job(given: Picture | Stack, frame: Frame, target: Target) -> _Job:
    if isinstance(given, Picture):
        return _PictureJob(given, frame, target)
    patches = frame.volumes is not None and frame.volumes.patch is not None
    return PatchJob(given, frame, target) if patches else StackJob(given, frame, target)


class _PictureJob:
    def __init__(self, picture: Picture, frame: Frame, target: Target) -> None:
        self.picture, self.name, self.target = picture, picture.name, target
        self.stored = (picture.levels[0].shape[0], picture.levels[0].shape[1])
        self.plan = tiling(self.stored, frame)
        self.tile = self.plan.tile
        self.blend = Blend(self.plan)
        levels, canvas = frame.accept(picture.levels), self.plan.canvas
        self.rendered = render(Drawn.identity(1, canvas), 0, levels, None, canvas, frame.padding)
        self.done = False

    def windows(self) -> Iterator[npt.NDArray[Any]]:
        height, width = self.plan.tile
        for top, left in self.plan.windows:
            yield self.rendered.image[top : top + height, left : left + width]

    def add(self, number: int, maps: Maps) -> None:
        self.done = self.blend.add(number, maps)

    def found(self) -> Probabilities:
        """On the native grid: interpolate first, decide after."""
        maps, two = self.blend.maps, self.target.exclusive and self.target.logits == 1
        shown = maps[1:] if two else maps
        on_stored = restore(_without_padding(shown.transpose(1, 2, 0), self.rendered.valid), self.stored)
        native = Fit(self.picture.native, self.stored).probabilities_back(on_stored)
        native = native.reshape(*self.picture.native, len(shown)).transpose(2, 0, 1)
        return Probabilities.of(both(native) if two else np.ascontiguousarray(native))


def _without_padding(maps: npt.NDArray[np.float32], valid: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """(height, width, classes), the image's outermost pixels also around it: what a network says of padding would else leak
    over an edge that falls on the middle of a pixel."""
    found = np.array(maps, order="C")
    for axis in (0, 1):
        inside = np.flatnonzero(valid.any(axis=1 - axis))
        first, last = int(inside[0]), int(inside[-1])
        lines = np.moveaxis(found, axis, 0)
        lines[:first], lines[last + 1 :] = lines[first], lines[last]
    return found


_Window = tuple[_Job, int, npt.NDArray[Any]]


def _run(predictor: Predictor, windows: Sequence[_Window], frame: Frame, target: Target) -> None:
    images = np.stack([window for *_, window in windows])

    def checked(seen: npt.NDArray[Any]) -> Maps:
        maps = np.asarray(predictor(seen), np.float32)
        wanted = (len(seen), len(target.names), *seen.shape[1:-1])
        if maps.shape != wanted:
            raise BadInput(
                f"the model gives maps of shape {maps.shape}, where {wanted} belong to the classes "
                f"{', '.join(target.names)} of a batch of {len(seen)}"
            )
        if not np.isfinite(maps).all():
            named = ", ".join(dict.fromkeys(job.name for job, *_ in windows))
            raise Failed(f"the model's probabilities are not numbers, in a batch of {named}")
        return maps

    maps = seen_through(checked, images, frame.views, frame.padding)
    for (job, number, _), each in zip(windows, maps, strict=True):
        job.add(number, each)


def ahead(function: Callable[[T], R], items: Iterable[T], *, count: int = 2 * BATCH) -> Iterator[R]:
    """`function` of each item in order, done in a thread of its own while the last one's result is worked on."""
    running: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(1)
    try:
        for item in items:
            running.append(pool.submit(function, item))
            if len(running) > count:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
