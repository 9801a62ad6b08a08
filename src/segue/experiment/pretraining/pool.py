"""What a pre-training works with: images of one dataset or of several, without their masks, and what is known of each.

Pictures and slices may stand side by side: grey ones are repeated to the channels of the others. What a dataset has for
validation and test is not looked at, nor is a copy of it in another one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt

from segue.data.case import Case
from segue.data.dataset import Dataset
from segue.data.splitting.dealing import in_proportion, units_of
from segue.data.splitting.split import Split
from segue.data.stores.store import Store
from segue.data.stores.volumes import VolumePlace, VolumeStore
from segue.data.target import Target
from segue.errors import BadInput
from segue.experiment import seen
from segue.experiment.opening import about, demand_own_names, name_of, row, store_of, unmasked
from segue.experiment.settings import PretrainSettings
from segue.experiment.telling import Say, silent
from segue.training.examples import Example, FrameExample, SliceExample, Widened
from segue.training.orders import Group, Volume
from segue.words import count


@dataclass(frozen=True)
class Pooled:
    dataset: Dataset
    store: Store
    images: tuple[Case, ...]
    split: str  # its hash; empty: it has none


@dataclass(frozen=True)
class Pool:
    several: tuple[Pooled, ...]
    neighbours: int
    partitions: int
    least: int = 1  # channels

    def with_channels(self, count: int) -> Pool:
        """The same, as a network of so many channels sees it."""
        return replace(self, least=count)

    @cached_property
    def _own(self) -> list[list[Example]]:
        """Each dataset's examples, in the channels of all."""
        return [
            [
                self._widened(one)
                for one in unmasked(each.store, each.images, partial(self.named, each), neighbours=self.neighbours)
            ]
            for each in self.several
        ]

    def named(self, one: Pooled, case: Case) -> str:
        return name_of(case, one.dataset, len(self.several))

    def _widened(self, example: Example) -> Example:
        if (example.channels, example.dtype) == (self.channels, self.dtype):
            return example
        assert isinstance(example, FrameExample | SliceExample)
        return Widened(example, self.channels, self.dtype)

    @cached_property
    def examples(self) -> list[Example]:
        return [example for own in self._own for example in own]

    @property
    def channels(self) -> int:
        return max(self.least, *map(self.own_channels, self.several))

    def own_channels(self, one: Pooled) -> int:
        return len(one.store.card.channels) * (1 + 2 * self.neighbours * isinstance(one.store, VolumeStore))

    @property
    def dtype(self) -> str:
        return "uint16" if any(one.store.card.dtype == "uint16" for one in self.several) else "uint8"

    @property
    def target(self) -> Target:
        """The image itself, channel by channel: what a network that paints is asked for."""
        return Target(tuple(f"channel {number + 1}" for number in range(self.channels)), exclusive=False)

    @cached_property
    def known(self) -> npt.NDArray[np.int64]:
        """A row of step.KNOWN for each example."""
        rows: list[tuple[int, int, int, int, int]] = []
        units: dict[tuple[int, str], int] = {}
        volumes: dict[tuple[int, str], int] = {}
        for number, (one, own) in enumerate(zip(self.several, self._own, strict=True)):
            together = units_of(one.dataset.cases)
            names = {self.named(one, case): case.case for case in one.images}
            for example in own:
                unit = units.setdefault((number, together[names[example.case]]), len(units))
                volume = volumes.setdefault((number, example.case), len(volumes))
                rows.append((len(rows), volume, self._partition(example), number, unit))
        return np.array(rows, np.int64)

    def _partition(self, example: Example) -> int:
        one = sliced(example)
        return -1 if one is None else partition_of(one.place, one.slice, self.partitions)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        found, start = [], 0
        for own in self._own:
            numbers = range(start, start + len(own))
            start += len(own)
            of = self.known[numbers.start : numbers.stop]
            if (of[:, 2] < 0).all():
                found.append(Group(frames=tuple(numbers)))
                continue
            volumes: dict[int, list[list[int]]] = {}
            for number, (_, volume, partition, _, _) in zip(numbers, of.tolist(), strict=True):
                volumes.setdefault(volume, [[] for _ in range(self.partitions)])[partition].append(number)
            found.append(Group(volumes=tuple(_frozen(parts) for parts in volumes.values())))
        return tuple(found)

    def seen(self) -> seen.Rows:
        return [row for one in self.several for row in seen.rows(one.dataset, one.images, seen.IMAGES)]

    def table(self) -> list[dict[str, str]]:
        """For cases.csv."""
        found = []
        for one in self.several:
            inside = {case.case for case in one.images}
            for case in one.dataset.cases:
                part = "images" if case.case in inside else "unused"
                found.append(row(case, one.dataset, part))
        return found

    def about(self) -> list[dict[str, str]]:
        return [{**about(one), "hash": one.split} for one in self.several]


def sliced(example: Example) -> SliceExample | None:
    """The slice that it is, in whichever channels; None: a picture."""
    inner = example.example if isinstance(example, Widened) else example
    return inner if isinstance(inner, SliceExample) else None


def partition_of(place: VolumePlace, slice_: int, partitions: int) -> int:
    """Which part of its volume's axis; a heart that is stored from its apex is counted from its base."""
    depth = place.placement.stored[0]
    number = depth - 1 - slice_ if place.first == "apex" else slice_
    return number * partitions // depth


def _frozen(parts: list[list[int]]) -> Volume:
    return tuple(tuple(part) for part in parts)


def gather(settings: PretrainSettings, *, say: Say = silent, progress: bool = False) -> Pool:
    """Open everything, prepare what is not yet, leave out what judges any of them."""
    if not settings.data:
        raise BadInput("there is nothing to look at", hint="segue pretrain --data DATASET,DATASET")
    datasets = [Dataset.open(folder) for folder in settings.data]
    demand_own_names(dataset.name for dataset in datasets)
    splits = [_split(dataset, settings.split) for dataset in datasets]
    judged = [(one, set() if parts is None else parts.judging) for one, parts in zip(datasets, splits, strict=True)]
    found = []
    for place, (dataset, parts) in enumerate(zip(datasets, splits, strict=True)):
        store = store_of(settings, place, dataset, None, say, progress)
        cases = [case for case in dataset.cases if case.case in store.numbers]
        if parts is None:
            say(f"{dataset.name}: is not split, so all of its {count(len(cases), 'image')} are looked at")
        else:
            inside = set(parts.cases("train"))
            cases = [case for case in cases if case.case in inside]
            parts.refuse_test(case.case for case in cases)
        others = [pair for pair in judged if pair[0] is not dataset]
        left = seen.without_copies(dataset, cases, others)
        if len(left) < len(cases):
            say(f"! {dataset.name}: {len(cases) - len(left)} left out: copies of what the others are judged by")
        if not left:
            why = (
                "all that is for training are copies of what the others are judged by"
                if cases
                else "none is for training"
            )
            raise BadInput(f"{dataset.name}: no image of it can be looked at: {why}")
        one = Pooled(dataset, store, tuple(left), parts.hash if parts is not None else "")
        found.append(one if settings.images is None else _few(one, settings.images // len(datasets), say))
    pool = Pool(tuple(found), settings.neighbours, settings.contrast.partitions)
    _demand_channels(pool)
    return pool


def _few(one: Pooled, most: int, say: Say) -> Pooled:
    """Patient by patient, in an order that is always the same, while they are no more; so that more hold fewer."""
    units, have = units_of(one.dataset.cases), dict[str, int]()
    for case in one.images:
        each = len(unmasked(one.store, [case], lambda case: case.case))
        have[units[case.case]] = have.get(units[case.case], 0) + each
    chosen, total = set[str](), 0
    for unit in in_proportion(have, dict.fromkeys(have, ""), 0):
        if total + have[unit] > most:
            break
        chosen.add(unit)
        total += have[unit]
    if not chosen:
        raise BadInput(f"images: an equal share are {most} of {one.dataset.name}, where a patient has more than that")
    say(
        f"{one.dataset.name}: {total:,} of {sum(have.values()):,} images ({count(len(chosen), 'patient')}) are looked at"
    )
    return replace(one, images=tuple(case for case in one.images if units[case.case] in chosen))


def _split(dataset: Dataset, name: str) -> Split | None:
    return Split.open(dataset, name) if (dataset.folder / f"{name}.csv").exists() else None


def _demand_channels(pool: Pool) -> None:
    """All alike, or grey among colours."""
    have = {one.dataset.name: len(one.store.card.channels) for one in pool.several}
    if set(have.values()) - {1, max(have.values())}:
        told = ", ".join(f"{name} {number}" for name, number in have.items())
        raise BadInput(f"channels: {told}; what is not grey must have as many as the others")
    if max(have.values()) > 1 and pool.neighbours:
        raise BadInput(
            "neighbours: only where all datasets are grey volumes, since neighbours take the place of colours"
        )
