"""NRRD and MetaImage, written by SimpleITK itself; and the same volume as NIfTI lies at the same place."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK

from segue.data.volumes import files
from segue.errors import BadInput

sitk: Any = SimpleITK
SHAPE = (6, 7, 4)
VOXELS = np.random.default_rng(0).integers(-900, 2000, SHAPE).astype(np.int16)


def write(path: Path, *, packed: bool = False, components: int = 1) -> Path:
    given = VOXELS.T if components == 1 else np.stack([VOXELS.T + n for n in range(components)], axis=-1)
    image = sitk.GetImageFromArray(given, isVector=components > 1)
    image.SetSpacing((0.5, 0.8, 2.5))
    image.SetOrigin((-10, 20, 30))
    angle = 0.3
    image.SetDirection((np.cos(angle), 0, np.sin(angle), 0, -1, 0, -np.sin(angle), 0, np.cos(angle)))
    sitk.WriteImage(image, str(path), useCompression=packed)
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("ending", [".nrrd", ".mha", ".nii", ".nii.gz"])
def test_a_volume_is_the_same_in_every_format(ending: str, packed: bool, tmp_path: Path) -> None:
    path = write(tmp_path / f"a{ending}", packed=packed)
    found = files.read(path)
    assert np.array_equal(found.voxels, VOXELS)
    assert found.grid == files.grid(path)
    assert files.channels(path) == 1
    assert found.grid.spacing == pytest.approx((0.5, 0.8, 2.5))
    image = sitk.ReadImage(str(path))
    for place in ((0, 0, 0), (5, 6, 3), (2, 0, 1)):
        left, back, up = image.TransformIndexToPhysicalPoint(place)
        assert np.allclose(found.grid.matrix @ [*place, 1], [-left, -back, up, 1], atol=1e-4)


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_several_values_a_voxel(ending: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"a{ending}", components=3)
    assert files.channels(path) == 3
    assert np.array_equal(files.read(path, channel=2).voxels, VOXELS + 2)
    with pytest.raises(BadInput, match="holds 3 values a voxel, and which"):
        files.read(path)
    with pytest.raises(BadInput, match="there is no number 3"):
        files.read(path, channel=3)


def _elsewhere(path: Path) -> None:
    if path.suffix == ".mha":
        path.write_bytes(path.read_bytes().replace(b"ElementDataFile = LOCAL", b"ElementDataFile = ../secret.raw"))
    else:
        head, _, data = path.read_bytes().partition(b"\n\n")
        path.write_bytes(head + b"\ndata file: ../secret.raw\n\n" + data)


def _promises(path: Path) -> None:
    data = path.read_bytes()
    for old, new in ((b"DimSize = 6 7 4", b"DimSize = 6000 7000 4000"), (b"sizes: 6 7 4", b"sizes: 6000 7000 4000")):
        data = data.replace(old, new)
    path.write_bytes(data)


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_elsewhere, "keeps its voxels in another file"),
        (_promises, "promises 168.0 thousand million voxels, which it cannot hold"),
        (lambda path: path.write_bytes(path.read_bytes()[:-40]), "is cut short"),
        (lambda path: path.write_bytes(b"404 not found"), "is no volume that can be read"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.unlink(), "cannot be read"),
    ],
)
def test_a_spoilt_file_is_one_sentence(ending: str, spoil: Callable[[Path], None], says: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"a{ending}")
    spoil(path)
    with pytest.raises(BadInput, match=says) as told:
        files.read(path)
    assert told.value.message.startswith(f"{path}: ")
    assert "\n" not in told.value.message


def test_another_ending_is_no_volume(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is no volume"):
        files.read(tmp_path / "a.png")


def test_a_missing_library_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.nii")
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(BadInput, match="nibabel is not installed, and volumes need it") as told:
        files.read(path)
    assert told.value.hint == "pip install 'segue[volumes]'"
