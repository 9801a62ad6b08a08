"""A mask that is a folder of pictures, one for each slice of a DICOM series: both in the order of their files' names."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from segue.data import images
from segue.data.tree import IMAGES, suffix
from segue.data.volumes import dicom
from segue.data.volumes.volume import Volume
from segue.errors import BadInput, named


def read(folder: Path, image: Path) -> Volume:
    """On the grid of the series `image`."""
    series = dicom.only_series(image)
    grid = series.grid
    pictures = sorted(
        path for path in folder.iterdir() if suffix(path.name) in IMAGES and not path.name.startswith(".")
    )
    names = sorted(one.path for one in series.slices)
    if len(pictures) != len(names):
        raise BadInput(f"holds {len(pictures)} pictures for {len(names)} slices")
    place = {one.path: number for number, one in enumerate(series.slices)}
    voxels = np.zeros(grid.shape, np.uint8)
    for picture, path in zip(pictures, names, strict=True):
        with named(picture):
            plane = images.read_mask(picture)
            if plane.ndim != 2 or plane.shape != (grid.shape[1], grid.shape[0]):
                raise BadInput(f"is {plane.shape[1]}x{plane.shape[0]}, its slice {grid.shape[0]}x{grid.shape[1]}")
        voxels[:, :, place[path]] = plane.T
    return Volume(voxels, grid)
