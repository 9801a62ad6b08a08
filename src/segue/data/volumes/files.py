"""Any file of a volume, or a folder that is a DICOM series, by its ending."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from segue.data.tree import suffix
from segue.data.volumes import dicom, itk, nifti
from segue.data.volumes.grid import Grid
from segue.data.volumes.volume import Volume
from segue.errors import BadInput

_BY_ENDING: dict[str, ModuleType] = {".nii": nifti, ".nii.gz": nifti, ".mgz": nifti, ".nrrd": itk, ".mha": itk}


def read(path: Path, *, channel: int | None = None) -> Volume:
    """`channel`: of a file with several times or modalities."""
    if path.is_dir():
        return dicom.read(path)
    volume: Volume = _reader(path).read(path, channel=channel)
    return volume


def grid(path: Path) -> Grid:
    """Without reading its voxels."""
    if path.is_dir():
        return dicom.only_series(path).grid
    found: Grid = _reader(path).grid(path)
    return found


def doubts(path: Path, grid: Grid) -> Iterator[str]:
    """What one has to know of where it lies, and cannot be seen from its voxels."""
    if suffix(path.name) in (".nii", ".nii.gz"):
        yield from nifti.doubts(path)
    if grid.sheared:
        yield "its axes do not stand upright on each other, as of a tilted gantry"


def channels(path: Path) -> int:
    return 1 if path.is_dir() else int(_reader(path).channels(path))


def _reader(path: Path) -> ModuleType:
    found = _BY_ENDING.get(suffix(path.name))
    if found is None:
        raise BadInput(f"{path}: is no volume", hint=f"Read are {', '.join(_BY_ENDING)} and folders of DICOM slices.")
    return found
