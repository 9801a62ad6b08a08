"""Volumes into a store: read, corrected, cut out, resampled, made numbers of 16 bits; each to files of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.data.case import Case
from segue.data.dataset import Dataset
from segue.data.preparing.kind import Bench, same_share
from segue.data.preparing.propose import working_spacing
from segue.data.preparing.settings import PrepareSettings
from segue.data.stamp import stamp_now
from segue.data.stores.volumes import IMAGES, MASKS, VolumePlace, as_row, of_row, slices_of, write_index
from segue.data.volumes.bias import BiasSettings, corrected
from segue.data.volumes.look import digest_of, read_channels
from segue.data.volumes.recipe import DTYPE, Recipe, Triple, ready
from segue.data.volumes.resample import fitting
from segue.data.volumes.volume import Volume
from segue.errors import BadInput, SegueError, nearest
from segue.files import atomic
from segue.words import count

CT_WINDOW = (-1000.0, 1000.0)  # where no mask says what is of interest
_LOOKED_AT = 12  # cases, to find a window
_SHOWN = (0.5, 99.5)  # percentiles of what masks cover
_ROUND = 10  # Hounsfield units
FIRST = "first slice"  # a column of the table, where the order of slices is known and headers do not tell it
_TO_APEX = (-1.0, 1.0, -1.0)  # right, front, head


@dataclass(frozen=True)
class Volumes:
    dataset: Dataset
    given: PrepareSettings
    settings: PrepareSettings  # resolved but for the window, which takes reading

    @classmethod
    def of(cls, dataset: Dataset, given: PrepareSettings) -> Volumes:
        given.demand_unasked(("size",), "is for frames, and these are volumes; --spacing is theirs")
        kinds = _kinds(dataset)
        if unknown := sum(not modality_of(dataset, case) for case in dataset.cases) if "CT" in kinds else 0:
            raise BadInput(
                f"{dataset.folder}: of {count(unknown, 'volume')} the modality is not known, and others are CT",
                hint="A column `modality` in cases.csv says it for each, `segue data scan --modality` for all.",
            )
        if "CT" not in kinds:
            why = "is for CT, and none of these is known to be one (`segue data scan --modality CT`)"
            given.demand_unasked(("window",), why)
        if kinds == {"CT"}:
            given.demand_unasked(("n4",), "is for MR, and these are CT")
        for case in dataset.cases:
            if not (case.depth and case.height and case.width and case.digest and len(case.spacing) == 3):
                raise BadInput(
                    f"{dataset.folder}: {case.case!r} has no size, spacing or digest in the table", hint="Scan again."
                )
        for name in given.channels if isinstance(given.channels, tuple) else ():
            if name not in dataset.card.channels:
                raise BadInput(f"{dataset.folder}: channel {name!r}: {nearest(name, dataset.card.channels)}")
        return cls(
            dataset, given, given.resolve(spacing=working_spacing(dataset.cases), channels=dataset.card.channels)
        )

    @property
    def channels(self) -> tuple[str, ...]:
        assert isinstance(self.settings.channels, tuple)
        return self.settings.channels

    @cached_property
    def recipe(self) -> Recipe:
        settings = self.settings
        assert isinstance(settings.spacing, tuple)
        window = settings.window if isinstance(settings.window, tuple) else self._window()
        named = self.dataset.card.channels
        taken = () if self.channels == named else tuple(map(named.index, self.channels))
        kinds = _kinds(self.dataset)
        return Recipe(
            spacing=settings.spacing, n4=settings.n4, window=window, crop=settings.crop, channels=taken,
            mixed="CT" in kinds and len(kinds) > 1,
        )  # fmt: skip

    def _window(self) -> tuple[float, float] | None:
        """What the masked structures of some CT volumes show; none where there is no CT."""
        scans = [case for case in self.dataset.cases if modality_of(self.dataset, case) == "CT"]
        if not scans:
            return None
        masked = [case for case in scans if case.labelled and case.part != "test"]
        seen: list[npt.NDArray[np.float32]] = []
        for case in masked[:: max(1, len(masked) // _LOOKED_AT)][:_LOOKED_AT]:
            try:
                image, ids = self.dataset.image(case), self.dataset.mask(case)
            except SegueError:  # it is told when its turn comes
                continue
            inside = image[(ids > 0) & (ids < 255)].reshape(-1).astype(np.float32)
            seen.append(inside[:: max(1, len(inside) // (1 << 18))])
        if not seen or not sum(map(len, seen)):
            return CT_WINDOW
        low, high = np.percentile(np.concatenate(seen), _SHOWN)
        return (float(np.floor(low / _ROUND) * _ROUND), float(np.ceil(high / _ROUND) * _ROUND))

    @property
    def bytes(self) -> int:
        found = 0
        for case in self.dataset.cases:
            voxels = int(np.prod(self._stored(case)))
            found += voxels * (2 * len(self.channels) + case.labelled)
        return found

    def _stored(self, case: Case) -> tuple[int, int, int]:
        """At most: what is cropped is not known yet."""
        assert isinstance(self.settings.spacing, tuple)
        wanted = tuple(want or have for want, have in zip(self.settings.spacing, case.steps, strict=True))
        return fitting((case.depth, case.height, case.width), case.steps, wanted)

    @property
    def memory(self) -> int:
        channels = len(self.dataset.card.channels)
        largest = max(case.depth * case.height * case.width for case in self.dataset.cases)
        return (256 << 20) + (12 * channels + 8) * largest

    @property
    def asked(self) -> str:
        """A window that is found from the data is not found again to know that it is the same."""
        return self.settings.model_copy(update={"window": self.given.window}).model_dump_json(exclude={"size"})

    @property
    def told(self) -> str:
        recipe = self.recipe
        between, down, across = ("as they are" if not step else f"of {step:g} mm" for step in recipe.spacing)
        said = [", ".join(self.channels)] if recipe.channels else []
        said += [f"slices {between}, rows {down}, columns {across}"]
        said += ["N4"] if recipe.n4 else []
        said += [f"{recipe.window[0]:g} to {recipe.window[1]:g} HU"] if recipe.window is not None else []
        return ", ".join(said)

    def about(self) -> dict[str, Any]:
        return {"recipe": self.recipe.model_dump(mode="json"), "dtype": DTYPE}

    def try_one(self, case: Case) -> None:
        prepared(self.dataset, case, self.recipe.of(modality_of(self.dataset, case)))

    def begin(self, work: Path) -> None:
        for name in (IMAGES, MASKS):
            (work / name).mkdir(exist_ok=True)

    def tasks(self) -> list[_Task]:
        return [
            _Task(case, f"{number:06}.npy", self.recipe.of(modality_of(self.dataset, case)))
            for number, case in enumerate(self.dataset.cases)
        ]

    @property
    def store_one(self) -> Callable[[_Task, Bench], list[str]]:
        return _store_one

    def finish(self, work: Path, done: Mapping[str, Any]) -> None:
        write_index(work, [of_row(done[case.case]) for case in self.dataset.cases if case.case in done])


@dataclass(frozen=True)
class _Task:
    case: Case
    file: str
    recipe: Recipe


def settings_like(recipe: Recipe, channels: tuple[str, ...], dataset: Dataset) -> PrepareSettings:
    """So that volumes of another dataset can be seen by a network beside what was prepared by this."""
    kinds = _kinds(dataset)
    return PrepareSettings(
        spacing=recipe.spacing,
        window=recipe.window if recipe.window is not None and "CT" in kinds else "auto",
        n4=recipe.n4 and kinds != {"CT"},
        crop=recipe.crop,
        channels=channels if recipe.channels else "auto",
    )


def _kinds(dataset: Dataset) -> set[str]:
    return {modality_of(dataset, case) for case in dataset.cases}


def modality_of(dataset: Dataset, case: Case) -> str:
    return (case.modality or dataset.card.modality).upper()


def _store_one(task: _Task, bench: Bench) -> list[str]:
    dataset, case, work = bench.dataset, task.case, bench.work
    place, image, ids = prepared(dataset, case, task.recipe, file=task.file)
    with atomic(work / IMAGES / task.file, "wb") as file:
        np.save(file, image)
    if ids is not None:
        with atomic(work / MASKS / task.file, "wb") as file:
            np.save(file, ids)
    return as_row(place)


def prepared(
    dataset: Dataset, case: Case, recipe: Recipe, *, file: str = "", masked: bool = True
) -> tuple[VolumePlace, npt.NDArray[np.uint16], npt.NDArray[np.uint8] | None]:
    """A case as the store holds it: its place, image and mask."""
    untouched = bool(case.stamp) and stamp_now(dataset.root, case) == case.stamp
    channels = read_channels(dataset.root, case.images)
    if len(channels) != len(dataset.card.channels):
        raise BadInput(f"has {len(channels)} channels, the dataset has {len(dataset.card.channels)}")
    if not untouched and digest_of(channels)[0] != case.digest:
        raise BadInput(f"{case.images[0]}: has changed since the scan; scan again")
    ids = dataset.mask(case, checked=untouched) if case.labelled and masked else None
    if ids is not None and not same_share(ids, case):
        raise BadInput(f"{case.mask}: has changed since the scan; scan again")
    found = ready(
        channels, recipe, keep=None if ids is None else ids > 0, corrected=_Corrections(dataset.folder / "n4", case),
    )  # fmt: skip
    stored, along = None if ids is None else found.placement.labels(ids), _along(channels[0])
    place = VolumePlace(
        case.case, file, ids is not None, found.placement, found.spacing, along, _first(dataset, case, along), found.scale,
        {} if stored is None else slices_of(stored),
    )  # fmt: skip
    return place, found.voxels, stored


def _along(volume: Volume) -> Triple:
    """The direction of slices in the patient: right, front, head."""
    step = volume.grid.turned().matrix[:3, 0]
    right, front, head = (step / np.linalg.norm(step)).tolist()
    return right, front, head


def _first(dataset: Dataset, case: Case, along: Triple) -> str:
    """What the dataset says; else, of hearts, what follows from where slices run: an apex points left, to the front and to
    the feet."""
    told = case.extra.get(FIRST, "")
    if told or dataset.card.anatomy != "heart":
        return told
    return "base" if float(np.dot(along, _TO_APEX)) > 0 else "apex"


@dataclass(frozen=True)
class _Corrections:
    """N4 takes longer than all the rest, so what it found is kept with the dataset, whatever store is made next."""

    folder: Path
    case: Case

    def __call__(self, channel: int, voxels: npt.NDArray[np.float32], spacing: Triple) -> npt.NDArray[np.float32]:
        settings = BiasSettings()
        by = hashlib.blake2b(settings.model_dump_json().encode(), digest_size=4).hexdigest()
        path = self.folder / f"{self.case.digest}-{channel}-{by}.npy"
        try:
            kept: npt.NDArray[np.float32] = np.load(path, allow_pickle=False)
            if kept.shape == voxels.shape and kept.dtype == np.float32:
                return kept
        except (OSError, ValueError, EOFError):
            pass
        found = corrected(voxels, spacing, settings)
        with atomic(path, "wb") as file:
            np.save(file, found)
        return found
