"""Frames into a store: sizes are known before anything is read, so places are too, and many processes write at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segue.data.case import Case
from segue.data.copies.fingerprint import fingerprint
from segue.data.dataset import Dataset
from segue.data.geometry import pyramid
from segue.data.pixels import to_channels
from segue.data.preparing.kind import Bench, same_share
from segue.data.preparing.propose import working_size
from segue.data.preparing.settings import PrepareSettings
from segue.data.stamp import stamp_now
from segue.data.stores.frames import IMAGES, MASKS, Layout, Place, write_index
from segue.errors import BadInput


@dataclass(frozen=True)
class Frames:
    dataset: Dataset
    settings: PrepareSettings
    layout: Layout

    @classmethod
    def of(cls, dataset: Dataset, given: PrepareSettings) -> Frames:
        card, cases = dataset.card, dataset.cases
        given.demand_unasked(("spacing", "window", "n4", "channels"), "is for volumes, and these are frames")
        if card.dtype not in ("uint8", "uint16") or not card.channels:
            raise BadInput(f"{dataset.folder}: dtype {card.dtype!r} and {len(card.channels)} channels make no store")
        unmeasured = next((case.case for case in cases if not (case.height and case.width and case.digest)), None)
        if unmeasured is not None:
            raise BadInput(
                f"{dataset.folder}: {unmeasured!r} has no size or no digest in the table", hint="Scan again."
            )
        resolved = given.resolve(size=working_size(cases))
        pixel = len(card.channels) * np.dtype(card.dtype).itemsize
        sizes = [(case.case, case.height, case.width, case.labelled) for case in cases]
        return cls(dataset, resolved, Layout.plan(sizes, long_side=int(resolved.size), pixel_bytes=pixel))

    @property
    def channels(self) -> tuple[str, ...]:
        return self.dataset.card.channels

    @property
    def bytes(self) -> int:
        return self.layout.image_bytes + self.layout.mask_bytes

    @property
    def memory(self) -> int:
        largest = max(case.height * case.width for case in self.dataset.cases) * len(self.dataset.card.channels)
        return (256 << 20) + 4 * largest

    @property
    def asked(self) -> str:
        return self.settings.model_dump_json(include={"size"})

    @property
    def told(self) -> str:
        return f"long side at most {self.settings.size} px"

    def about(self) -> dict[str, Any]:
        return {"size": int(self.settings.size), "dtype": self.dataset.card.dtype}

    def try_one(self, case: Case) -> None:
        self.dataset.image(case)

    def begin(self, work: Path) -> None:
        _reserve(work / IMAGES, self.layout.image_bytes)
        _reserve(work / MASKS, self.layout.mask_bytes)

    def tasks(self) -> list[_Task]:
        return [_Task(case, place) for case, place in zip(self.dataset.cases, self.layout.places, strict=True)]

    @property
    def store_one(self) -> Callable[[_Task, Bench], int]:
        return _store_one

    def finish(self, work: Path, done: Mapping[str, Any]) -> None:
        write_index(work, [place for place in self.layout.places if place.case in done])


@dataclass(frozen=True)
class _Task:
    case: Case
    place: Place


def _reserve(path: Path, size: int) -> None:
    """The file at its length, so that workers can write anywhere in it. Room was looked for before; a disk that fills
    up meanwhile shows as a failed write, and reserving blocks beforehand makes every write three times slower."""
    if not path.exists() or path.stat().st_size != size:
        with path.open("wb") as file:
            file.truncate(size)


def _store_one(task: _Task, bench: Bench) -> int:
    """Returns the bytes of the decoded image, for the record; what matters is in the files."""
    card, case, place = bench.dataset.card, task.case, task.place
    # What the scan has seen of these very files need not be looked at again.
    untouched = bool(case.stamp) and stamp_now(bench.dataset.root, case) == case.stamp
    pixels = bench.dataset.image(case)
    if pixels.shape[:2] != place.fit.native:
        raise BadInput(f"{case.images[0]}: has changed its size since the scan; scan again")
    if not untouched and fingerprint(pixels if pixels.shape[2] > 1 else pixels[..., 0])[0] != case.digest:
        raise BadInput(f"{case.images[0]}: has changed since the scan; scan again")
    levels = pyramid(to_channels(pixels, len(card.channels), card.dtype), place.fit)
    _write_at(bench.work / IMAGES, place.image, b"".join(level.tobytes() for level in levels))
    if place.mask >= 0:
        ids = bench.dataset.mask(case, checked=untouched)
        if ids.shape != place.fit.native or not same_share(ids, case):
            raise BadInput(f"{case.mask}: has changed since the scan; scan again")
        _write_at(bench.work / MASKS, place.mask, place.fit.labels(ids).tobytes())
    return pixels.nbytes


def _write_at(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b", buffering=0) as file:
        file.seek(offset)
        rest = memoryview(data)
        while rest:  # a full disk takes a part and says nothing; the next part is an error
            rest = rest[file.write(rest) :]
