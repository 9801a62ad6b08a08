"""NRRD and MetaImage files, read by SimpleITK. One that points to another file is refused: it may point anywhere."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from segue.data.volumes.grid import Grid
from segue.data.volumes.libraries import sitk
from segue.data.volumes.volume import MOST_VOXELS, Volume, demand_finite
from segue.errors import BadInput, named

_TO_RAS = np.diag([-1.0, -1.0, 1.0])
_DEFLATE = 1032  # bytes that one packed byte can become at most
_HEADER = 1 << 16  # bytes in which a header has to end
_ELSEWHERE = re.compile(
    rb"^\s*data ?file\s*:|^\s*ElementDataFile\s*=[ \t]*+(?!LOCAL\s*$)", re.IGNORECASE | re.MULTILINE
)


def channels(path: Path) -> int:
    return int(_header(path).GetNumberOfComponents())


def grid(path: Path) -> Grid:
    with named(path):
        return _grid(_header(path))


def read(path: Path, *, channel: int | None = None) -> Volume:
    reader = _header(path)
    several = int(reader.GetNumberOfComponents())
    if channel is None and several > 1:
        raise BadInput(f"{path}: holds {several} values a voxel, and which is meant was not said")
    if channel is not None and not 0 <= channel < several:
        raise BadInput(f"{path}: holds {several} values a voxel; there is no number {channel}")
    with named(path):
        found = _grid(reader)
        try:
            voxels = sitk().GetArrayFromImage(reader.Execute())
        except RuntimeError:
            raise BadInput("is cut short or damaged") from None
        if several > 1:
            voxels = voxels[..., channel]
        voxels = np.asarray(voxels).T.reshape(found.shape)
        demand_finite(voxels)
    return Volume(voxels, found)


def _header(path: Path) -> Any:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(_HEADER)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
    if not size:
        raise BadInput(f"{path}: is empty")
    if _ELSEWHERE.search(start.split(b"\n\n")[0]):
        raise BadInput(f"{path}: keeps its voxels in another file", hint="Save it as one file, with its voxels inside.")
    reader = sitk().ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        raise BadInput(f"{path}: is no volume that can be read, whatever its name says") from None
    sides = list(reader.GetSize())
    voxels = math.prod(sides)
    if voxels > MOST_VOXELS or voxels > size * _DEFLATE:
        raise BadInput(f"{path}: its header promises {voxels / 1e9:,.1f} thousand million voxels, which it cannot hold")
    if not 2 <= len(sides) <= 3:
        raise BadInput(f"{path}: is of shape {'x'.join(map(str, sides))}, which is no volume")
    return reader


def _grid(reader: Any) -> Grid:
    sides = list(reader.GetSize())
    flat = len(sides) == 2
    direction = np.eye(3)
    direction[: len(sides), : len(sides)] = np.reshape(reader.GetDirection(), (len(sides), len(sides)))
    spacing, origin = [*reader.GetSpacing(), 1.0][:3], [*reader.GetOrigin(), 0.0][:3]
    matrix = np.eye(4)
    matrix[:3, :3] = _TO_RAS @ direction * np.array(spacing)
    matrix[:3, 3] = _TO_RAS @ np.array(origin)
    return Grid.of((*sides, 1) if flat else tuple(sides), matrix)
