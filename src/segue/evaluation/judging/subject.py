"""A case that is judged: where its image comes from, and its truth on the native grid.

The image is taken from the store where the store holds exactly what the file would become, else from the file; so it does
not matter to any number whether there is a store. The truth is always on the native grid, as annotated.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segue.data.case import IGNORE, Case
from segue.data.dataset import TABLE, Dataset
from segue.data.geometry import pyramid
from segue.data.pixels import to_channels
from segue.data.preparing.volumes import modality_of, prepared
from segue.data.splitting.split import Split
from segue.data.stamp import stamp_now
from segue.data.stores.frames import FrameStore
from segue.data.stores.store import Store
from segue.data.stores.volumes import VolumeStore
from segue.data.target import Target
from segue.data.volumes.recipe import Recipe
from segue.errors import BadInput, SegueError
from segue.evaluation.predicting.frame import Frame
from segue.evaluation.predicting.predict import Picture, ahead
from segue.evaluation.predicting.stack import Stack

Labels = npt.NDArray[
    np.uint8
]  # in the case's own form: channels or codes of the target, IGNORE where it does not count

KEPT = 256 << 20  # bytes of packed truths that a judge keeps in memory; the others are read again


@dataclass(frozen=True, eq=False)
class Subject:
    case: Case
    dataset: Dataset
    lookup: npt.NDArray[np.uint8]  # class id -> channel, or code of regions
    store: Store | None = None
    part: str = ""  # of the split: train, validation, test
    seen: str = ""  # what training has seen of it: nothing, "images", "masks"

    def annotated(self, target: Target) -> tuple[str, ...]:
        """Those of the target's classes that this dataset's annotators drew: where they drew none, nobody knows."""
        return target.annotated(self.lookup)

    def picture(self, frame: Frame) -> Picture | Stack:
        if self.case.volume != (frame.volumes is not None):
            kind, other = ("a volume", "pictures") if self.case.volume else ("a picture", "volumes")
            raise BadInput(f"is {kind}, and the network was trained on {other}")
        if frame.volumes is not None:
            frame.demand_channels(len(self.dataset.card.channels))
            return self._stack(frame.volumes.recipe)
        stored = self._stored(frame)
        if stored is not None:
            return stored
        # First as the dataset's own store would have it; what the network makes of that comes after, as for stored ones.
        own = self.pixels()
        fit = frame.fit((own.shape[0], own.shape[1]))
        return Picture(pyramid(own, fit), fit.native, self.case.case)

    def pixels(self) -> npt.NDArray[Any]:
        """Of a picture's file, with the channels and numbers of its dataset."""
        pixels = self.dataset.image(self.case)
        card = self.dataset.card
        return to_channels(pixels, len(card.channels) or pixels.shape[2], card.dtype)

    def _stored(self, frame: Frame) -> Picture | None:
        if not isinstance(self.store, FrameStore) or self.case.case not in self.store.numbers:
            return None
        number = self.store.numbers[self.case.case]
        fit = self.store.places[number].fit
        if fit != frame.fit(fit.native):
            return None  # prepared at another size than the network's
        return Picture(self.store.pyramid(number), fit.native, self.case.case)

    def _stack(self, recipe: Recipe) -> Stack:
        store, name = self.store, self.case.case
        modality = modality_of(self.dataset, self.case)
        own = recipe.of(modality)
        made = None if store is None else store.card.recipe
        if isinstance(store, VolumeStore) and made is not None and name in store.numbers and made.of(modality) == own:
            number = store.numbers[name]
            return Stack(store.image(number), store.places[number].placement, name)
        place, voxels, _ = prepared(self.dataset, self.case, own, masked=False)
        return Stack(voxels, place.placement, name)

    def truth(self) -> Labels:
        number = self.store.numbers.get(self.case.case) if self.store is not None else None
        if isinstance(self.store, FrameStore) and number is not None:
            fit, ids = self.store.places[number].fit, self.store.mask(number)
            if ids is not None and fit.stored == fit.native:
                return np.asarray(cv2.LUT(ids, self.lookup), np.uint8)
        untouched = bool(self.case.stamp) and stamp_now(self.dataset.root, self.case) == self.case.stamp
        ids = self.dataset.mask(self.case, checked=untouched)
        return np.asarray(cv2.LUT(ids.reshape(len(ids), -1), self.lookup), np.uint8).reshape(ids.shape)


def subjects(
    dataset: Dataset,
    target: Target,
    *,
    names: Iterable[str] | None = None,
    split: Split | None = None,
    part: str = "",
    store: Store | None = None,
    same: Mapping[str, str] | None = None,
    seen: Mapping[str, str] | None = None,
) -> list[Subject]:
    """Labelled cases of a dataset, in the order of its table: those of a `part` of the `split`, or those named, or all."""
    if store is not None and store.card.dataset != dataset.name:
        raise BadInput(f"{store.folder}: is a store of {store.card.dataset!r}, not of {dataset.name!r}")
    if part and split is None:
        raise BadInput(f"{dataset.name}: part {part!r} of which split?")
    if names is None:
        chosen = None if split is None or not part else set(split.cases(part))
    else:
        chosen = set(names)
        unknown = sorted(chosen - set(dataset.by_name))
        if unknown:
            raise BadInput(
                f"{dataset.name}: has no case {unknown[0]!r}", hint=f"Its cases are in {dataset.folder / TABLE}."
            )
    lookup = target.table(dataset.card.classes, where=dataset.name, same=same)
    found = []
    for case in dataset.cases:
        if not case.labelled or (chosen is not None and case.case not in chosen):
            continue
        its_part = split.parts.get(case.case, "") if split is not None else case.part
        found.append(Subject(case, dataset, lookup, store, its_part, (seen or {}).get(case.case, "")))
    if not found:
        raise BadInput(
            f"{dataset.name}: has no labelled case" + (f" in {part}" if part else "") + ", so nothing can be judged"
        )
    return found


def pictures(subjects: Sequence[Subject], frame: Frame) -> Iterator[Picture | Stack | SegueError]:
    """Of each in order, read before its turn, or why there is none."""

    def read(subject: Subject) -> Picture | Stack | SegueError:
        try:
            return subject.picture(frame)
        except SegueError as error:
            return error

    return ahead(read, subjects, count=frame.ahead)


def images_alone(dataset: Dataset, cases: Iterable[Case], *, store: Store | None = None) -> list[Subject]:
    """Cases whose masks, where there are some, are not read."""
    nothing = np.full(IGNORE + 1, IGNORE, np.uint8)
    return [Subject(case.with_(mask=""), dataset, nothing, store, case.part) for case in cases]


class Truths:
    """The truths of many cases: packed and kept while they fit, else read anew each time."""

    def __init__(self, *, keep: int = KEPT) -> None:
        self._room, self._packed = keep, dict[Subject, tuple[bytes, tuple[int, ...]]]()

    def of(self, subject: Subject, size: tuple[int, ...]) -> Labels:
        """`size`: the image's."""
        kept = self._packed.get(subject)
        if kept is not None:
            return np.frombuffer(zlib.decompress(kept[0]), np.uint8).reshape(kept[1])
        found = subject.truth()
        if found.shape != size:
            mask, image = (" x ".join(map(str, reversed(sides))) for sides in (found.shape, size))
            raise BadInput(f"its mask is {mask}, its image {image}")
        packed = zlib.compress(found.tobytes(), 1) if self._room else b""
        if 0 < len(packed) <= self._room:
            self._room -= len(packed)
            self._packed[subject] = (packed, found.shape)
        return found


def counted(truth: Labels) -> npt.NDArray[np.bool_] | None:
    """Which pixels count; None: all."""
    counts = truth != IGNORE
    return None if counts.all() else counts


def unique_names(chosen: Sequence[Subject]) -> list[Case]:
    """The cases as they stand in a table: of several datasets, each with its dataset's name before its own."""
    datasets = {subject.dataset.name for subject in chosen}
    if len(datasets) == 1:
        return [subject.case for subject in chosen]
    return [
        subject.case.with_(
            case=f"{subject.dataset.name}/{subject.case.case}",
            site=subject.case.site or subject.dataset.name,
            group=f"{subject.dataset.name}/{subject.case.group}" if subject.case.group else "",
            extra={**subject.case.extra, "dataset": subject.dataset.name},
        )
        for subject in chosen
    ]
