"""DICOM series: the slices of one folder, brought into their order in the patient by their positions, not by their names.

Of a header only what is needed is read, by an allow-list: no name, no birth date, no id comes this far.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.data.volumes.grid import Grid
from segue.data.volumes.libraries import pydicom, sitk
from segue.data.volumes.volume import MOST_VOXELS, Volume, demand_finite
from segue.errors import BadInput, named
from segue.words import count

_READ = (
    "Modality", "SeriesInstanceUID", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PixelSpacing",
    "ImagePositionPatient", "ImageOrientationPatient", "RescaleSlope",
    "RescaleIntercept", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
)  # fmt: skip
_PIXELS = (  # and what says how they are packed
    "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData", "FloatPixelData",
    "DoubleFloatPixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths", "RescaleSlope", "RescaleIntercept",
)  # fmt: skip
_TURNED = 1e-3  # of a direction cosine, by which slices of one stack may differ
_UNEVEN = 0.02  # of the distance between slices; and at least
_LEAST = 0.05  # millimetres, as positions are rounded
_TO_RAS = np.diag([-1.0, -1.0, 1.0])  # DICOM counts towards the patient's left and back


@dataclass(frozen=True)
class Slice:
    path: Path
    frame: int  # of a file with several; else 0
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing: tuple[float, ...]
    size: tuple[int, int]  # rows, columns
    slope: float
    intercept: float


@dataclass(frozen=True)
class Series:
    uid: str
    modality: str
    slices: tuple[Slice, ...]  # in order, along the normal of the planes

    @property
    def grid(self) -> Grid:
        """Columns, rows and slices are the axes i, j, k."""
        first, rest = self.slices[0], self.slices[-1]
        across, down = np.array(first.orientation[:3]), np.array(first.orientation[3:])
        matrix = np.eye(4)
        matrix[:3, 0], matrix[:3, 1] = across * first.spacing[1], down * first.spacing[0]
        start, steps = np.array(first.position), len(self.slices) - 1
        # Where the gantry was tilted the slices do not lie straight above each other; their positions say how.
        matrix[:3, 2] = (np.array(rest.position) - start) / steps if steps else np.cross(across, down)
        matrix[:3, 3] = start
        matrix[:3] = _TO_RAS @ matrix[:3]
        return Grid.of((first.size[1], first.size[0], len(self.slices)), matrix)


def listed(folder: Path, files: Sequence[Path] | None = None) -> list[Series]:
    """The series of a folder, each in order; files that are no DICOM images are passed over."""
    by_series: dict[tuple[str, str], list[Slice]] = {}
    for path in sorted(files if files is not None else (each for each in folder.iterdir() if each.is_file())):
        header = _header(path)
        if header is not None:
            key = (str(header.get("SeriesInstanceUID", "")), str(header.get("Modality", "")))
            with named(path):
                by_series.setdefault(key, []).extend(_slices(path, header))
    return [Series(uid, modality, _in_order(folder, slices)) for (uid, modality), slices in sorted(by_series.items())]


def about(folder: Path) -> dict[str, str]:
    """Modality and patient of a folder's first slice: the patient's id as a digest, which tells patients apart and nobody's
    name."""
    for path in sorted(each for each in folder.iterdir() if each.is_file()):
        try:
            header = pydicom().dcmread(path, stop_before_pixels=True, specific_tags=["Modality", "PatientID"])
        except Exception:  # noqa: S112  another file may be a slice
            continue
        said = str(header.get("PatientID", "") or "").strip()
        patient = hashlib.blake2b(said.encode(), digest_size=5, person=b"segue patient").hexdigest() if said else ""
        return {"modality": str(header.get("Modality", "") or ""), "patient": patient}
    return {}


def read(folder: Path, *, series: str = "") -> Volume:
    """The one series that lies there, or the one whose UID ends so."""
    return read_series(only_series(folder, series))


def only_series(folder: Path, series: str = "") -> Series:
    found = [one for one in listed(folder) if one.uid.endswith(series)]
    if not found:
        raise BadInput(f"{folder}: holds no DICOM images" + (f" of a series {series}" if series else ""))
    if len(found) > 1:
        shown = ", ".join(f"{len(one.slices)} slices of ...{one.uid[-8:]}" for one in found[:4])
        raise BadInput(f"{folder}: holds {len(found)} series ({shown}); which is meant was not said")
    return found[0]


def read_series(found: Series) -> Volume:
    """Numbers as scanner and header mean them: Hounsfield units where the slope says so."""
    grid, pixels, opened = found.grid, None, Path()
    planes: npt.NDArray[Any] | None = None
    scaled = any((one.slope, one.intercept) != (1.0, 0.0) for one in found.slices)
    whole = all(one.slope == round(one.slope) and one.intercept == round(one.intercept) for one in found.slices)
    for number, one in enumerate(found.slices):
        with named(one.path):
            if one.path != opened:
                pixels, opened = _pixels(one.path), one.path
            assert pixels is not None
            plane = pixels[one.frame]
            if plane.shape != one.size:
                raise BadInput(
                    f"holds {plane.shape[1]}x{plane.shape[0]} pixels, its header says {one.size[1]}x{one.size[0]}"
                )
            if planes is None:
                kind = plane.dtype if not scaled else np.dtype(np.int32 if whole else np.float32)
                planes = np.empty(grid.shape, kind)
            planes[:, :, number] = (plane * one.slope + one.intercept if scaled else plane).T
    assert planes is not None
    demand_finite(planes)
    return Volume(planes, grid)


def _header(path: Path) -> Any:
    library = pydicom()
    try:
        header = library.dcmread(path, stop_before_pixels=True, specific_tags=list(_READ))
    except (library.errors.InvalidDicomError, EOFError):
        return None
    except Exception as error:  # whatever a damaged header makes the library say
        raise BadInput(f"{path}: has a damaged header ({type(error).__name__})") from None
    return header if "Rows" in header and "Columns" in header else None  # a report, a contour, a directory


def _slices(path: Path, header: Any) -> Iterator[Slice]:
    if int(header.get("SamplesPerPixel", 1)) != 1:
        raise BadInput("is a picture in colours, not a slice")
    size = (int(header.Rows), int(header.Columns))
    frames = int(header.get("NumberOfFrames", 1) or 1)
    if size[0] * size[1] * frames > MOST_VOXELS:
        raise BadInput(f"says that it has {size[0]}x{size[1]}x{frames} voxels, which is more than can be meant")
    groups = header.get("PerFrameFunctionalGroupsSequence")
    if frames > 1 and groups is None:
        raise BadInput(f"holds {frames} frames and does not say where they lie")
    shared = header.get("SharedFunctionalGroupsSequence")
    for frame in range(frames):
        places = [header]
        if groups is not None:
            places = [groups[frame], *(shared or [])]
        where = _numbers(places, "PlanePositionSequence", "ImagePositionPatient", 3)
        turned = _numbers(places, "PlaneOrientationSequence", "ImageOrientationPatient", 6)
        spacing = _numbers(places, "PixelMeasuresSequence", "PixelSpacing", 2)
        if where is None or turned is None or spacing is None:
            named = {"ImagePositionPatient": where, "ImageOrientationPatient": turned, "PixelSpacing": spacing}
            missing = next(name for name, value in named.items() if value is None)
            raise BadInput(f"has no {missing}, so where it lies is not known")
        if min(spacing) <= 0:
            raise BadInput(f"has pixels of {spacing[0]:g} x {spacing[1]:g} mm")
        slope = _numbers(places, "PixelValueTransformationSequence", "RescaleSlope", 1) or (1.0,)
        intercept = _numbers(places, "PixelValueTransformationSequence", "RescaleIntercept", 1) or (0.0,)
        yield Slice(path, frame, where, turned, spacing, size, slope[0], intercept[0])


def _numbers(places: Sequence[Any], sequence: str, name: str, length: int) -> tuple[float, ...] | None:
    """In the header itself, or in one of the groups of an enhanced object."""
    for place in places:
        inside = place.get(sequence)
        for one in (place, *(inside or [])):
            value = one.get(name)
            if value is None or value == "":
                continue
            try:
                found = tuple(float(each) for each in (value if length > 1 else [value]))
            except (TypeError, ValueError):
                raise BadInput(f"has a {name} that is no number") from None
            if len(found) != length or not all(map(math.isfinite, found)):
                raise BadInput(f"has a {name} of {len(found)} numbers, where {length} are wanted")
            return found
    return None


def _in_order(folder: Path, slices: Sequence[Slice]) -> tuple[Slice, ...]:
    first = slices[0]
    for one in slices:
        if one.size != first.size:
            raise BadInput(
                f"{one.path}: has {one.size[1]}x{one.size[0]} pixels, the first of its series "
                f"{first.size[1]}x{first.size[0]}"
            )
        for what in ("spacing", "orientation"):
            if np.abs(np.subtract(getattr(one, what), getattr(first, what))).max() > _TURNED:
                raise BadInput(f"{one.path}: has another {what} than the first of its series")
    normal = np.cross(first.orientation[:3], first.orientation[3:])
    ordered = sorted(slices, key=lambda one: float(normal @ np.array(one.position)))
    places = np.array([normal @ np.array(one.position) for one in ordered])
    gaps = np.diff(places)
    if len(gaps) and gaps.min() < _LEAST:
        at = int(np.argmin(gaps))
        raise BadInput(
            f"{ordered[at + 1].path}: lies where {ordered[at].path.name} lies: times or echoes of one place, or a copy"
        )
    if len(gaps):
        usual = float(np.median(gaps))
        far = np.flatnonzero(np.abs(gaps - usual) > max(_UNEVEN * usual, _LEAST))
        if len(far):
            at = int(far[0])
            steps = gaps[at] / usual
            lost = (
                f": {count(round(steps) - 1, 'slice')} missing"
                if abs(steps - round(steps)) < 0.1 and steps > 1.5
                else ""
            )
            raise BadInput(
                f"{folder}: {gaps[at]:.2f} mm lie between {ordered[at].path.name} and {ordered[at + 1].path.name}, "
                f"elsewhere {usual:.2f} mm{lost}"
            )
    return tuple(ordered)


def _pixels(path: Path) -> npt.NDArray[Any]:
    """(frames, rows, columns)."""
    whole = None
    try:
        whole = pydicom().dcmread(path, specific_tags=list(_PIXELS))
        found = np.asarray(whole.pixel_array)
    except Exception as error:  # damaged, or packed in a way that needs another decoder
        if whole is None or not whole.file_meta.TransferSyntaxUID.is_compressed:
            raise BadInput(f"its pixels cannot be decoded ({type(error).__name__})") from None
        found = _unpacked(path, whole)
    return found if found.ndim == 3 else found[None]


def _unpacked(path: Path, header: Any) -> npt.NDArray[Any]:
    """By SimpleITK's decoders, which apply the slope; here it is taken off again."""
    reader = sitk().ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO("GDCMImageIO")
    try:
        found = sitk().GetArrayFromImage(reader.Execute())
    except RuntimeError:
        raise BadInput("its pixels cannot be decoded: packed in a way that no decoder here knows") from None
    slope, intercept = float(header.get("RescaleSlope", 1) or 1), float(header.get("RescaleIntercept", 0) or 0)
    return np.asarray(np.rint((found - intercept) / slope), np.int32)
