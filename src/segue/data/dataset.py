"""A dataset: a card that says what the images are, and a table of cases. The data itself stays where it lies.

A dataset is a folder of our own with

    dataset.yaml    the card; a person may mend it (names of classes, licence, patients_from...)
    cases.csv       the table
    thumbnails.npy  to find copies, here and in other datasets
    duplicates.csv  the pairs that were found
    skipped.csv     the files that a scan with --skip-bad has left out, and why
    split.csv       after `segue data split`
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from pydantic import Field

from segue.config import Strict, read_yaml, validate, write_yaml
from segue.data import images, labels
from segue.data.case import Case, read_cases, read_table, write_cases
from segue.data.labels import Labels
from segue.data.volumes import files
from segue.data.volumes import look as volumes
from segue.errors import BadInput, named, nearest

FORMAT = 1
CARD, TABLE, THUMBNAILS, DUPLICATES = "dataset.yaml", "cases.csv", "thumbnails.npy", "duplicates.csv"
SKIPPED = "skipped.csv"


class Card(Strict):
    format: int = FORMAT
    name: str
    root: str  # where the images lie
    layout: str  # the adapter that read them
    options: tuple[str, ...] = ()  # that the scan was given, as words of a command
    modality: str = ""
    anatomy: str = ""
    channels: tuple[str, ...] = ()
    classes: dict[int, str] = Field(default_factory=dict)
    labels: Labels | None = None  # None: nothing is labelled
    dtype: str = "uint8"  # of the store: uint8, or uint16 where images have 16 bits
    patients_from: str = ""  # empty: not known, each image counts as its own patient
    sites_from: str = ""
    licence: str = ""
    citation: str = ""
    home: str = ""


@dataclass(frozen=True)
class Dataset:
    folder: Path
    card: Card
    cases: tuple[Case, ...]

    @classmethod
    def open(cls, where: Path | str) -> Dataset:
        """A dataset's folder, or its `dataset.yaml`."""
        folder = Path(where)
        if folder.name == CARD:
            folder = folder.parent
        if not folder.is_dir():
            beside = [one.parent.name for one in folder.parent.glob(f"*/{CARD}")]
            known = f" ({nearest(folder.name, beside)})" if beside else ""
            raise BadInput(f"{where}: there is no such dataset{known}", hint="segue data scan FOLDER makes one.")
        if not (folder / CARD).is_file():
            raise BadInput(
                f"{where}: holds no {CARD}", hint=f"segue data scan {where} makes a dataset of a folder of images."
            )
        given = read_yaml(folder / CARD)
        if given.get("format", FORMAT) != FORMAT:
            raise BadInput(f"{folder / CARD}: format {given['format']} is not the one this version reads ({FORMAT})")
        card = validate(Card, given, where=str(folder / CARD))
        return cls(folder, card, tuple(read_cases(folder / TABLE)))

    def save(self) -> None:
        write_cases(self.folder / TABLE, self.cases)
        write_yaml(self.folder / CARD, self.card.model_dump(mode="json"))

    @property
    def name(self) -> str:
        return self.card.name

    @cached_property
    def root(self) -> Path:
        root = Path(self.card.root)
        if not root.is_dir():
            raise BadInput(
                f"{root}: the images of {self.name!r} are not there any more",
                hint=f"Mend root in {self.folder / CARD}.",
            )
        return root

    @cached_property
    def skipped(self) -> tuple[tuple[str, str], ...]:
        """(file, reason): what the scan has left out."""
        path = self.folder / SKIPPED
        try:
            return tuple((row["file"], row["reason"]) for row in read_table(path)) if path.exists() else ()
        except KeyError:
            raise BadInput(f"{path}: needs the columns file and reason", hint="Scan the folder again.") from None

    @cached_property
    def by_name(self) -> dict[str, Case]:
        return {case.case: case for case in self.cases}

    def image(self, case: Case) -> images.Pixels:
        """(height, width, channels), or (slice, row, column, channels) of a volume; several files are channels, in order."""
        if case.volume:
            found = [one.turned for one in volumes.read_channels(self.root, case.images)]
            return np.stack(found, axis=-1)
        planes = [images.read_image(self.root / path) for path in case.images]
        planes = [plane[..., None] if plane.ndim == 2 else plane for plane in planes]
        if len({plane.shape[:2] for plane in planes}) > 1:
            raise BadInput(f"{case.case}: its files differ in size")
        return planes[0] if len(planes) == 1 else cast(images.Pixels, np.concatenate(planes, axis=2))

    def mask(self, case: Case, *, checked: bool = False) -> npt.NDArray[np.uint8]:
        """Class ids, IGNORE where the mask does not count. `checked`: the scan has seen this very file."""
        if not case.mask or self.card.labels is None:
            raise BadInput(f"{case.case}: has no mask")
        if case.volume:
            grid = files.grid(self.root / case.images[0])
            whole = volumes.read_mask(self.root, case, grid)
            raw: npt.NDArray[Any] = whole.reshape(-1, whole.shape[-1])
        else:
            raw = images.read_mask(self.root / case.mask)
        with named(case.mask):
            ids = labels.apply(self.card.labels, raw, checked=checked)
        return ids.reshape(whole.shape) if case.volume else ids

    def thumbnails(self) -> npt.NDArray[np.uint8]:
        """(cases, side, side), memory-mapped, in the order of the table."""
        path, again = self.folder / THUMBNAILS, f"segue data scan {self.card.root} makes it again."
        try:
            found: npt.NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError):
            raise BadInput(f"{path}: cannot be read", hint=again) from None
        if found.ndim != 3 or found.dtype != np.uint8:
            raise BadInput(f"{path}: does not hold thumbnails", hint=again)
        if len(found) != len(self.cases):
            raise BadInput(
                f"{path}: holds {len(found)} thumbnails for {len(self.cases)} cases; the table was changed since the scan",
                hint=again,
            )
        return found


def as_dataset(given: Dataset | Path | str) -> Dataset:
    """What the verbs take: a dataset, or where one is."""
    return given if isinstance(given, Dataset) else Dataset.open(given)


def patients(cases: Sequence[Case]) -> int:
    """Known ones."""
    return len({(case.site, case.patient) for case in cases if case.patient})
