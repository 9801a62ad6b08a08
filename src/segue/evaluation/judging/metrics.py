"""The numbers of one mask against its truth: a whole case in its own geometry, one class, two or three dimensions.

    scores = score(prediction, truth, spacing=(0.5, 0.5))
    scores.dice, scores.hd95

Nothing here knows of batches, so nothing can depend on one. docs/metrics.md is the contract, the empty rules among it:
both masks empty is right (1, or 0 apart); one empty is wrong (0, or the image's diagonal apart). Neither is ever dropped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from segue.errors import BadInput, nearest
from segue.evaluation.judging import distances
from segue.evaluation.judging.distances import Mask
from segue.evaluation.lesions import lesions

TOLERANCE = 2.0  # of NSD: millimetres, or pixels where no spacing is known
FAILED_DICE, FAILED_IOU = 0.5, 0.65  # below these a case counts as a failure
NOTHING = 0.05  # of overlap, on average: below, a class was not found at all
CHALLENGE_IOU = 0.65  # below this the skin challenge's Jaccard is 0


@dataclass(frozen=True, slots=True)
class Scores:
    """Of one case and class. Where nothing counts, all but the numbers of pixels is not a number."""

    dice: float
    iou: float
    precision: float
    sensitivity: float
    nsd: float
    hd95: float
    assd: float
    thresholded_jaccard: float
    lesions: int
    lesions_found: int
    false_lesions: int
    truth_pixels: int
    predicted_pixels: int
    counted_pixels: int
    empty: str  # "", or which mask is: "both", "truth", "prediction"; "uncounted": there is nothing to judge
    unit: str  # of distances: mm or px
    tolerance: float  # of NSD

    @property
    def present(self) -> bool:
        """Whether the structure is there, in truth."""
        return self.truth_pixels > 0

    @property
    def lesion_sensitivity(self) -> float:
        return self.lesions_found / self.lesions if self.lesions else math.nan

    @property
    def found_where_none(self) -> float:
        """1 where anything was predicted though nothing is there, 0 where not; not a number where something is."""
        return math.nan if self.present or not self.counted_pixels else float(self.predicted_pixels > 0)

    @property
    def size(self) -> float:
        """The truth's share of all pixels that count."""
        return self.truth_pixels / self.counted_pixels if self.counted_pixels else math.nan


NUMBERS = tuple(field.name for field in fields(Scores) if field.type == "float")


@dataclass(frozen=True, slots=True)
class Metric:
    name: str
    told: str
    where: Literal["present", "absent", "all"] = (
        "present"  # which cases it is averaged over: the structure is there, or not
    )
    higher_is_better: bool = True
    distance: bool = False  # in the unit of the table
    margin: float = 0.01  # two results that differ by less match


METRICS = {
    metric.name: metric
    for metric in (
        Metric("dice", "Dice"),
        Metric("iou", "IoU"),
        Metric("precision", "precision"),
        Metric("sensitivity", "sensitivity"),
        Metric("nsd", "NSD"),
        Metric("hd95", "HD95", higher_is_better=False, distance=True, margin=1.0),
        Metric("assd", "ASSD", higher_is_better=False, distance=True, margin=0.5),
        Metric("thresholded_jaccard", "thresholded Jaccard"),
        Metric("lesion_sensitivity", "lesions found"),
        Metric("false_lesions", "false lesions", where="all", higher_is_better=False, margin=0.1),
        Metric("found_where_none", "false positives where there is none", where="absent", higher_is_better=False),
    )
}


def metric_named(name: str) -> Metric:
    if name not in METRICS:
        raise BadInput(f"{name!r} is no metric ({nearest(name, METRICS)})")
    return METRICS[name]


def score(
    prediction: npt.ArrayLike,
    truth: npt.ArrayLike,
    *,
    counts: npt.ArrayLike | None = None,
    spacing: Sequence[float] | None = None,
    tolerance: float = TOLERANCE,
) -> Scores:
    """`counts` says which pixels count: the others are as if outside the image. `spacing` in millimetres, an axis each."""
    predicted, true = _mask(prediction, "the prediction"), _mask(truth, "the truth")
    if predicted.shape != true.shape or predicted.ndim not in (2, 3):
        raise BadInput(
            f"a prediction of {_size(predicted)} against a truth of {_size(true)}: both must be 2-D or 3-D and equal"
        )
    steps = (1.0,) * true.ndim if spacing is None else tuple(map(float, spacing))
    if len(steps) != true.ndim or not all(0 < step < math.inf for step in steps):
        raise BadInput(f"spacing {steps}: {true.ndim} numbers above 0 are needed")
    if not 0 <= tolerance < math.inf:
        raise BadInput(f"a tolerance of {tolerance} is none")
    counted = true.size
    if counts is not None:
        mask = _mask(counts, "what counts")
        if mask.shape != true.shape:
            raise BadInput(f"what counts is {_size(mask)}, the masks are {_size(true)}")
        predicted, true, counted = predicted & mask, true & mask, int(np.count_nonzero(mask))
    given = {"counted_pixels": counted, "unit": "px" if spacing is None else "mm", "tolerance": float(tolerance)}
    if not counted:
        return Scores(**dict.fromkeys(NUMBERS, math.nan) | _NONE | given, empty="uncounted")
    worst = math.sqrt(math.fsum((size * step) ** 2 for size, step in zip(true.shape, steps, strict=True)))
    return _scores(predicted, true, steps, worst, given)


_NONE: dict[str, Any] = dict.fromkeys(
    ("lesions", "lesions_found", "false_lesions", "truth_pixels", "predicted_pixels"), 0
)


def _scores(predicted: Mask, true: Mask, steps: tuple[float, ...], worst: float, given: dict[str, Any]) -> Scores:
    either = predicted | true
    if not either.any():
        right = dict.fromkeys(("dice", "iou", "precision", "sensitivity", "nsd", "thresholded_jaccard"), 1.0)
        return Scores(**right | _NONE | given, hd95=0.0, assd=0.0, empty="both")
    inside = distances.box(either)
    predicted, true = predicted[inside], true[inside]
    in_truth, in_prediction = int(np.count_nonzero(true)), int(np.count_nonzero(predicted))
    there, found, false = lesions(predicted, true)
    numbers: dict[str, Any] = {
        "lesions": there, "lesions_found": found, "false_lesions": false,
        "truth_pixels": in_truth, "predicted_pixels": in_prediction,
    }  # fmt: skip
    if not in_truth or not in_prediction:
        wrong = dict.fromkeys(("dice", "iou", "precision", "sensitivity", "nsd", "thresholded_jaccard"), 0.0)
        empty = "prediction" if in_truth else "truth"
        return Scores(**wrong | numbers | given, hd95=worst, assd=worst, empty=empty)
    both = int(np.count_nonzero(predicted & true))
    iou = both / (in_truth + in_prediction - both)
    borders = distances.between(predicted, true, steps)
    return Scores(
        dice=2 * both / (in_truth + in_prediction),
        iou=iou,
        precision=both / in_prediction,
        sensitivity=both / in_truth,
        nsd=borders.within(given["tolerance"]),
        hd95=borders.hd95,
        assd=borders.assd,
        thresholded_jaccard=iou if iou >= CHALLENGE_IOU else 0.0,
        **numbers,
        **given,
        empty="",
    )


def _mask(given: npt.ArrayLike, what: str) -> Mask:
    array = np.asarray(given)
    if array.dtype != bool:
        # A probability or a mask of 0 and 255 taken for true and false would be a wrong number without a word.
        if not ((array == 0) | (array == 1)).all():
            raise BadInput(f"{what} is not a mask of 0 and 1", hint="Compare with a threshold first, as in maps > 0.5.")
        array = array.astype(bool)
    return array


def _size(mask: Mask) -> str:
    return " x ".join(map(str, mask.shape)) or "one number"
