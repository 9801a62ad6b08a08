"""The metrics again, slowly and from their definitions: loops over pixels, no library but NumPy's arrays."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[Any]
Place = tuple[int, ...]


def pixels(mask: Mask) -> list[Place]:
    return [place for place in np.ndindex(mask.shape) if mask[place]]


def border(mask: Mask) -> list[Place]:
    inside = set(pixels(mask))

    def open_(place: Place) -> bool:
        for axis, step in itertools.product(range(mask.ndim), (-1, 1)):
            if tuple(at + step * (axis == number) for number, at in enumerate(place)) not in inside:
                return True
        return False

    return [place for place in inside if open_(place)]


def directed(one: Mask, other: Mask, spacing: tuple[float, ...]) -> list[float]:
    def apart(a: Place, b: Place) -> float:
        return math.sqrt(sum(((x - y) * mm) ** 2 for x, y, mm in zip(a, b, spacing, strict=True)))

    target = border(other)
    return [min(apart(place, there) for there in target) for place in border(one)]


def percentile(values: list[float], share: float) -> float:
    ordered, place = sorted(values), (len(values) - 1) * share
    low = math.floor(place)
    return ordered[low] + (ordered[min(low + 1, len(ordered) - 1)] - ordered[low]) * (place - low)


def components(mask: Mask) -> list[set[Place]]:
    left, found = set(pixels(mask)), []
    while left:
        front = [left.pop()]
        whole = set(front)
        while front:
            place = front.pop()
            for step in itertools.product((-1, 0, 1), repeat=mask.ndim):
                beside = tuple(at + by for at, by in zip(place, step, strict=True))
                if beside in left:
                    left.remove(beside)
                    whole.add(beside)
                    front.append(beside)
        found.append(whole)
    return found


def score(prediction: Mask, truth: Mask, spacing: tuple[float, ...], tolerance: float) -> dict[str, float]:
    p, t = set(pixels(prediction)), set(pixels(truth))
    numbers: dict[str, float] = {
        "lesions": len(components(truth)),
        "lesions_found": sum(bool(each & p) and len(each & p) * 10 >= len(each) for each in components(truth)),
        "false_lesions": sum(not each & t or len(each & t) * 10 < len(each) for each in components(prediction)),
        "truth_pixels": len(t),
        "predicted_pixels": len(p),
    }
    overlaps = ("dice", "iou", "precision", "sensitivity", "nsd", "thresholded_jaccard")
    if not p or not t:
        right = not p and not t
        worst = math.sqrt(sum((size * mm) ** 2 for size, mm in zip(truth.shape, spacing, strict=True)))
        return (
            numbers | dict.fromkeys(overlaps, float(right)) | dict.fromkeys(("hd95", "assd"), 0.0 if right else worst)
        )
    to_truth, to_prediction = directed(prediction, truth, spacing), directed(truth, prediction, spacing)
    both = to_truth + to_prediction
    iou = len(p & t) / len(p | t)
    return numbers | {
        "dice": 2 * len(p & t) / (len(p) + len(t)),
        "iou": iou,
        "precision": len(p & t) / len(p),
        "sensitivity": len(p & t) / len(t),
        "nsd": sum(distance <= tolerance for distance in both) / len(both),
        "hd95": max(percentile(to_truth, 0.95), percentile(to_prediction, 0.95)),
        "assd": sum(both) / len(both),
        "thresholded_jaccard": iou if iou >= 0.65 else 0.0,
    }
