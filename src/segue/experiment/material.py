"""What a training works with: its datasets, their stores, and which case plays which part.

Here the promises about test cases are kept: nothing that fits anything ever gets one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from segue.data.case import Case
from segue.data.dataset import Dataset
from segue.data.prepare import prepare
from segue.data.propose import STEP
from segue.data.split import Split, split
from segue.data.stores.frames import FrameStore
from segue.data.stores.store import Store
from segue.data.stores.volumes import VolumeStore
from segue.data.target import BACKGROUND, Target
from segue.errors import BadInput
from segue.evaluation.decision import true_masks
from segue.evaluation.frame import Slices
from segue.experiment.settings import TrainSettings
from segue.training.examples import Example, FrameExample, SliceExample
from segue.words import some

_SLACK = 0.1  # of a step that may be missing
_MOST = 0.9  # of the slices fit onto their canvas


@dataclass(frozen=True)
class Source:
    """One dataset with its store and its split."""

    dataset: Dataset
    store: Store
    split: Split
    train: tuple[Case, ...]  # with masks, within the label budget
    validation: tuple[Case, ...]


@dataclass(frozen=True)
class Material:
    sources: tuple[Source, ...]
    target: Target
    same: dict[str, str]
    neighbours: int = 0  # of volumes: slices on either side that are seen as channels

    @cached_property
    def train(self) -> list[Example]:
        return [example for source in self.sources for example in self._examples(source, source.train)]

    @property
    def channels(self) -> int:
        return len(self.sources[0].store.card.channels) * (1 + 2 * self.neighbours)

    @property
    def slices(self) -> Slices | None:
        """How volumes are seen; None: these are pictures."""
        recipe = self.sources[0].store.card.recipe
        return None if recipe is None else Slices(recipe, self.neighbours)

    @property
    def dtype(self) -> str:
        return self.sources[0].store.card.dtype

    @property
    def long_side(self) -> int:
        """Of the stored pictures; slices are of any size."""
        return max(1, *(source.store.card.size for source in self.sources))

    @property
    def validates(self) -> int:
        return sum(len(source.validation) for source in self.sources)

    def named(self, source: Source, case: Case) -> str:
        """Cases of one name in two datasets stay apart."""
        return case.case if len(self.sources) == 1 else f"{source.dataset.name}/{case.case}"

    def _examples(self, source: Source, cases: Sequence[Case]) -> list[Example]:
        lookup = self.target.table(source.dataset.card.classes, where=str(source.dataset.folder), same=self.same)
        store = source.store
        there = [(self.named(source, case), store.numbers[case.case]) for case in cases if case.case in store.numbers]
        if isinstance(store, FrameStore):
            return [FrameExample(name, store, number, lookup) for name, number in there]
        assert isinstance(store, VolumeStore)
        return [
            SliceExample(name, store, number, slice_, self.neighbours, lookup)
            for name, number in there
            for slice_ in store.places[number].annotated
        ]

    def demand_classes(self) -> None:
        """A class that is in no training mask cannot be learnt, and a curve would hide it for hours."""
        seen: set[str] = set()
        for example in self.train:
            if (labels := example.labels()) is not None:
                seen |= {name for name, mask in true_masks(labels, self.target).items() if mask.any()}
            if seen.issuperset(self.target.foreground):
                return
        missing = [name for name in self.target.foreground if name not in seen]
        raise BadInput(
            f"{some(missing)}: in none of the {len(self.train)} training masks, so it cannot be learnt",
            hint="Take more labels, or mend `classes` in dataset.yaml.",
        )

    def table(self) -> list[dict[str, str]]:
        """For cases.csv: every case of every dataset, with the part that it plays in this run."""
        rows = []
        for source in self.sources:
            plays = {case.case: "train" for case in source.train}
            plays |= {case.case: "validation" for case in source.validation}
            for case in source.dataset.cases:
                part = source.split.parts.get(case.case, "left out")
                rows.append({
                    "case": case.case, "dataset": source.dataset.name, "patient": case.patient, "site": case.site,
                    "part": plays.get(case.case, "unused" if part in ("train", "validation") else part),
                    "digest": case.digest,
                })  # fmt: skip
        return rows

    def about(self) -> list[dict[str, str]]:
        return [
            {
                "name": source.dataset.name, "folder": str(source.dataset.folder), "split": source.split.name,
                "hash": source.split.hash, "how": source.split.how, "store": str(source.store.folder),
                "made_from": source.store.card.made_from,
            }
            for source in self.sources
        ]  # fmt: skip


def gather(
    settings: TrainSettings,
    *,
    check: Callable[[Target], None] = lambda target: None,
    say: Callable[[str], None] = lambda line: None,
    progress: bool = False,
) -> Material:
    """Open everything, prepare and split what is not yet, and refuse what cannot work; `check` before anything is done."""
    if not settings.data:
        raise BadInput("there is nothing to train on", hint="segue train --data DATASET")
    datasets = [Dataset.open(folder) for folder in settings.data]
    names = [dataset.name for dataset in datasets]
    if len(set(names)) != len(names):
        raise BadInput(f"two of the datasets have the name {names[0]!r}", hint="Change `name` in one's dataset.yaml.")
    target = _target(settings, _classes(datasets[0]))
    check(target)
    sources: list[Source] = []
    for place, dataset in enumerate(datasets):
        store = _store(settings, place, dataset, say, progress)
        first = sources[0].store.card if sources else store.card
        if store.card.recipe != first.recipe:
            raise BadInput(
                f"{dataset.name}: its store was prepared otherwise than that of {datasets[0].name}",
                hint="segue data prepare, with the same --spacing and --window for both.",
            )
        if (store.card.channels, store.card.dtype) != (first.channels, first.dtype):
            raise BadInput(
                f"{dataset.name}: {store.card.dtype} with channels {', '.join(store.card.channels)}, but "
                f"{datasets[0].name} has {first.dtype} with {', '.join(first.channels)}"
            )
        sources.append(_source(settings, dataset, store, say))
    if settings.neighbours and sources[0].store.card.recipe is None:
        raise BadInput(f"neighbours: {names[0]} holds pictures, which have no slices beside them")
    material = Material(tuple(sources), target, dict(settings.same), settings.neighbours)
    if not material.train:
        raise BadInput(f"{', '.join(names)}: no training case has a mask")
    material.demand_classes()
    return material


def _classes(dataset: Dataset) -> dict[int, str]:
    if not dataset.card.classes:
        raise BadInput(f"{dataset.folder}: has no masks, and so no classes to learn")
    return dataset.card.classes


def _target(settings: TrainSettings, classes: dict[int, str]) -> Target:
    """What is to be learnt: the first dataset's classes, or regions made of them."""
    if not settings.regions:
        return Target.of(classes)
    named = {number: settings.same.get(name, name) for number, name in classes.items()}
    return Target.of_regions(settings.regions, {number: name for number, name in named.items() if name != BACKGROUND})


def _store(settings: TrainSettings, place: int, dataset: Dataset, say: Callable[[str], None], progress: bool) -> Store:
    if settings.stores != "auto":
        if len(settings.stores) != len(settings.data):
            raise BadInput(f"{len(settings.data)} datasets and {len(settings.stores)} stores: give one for each")
        store = Store.open(settings.stores[place])
        known = {case.case for case in dataset.cases}
        strange = next((name for name in store.numbers if name not in known), None)
        if strange is not None:
            raise BadInput(f"{store.folder}: holds {strange!r}, which is no case of {dataset.name}")
        return store
    done = prepare(dataset, progress=progress)
    if not done.already:
        say(f"prepared {dataset.name}: {done.target}")
    return done.store


def _source(settings: TrainSettings, dataset: Dataset, store: Store, say: Callable[[str], None]) -> Source:
    if settings.split == "split" and not (dataset.folder / "split.csv").exists():
        made = split(dataset)
        say(f"split {dataset.name} {made.how}: {dataset.folder / 'split.csv'}")
        for warning in made.warnings:
            say(f"! {warning}")
    parts = Split.open(dataset, settings.split)
    by_name = dataset.by_name
    budget = set(parts.budget(settings.labels))
    if settings.labels.isdecimal() and int(settings.labels) > (there := len(parts.units_of_training)):
        say(
            f"! {dataset.name}: {settings.labels} patients were asked for, and {there} have masks to learn from: all are taken"
        )
    if settings.fold is not None:
        folds = sorted(set(parts.folds.values()))
        if settings.fold not in folds:
            raise BadInput(
                f"{dataset.folder}: its split {parts.name!r} has {len(folds)} folds, so there is no fold {settings.fold}",
                hint=f"segue data split {dataset.folder} --folds 5",
            )
        train, validation = parts.fold(settings.fold)
    else:
        train = [case for case in parts.cases("train") if case in parts.labelled]
        validation = [case for case in parts.cases("validation") if case in parts.labelled]
    train = [case for case in train if case in budget]
    parts.refuse_test([*train, *validation])
    both = sorted({parts.units[case] for case in train} & {parts.units[case] for case in validation})
    if both:
        raise BadInput(
            f"{dataset.folder}: the split {parts.name!r} has {both[0]!r} in training and in validation, "
            f"{len(both)} such patients or groups of copies in all",
            hint=f"segue data split {dataset.folder} --by-patient --name clean, then --split clean",
        )
    return Source(
        dataset, store, parts, tuple(by_name[case] for case in train), tuple(by_name[case] for case in validation)
    )


def canvas(settings: TrainSettings, material: Material, *, longest: int) -> tuple[int, int]:
    """(height, width): what was asked for, or the shape that most training images have, in steps of 32."""
    if isinstance(settings.size, tuple):
        return settings.size
    sizes = [example.size for example in material.train]
    if material.slices is not None:
        return _slice_canvas(settings.size, sizes, longest)
    side = settings.size if isinstance(settings.size, int) else min(longest, max(max(size) for size in sizes))
    aspect = float(np.median([height / width for height, width in sizes]))
    height, width = (side, side / aspect) if aspect > 1 else (side * aspect, side)
    long = max(STEP, round(max(height, width) / STEP) * STEP)
    # The shorter side upwards: rounded down, it would make the whole image smaller than was asked for.
    short = max(STEP, math.ceil(long * min(height, width) / max(height, width) / STEP - _SLACK) * STEP)
    return (long, short) if height > width else (short, long)


def _slice_canvas(asked: int | str, sizes: Sequence[tuple[int, int]], longest: int) -> tuple[int, int]:
    """Slices are not scaled: a canvas that most of them fit into; of larger ones a part is seen at a time."""
    height, width = (
        min(asked if isinstance(asked, int) else longest, float(np.quantile([size[axis] for size in sizes], _MOST)))
        for axis in (0, 1)
    )
    return (math.ceil(height / STEP) * STEP, math.ceil(width / STEP) * STEP)
