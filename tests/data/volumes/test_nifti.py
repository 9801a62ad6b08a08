"""NIfTI files as they are, and as nobody wants them: one sentence each, and no memory taken on a header's word."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK

from segue.data.volumes import nifti
from segue.data.volumes.volume import as_labels
from segue.errors import BadInput
from tests.data.volumes.test_grid import WAYS, affine

SHAPE = (6, 7, 4)
ORDER = np.arange(168).reshape(SHAPE)
AFFINE = np.array([[-1.5, 0, 0, 40], [0, 0, -8, 30], [0, 1.5, 0, -20], [0, 0, 0, 1]], float)


def voxels(*shape: int) -> npt.NDArray[Any]:
    return np.random.default_rng(0).integers(-900, 2000, shape).astype(np.int16)


def write(path: Path, given: npt.NDArray[Any], affine: npt.NDArray[Any] = AFFINE, **header: Any) -> Path:
    image = nibabel.Nifti1Image(given, affine)
    for name, value in header.items():
        image.header[name] = value
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_voxels_and_grid_come_back(ending: str, tmp_path: Path) -> None:
    given = voxels(*SHAPE)
    path = write(tmp_path / f"a{ending}", given)
    found = nifti.read(path)
    assert np.array_equal(found.voxels, given)
    assert found.voxels.dtype == np.int16
    assert np.allclose(found.grid.matrix, AFFINE)
    assert found.grid.spacing == pytest.approx((1.5, 1.5, 8.0))
    assert found.grid == nifti.grid(path)
    # A coronal stack: slices run to the back, and what is looked at is a view of what was read.
    assert found.turned.shape == (4, 7, 6)
    assert found.turned.base is not None
    assert found.turned[1, 0, 2] == given[2, 6, 1]


def test_the_fourth_axis_is_picked_from(tmp_path: Path) -> None:
    given = voxels(*SHAPE, 3)
    path = write(tmp_path / "a.nii.gz", given)
    assert nifti.channels(path) == 3
    for channel in range(3):
        assert np.array_equal(nifti.read(path, channel=channel).voxels, given[..., channel])
    with pytest.raises(BadInput, match=r"a.nii.gz: holds 3 volumes along its fourth axis, and which is meant"):
        nifti.read(path)
    with pytest.raises(BadInput, match="there is no number 3"):
        nifti.read(path, channel=3)


@pytest.mark.parametrize("shape", [(6, 7), (6, 7, 1), (6, 7, 4, 1), (6, 7, 4, 1, 1)])
def test_axes_of_one_do_not_count(shape: tuple[int, ...], tmp_path: Path) -> None:
    path = write(tmp_path / "a.nii", voxels(*shape))
    assert nifti.channels(path) == 1
    assert nifti.read(path).voxels.shape == (6, 7, shape[2] if len(shape) > 2 else 1)


def test_values_in_the_fifth_axis_are_channels(tmp_path: Path) -> None:
    given = voxels(*SHAPE, 1, 2)
    path = write(tmp_path / "a.nii", given)
    assert np.array_equal(nifti.read(path, channel=1).voxels, given[..., 0, 1])


def test_the_header_scales(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(voxels(*SHAPE), AFFINE)
    image.header.set_slope_inter(0.5, -1024)
    nibabel.save(image, tmp_path / "a.nii")
    image = nibabel.nifti1.load(tmp_path / "a.nii")
    stored = np.asarray(image.dataobj.get_unscaled())
    assert np.allclose(nifti.read(tmp_path / "a.nii").voxels, stored * 0.5 - 1024)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _promises(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[42:48] = np.array([3000, 3000, 3000], "<i2").tobytes()
    path.write_bytes(data)


def _promises_packed(path: Path) -> None:
    data = bytearray(gzip.decompress(path.read_bytes()))
    data[42:48] = np.array([3000, 3000, 3000], "<i2").tobytes()
    path.write_bytes(gzip.compress(bytes(data)))


@pytest.mark.parametrize(
    ("ending", "spoil", "says"),
    [
        (".nii", lambda path: path.write_bytes(b""), "is empty"),
        (".nii", lambda path: path.write_bytes(b"404 not found" * 40), "is no NIfTI file"),
        (".nii.gz", lambda path: path.write_bytes(b"404 not found" * 40), "is no NIfTI file|cannot be read"),
        (".nii", _cut, "cannot hold|is cut short"),
        (".nii.gz", _cut, "is cut short|cannot be read"),
        (".nii", _promises, r"promises 50.3 GiB, which 0.0 MiB cannot hold"),
        (".nii.gz", _promises_packed, r"promises 50.3 GiB, which 0.0 MiB cannot hold"),
        (".nii", lambda path: path.unlink(), "cannot be read"),
    ],
)
def test_a_spoilt_file_is_one_sentence(ending: str, spoil: Callable[[Path], object], says: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"a{ending}", voxels(*SHAPE))
    spoil(path)
    tracemalloc.start()
    with pytest.raises(BadInput, match=says) as told:
        nifti.read(path)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert told.value.message.startswith(f"{path}: ")
    assert "\n" not in told.value.message
    assert taken < 32 << 20


@pytest.mark.parametrize(
    ("given", "affine", "says"),
    [
        (np.full(SHAPE, np.nan, np.float32), AFFINE, r"168 of its voxels are not numbers, the first at \(0, 0, 0\)"),
        (np.where(ORDER == 50, np.inf, 1).astype(np.float32), AFFINE, r"1 of its voxels .*\(1, 5, 2\)"),
        (np.zeros(SHAPE, np.complex64), AFFINE, "complex64 numbers"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant(given: npt.NDArray[Any], affine: npt.NDArray[Any], says: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.nii", given, affine)
    with pytest.raises(BadInput, match=says):
        nifti.read(path)


def test_voxels_without_a_size(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(voxels(*SHAPE), AFFINE)
    image.header["srow_x"][1] = image.header["srow_y"][1] = image.header["srow_z"][1] = 0
    path = tmp_path / "a.nii"
    path.write_bytes(image.header.binaryblock + bytes(4) + voxels(*SHAPE).tobytes(order="F"))
    data = bytearray(path.read_bytes())
    data[108:112], data[344:348] = np.float32(352).tobytes(), b"n+1\0"
    path.write_bytes(data)
    with pytest.raises(BadInput, match="no size along axis j"):
        nifti.read(path)


def test_affines_that_contradict_each_other_are_told(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(voxels(*SHAPE), AFFINE)
    image.set_sform(AFFINE, 1)
    moved = AFFINE.copy()
    moved[0, 3] += 3
    image.set_qform(moved, 1)
    nibabel.save(image, tmp_path / "a.nii")
    assert list(nifti.doubts(tmp_path / "a.nii")) == [
        "its two affines contradict each other; the sform is taken, where some tools take the qform"
    ]
    image.set_qform(AFFINE, 1)
    nibabel.save(image, tmp_path / "b.nii")
    assert list(nifti.doubts(tmp_path / "b.nii")) == []
    bare = nibabel.Nifti1Image(voxels(*SHAPE), None)
    bare.header.set_zooms((1.5, 1.5, 8))
    nibabel.save(bare, tmp_path / "c.nii")
    assert "left and front" in next(nifti.doubts(tmp_path / "c.nii"))


def test_labels_are_whole_numbers() -> None:
    assert as_labels(np.array([[0.0, 1.0001], [2, 3]])).tolist() == [[0, 1], [2, 3]]
    assert as_labels(np.array([0, 4], np.int16)).dtype == np.uint16
    for wrong, says in ((0.5, "holds 0.5, which is no class"), (-1, "values from -1 to 0"), (70000, "to 70000")):
        with pytest.raises(BadInput, match=says):
            as_labels(np.array([0, wrong]))
    with pytest.raises(BadInput, match="not numbers"):
        as_labels(np.array([0, np.nan]))


def test_public_volumes(shared_data: Path) -> None:
    heart = nifti.read(shared_data / "acdc/training/patient001/patient001_frame01.nii.gz")
    mask = nifti.read(shared_data / "acdc/training/patient001/patient001_frame01_gt.nii.gz")
    assert heart.grid.farthest(mask.grid) < 1e-3
    assert heart.turned.shape[0] == min(heart.turned.shape)  # slices come first
    assert set(np.unique(as_labels(mask.voxels))) == {0, 1, 2, 3}
    brain = nifti.read(shared_data / "msd/Task04_Hippocampus/imagesTr/hippocampus_001.nii.gz")
    assert brain.grid.spacing == pytest.approx((1, 1, 1))


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize(("order", "signs"), WAYS)
def test_what_is_written_lies_over_its_image(
    order: tuple[int, ...], signs: tuple[int, ...], ending: str, tmp_path: Path
) -> None:
    """A mask found in the turned volume, on 48 ways in which files lie: by world coordinates, and for other tools too."""
    given = affine(order, signs, (0.7, 0.9, 5.0), (0.1, -0.2, 0.15))
    image = nifti.read(write(tmp_path / f"image{ending}", voxels(*SHAPE), given))
    found = (image.turned > 1500).astype(np.uint8)
    nifti.write(tmp_path / f"mask{ending}", image.grid.turn.undo(found), image.grid)
    mask = nifti.read(tmp_path / f"mask{ending}")
    assert mask.grid.farthest(image.grid) < 1e-4
    assert np.array_equal(mask.voxels, image.voxels > 1500)
    theirs = SimpleITK.ReadImage(str(tmp_path / f"mask{ending}"))  # it goes by the other affine
    assert np.array_equal(SimpleITK.GetArrayFromImage(theirs).T, mask.voxels)
    left, back, up = theirs.TransformIndexToPhysicalPoint((5, 6, 3))
    assert np.allclose(image.grid.matrix @ [5, 6, 3, 1], [-left, -back, up, 1], atol=1e-3)
    assert list(nifti.doubts(tmp_path / f"mask{ending}")) == []


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    image = nifti.read(write(tmp_path / "a.nii.gz", voxels(*SHAPE)))
    for name in ("one.nii.gz", "two.nii.gz"):
        nifti.write(tmp_path / name, image.voxels, image.grid)
    assert (tmp_path / "one.nii.gz").read_bytes() == (tmp_path / "two.nii.gz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.nii.gz", "one.nii.gz", "two.nii.gz"]


def test_a_sheared_grid_comes_back(tmp_path: Path) -> None:
    tilted = AFFINE.copy()
    tilted[2, 2] = 1.0
    image = nifti.read(write(tmp_path / "a.nii", voxels(*SHAPE), tilted))
    nifti.write(tmp_path / "b.nii", image.voxels, image.grid)
    assert image.grid.sheared
    assert nifti.read(tmp_path / "b.nii").grid.farthest(image.grid) < 1e-3
