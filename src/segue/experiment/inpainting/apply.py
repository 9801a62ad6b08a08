"""`segue inpaint apply`: cases that never were, on the disk, each with where it comes from and what was done to it.

Of a dataset that is split only what is for training is painted, and what is painted is for training again. Images without a
mask are taken for free of what is painted, so that something can only be added: a case with a mask out of one without.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segue.data.alone import alone
from segue.data.case import IGNORE, Case, write_rows
from segue.data.dataset import Dataset
from segue.data.preparing.prepare import prepare
from segue.data.stores.frames import FrameStore
from segue.data.target import BACKGROUND, Target
from segue.errors import BadInput
from segue.evaluation.predicting.folder import write_png
from segue.executors.progress import Progress
from segue.experiment.inpainting.load import painter_at, painting_of
from segue.experiment.opening import as_it_stands, images_of
from segue.files import atomic
from segue.training.painting import Painting
from segue.variations.address import Address
from segue.variations.edits import KINDS
from segue.variations.paint import Paint

TABLE = "manifest.csv"
_TRIES = 20  # of an edit that changes something, until another image is taken


@dataclass(frozen=True)
class Applied:
    folder: Path
    count: int
    edits: dict[str, int]
    classes: dict[int, str]

    def as_json(self) -> dict[str, Any]:
        return {"folder": str(self.folder), "count": self.count, "edits": self.edits}


def apply(
    where: Path | str,
    on: Path | str,
    out: Path | str,
    *,
    count: int = 0,
    edit: Paint | None = None,
    seed: int = 0,
    progress: bool = False,
) -> Applied:
    """Paint into a dataset's images and write them with their masks and a table that `segue data scan` reads.

    Args:
        where: the run of `segue inpaint fit`.
        on: the dataset.
        out: a new folder.
        count: of images; 0: one of each of the dataset's.
        edit: which edits, how likely and how large; without it those of `paint`, and none is left alone.
        seed: other edits and other textures for another number.
    """
    run, dataset = painter_at(where), Dataset.open(on)
    store = prepare(as_it_stands(dataset), progress=progress).store
    if not isinstance(store, FrameStore):
        raise BadInput(
            f"{dataset.folder}: holds volumes; a painter at work on them is a variation: segue train --painter"
        )
    what = run.target.names[run.about["channel"]]
    classes = dataset.card.classes or {0: BACKGROUND, 1: what}
    ids = sorted(classes)
    target = Target.of(classes)
    painting = painting_of(run.folder, target, len(store.card.channels), store.card.dtype)
    cases = [case for case in images_of(dataset) if case.case in store.numbers]
    if not cases:
        raise BadInput(f"{dataset.folder}: has no image that may be painted")
    folder, drawn = Path(out), edit or Paint()
    if folder.exists():
        raise BadInput(f"{folder}: is there already", hint="Give another --out.")
    lookup = target.table(classes, where=str(dataset.folder))
    back = np.full(256, IGNORE, np.uint8)
    back[: len(ids)] = ids
    wanted = count or len(cases)
    work = folder.with_name(f".{folder.name}.partial")
    rows: list[dict[str, str]] = []
    with alone(work, folder.with_name(f".{folder.name}.lock"), what=folder, busy="another process writes it"):
        for name in ("images", "masks"):
            (work / name).mkdir(exist_ok=True)
        with Progress("painting", wanted, shown=progress) as shown:
            for done in _edited(store, cases, painting, drawn, seed, wanted, lookup):
                rows.append(_written(work, done, back))
                shown.advance()
        if not rows:
            raise BadInput(f"{dataset.folder}: none of these edits changes anything in any of its images")
        with atomic(work / TABLE) as file:
            write_rows(file, [list(rows[0]), *(list(row.values()) for row in rows)])
        work.rename(folder)
    kinds = [row["edit"] for row in rows]
    return Applied(folder, len(rows), {kind: kinds.count(kind) for kind in KINDS if kind in kinds}, classes)


@dataclass(frozen=True)
class _Done:
    name: str
    case: Case
    numbers: npt.NDArray[np.float64]
    image: npt.NDArray[Any]
    labels: npt.NDArray[np.uint8]


def _edited(
    store: FrameStore, cases: Sequence[Case], painting: Painting, edit: Paint, seed: int, wanted: int,
    lookup: npt.NDArray[np.uint8],
) -> Iterator[_Done]:  # fmt: skip
    """The images in turn, each with an edit that changes something in it; those that none does are passed over."""
    found, position, idle = 0, 0, 0
    while found < wanted and idle < len(cases):
        case = cases[position % len(cases)]
        number = store.numbers[case.case]
        image, mask = store.image(number), store.mask(number)
        labels = np.zeros(image.shape[:2], np.uint8) if mask is None else np.asarray(cv2.LUT(mask, lookup), np.uint8)
        shown = np.ones(labels.shape, np.bool_)
        for attempt in range(_TRIES):
            address = Address(seed, "apply", attempt, position, case.case)
            numbers = edit.draw((labels.shape[0], labels.shape[1]), [address]).parts["edit"][0]
            if mask is None and KINDS[int(numbers[0])] != "add":
                continue
            if (done := painting(np.ascontiguousarray(image), labels, shown, numbers)) is not None:
                yield _Done(f"{_plain(case.case)}-{position // len(cases)}", case, numbers, *done)
                found, idle = found + 1, -1
                break
        position, idle = position + 1, idle + 1


def _plain(name: str) -> str:
    return name.replace("/", "-")


def _written(work: Path, done: _Done, back: npt.NDArray[np.uint8]) -> dict[str, str]:
    image, mask = f"images/{done.name}.png", f"masks/{done.name}.png"
    colours = done.image[..., ::-1] if done.image.shape[2] == 3 else done.image
    for path, pixels in ((image, colours), (mask, back[done.labels])):
        write_png(work / path, np.ascontiguousarray(pixels))
    return {
        "case": done.name, "image": image, "mask": mask, "patient": done.case.patient, "site": done.case.site, "part": "train",
        "source": done.case.case, "edit": KINDS[int(done.numbers[0])],
        "numbers": json.dumps([round(value, 6) for value in done.numbers.tolist()]),
    }  # fmt: skip
