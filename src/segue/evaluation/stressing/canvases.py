"""Cases as a network sees them, one canvas after the other, for what is asked of predictions where they are made."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from segue.data.geometry import Fit
from segue.data.target import Target
from segue.data.volumes.slices import stacked
from segue.errors import BadInput, SegueError
from segue.evaluation.judging.subject import Labels, Subject, Truths
from segue.evaluation.predicting.decision import masks, plain_decision
from segue.evaluation.predicting.frame import Frame, Levels
from segue.evaluation.predicting.predict import BATCH, Picture, Predictor
from segue.evaluation.predicting.stack import Stack, in_the_middle
from segue.variations import warp

FEWEST = 8  # cases of which a rank correlation is told

Masks = npt.NDArray[np.bool_]


def demand_canvases(frame: Frame, what: str) -> None:
    if frame.volumes is not None and frame.volumes.patch is not None:
        raise BadInput(f"a network that sees patches of volumes cannot be asked {what}: its patches hang together")


def opened(subject: Subject, name: str, frame: Frame, truths: Truths) -> tuple[Picture | Stack, Labels]:
    try:
        given = subject.picture(frame)
        native = given.native if isinstance(given, Picture) else given.placement.native
        return given, truths.of(subject, native)
    except SegueError as error:
        raise BadInput(f"{name}: {error.message}") from None


def canvases(
    given: Picture | Stack, truth: Labels | None, frame: Frame
) -> Iterator[tuple[Levels, Labels | None, warp.Floats | None]]:
    """What is rendered: a picture, or the slices of a volume, with its labels, where they are known, and where it stands on
    the canvas."""
    if isinstance(given, Picture):
        stored = given.levels[0].shape
        labelled = None if truth is None else Fit(given.native, (stored[0], stored[1])).labels(truth)
        yield frame.accept(given.levels), labelled, None
        return
    assert frame.volumes is not None
    labels = None if truth is None else given.placement.labels(truth)
    size = (given.voxels.shape[1], given.voxels.shape[2])
    onto = warp.at_corner(frame.size, in_the_middle(size, frame.size))
    for number in range(len(given.voxels)):
        one = None if labels is None else labels[number]
        yield [stacked(given.voxels, number, frame.volumes.neighbours)], one, onto


def decided(
    predictor: Predictor, images: Sequence[npt.NDArray[Any]], target: Target, threshold: float
) -> dict[str, Masks]:
    """By class (n, height, width)."""
    maps = [predictor(np.stack(images[start : start + BATCH])) for start in range(0, len(images), BATCH)]
    return masks(plain_decision(np.concatenate(maps).swapaxes(0, 1), target, threshold), target)


def rank(pairs: Sequence[tuple[float, float]]) -> float:
    """Spearman's correlation; not a number: too few, or all alike."""
    if len(pairs) < FEWEST or any(len({pair[side] for pair in pairs}) == 1 for side in (0, 1)):
        return math.nan
    return float(stats.spearmanr(*zip(*pairs, strict=True)).statistic)
