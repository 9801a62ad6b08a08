"""The numbers of a validation during training: overlap alone, in a fraction of the time, by the same rules as `score`."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from segue.evaluation.judging.metrics import CHALLENGE_IOU, Scores

Mask = npt.NDArray[np.bool_]


def overlap(prediction: Mask, truth: Mask, counts: Mask | None = None) -> Scores:
    """What needs neither borders nor components; those are not a number, and 0."""
    counted = truth.size
    if counts is not None:
        prediction, truth, counted = prediction & counts, truth & counts, int(np.count_nonzero(counts))
    true, predicted = int(np.count_nonzero(truth)), int(np.count_nonzero(prediction))
    return of_areas(int(np.count_nonzero(prediction & truth)) if true and predicted else 0, predicted, true, counted)


def of_areas(both: int, predicted: int, true: int, counted: int) -> Scores:
    if not counted:
        dice = iou = precision = sensitivity = math.nan
        empty = "uncounted"
    elif not true or not predicted:
        dice = iou = precision = sensitivity = float(true == predicted)
        empty = "both" if true == predicted else "prediction" if true else "truth"
    else:
        dice, iou = 2 * both / (true + predicted), both / (true + predicted - both)
        precision, sensitivity, empty = both / predicted, both / true, ""
    return Scores(
        dice=dice,
        iou=iou,
        precision=precision,
        sensitivity=sensitivity,
        nsd=math.nan,
        hd95=math.nan,
        assd=math.nan,
        thresholded_jaccard=iou if not iou < CHALLENGE_IOU else 0.0,
        lesions=0,
        lesions_found=0,
        false_lesions=0,
        truth_pixels=true,
        predicted_pixels=predicted,
        counted_pixels=counted,
        empty=empty,
        unit="px",
        tolerance=math.nan,
    )
