"""Folders of DICOM slices as cases: found by their files, read by their positions, nobody's name anywhere."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import segue
from segue.data.dataset import Dataset
from segue.data.tree import Tree
from segue.data.volumes import dicom, files, nifti
from segue.evaluation.predicting.inputs import listed, places
from tests.data.volumes.test_dicom import NAMES, SECRET, SLICES, stack, write
from tests.evaluation.fakes import POLYP


def _of(patient: str, _: int) -> dict[str, Any]:
    return {"PatientID": patient}


@pytest.fixture
def hospital(tmp_path: Path) -> Path:
    """Three series of two patients, in folders named as exports name them; masks for two of them."""
    root = tmp_path / "hospital"
    for number, (name, patient) in enumerate((("1.2.840.1", "4711"), ("1.2.840.2", "4711"), ("1.2.840.3", "4712"))):
        folder = root / "images" / name
        folder.parent.mkdir(parents=True, exist_ok=True)
        write(folder, stack(number), partial(_of, patient))
        if number < 2:
            volume = files.read(folder)
            (root / "labels").mkdir(exist_ok=True)
            nifti.write(root / f"labels/{name}.nii.gz", (volume.voxels > 0).astype(np.uint8), volume.grid)
    return root


def scanned(root: Path, out: Path) -> Dataset:
    found = segue.scan(root, out, workers=0)
    assert found.bad == ()
    assert found.dataset is not None
    return found.dataset


def test_a_folder_of_slices_is_one_entry(hospital: Path) -> None:
    tree = Tree.read(hospital)
    assert [(file.path, file.series, file.stem) for file in tree.files] == [
        ("images/1.2.840.1", True, "1.2.840.1"),
        ("images/1.2.840.2", True, "1.2.840.2"),
        ("images/1.2.840.3", True, "1.2.840.3"),
        ("labels/1.2.840.1.nii.gz", False, "1.2.840.1"),
        ("labels/1.2.840.2.nii.gz", False, "1.2.840.2"),
    ]
    assert tree.files[0].size == sum(path.stat().st_size for path in (hospital / "images/1.2.840.1").iterdir())
    (alone,) = Tree.read(hospital / "images/1.2.840.1").files
    assert (alone.path, alone.stem) == (".", "series")


def test_slices_without_an_ending_are_known_by_their_first_bytes(hospital: Path, tmp_path: Path) -> None:
    folder = hospital / "images/1.2.840.1"
    for number, path in enumerate(sorted(folder.iterdir())):
        path.rename(folder / (f"IM{number:05}" if number % 2 else f"slice.{number:03}"))
    (tmp_path / "text").mkdir()
    (tmp_path / "text/README").write_text("nothing of that kind" * 50)
    assert Tree.read(hospital).files[0].series
    assert [file.path for file in Tree.read(tmp_path / "text").files] == ["README"]


def test_scanned_with_masks_and_patients_but_without_names(hospital: Path, tmp_path: Path) -> None:
    found = scanned(hospital, tmp_path / "d")
    assert [case.case for case in found.cases] == ["1.2.840.1", "1.2.840.2", "1.2.840.3"]
    assert [case.labelled for case in found.cases] == [True, True, False]
    assert {case.modality for case in found.cases} == {"CT"}
    one, other, third = (case.patient for case in found.cases)
    assert one == other != third
    assert "made unreadable" in found.card.patients_from
    assert found.cases[0].depth == SLICES
    everything = b"".join(path.read_bytes() for path in found.folder.iterdir())
    for secret in (SECRET, "Doe", "4711", "4712"):
        assert secret.encode() not in everything
    mask = found.mask(found.cases[0])
    assert np.array_equal(mask > 0, found.image(found.cases[0])[..., 0] > 0)


def test_prepared_and_not_read_twice(hospital: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = scanned(hospital, tmp_path / "d")
    from segue.data.preparing import volumes

    def anew(*given: Any) -> Any:
        raise AssertionError("looked at again, though nothing has changed")

    monkeypatch.setattr(volumes, "digest_of", anew)
    store = segue.prepare(found, tmp_path / "s", workers=0).store
    assert store.card.recipe is not None
    assert store.card.recipe.window is not None  # known to be CT by its headers
    monkeypatch.undo()
    first = sorted((hospital / "images/1.2.840.1").iterdir())[0]
    first.write_bytes(first.read_bytes()[:-2] + b"\7\7")
    with pytest.raises(segue.errors.BadInput, match="has changed since the scan"):
        segue.prepare(found, tmp_path / "t", workers=0)


def test_two_series_in_one_folder_are_told(hospital: Path, tmp_path: Path) -> None:
    write(hospital / "images/1.2.840.3", stack(9))
    bad = dict(segue.scan(hospital, tmp_path / "d", workers=0).bad)
    assert list(bad) == ["images/1.2.840.3"]
    assert "holds 2 series (5 slices" in bad["images/1.2.840.3"]


def test_series_are_inputs_of_prediction(hospital: Path, tmp_path: Path) -> None:
    found = listed(hospital / "images", volumes=True)
    assert [name for _, name in found] == ["1.2.840.1", "1.2.840.2", "1.2.840.3"]
    where = places(found, tmp_path / "out", POLYP, ending=".nii.gz")
    assert [path.name for paths in where.values() for path in paths] == [f"1.2.840.{n}.nii.gz" for n in (1, 2, 3)]
    assert listed(hospital / "images/1.2.840.1", volumes=True) == [(hospital / "images/1.2.840.1", "1.2.840.1")]


def test_ids_are_digests(hospital: Path) -> None:
    about = dicom.about(hospital / "images/1.2.840.1")
    assert about["modality"] == "CT"
    assert len(about["patient"]) == 10
    assert about == dicom.about(hospital / "images/1.2.840.2")
    assert dicom.about(hospital / "labels") == {}


def test_masks_that_are_a_picture_for_each_slice(tmp_path: Path) -> None:
    """As CHAOS has them: in the order of the slices' names, which is not that of their places."""
    root = tmp_path / "CHAOS/Train_Sets/CT"
    wanted = {}
    for patient in (1, 2):
        folder = root / f"{patient}/DICOM_anon"
        folder.parent.mkdir(parents=True)
        pixels = stack(patient)
        write(folder, pixels)
        wanted[f"CT {patient}"] = liver = pixels > 1000
        (root / f"{patient}/Ground").mkdir()
        by_name = sorted(range(SLICES), key=lambda number: NAMES[number])
        for place, number in enumerate(by_name):
            cv2.imwrite(str(root / f"{patient}/Ground/liver_GT_{place:03}.png"), liver[number].astype(np.uint8) * 255)
    found = scanned(tmp_path / "CHAOS", tmp_path / "d")
    assert (found.card.layout, found.card.classes) == ("chaos-ct", {0: "background", 1: "liver"})
    for case in found.cases:
        assert np.array_equal(found.mask(case) == 1, wanted[case.case])
    assert len(segue.prepare(found, tmp_path / "s", workers=0).store) == 2
    (root / "2/Ground/liver_GT_004.png").unlink()
    bad = dict(segue.scan(tmp_path / "CHAOS", tmp_path / "e", workers=0).bad)
    assert "holds 4 pictures for 5 slices" in next(iter(bad.values()))
