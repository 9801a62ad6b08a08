"""The numbers of one case against MONAI's: Dice, HD95, ASSD and NSD of the same masks, on one thread, in turns.

Mark: at least 5 times as fast, with the same values. MONAI is called as its documentation says, a function for each
number, on tensors that are ready, with NSD and without it; "shared" is a craftsman's way, MONAI's own helper called once
and all three numbers taken from its distances. Segue's column is all that `score` does, lesions included. Masks are smooth
blobs; of fair predictions the border lies within a few pixels, of poor ones it is far off.

    python -m benchmarks.metrics_speed
"""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from monai.metrics import (
    compute_average_surface_distance,
    compute_dice,
    compute_hausdorff_distance,
    compute_surface_dice,
)
from monai.metrics.utils import get_edge_surface_distance
from scipy import ndimage

from benchmarks.common import in_turns, ratio, save
from segue.evaluation.judging.metrics import Scores, score

SHAPES: dict[str, tuple[tuple[int, ...], tuple[float, ...]]] = {
    "2-D 256x256": ((256, 256), (1.0, 1.0)),
    "2-D 1024x768": ((768, 1024), (1.0, 1.0)),
    "3-D 128^3": ((128, 128, 128), (1.0, 1.0, 1.0)),
    "3-D 128^3, slices of 3 mm": ((128, 128, 128), (3.0, 0.8, 0.8)),
}
QUALITY = {"fair": (0.02, 0.02), "poor": (0.12, 0.04)}  # how far shifted, how much larger
TOLERANCE = 2.03  # between the distances of the grid: a rounding of float32 must not decide
_CASES = {2: 16, 3: 3}
_TURNS = {2: 9, 3: 5}
MARK = 5.0

Mask = npt.NDArray[np.bool_]


def blob(shape: tuple[int, ...], numbers: np.random.Generator, shift: float, grow: float) -> tuple[Mask, Mask]:
    """A truth and a prediction of it: another place, another size, another roughness, and a speck beside."""
    axes = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij")

    def field() -> npt.NDArray[np.float64]:
        coarse = numbers.normal(size=[7] * len(shape))
        return np.asarray(ndimage.zoom(coarse, [size / 7 for size in shape], order=3))

    common, own = field(), field()
    radius = np.sqrt(sum(axis**2 for axis in axes))
    moved = np.sqrt(sum((axis - shift) ** 2 for axis in axes))
    speck = np.sqrt(sum((axis - 0.75) ** 2 for axis in axes))
    truth = radius < 0.5 * (1 + 0.15 * common)
    prediction = (moved < (0.5 + grow) * (1 + 0.15 * common + 0.03 * own)) | (speck < 0.05)
    return prediction, truth


def by_functions(
    prediction: torch.Tensor, truth: torch.Tensor, spacing: tuple[float, ...], *, nsd: bool = True
) -> list[float]:
    every: dict[str, Any] = {"include_background": True, "spacing": spacing}
    numbers = [
        compute_dice(prediction, truth, include_background=True),
        compute_hausdorff_distance(prediction, truth, percentile=95, **every),
        compute_average_surface_distance(prediction, truth, symmetric=True, **every),
    ]
    if nsd:
        numbers.append(compute_surface_dice(prediction, truth, class_thresholds=[TOLERANCE], **every))
    return [float(number) for number in numbers]


def by_shared_distances(prediction: torch.Tensor, truth: torch.Tensor, spacing: tuple[float, ...]) -> list[float]:
    dice = compute_dice(prediction, truth, include_background=True)
    _, distances, _ = get_edge_surface_distance(prediction[0, 0], truth[0, 0], spacing=spacing, symmetric=True)
    both = torch.cat(distances)
    hd95 = max(float(torch.quantile(each, 0.95)) for each in distances)
    return [float(dice), hd95, float(both.mean()), float((both <= TOLERANCE).float().mean())]


def _tensor(mask: Mask) -> torch.Tensor:
    return torch.from_numpy(mask)[None, None].float()


def told(scores: Scores) -> list[float]:
    return [scores.dice, scores.hd95, scores.assd, scores.nsd]


def measure(shape: tuple[int, ...], spacing: tuple[float, ...], quality: str) -> dict[str, Any]:
    numbers = np.random.default_rng([*shape, *quality.encode()])
    pairs = [blob(shape, numbers, *QUALITY[quality]) for _ in range(_CASES[len(shape)])]
    tensors = [(_tensor(prediction), _tensor(truth)) for prediction, truth in pairs]

    def ours() -> list[list[float]]:
        return [told(score(*pair, spacing=spacing, tolerance=TOLERANCE)) for pair in pairs]

    def theirs() -> list[list[float]]:
        return [by_functions(*pair, spacing) for pair in tensors]

    def fewer() -> list[list[float]]:
        return [by_functions(*pair, spacing, nsd=False) for pair in tensors]

    def shared() -> list[list[float]]:
        return [by_shared_distances(*pair, spacing) for pair in tensors]

    sides: dict[str, Callable[[], list[list[float]]]] = {
        "ours": ours,
        "theirs": theirs,
        "fewer": fewer,
        "shared": shared,
    }
    values = {name: np.array(side()) for name, side in sides.items()}
    apart = max(float(np.abs(values[name] / values["ours"] - 1).max()) for name in ("theirs", "shared"))
    seconds = in_turns(_TURNS[len(shape)], **sides)
    return {
        "cases": len(pairs),
        "dice": float(values["ours"][:, 0].mean()),
        "hd95": float(values["ours"][:, 1].mean()),
        **{f"{name}_ms": 1000 * statistics.median(taken) / len(pairs) for name, taken in seconds.items()},
        "times": 1 / ratio(seconds["ours"], seconds["theirs"]),
        "times_without_nsd": 1 / ratio(seconds["ours"], seconds["fewer"]),
        "times_shared": 1 / ratio(seconds["ours"], seconds["shared"]),
        "largest_relative_difference": apart,
    }


def main() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    warnings.filterwarnings("ignore", category=FutureWarning)
    rows = {}
    for name, (shape, spacing) in SHAPES.items():
        for quality in QUALITY:
            row = rows[f"{name}, {quality}"] = measure(shape, spacing, quality)
            print(
                f"{name:27} {quality} (Dice {row['dice']:.2f}, HD95 {row['hd95']:.1f}): {row['ours_ms']:.2f} ms, "
                f"MONAI {row['theirs_ms']:.2f} ms = {row['times']:.1f} x, "
                f"without NSD {row['fewer_ms']:.2f} ms = {row['times_without_nsd']:.1f} x, "
                f"its distances shared {row['shared_ms']:.2f} ms = {row['times_shared']:.1f} x, "
                f"values within {row['largest_relative_difference']:.0e}",
                flush=True,
            )
    save("metrics_speed", {"rows": rows, "least": min(row["times"] for row in rows.values()), "mark": MARK})


if __name__ == "__main__":
    main()
