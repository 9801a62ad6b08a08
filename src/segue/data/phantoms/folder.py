"""What a phantom hands out (a Frame or a Volume) and how a folder of them is laid out.

FOLDER/manifest.csv                        image,mask,case,patient,site,time; paths relative to FOLDER
FOLDER/<site>/images/<patient>_<time>.jpg  (2-D) or .nii.gz (volumes)
FOLDER/<site>/masks/<patient>_<time>.png   (0/255) or .nii.gz (label values)
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from segue.data.phantoms.noise import Bytes, Floats
from segue.data.volumes import nifti
from segue.data.volumes.grid import Grid

Patients = int | Iterable[int]  # so many from number 0, or just these numbers
Amount = int | float  # so many, or such a share


@dataclass(frozen=True)
class Frame:
    """One 2-D image. It is kept as the camera's JPEG file: what is decoded in memory equals what is read from disk."""

    jpeg: bytes
    mask: Bytes  # (rows, columns), 0/1
    site: str
    patient: str
    time: str

    @property
    def image(self) -> Bytes:
        """(rows, columns, 3), RGB."""
        return np.asarray(cv2.imdecode(np.frombuffer(self.jpeg, np.uint8), cv2.IMREAD_COLOR_RGB), np.uint8)


Axes = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]
"""Where z, y and x run in the patient: each to the right, to the front, to the head."""

AXIAL: Axes = ((0.0, 0.0, 1.0), (0.0, -1.0, 0.0), (-1.0, 0.0, 0.0))  # z to the head, y to the back, x to the left


@dataclass(frozen=True)
class Volume:
    """One 3-D image, (z, y, x), with its spacing in millimetres in the same order."""

    image: Floats
    labels: Bytes
    spacing: tuple[float, float, float]
    axes: Axes
    site: str
    patient: str
    time: str


Sample = Frame | Volume


def numbers(patients: Patients) -> list[int]:
    """The patients' numbers."""
    return list(range(patients) if isinstance(patients, int) else patients)


@dataclass(frozen=True)
class Phantom:
    """A kind of synthetic data: its sites, its label values, and the function that draws it."""

    name: str
    sites: tuple[str, ...]
    classes: Mapping[int, str]
    each: int  # cases of one patient
    flat: bool  # frames, not volumes
    samples: Callable[..., Iterator[Sample]]  # (*, site, patients, seed): patient by patient

    def make(
        self,
        folder: Path | str,
        *,
        patients: Patients = 20,
        seed: int = 0,
        sites: Sequence[str] | None = None,
        labelled: Amount | Mapping[str, Amount] = 1.0,
    ) -> None:
        """Writes a folder with `patients` at each site.

        Args:
            folder: made where needed; a manifest that is there is replaced.
            patients: how many per site, or their numbers.
            seed: another seed, other patients.
            sites: some of the phantom's sites; all if not given.
            labelled: how many cases of a site (int), or what share (float), get a mask; or a mapping from site to that.
                They are spread over the patients (everyone's first case before anyone's second), and 8 are part of 40.
        """
        chosen = self.sites if sites is None else tuple(sites)
        if unknown := set(chosen) - set(self.sites):
            raise ValueError(f"{self.name} has no site {', '.join(sorted(unknown))}; it has {', '.join(self.sites)}")
        root, who, rows = Path(folder), numbers(patients), []
        for site in chosen:
            amount = labelled.get(site, 1.0) if isinstance(labelled, Mapping) else labelled
            wanted = amount if isinstance(amount, int) else round(amount * self.each * len(who))
            for kind in ("images", "masks"):
                (root / site / kind).mkdir(parents=True, exist_ok=True)
            for index, sample in enumerate(self.samples(site=site, patients=who, seed=seed)):
                rank = index % self.each * len(who) + index // self.each
                image, mask = write(sample, root, with_mask=rank < wanted)
                case = f"{sample.patient}_{sample.time}"
                rows.append([image, mask, case, sample.patient, site, sample.time])
        # newline="" and "\n": the same bytes on every system.
        with (root / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(["image", "mask", "case", "patient", "site", "time"])
            table.writerows(rows)


def write(sample: Sample, root: Path, *, with_mask: bool) -> tuple[str, str]:
    """Writes one case; returns the two paths relative to `root`, the second empty if there is no mask."""
    stem = f"{sample.patient}_{sample.time}"
    if isinstance(sample, Frame):
        image, mask = f"{sample.site}/images/{stem}.jpg", f"{sample.site}/masks/{stem}.png"
        (root / image).write_bytes(sample.jpeg)
        if with_mask:
            cv2.imwrite(str(root / mask), sample.mask * 255, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    else:
        image, mask = (f"{sample.site}/{kind}/{stem}.nii.gz" for kind in ("images", "masks"))
        grid = _grid(sample)
        nifti.write(root / image, np.ascontiguousarray(np.rint(sample.image).astype(np.int16).T), grid)
        if with_mask:
            nifti.write(root / mask, np.ascontiguousarray(sample.labels.T), grid)
    return image, mask if with_mask else ""


def _grid(sample: Volume) -> Grid:
    """Of the file, whose axes are x, y, z; the middle of the volume is the world's."""
    matrix = np.eye(4)
    for column, (axis, step) in enumerate(zip(reversed(sample.axes), reversed(sample.spacing), strict=True)):
        matrix[:3, column] = np.array(axis) * step
    shape = sample.image.shape[::-1]
    matrix[:3, 3] = -matrix[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid.of(shape, matrix)
