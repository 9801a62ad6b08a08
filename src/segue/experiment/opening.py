"""Datasets opened for a run: their stores, what may be looked at without masks, and what the run's folder says of them. With
masks or without, in training and in pre-training alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from segue.data.case import Case
from segue.data.dataset import Dataset
from segue.data.preparing.prepare import Plan, plan, prepare
from segue.data.preparing.volumes import settings_like
from segue.data.splitting.split import Split
from segue.data.stores.frames import FrameStore
from segue.data.stores.store import CARD, Store
from segue.data.stores.volumes import VolumeStore
from segue.data.volumes.recipe import Recipe
from segue.errors import BadInput
from segue.experiment.settings import PretrainSettings, TrainSettings
from segue.experiment.telling import Say
from segue.training.examples import Example, FrameExample, SliceExample
from segue.training.patches import PatchExample


class Opened(Protocol):
    """A dataset with its store."""

    @property
    def dataset(self) -> Dataset: ...

    @property
    def store(self) -> Store: ...


def demand_own_names(given: Iterable[str]) -> None:
    names = list(given)
    if len(set(names)) < len(names):
        raise BadInput(
            f"two of the datasets have the name {max(names, key=names.count)!r}",
            hint="Change `name` in one's dataset.yaml.",
        )


def name_of(case: Case, dataset: Dataset, count: int) -> str:
    """Cases of one name in two of so many datasets stay apart."""
    return case.case if count == 1 else f"{dataset.name}/{case.case}"


# Stores


def store_of(
    settings: TrainSettings | PretrainSettings,
    place: int,
    dataset: Dataset,
    first: Store | None,
    say: Say,
    progress: bool,
) -> Store:
    """The one that was named for it, or made; as the `first` dataset's was, where one is given."""
    if settings.stores == "auto":
        return made(as_it_stands(dataset) if first is None else alike(dataset, first), say, progress)
    if len(settings.stores) != len(settings.data):
        raise BadInput(f"{len(settings.data)} datasets and {len(settings.stores)} stores: give one for each")
    store = Store.open(settings.stores[place])
    strange = next((name for name in store.numbers if name not in dataset.by_name), None)
    if strange is not None:
        raise BadInput(f"{store.folder}: holds {strange!r}, which is no case of {dataset.name}")
    return store


def made(what: Dataset | Plan, say: Say, progress: bool) -> Store:
    done = prepare(what, progress=progress)
    if not done.already:
        name = what.name if isinstance(what, Dataset) else what.dataset.name
        say(f"prepared {name}: {done.target}")
    return done.store


def as_it_stands(dataset: Dataset) -> Plan:
    """A store of volumes that somebody has prepared is taken as it is, whatever would be proposed."""
    found = plan(dataset)
    if not dataset.cases[0].volume or not (found.target / CARD).is_file():
        return found
    there = Store.open(found.target).card
    if there.recipe is None or there.made_from == found.made_from:
        return found
    same = plan(dataset, settings=settings_like(there.recipe, there.channels, dataset))
    return same if same.made_from == there.made_from else found


def alike(dataset: Dataset, first: Store) -> Plan:
    """As the first dataset was prepared, whatever would be proposed for this one alone; beside a store that it has already."""
    return prepared_by(dataset, first.card.recipe, first.card.channels, first.card.dataset)


def prepared_by(dataset: Dataset, recipe: Recipe | None, channels: tuple[str, ...], of: str) -> Plan:
    """By a recipe, of volumes; `of` which dataset it was, where a store of this one is there already, prepared otherwise."""
    if recipe is None or not dataset.cases[0].volume:
        return plan(dataset)
    settings = settings_like(recipe, channels, dataset)
    found = plan(dataset, settings=settings)
    if not found.target.exists() or Store.open(found.target).card.made_from == found.made_from:
        return found
    return plan(dataset, found.target.with_name(f"{dataset.name}-like-{of}"), settings=settings)


# Images


def images_of(dataset: Dataset, name: str = "split") -> tuple[Case, ...]:
    """What may be looked at without masks: never what is for validation or the test of its own dataset."""
    if not (dataset.folder / f"{name}.csv").exists():
        return dataset.cases
    inside = set(Split.open(dataset, name).cases("train"))
    return tuple(case for case in dataset.cases if case.case in inside)


def unmasked(
    store: Store, cases: Sequence[Case], named: Callable[[Case], str], *, patches: bool = False, neighbours: int = 0
) -> list[Example]:
    """Examples of images alone."""
    there = [(named(case), store.numbers[case.case]) for case in cases if case.case in store.numbers]
    if isinstance(store, FrameStore):
        return [FrameExample(name, store, number, None) for name, number in there]
    assert isinstance(store, VolumeStore)
    if patches:
        return [PatchExample(name, store, number, None, foreground=0) for name, number in there]
    return [
        SliceExample(name, store, number, None, slice=slice_, neighbours=neighbours)
        for name, number in there
        for slice_ in range(store.places[number].placement.stored[0])
    ]


# What the folder says


def row(case: Case, dataset: Dataset, part: str) -> dict[str, str]:
    return {
        "case": case.case, "dataset": dataset.name, "patient": case.patient, "site": case.site, "part": part,
        "digest": case.digest,
    }  # fmt: skip


def about(one: Opened) -> dict[str, str]:
    return {
        "name": one.dataset.name, "folder": str(one.dataset.folder), "store": str(one.store.folder),
        "made_from": one.store.card.made_from,
    }  # fmt: skip
