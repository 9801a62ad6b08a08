"""Masks as DICOM-SEG: of the series, over it by position, each segment under its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid

from segue.data.target import Target
from segue.data.volumes import dicom, dicom_seg, files
from segue.errors import BadInput
from segue.evaluation.predicting.folder import predict_folder
from tests.data.volumes.test_dicom import COLUMNS, ROWS, SLICES, stack, write
from tests.evaluation.fakes import POLYP, Array, red
from tests.evaluation.test_stack import frame

STUDY, FRAME = generate_uid(), generate_uid()


def series(folder: Path) -> Path:
    """With what a scanner writes and a segmentation must bear on."""
    more = {
        "StudyInstanceUID": STUDY, "FrameOfReferenceUID": FRAME, "StudyDate": "20200101", "StudyTime": "120000",
        "StudyID": "1", "AccessionNumber": "", "ReferringPhysicianName": "", "PatientBirthDate": "", "PatientSex": "",
        "SeriesNumber": 1, "SliceThickness": 2.5, "PositionReferenceIndicator": "",
    }  # fmt: skip
    folder.parent.mkdir(exist_ok=True)
    write(folder, stack(), lambda number: more)
    return folder


def masks() -> npt.NDArray[np.uint8]:
    """(column, row, slice), in one corner: any flip shows."""
    found = np.zeros((COLUMNS, ROWS, SLICES), np.uint8)
    found[1:3, 2:6, 1:3] = 1
    found[4, 7, 4] = 2
    return found


def by_position(path: Path, grid: Any) -> npt.NDArray[np.uint8]:
    """The segmentation put back by where its frames say that they lie, and by nothing else."""
    seg = dcmread(path)
    found = np.zeros(grid.shape, np.uint8)
    inverse = np.linalg.inv(grid.matrix)
    for plane, group in zip(np.atleast_3d(seg.pixel_array), seg.PerFrameFunctionalGroupsSequence, strict=True):
        where = (
            group if "SegmentIdentificationSequence" in group else seg.SharedFunctionalGroupsSequence[0]
        )  # of one alone
        number = where.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        corner = np.array([*map(float, group.PlanePositionSequence[0].ImagePositionPatient), 1])
        corner[:2] *= -1
        at = np.rint(inverse @ corner)[:3].astype(int)
        assert tuple(at[:2]) == (0, 0)
        found[:, :, at[2]][plane.T > 0] = number
    return found


def test_it_lies_over_its_series_by_position(tmp_path: Path) -> None:
    source = series(tmp_path / "s")
    dicom_seg.write(tmp_path / "seg.dcm", masks(), ("liver", "tumour"), source)
    grid = dicom.only_series(source).grid
    assert np.array_equal(by_position(tmp_path / "seg.dcm", grid), masks())
    seg = dcmread(tmp_path / "seg.dcm")
    assert [one.SegmentLabel for one in seg.SegmentSequence] == ["liver", "tumour"]
    assert (seg.StudyInstanceUID, seg.FrameOfReferenceUID) == (STUDY, FRAME)
    assert seg.Modality == "SEG"
    referenced = {one.ReferencedSOPInstanceUID for one in seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence}
    assert len(referenced) == SLICES


def test_regions_may_overlap(tmp_path: Path) -> None:
    source = series(tmp_path / "s")
    both = np.stack([masks() > 0, masks() == 1], axis=-1).astype(np.uint8)
    dicom_seg.write(tmp_path / "seg.dcm", both, ("whole", "core"), source)
    seg = dcmread(tmp_path / "seg.dcm")
    numbers = [
        one.SegmentIdentificationSequence[0].ReferencedSegmentNumber for one in seg.PerFrameFunctionalGroupsSequence
    ]
    assert sorted(set(numbers)) == [1, 2]
    assert seg.pixel_array.sum() == both.sum()


def test_nothing_found_is_written_too(tmp_path: Path) -> None:
    source = series(tmp_path / "s")
    dicom_seg.write(tmp_path / "seg.dcm", np.zeros_like(masks()), ("liver",), source)
    assert not dcmread(tmp_path / "seg.dcm").pixel_array.any()


def test_predicted_from_a_series(tmp_path: Path) -> None:
    source = series(tmp_path / "in/s")
    volume = files.read(source)

    def bright(images: Array) -> npt.NDArray[np.float32]:
        return red(images)

    given: dict[str, Any] = {"frame": frame(), "target": POLYP, "progress": False, "dicom": True}
    (one,) = predict_folder(bright, tmp_path / "in", tmp_path / "out", **given)
    assert one.error == ""
    assert one.masks == (tmp_path / "out/s.dcm",)
    # The frame's window is 0 to 1000, and half of it is the threshold.
    assert np.array_equal(by_position(one.masks[0], volume.grid) == 1, volume.voxels >= 500)
    regions = Target(("whole", "core"), exclusive=False)

    def both(images: Array) -> npt.NDArray[np.float32]:
        return np.repeat(red(images)[:, 1:], 2, axis=1)

    (one,) = predict_folder(both, tmp_path / "in", tmp_path / "regions", **{**given, "target": regions})
    assert [path.name for path in one.masks] == ["s.dcm"]
    assert len(dcmread(one.masks[0]).SegmentSequence) == 2


def test_what_cannot_be(tmp_path: Path) -> None:
    source = tmp_path / "s"
    write(source, stack())  # without a study
    with pytest.raises(BadInput, match="cannot be the source of a DICOM-SEG"):
        dicom_seg.write(tmp_path / "seg.dcm", masks(), ("a", "b"), source)
    assert not (tmp_path / "seg.dcm").exists()
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.nii.gz").write_bytes(b"")
    given: dict[str, Any] = {"target": POLYP, "progress": False, "dicom": True}
    with pytest.raises(BadInput, match="is no DICOM series"):
        list(predict_folder(red, tmp_path / "in", tmp_path / "out", frame=frame(), **given))
