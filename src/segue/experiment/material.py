"""What a training works with: its datasets, their stores, and which case plays which part.

Here the promises about test cases are kept: nothing that fits anything ever gets one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from segue import networks
from segue.data.case import Case
from segue.data.dataset import Dataset
from segue.data.splitting.split import Split, split
from segue.data.stores.frames import FrameStore
from segue.data.stores.store import Store
from segue.data.stores.volumes import VolumeStore
from segue.data.target import BACKGROUND, Target
from segue.data.volumes.recipe import Recipe
from segue.errors import BadInput
from segue.evaluation.predicting.decision import true_masks
from segue.evaluation.predicting.frame import Seen
from segue.experiment.load import Model
from segue.experiment.opening import about, alike, demand_own_names, images_of, made, name_of, row, store_of, unmasked
from segue.experiment.seen import IMAGES, MASKS, Rows, without_copies
from segue.experiment.seen import rows as seen_rows
from segue.experiment.settings import TrainSettings
from segue.experiment.teaching import teachers
from segue.experiment.telling import Say, silent
from segue.training.examples import Example, FrameExample, SliceExample
from segue.training.patches import FOREGROUND, PatchExample
from segue.training.run import Run
from segue.words import some


@dataclass(frozen=True)
class Source:
    """One dataset with its store and its split."""

    dataset: Dataset
    store: Store
    split: Split
    train: tuple[Case, ...]  # with masks, within the label budget
    validation: tuple[Case, ...]
    images: tuple[Case, ...]  # all that may be looked at without their masks

    @property
    def judging(self) -> set[str]:
        """Cases that this training is, or may later be, judged by: of a fold its own validation too."""
        return self.split.judging | {case.case for case in self.validation}


@dataclass(frozen=True)
class Beside:
    """A dataset of which nobody looks at the masks, with its store."""

    dataset: Dataset
    store: Store
    images: tuple[Case, ...]


@dataclass(frozen=True)
class Material:
    """Without sources, of images alone, it is of an adaptation to another hospital that the first one's cannot travel to."""

    sources: tuple[Source, ...]
    beside: tuple[Beside, ...]
    target: Target
    same: dict[str, str]
    neighbours: int = 0  # of volumes: slices on either side that are seen as channels
    patches: bool = False  # volumes are seen in patches, not slice by slice
    foreground: float = FOREGROUND  # share of patches that stand on a voxel of some class
    teachers: Model | None = None  # where a method learns from what others say
    before: Run | None = None  # where there are no sources: the run that begins this one, whose they were

    @cached_property
    def train(self) -> list[Example]:
        return [example for source in self.sources for example in self._examples(source, source.train)]

    @cached_property
    def validation(self) -> list[Example]:
        """As they would be learnt from."""
        return [example for source in self.sources for example in self._examples(source, source.validation)]

    @cached_property
    def images(self) -> list[Example]:
        """Of all datasets, without their masks."""
        several: tuple[Source | Beside, ...] = (*self.sources, *self.beside)
        return [example for one in several for example in self._unmasked(one)]

    @property
    def learnt(self) -> list[Example]:
        """What a batch is made of."""
        return self.train if self.sources else self.images

    def images_at(self, names: Collection[str]) -> list[Example]:
        """Of these datasets among those beside."""
        return [example for one in self.beside if one.dataset.name in names for example in self._unmasked(one)]

    def _unmasked(self, one: Source | Beside) -> list[Example]:
        how: dict[str, Any] = {"patches": self.patches, "neighbours": self.neighbours}
        return unmasked(one.store, one.images, partial(self.named, one), **how)

    @property
    def stores(self) -> list[Store]:
        """Of what says how images are seen."""
        return [one.store for one in self.sources or self.beside]

    @cached_property
    def sizes(self) -> list[tuple[int, ...]]:
        """As stored, of what is learnt from and of what a label budget has left aside: a canvas is that of all budgets."""
        found: list[tuple[int, ...]] = []
        for source in self.sources:
            names = {case for case, part in source.split.parts.items() if part == "train"} - source.judging
            names |= {case.case for case in source.train}
            cases = [case for case in source.dataset.cases if case.case in names]
            found += [
                one.size for one in unmasked(source.store, cases, partial(self.named, source), patches=self.patches)
            ]
        return found

    @property
    def channels(self) -> int:
        return len(self.stores[0].card.channels) * (1 + 2 * self.neighbours)

    def seen(self, size: tuple[int, ...]) -> Seen | None:
        """How volumes are seen on a canvas of this size; None: these are pictures."""
        recipe = _joined(self.stores)
        if recipe is None:
            return None
        return Seen(recipe, self.neighbours, (size[0], size[1], size[2]) if self.patches else None)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Of the volumes, as they usually are."""
        stores = [store for store in self.stores if isinstance(store, VolumeStore)]
        steps = [place.spacing for store in stores for place in store.places]
        one, two, three = (float(np.median([step[axis] for step in steps])) for axis in range(3))
        return one, two, three

    @property
    def dtype(self) -> str:
        return self.stores[0].card.dtype

    @property
    def long_side(self) -> int:
        """Of the stored pictures; slices are of any size."""
        return max(1, *(store.card.size for store in self.stores))

    @property
    def validates(self) -> int:
        return sum(len(source.validation) for source in self.sources)

    def named(self, source: Source | Beside, case: Case) -> str:
        return name_of(case, source.dataset, len(self.sources) + len(self.beside))

    def _examples(self, source: Source, cases: Sequence[Case]) -> list[Example]:
        table, store = self.lookup(source), source.store
        lookup, unknown = self.target.to_learn(table), self.target.unknown(table)
        there = [(self.named(source, case), store.numbers[case.case]) for case in cases if case.case in store.numbers]
        if isinstance(store, FrameStore):
            return [FrameExample(name, store, number, lookup, unknown) for name, number in there]
        assert isinstance(store, VolumeStore)
        if self.patches:
            return [PatchExample(name, store, number, lookup, unknown, self.foreground) for name, number in there]
        return [
            SliceExample(name, store, number, lookup, unknown, slice_, self.neighbours)
            for name, number in there
            for slice_ in store.places[number].counting(lookup)
        ]

    def lookup(self, source: Source) -> npt.NDArray[np.uint8]:
        """From the dataset's class ids to the target's channels or codes."""
        return self.target.table(source.dataset.card.classes, where=str(source.dataset.folder), same=self.same)

    def never_drawn(self, source: Source) -> list[str]:
        """What the target knows and this dataset's annotators have not drawn."""
        known = self.target.annotated(self.lookup(source))
        return [name for name in self.target.foreground if name not in known]

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
        there = {one.dataset.name for one in self.beside}
        rows = [row for row in self.before.cases() if row["dataset"] not in there] if self.before else []
        for source in self.sources:
            plays = {case.case: "images" for case in source.images}
            plays |= {case.case: "train" for case in source.train}
            plays |= {case.case: "validation" for case in source.validation}
            for case in source.dataset.cases:
                part = source.split.parts.get(case.case, "left out")
                unused = "unused" if part in ("train", "validation") else part
                rows.append(row(case, source.dataset, plays.get(case.case, unused)))
        return rows + [row(case, one.dataset, "images") for one in self.beside for case in one.images]

    def looked_at(self) -> Rows:
        """With masks or without."""
        found = []
        for one in self.sources:
            found += seen_rows(one.dataset, one.images, IMAGES) + seen_rows(one.dataset, one.train, MASKS)
        return found + [row for one in self.beside for row in seen_rows(one.dataset, one.images, IMAGES)]

    def about(self) -> list[dict[str, str]]:
        if self.before is not None:
            return list(self.before.about["data"])
        return [
            {
                **about(source), "split": source.split.name, "hash": source.split.hash, "how": source.split.how,
            }
            for source in self.sources
        ]  # fmt: skip

    def about_beside(self) -> list[dict[str, str]]:
        return [about(one) for one in self.beside]


def gather(
    settings: TrainSettings,
    *,
    check: Callable[[Target], None] = lambda target: None,
    say: Say = silent,
    progress: bool = False,
) -> Material:
    """Open everything, prepare and split what is not yet, and refuse what cannot work; `check` before anything is done."""
    if not settings.data:
        raise BadInput("there is nothing to train on", hint="segue train --data DATASET")
    datasets = [Dataset.open(folder) for folder in settings.data]
    unlabelled = [Dataset.open(folder) for folder in settings.unlabelled]
    demand_own_names(dataset.name for dataset in [*datasets, *unlabelled])
    target = target_of(settings, classes_of(datasets[0]))
    check(target)
    taught = teachers(settings, target)
    beside = settings.beside  # what it looks at without masks
    if settings.unlabelled and not beside:
        raise BadInput(
            f"unlabelled: {settings.method} learns from masks alone",
            hint="--method semi and --method distil use these images.",
        )
    if beside and not (beside.own or settings.unlabelled):
        raise BadInput(
            f"{settings.method}.own: nothing is followed without own images or others", hint="--unlabelled DATASET"
        )
    sources: list[Source] = []
    for place, dataset in enumerate(datasets):
        store = store_of(settings, place, dataset, sources[0].store if sources else None, say, progress)
        first = sources[0].store.card if sources else store.card
        if (store.card.recipe is None) != (first.recipe is None):
            raise BadInput(f"{dataset.name} and {datasets[0].name}: one holds pictures and the other volumes")
        if first.recipe is not None and _joined([*(source.store for source in sources), store]) is None:
            raise BadInput(
                f"{dataset.name}: its store was prepared otherwise than that of {datasets[0].name}",
                hint="segue data prepare, with the same --spacing and --window for both.",
            )
        if (store.card.channels, store.card.dtype) != (first.channels, first.dtype):
            raise BadInput(
                f"{dataset.name}: {store.card.dtype} with channels {', '.join(store.card.channels)}, but "
                f"{datasets[0].name} has {first.dtype} with {', '.join(first.channels)}"
            )
        sources.append(_source(settings, dataset, store, say, beside is not None and beside.own))
    judged = [(source.dataset, source.judging) for source in sources]
    for dataset in unlabelled:
        _demand_kind(dataset, datasets[0])
    others = tuple(_beside(dataset, sources[0].store, judged, say, progress) for dataset in unlabelled)
    patches = settings.network.architecture == networks.VOLUMES
    _demand_fitting(settings, datasets[0].name, pictures=sources[0].store.card.recipe is None, patches=patches)
    material = Material(
        tuple(sources), others, target, dict(settings.same), settings.neighbours, patches,
        FOREGROUND if settings.balance is None else settings.balance, taught,
    )  # fmt: skip
    if not material.train:
        raise BadInput(f"{', '.join(dataset.name for dataset in datasets)}: no training case has a mask")
    material.demand_classes()
    for source in sources:
        if missing := material.never_drawn(source):
            say(f"! {source.dataset.name}: {some(missing)} was never drawn there; what it may be does not count")
    return material


def _demand_fitting(settings: TrainSettings, name: str, *, pictures: bool, patches: bool) -> None:
    """Pictures, slices and patches have each their settings."""
    three = isinstance(settings.size, tuple) and len(settings.size) == 3
    if patches and pictures:
        raise BadInput(f"{networks.VOLUMES} is for volumes, and {name} holds pictures")
    if patches and settings.size != "auto" and not three:
        raise BadInput("size: of patches it has three numbers: slices x rows x columns, such as 40x56x40")
    if three and not patches:
        raise BadInput(
            "size: three numbers are a patch of a volume, and the network sees pictures",
            hint=f"--architecture {networks.VOLUMES} sees patches.",
        )
    if settings.neighbours and (pictures or patches):
        what = f"{name} holds pictures" if pictures else "patches hold them already"
        raise BadInput(f"neighbours: {what}, so there are no slices to see beside one")


def classes_of(dataset: Dataset) -> dict[int, str]:
    if not dataset.card.classes:
        raise BadInput(f"{dataset.folder}: has no masks, and so no classes to learn")
    return dataset.card.classes


def target_of(settings: TrainSettings, classes: dict[int, str]) -> Target:
    """What is to be learnt: the first dataset's classes, or regions made of them."""
    if not settings.regions:
        return Target.of(classes)
    named = {number: settings.same.get(name, name) for number, name in classes.items()}
    return Target.of_regions(settings.regions, {number: name for number, name in named.items() if name != BACKGROUND})


def _joined(stores: Sequence[Store]) -> Recipe | None:
    """By which all of them were prepared; None: these are pictures, or they do not go together."""
    recipe = stores[0].card.recipe
    for store in stores[1:]:
        recipe = None if recipe is None or store.card.recipe is None else recipe.joined(store.card.recipe)
    return recipe


def _source(settings: TrainSettings, dataset: Dataset, store: Store, say: Say, looks: bool) -> Source:
    if settings.split == "split" and not (dataset.folder / "split.csv").exists():
        made = split(dataset)
        say(f"split {dataset.name} {made.how}: {dataset.folder / 'split.csv'}")
        for warning in made.warnings:
            say(f"! {warning}")
    parts = Split.open(dataset, settings.split)
    by_name = dataset.by_name
    budget = set(parts.budget(settings.labels, seed=settings.draw))
    if settings.labels.isdecimal() and int(settings.labels) > (there := len(parts.units_of_training)):
        told = f"{settings.labels} {parts.whom}s were asked for, and {there} have masks to learn from"
        say(f"! {dataset.name}: {told}: all are taken")
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
    # A patient of a fold has perhaps images without masks as well.
    held = {parts.units[case] for case in validation}
    images = [case for case in parts.cases("train") if parts.units[case] not in held] if looks else []
    train = [case for case in train if case in budget]
    chosen_by = settings.validation
    if chosen_by == "none" or (chosen_by == "auto" and settings.labels != "all"):
        validation = []
    elif chosen_by == "budget":
        few = set(parts.few(len({parts.units[case] for case in train}), seed=settings.draw))
        validation = [case for case in validation if case in few]
    parts.refuse_test([*train, *validation, *images])
    both = sorted({parts.units[case] for case in train} & {parts.units[case] for case in validation})
    if both:
        raise BadInput(
            f"{dataset.folder}: the split {parts.name!r} has {both[0]!r} in training and in validation, "
            f"{len(both)} such patients or groups of copies in all",
            hint=f"segue data split {dataset.folder} --by-patient --name clean, then --split clean",
        )
    return Source(
        dataset, store, parts, *(tuple(by_name[case] for case in some) for some in (train, validation, images))
    )


def _demand_kind(dataset: Dataset, first: Dataset) -> None:
    """Before a store is made of it."""
    have, want = (f"{', '.join(one.card.channels)} ({one.card.dtype})" for one in (dataset, first))
    if have != want:
        raise BadInput(
            f"{dataset.name}: its images are {have}, and those of {first.name} {want}",
            hint="--unlabelled takes images of the kind that is learnt from; segue pretrain takes any.",
        )


def _beside(
    dataset: Dataset,
    first: Store,
    judged: Sequence[tuple[Dataset, set[str]]],
    say: Say,
    progress: bool,
) -> Beside:
    """All images of a dataset; where it is split, only what is for training."""
    store = made(alike(dataset, first), say, progress)
    for name in ("channels", "dtype"):
        have, want = getattr(store.card, name), getattr(first.card, name)
        if have != want:
            raise BadInput(f"{dataset.name}: its {name} are {have}, and those of {first.card.dataset} {want}")
    images = images_of(dataset)
    left = without_copies(dataset, images, judged)
    if len(left) < len(images):
        say(f"! {dataset.name}: {len(images) - len(left)} left out: copies of what is validated or tested on")
    return Beside(dataset, store, tuple(left))
