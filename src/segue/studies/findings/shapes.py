"""Which cases to show before anything is known of how they fare: by their masks alone, and spread over their forms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from segue.evaluation.lesions import components

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Shape:
    """Of all that is annotated in a case; of a volume on the slice that has most of it."""

    area: float  # share of the image
    eccentricity: float  # of the ellipse that spreads alike: 0 a circle, near 1 a line
    solidity: float  # share of the convex hull that it fills
    parts: int

    @property
    def told(self) -> str:
        return (
            f"{self.area:.1%} of the image, eccentricity {self.eccentricity:.2f}, solidity {self.solidity:.2f}, "
            f"{self.parts} part{'' if self.parts == 1 else 's'}"
        )


def shape(mask: Mask) -> Shape | None:
    """None: nothing is there."""
    if mask.ndim == 3:
        mask = mask[int(mask.reshape(len(mask), -1).sum(1).argmax())]
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return None
    points = np.stack([columns, rows], axis=1).astype(np.int32)
    spread = np.cov(points.T, bias=True) if len(points) > 1 else np.zeros((2, 2))
    small, large = np.linalg.eigvalsh(spread + np.eye(2) / 12)  # a pixel is an area, and spreads too
    filled = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(filled, cv2.convexHull(points), 1)
    return Shape(
        len(points) / mask.size, float(np.sqrt(max(0.0, 1 - small / large))), len(points) / max(1, int(filled.sum())),
        components(mask)[1],
    )  # fmt: skip


def spread(shapes: Sequence[tuple[str, str, Shape]], count: int) -> list[int]:
    """Of (name, patient, shape) the places of so many: the most usual one, then always the one that is most unlike all before,
    by ranks, so that no unit counts; no patient twice while there are others."""
    if not shapes:
        return []
    numbers = np.array([[one.area, one.eccentricity, one.solidity, one.parts] for *_, one in shapes], float)
    ranks = np.stack([_ranks(column) for column in numbers.T], axis=1)
    names = [name for name, *_ in shapes]
    chosen: list[int] = []
    while len(chosen) < min(count, len(shapes)):
        used = {shapes[place][1] for place in chosen}
        free = [place for place in range(len(shapes)) if place not in chosen and shapes[place][1] not in used]
        free = free or [place for place in range(len(shapes)) if place not in chosen]
        apart = (
            -np.linalg.norm(ranks - 0.5, axis=1)
            if not chosen
            else np.min([np.linalg.norm(ranks - ranks[place], axis=1) for place in chosen], axis=0)
        )
        chosen.append(min(free, key=lambda place: (-round(float(apart[place]), 9), names[place])))
    return chosen


def _ranks(values: Iterable[float]) -> npt.NDArray[np.float64]:
    """0 to 1; those that are equal share one."""
    _, inverse, counts = np.unique(np.round(np.asarray(list(values)), 9), return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    return np.asarray((middle / counts.sum())[inverse], np.float64)
