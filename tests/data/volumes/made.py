"""Small volumes on disk: each another, with a structure that lies off the middle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.data.volumes import nifti
from segue.data.volumes.grid import Grid

SHAPE = (30, 26, 9)
SPACING = (0.8, 0.9, 3.0)


def affine() -> npt.NDArray[np.float64]:
    return np.diag([*SPACING, 1.0])


def voxels(seed: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Image and labels 0, 1, 2."""
    rng = np.random.default_rng(seed)
    i, j, k = np.indices(SHAPE)
    middle = np.array(SHAPE) * rng.uniform(0.3, 0.6, 3)
    apart = ((i - middle[0]) / 8) ** 2 + ((j - middle[1]) / 6) ** 2 + ((k - middle[2]) / 3) ** 2
    labels = (apart < 1).astype(np.uint8) + (apart < 0.3)
    coarse = np.kron(rng.uniform(0, 300, (10, 13, 3)), np.ones((3, 2, 3)))
    return (coarse + 200 * labels + rng.normal(0, 10, SHAPE)).astype(np.int16), labels


def folder(root: Path, count: int) -> Path:
    for kind in ("images", "labels"):
        (root / kind).mkdir(parents=True)
    grid = Grid.of(SHAPE, affine())
    for number in range(count):
        image, labels = voxels(number)
        nifti.write(root / f"images/{number}.nii.gz", image, grid)
        nifti.write(root / f"labels/{number}.nii.gz", labels, grid)
    return root
