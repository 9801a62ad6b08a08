"""DICOM series made here: an asymmetric phantom whose voxels know where they lie in the patient."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, EnhancedMRImageStorage, ExplicitVRLittleEndian, RLELossless, generate_uid

from segue.data.volumes import dicom
from segue.errors import BadInput

ROWS, COLUMNS, SLICES = 9, 7, 5
SPACING, STEP = (0.8, 0.5), 2.5
NAMES = ("c", "a", "e", "b", "d")  # of files: not their order in the patient
SECRET = "Doe^Jane"


def stack(rng: int = 0) -> npt.NDArray[np.int16]:
    """(slice, row, column)."""
    return np.random.default_rng(rng).integers(0, 2000, (SLICES, ROWS, COLUMNS)).astype(np.int16)


def plane(number: int, pixels: npt.NDArray[Any], series: str, **changes: Any) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    one.SOPClassUID, one.SOPInstanceUID, one.SeriesInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID, series
    one.PatientName, one.PatientID, one.Modality = SECRET, "4711", "CT"
    one.Rows, one.Columns, one.SamplesPerPixel, one.PhotometricInterpretation = *pixels.shape, 1, "MONOCHROME2"
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 1
    one.PixelSpacing, one.ImageOrientationPatient = list(SPACING), [1, 0, 0, 0, 1, 0]
    one.ImagePositionPatient = [-10.0, -20.0, 30 + STEP * number]
    one.RescaleSlope, one.RescaleIntercept = 1, -1024
    one.InstanceNumber = 99 - number
    one.PixelData = pixels.tobytes()
    for name, value in changes.items():
        if value is None:
            delattr(one, name)
        else:
            setattr(one, name, value)
    return one


def write(folder: Path, pixels: npt.NDArray[Any], change: Callable[[int], dict[str, Any]] = lambda n: {}) -> str:
    series = generate_uid()
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(NAMES):
        plane(number, pixels[number], series, **change(number)).save_as(folder / f"{name}-{series[-4:]}.dcm")
    return str(series)


def test_slices_come_into_their_order_and_lie_where_they_lie(tmp_path: Path) -> None:
    pixels = stack()
    write(tmp_path / "s", pixels)
    (tmp_path / "s" / "notes.txt").write_text("not a slice")
    found = dicom.read(tmp_path / "s")
    assert found.voxels.shape == (COLUMNS, ROWS, SLICES)
    assert np.array_equal(found.voxels.transpose(2, 1, 0), pixels.astype(int) - 1024)
    assert found.grid.spacing == pytest.approx((0.5, 0.8, 2.5))
    assert found.grid.orientation == "LPS"
    # Voxel (column 2, row 3, slice 4), in millimetres to the right, front and head.
    assert np.allclose(found.grid.matrix @ [2, 3, 4, 1], [10 - 2 * 0.5, 20 - 3 * 0.8, 30 + 4 * 2.5, 1])
    assert np.array_equal(found.turned, pixels.astype(int) - 1024)  # as it is looked at


def test_positions_decide_and_not_names_or_numbers(tmp_path: Path) -> None:
    pixels = stack()
    write(tmp_path / "s", pixels, lambda n: {"ImagePositionPatient": [-10.0, -20.0, 30 - STEP * n]})
    found = dicom.read(tmp_path / "s")
    assert np.array_equal(found.turned, pixels[::-1].astype(int) - 1024)  # from the feet to the head


def test_an_upright_stack_is_looked_at_upright(tmp_path: Path) -> None:
    """Coronal: rows to the feet, columns to the left, slices to the back."""
    pixels = stack()
    write(
        tmp_path / "s", pixels,
        lambda n: {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1], "ImagePositionPatient": [0.0, STEP * n, 0.0]},
    )  # fmt: skip
    found = dicom.read(tmp_path / "s")
    assert np.array_equal(found.turned, pixels.astype(int) - 1024)
    assert found.grid.orientation == "LIP"


def test_scales(tmp_path: Path) -> None:
    pixels = stack()
    write(tmp_path / "plain", pixels, lambda n: {"RescaleSlope": None, "RescaleIntercept": None})
    assert dicom.read(tmp_path / "plain").voxels.dtype == np.int16
    write(tmp_path / "each", pixels, lambda n: {"RescaleSlope": 0.5 + n, "RescaleIntercept": n})  # as PET has it
    scaled = dicom.read(tmp_path / "each").turned
    assert all(np.allclose(scaled[n], pixels[n] * (0.5 + n) + n) for n in range(SLICES))


def test_a_tilted_gantry_shows_in_the_grid(tmp_path: Path) -> None:
    tilt = np.tan(np.deg2rad(10))
    write(tmp_path / "s", stack(), lambda n: {"ImagePositionPatient": [-10.0, -20.0 + n * STEP * tilt, 30 + STEP * n]})
    found = dicom.read(tmp_path / "s")
    assert found.grid.sheared
    assert np.allclose((found.grid.matrix @ [0, 0, 4, 1])[:3], [10, 20 - 4 * STEP * tilt, 30 + 4 * STEP])


def test_packed_pixels(tmp_path: Path) -> None:
    pixels, series = stack(), generate_uid()
    (tmp_path / "s").mkdir()
    for number in range(SLICES):
        one = plane(number, pixels[number], series)
        one.compress(RLELossless)
        one.save_as(tmp_path / "s" / f"{number}.dcm")
    assert np.array_equal(dicom.read(tmp_path / "s").turned, pixels.astype(int) - 1024)


def test_several_frames_in_one_file(tmp_path: Path) -> None:
    pixels = stack()
    one = plane(0, pixels.reshape(-1, COLUMNS), generate_uid())
    one.SOPClassUID, one.Rows, one.NumberOfFrames = EnhancedMRImageStorage, ROWS, SLICES
    for name in ("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "RescaleSlope", "RescaleIntercept"):
        delattr(one, name)

    def group(**names: Any) -> Sequence:
        made = Dataset()
        for name, value in names.items():
            setattr(made, name, value)
        return Sequence([made])

    shared = Dataset()
    shared.PixelMeasuresSequence = group(PixelSpacing=list(SPACING))
    shared.PlaneOrientationSequence = group(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    each = []
    for number in reversed(range(SLICES)):
        frame = Dataset()
        frame.PlanePositionSequence = group(ImagePositionPatient=[0.0, 0.0, STEP * number])
        frame.PixelValueTransformationSequence = group(RescaleSlope=2, RescaleIntercept=number)
        each.append(frame)
    one.SharedFunctionalGroupsSequence, one.PerFrameFunctionalGroupsSequence = Sequence([shared]), Sequence(each)
    (tmp_path / "s").mkdir()
    one.save_as(tmp_path / "s" / "all.dcm")
    found = dicom.read(tmp_path / "s").turned
    for number in range(SLICES):
        assert np.array_equal(found[number], pixels[SLICES - 1 - number].astype(int) * 2 + number)


def test_two_series_are_not_mixed(tmp_path: Path) -> None:
    one, other = write(tmp_path / "s", stack(1)), write(tmp_path / "s", stack(2))
    with pytest.raises(BadInput, match=r"s: holds 2 series \(5 slices of \.\.\..*; which is meant was not said"):
        dicom.read(tmp_path / "s")
    assert np.array_equal(dicom.read(tmp_path / "s", series=one).turned, stack(1).astype(int) - 1024)
    assert np.array_equal(dicom.read(tmp_path / "s", series=other[-8:]).turned, stack(2).astype(int) - 1024)
    with pytest.raises(BadInput, match=r"holds no DICOM images of a series 1\.2\.3"):
        dicom.read(tmp_path / "s", series="1.2.3")


def at(height: float) -> dict[str, Any]:
    return {"ImagePositionPatient": [0, 0, height]}


def _loses(folder: Path) -> None:
    next(folder.glob("e-*")).unlink()  # the third


@pytest.mark.parametrize(
    ("change", "spoil", "says"),
    [
        (lambda n: {}, _loses, r"s: 5.00 mm lie between a-\w+.dcm and b-\w+.dcm, elsewhere 2.50 mm: 1 slice missing"),
        (lambda n: at(STEP * n + (0.9 if n == 4 else 0)), None, r"3.40 mm lie between \S+ and \S+, elsewhere 2.50 mm$"),
        (lambda n: at(STEP * (n % 4)), None, r"d-\w+.dcm: lies where c-\w+.dcm lies"),
        (lambda n: {"PixelSpacing": [0.8, 0.5 + (n == 2)]}, None, "has another spacing than the first"),
        (lambda n: {"ImageOrientationPatient": [0, 1, 0, -1, 0, 0]} if n else {}, None, "has another orientation"),
        (lambda n: {"ImagePositionPatient": None}, None, "has no ImagePositionPatient, so where it lies is not known"),
        (lambda n: {"PixelSpacing": [0, 0]}, None, "has pixels of 0 x 0 mm"),
        (lambda n: {"SamplesPerPixel": 3}, None, "is a picture in colours"),
        (lambda n: {"NumberOfFrames": 3}, None, "holds 3 frames and does not say where they lie"),
        (lambda n: {"Rows": 60000, "Columns": 60000}, None, "more than can be meant"),
        (lambda n: {"PixelData": b"12"}, None, "cannot be decoded"),
    ],
)  # fmt: skip
def test_what_is_no_stack_is_one_sentence_without_a_name(
    change: Callable[[int], dict[str, Any]], spoil: Callable[[Path], None] | None, says: str, tmp_path: Path
) -> None:
    write(tmp_path / "s", stack(), change)
    if spoil:
        spoil(tmp_path / "s")
    with pytest.raises(BadInput, match=says) as told:
        dicom.read(tmp_path / "s")
    assert "\n" not in told.value.message
    assert "Doe" not in told.value.message
    assert "4711" not in told.value.message


def test_no_name_is_ever_read(tmp_path: Path) -> None:
    write(tmp_path / "s", stack())
    header = dicom._header(next((tmp_path / "s").iterdir()))
    assert "PatientName" not in header
    assert "PatientID" not in header
