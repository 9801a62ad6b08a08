"""The same values as MONAI's, where the definitions agree: docs/metrics.md."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from segue.evaluation.judging.metrics import score

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    metrics = pytest.importorskip(
        "monai.metrics", reason="MONAI is no dependency; where it is installed, values must agree"
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(
    ("shape", "spacing"),
    [((40, 50), (1.0, 1.0)), ((60, 45), (0.7, 1.3)), ((14, 20, 18), (1.0, 1.0, 1.0)), ((9, 30, 25), (3.0, 0.8, 0.8))],
)
def test_the_same_values_as_monai(shape: tuple[int, ...], spacing: tuple[float, ...]) -> None:
    import torch

    numbers = np.random.default_rng(shape)
    every: dict[str, Any] = {"include_background": True, "spacing": spacing}
    for share in (0.02, 0.3, 0.7):
        prediction, truth = (numbers.random(shape) < share for _ in range(2))
        prediction[tuple(size // 3 for size in shape)] = truth[tuple(size // 2 for size in shape)] = True
        pair = [torch.from_numpy(mask)[None, None].float() for mask in (prediction, truth)]
        got = score(prediction, truth, spacing=spacing, tolerance=2.03)
        theirs = {
            "dice": metrics.compute_dice(*pair, include_background=True),
            "iou": metrics.compute_iou(*pair, include_background=True),
            "hd95": metrics.compute_hausdorff_distance(*pair, percentile=95, **every),
            "assd": metrics.compute_average_surface_distance(*pair, symmetric=True, **every),
            "nsd": metrics.compute_surface_dice(*pair, class_thresholds=[2.03], **every),
        }
        for name, value in theirs.items():
            assert getattr(got, name) == pytest.approx(float(value), rel=1e-6), name
