"""Whose images are laid beside each other: the source's, those that it holds back, and those of a site. None needs a mask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from segue.data.case import Case, whom
from segue.data.dataset import Dataset
from segue.data.splitting.dealing import units_of
from segue.data.stores.store import Store
from segue.errors import BadInput
from segue.evaluation.statistics import addressed
from segue.evaluation.stressing.coverage import FEWEST
from segue.experiment import seen
from segue.experiment.opening import alike, made, name_of, unmasked
from segue.experiment.pretraining.pool import sliced
from segue.experiment.telling import Say
from segue.training.examples import Example, FrameExample, SliceExample, Widened
from segue.training.run import Run
from segue.words import count, of_all

_TRAINED = ("train", "images")  # parts of a run's cases that it learns from
_HELD = ("validation", "unused")


@dataclass(frozen=True)
class Image:
    """A picture or a slice, and what is known of it."""

    example: Example
    dataset: str
    case: Case
    unit: str  # a patient and whatever is a copy of their images
    seen: str = ""  # what the run has seen of it

    @property
    def slice(self) -> int | None:
        found = sliced(self.example)
        return None if found is None else found.slice

    @property
    def name(self) -> str:
        return self.case.case if self.slice is None else f"{self.case.case}, slice {self.slice + 1}"


Images = tuple[Image, ...]


@dataclass(frozen=True)
class Home:
    source: Images
    held: Images
    how: str  # they were held back, in words
    store: Store  # of its first dataset: others are prepared alike


@dataclass(frozen=True)
class Site:
    dataset: Dataset
    images: Images
    every: int  # images that it has
    told: str = ""  # what the run has seen of it, in a sentence


def home_of(run: Run, channels: int, *, most: int, held: int) -> Home:
    """What a run has learnt from, at most so many, and what is held back of the same hospital."""
    source: list[Image] = []
    back: list[Image] = []
    stores: list[Store] = []
    places = run.about["data"]
    looked_at = {(row["dataset"], row["case"]) for row in run.seen()}
    rows = run.cases()
    for place in places:
        dataset, store = Dataset.open(place["folder"]), Store.open(place["store"])
        stores.append(store)
        parts = {row["case"]: row["part"] for row in rows if row["dataset"] == dataset.name}
        every = _images(run, dataset, store, dataset.cases, channels, len(places))
        mine = [image for image in every if parts.get(image.case.case) in _TRAINED]
        units = {image.unit for image in mine}
        source += mine
        if not run.pretraining:  # of which what is unused holds the test too
            back += [
                image for image in every
                if parts.get(image.case.case) in _HELD
                and image.unit not in units and (dataset.name, image.case.case) not in looked_at
            ]  # fmt: skip
    if len(back) >= FEWEST:
        how = "not learnt from"
    else:
        source, back = _halves(source)
        apart = whom(image.case for image in [*source, *back])
        how = "half of the training images" + ("" if apart == "image" else f", of {apart}s that were put aside")
    if len(back) < FEWEST or len(source) < FEWEST:
        raise BadInput(
            f"{run.folder}: learnt from too few images, or from one patient alone, to say what is near to them"
        )
    return Home(_some(source, most, "source"), _some(back, held, "held"), how, stores[0])


def site_of(run: Run, home: Home, where: Path | str, channels: int, *, most: int, say: Say, progress: bool) -> Site:
    """The images of a site, at most so many: those that the run has not seen, where there are such."""
    dataset = Dataset.open(where)
    _demand_kind(run, home, dataset)
    own = next((place for place in run.about["data"] if place["name"] == dataset.name), None)
    store = made(alike(dataset, home.store), say, progress) if own is None else Store.open(own["store"])
    known = seen.told(run.seen(), dataset)
    ruled = {image.case.case for image in home.held if image.dataset == dataset.name}
    cases = [case for case in dataset.cases if case.case not in ruled]
    every = _images(run, dataset, store, cases, channels, 1, known)
    unseen = [image for image in every if not image.seen]
    told = ""
    if len(unseen) < len(every):
        left = len(unseen) >= FEWEST
        told = f"{of_all(len(every) - len(unseen), len(every), 'image')} or copies of them were seen by the run" + (
            "; they are left out" if left else ": that they are covered says little"
        )
        say(f"! {dataset.name}: {told}")
        every = unseen if left else every
    if len(every) < FEWEST:
        raise BadInput(
            f"{dataset.name}: has {count(len(every), 'image')} to lay beside the source, and a share takes {FEWEST}"
        )
    return Site(dataset, _some(every, most, dataset.name), len(every), told)


def _demand_kind(run: Run, home: Home, dataset: Dataset) -> None:
    """Before a store is made of it."""
    volumes = home.store.card.recipe is not None
    if not dataset.cases:
        raise BadInput(f"{dataset.name}: has no images")
    if dataset.cases[0].volume != volumes:
        there, here = ("volumes", "pictures") if dataset.cases[0].volume else ("pictures", "volumes")
        raise BadInput(f"{dataset.name}: holds {there}, and {run.name} has learnt from {here}")


def _images(
    run: Run, dataset: Dataset, store: Store, cases: Sequence[Case], channels: int, several: int,
    known: dict[str, str] | None = None,
) -> list[Image]:  # fmt: skip
    neighbours = int(run.config.get("neighbours", 0)) if store.card.recipe is not None else 0
    named: Callable[[Case], str] = partial(name_of, dataset=dataset, count=several)
    examples = unmasked(store, cases, named, neighbours=neighbours)
    if examples and examples[0].channels not in (1, channels):
        raise BadInput(f"{dataset.name}: has {count(examples[0].channels, 'channel')}, and the network sees {channels}")
    of, units = {named(case): case for case in cases}, units_of(dataset.cases)
    return [
        Image(
            _widened(one, channels), dataset.name, of[one.case], f"{dataset.name}/{units[of[one.case].case]}",
            (known or {}).get(of[one.case].case, ""),
        )
        for one in examples
    ]  # fmt: skip


def _widened(example: Example, channels: int) -> Example:
    if example.channels == channels:
        return example
    assert isinstance(example, FrameExample | SliceExample)
    return Widened(example, channels, example.dtype)


def _halves(images: Sequence[Image]) -> tuple[list[Image], list[Image]]:
    """By patient, in an order that is always the same."""
    units = sorted({image.unit for image in images})
    numbers = addressed(0, "cover", "halves").permutation(len(units))
    put_aside: set[str] = set()
    for number in numbers[:-1].tolist():
        if sum(image.unit in put_aside for image in images) >= len(images) // 2:
            break
        put_aside.add(units[number])
    return (
        [image for image in images if image.unit not in put_aside],
        [image for image in images if image.unit in put_aside],
    )


def _some(images: Iterable[Image], most: int, *address: str) -> Images:
    """A sample that is always the same, in the order in which they are."""
    every: list[Any] = list(images)
    chosen = np.sort(addressed(0, "cover", *address).permutation(len(every))[:most])
    return tuple(every[number] for number in chosen.tolist())
