"""A folder of good volumes with one that is not: told in a sentence that names it, the others kept, nothing half-written."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
import pytest

import segue
from segue.data.volumes import nifti
from segue.data.volumes.grid import Grid
from segue.evaluation.predicting.folder import predict_folder
from tests.data.volumes import made
from tests.evaluation.fakes import POLYP, red
from tests.evaluation.test_stack import frame

IMAGE, MASK = "images/1.nii.gz", "labels/1.nii.gz"


def rewritten(change: Callable[[Any], Any], *, affine: npt.NDArray[Any] | None = None) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        there: Any = nibabel.load(path)
        voxels = change(np.asarray(there.dataobj))
        nibabel.save(nibabel.Nifti1Image(voxels, there.affine if affine is None else affine), path)

    return spoil


def header(place: int, value: npt.NDArray[Any]) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        data = bytearray(gzip.decompress(path.read_bytes()))
        data[place : place + value.nbytes] = value.tobytes()
        path.write_bytes(gzip.compress(bytes(data)))

    return spoil


def one_is(value: float) -> Callable[[Any], Any]:
    def change(voxels: Any) -> Any:
        found = voxels.astype(np.float32)
        found[3, 4, 5] = value
        return found

    return change


def flat(path: Path) -> None:
    """No orientation is told, and the voxels have no size."""
    header(252, np.zeros(2, "<i2"))(path)
    header(80, np.zeros(3, "<f4"))(path)


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


SHIFTED = made.affine() + np.array([[0, 0, 0, 25.0], [0] * 4, [0] * 4, [0] * 4])
TURNED = made.affine() @ np.diag([-1, 1, 1, 1])
BAD: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "not a number": (IMAGE, rewritten(one_is(np.nan)), r"1 of its voxels .*\(3, 4, 5\)"),
    "without end": (IMAGE, rewritten(one_is(-np.inf)), "1 of its voxels"),
    "no size": (IMAGE, flat, "size|spacing|millimetre"),
    "torn": (IMAGE, torn, "cut short|cannot be read"),
    "a web page": (IMAGE, lambda path: path.write_text("<html>404</html>"), "no NIfTI|cannot be read"),
    "empty": (IMAGE, lambda path: path.write_bytes(b""), "is empty"),
    "40 GB": (IMAGE, header(42, np.array([2800, 2800, 2800], "<i2")), "promises .* GiB"),
    "complex": (IMAGE, rewritten(lambda voxels: voxels.astype(np.complex64)), "complex64"),
    "a mask of another shape": (MASK, rewritten(lambda voxels: voxels[:-1]), "is of shape"),
    "a mask elsewhere": (MASK, rewritten(np.asarray, affine=SHIFTED), "mm beside"),
    "a mirrored mask": (MASK, rewritten(np.asarray, affine=TURNED), "mm beside"),
    "a mask of fractions": (MASK, rewritten(lambda voxels: voxels * 0.4), "whole number|fraction"),
    "a torn mask": (MASK, torn, "cut short|cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_one_bad_file_is_one_sentence(kind: str, tmp_path: Path) -> None:
    file, spoil, says = BAD[kind]
    tree = made.folder(tmp_path / "tree", 3)
    spoil(tree / file)
    stopped = segue.scan(tree, tmp_path / "d", workers=0)
    assert stopped.dataset is None
    assert not (tmp_path / "d").exists()
    ((named, sentence),) = stopped.bad
    assert named == file
    assert re.search(says, sentence)
    assert "\n" not in sentence
    found = segue.scan(tree, tmp_path / "d", workers=0, skip_bad=True)
    assert found.dataset is not None
    assert [case.case for case in found.dataset.cases] == ["0", "2"]
    assert "1.nii.gz" in (tmp_path / "d" / "skipped.csv").read_text()


@pytest.mark.parametrize("kind", [kind for kind, (file, *_) in BAD.items() if file == IMAGE])
def test_the_others_are_predicted(kind: str, tmp_path: Path) -> None:
    _, spoil, says = BAD[kind]
    tree = made.folder(tmp_path / "tree", 3)
    spoil(tree / IMAGE)
    done = list(predict_folder(red, tree / "images", tmp_path / "out", frame=frame(), target=POLYP, progress=False))
    (bad,) = (one for one in done if one.error)
    assert bad.path.name == "1.nii.gz"
    assert "\n" not in bad.error
    assert re.search(says, bad.error)
    assert sorted(path.name for path in (tmp_path / "out").glob("*.nii.gz")) == ["0.nii.gz", "2.nii.gz"]


def test_values_that_nobody_named_are_told(tmp_path: Path) -> None:
    tree = made.folder(tmp_path / "tree", 3)
    rewritten(lambda labels: np.where(labels == 2, 7, labels).astype(np.uint8))(tree / MASK)
    found = segue.scan(tree, tmp_path / "d", labels="0=background,1=shell,2=core", workers=0)
    assert found.dataset is None
    ((named, sentence),) = found.bad
    assert named == MASK
    assert "7" in sentence


def test_left_handed_and_sheared_grids_are_kept_as_they_are(tmp_path: Path) -> None:
    """Neither is bad: what is found lies where the file has its voxels."""
    left, sheared = made.affine() @ np.diag([-1, 1, 1, 1]), made.affine()
    sheared[1, 2] = 1.2  # a tilted gantry
    for name, affine in (("left", left), ("sheared", sheared)):
        image, _ = made.voxels(0)
        nifti.write(tmp_path / f"in/{name}.nii.gz", image.clip(0), Grid.of(made.SHAPE, affine))
    for one in predict_folder(red, tmp_path / "in", tmp_path / "out", frame=frame(), target=POLYP, progress=False):
        assert one.error == ""
        written, given = nifti.read(one.masks[0]), nifti.read(one.path)
        assert written.grid.farthest(given.grid) < 1e-3
        assert np.array_equal(written.voxels > 0, given.voxels > 500)
