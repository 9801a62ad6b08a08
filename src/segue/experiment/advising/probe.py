"""How long the steps of an advice take on this machine: a few steps of the real networks, at the size that they would have.

Where a dataset has its store, images come from there; else they are noise, of the sizes that the table tells, and nothing is
prepared for it. Nothing is written either way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from segue import networks
from segue.config import validate
from segue.data.case import Case
from segue.data.dataset import Dataset
from segue.data.geometry import Fit
from segue.data.preparing.prepare import Plan
from segue.data.preparing.propose import working_size, working_spacing
from segue.data.splitting.split import Split, SplitSettings
from segue.data.stores.frames import FrameStore, Place
from segue.data.stores.store import Store, StoreCard
from segue.data.stores.volumes import VolumePlace, VolumeStore
from segue.data.target import Target
from segue.data.volumes.placement import Placement
from segue.data.volumes.recipe import DTYPE, Recipe
from segue.data.volumes.resample import fitting
from segue.executors.machine import cores
from segue.experiment.advising.facts import Facts
from segue.experiment.advising.route import FOLDS, Route
from segue.experiment.length import Cost
from segue.experiment.material import Material, Source
from segue.experiment.opening import as_it_stands, images_of
from segue.experiment.pretraining import pretrain
from segue.experiment.pretraining.pool import Pool, Pooled
from segue.experiment.resolve import resolve
from segue.experiment.settings import PretrainSettings, TrainSettings
from segue.experiment.telling import Say
from segue.hardware import processor
from segue.training.machine import MachineSettings, best_device, keep_memory
from segue.training.settings import LoopSettings
from segue.words import count

_LOOKING = 1 / 3  # of the time of learning from an image


@dataclass(frozen=True)
class Timed:
    what: str  # prepare, pretrain, train
    seconds: float
    told: str  # what that is made of
    runs: int = 1  # that these are the seconds of
    looks: int = 0  # at images, of one run

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def timed(facts: Facts, way: Route, given: dict[str, Any], say: Say) -> list[Timed]:
    """`given`: settings that the training is told beyond what is usual."""
    keep_memory()
    found = _preparing([*([str(facts.dataset.folder)] if way.method else []), *way.pool, *way.unlabelled])
    settings = MachineSettings()
    if way.method:
        learning, settings = _training(facts, way, given, say)
    if way.pool:  # whose precision and layout need not be found twice
        found.append(_pretraining(way.pool, settings, say))
    return [*found, learning] if way.method else found


def machine() -> str:
    if best_device() == "cuda":
        return str(torch.cuda.get_device_name())
    return f"{processor().partition(' (')[0]}, {count(cores(), 'core')}"


def _preparing(folders: Sequence[str]) -> list[Timed]:
    """Of datasets that have no store yet: from a few images, done and thrown away."""
    several = map(Dataset.open, dict.fromkeys(folders))
    plans = [planned for planned in map(as_it_stands, several) if _present(planned) is None]
    if not plans:
        return []
    told = "; ".join(
        f"{planned.dataset.name}, {count(len(planned.dataset.cases), 'image')}: {planned.kind.told}"
        for planned in plans
    )
    return [Timed("prepare", sum(planned.seconds for planned in plans), told)]


def _present(planned: Plan) -> Store | None:
    """The store that a training would take; None: it would be made, or made anew."""
    if not planned.target.is_dir():
        return None
    store = Store.open(planned.target)
    return store if store.card.made_from == planned.made_from else None


def _store(dataset: Dataset) -> Store:
    return _present(as_it_stands(dataset)) or made_store(dataset)


def _training(facts: Facts, way: Route, given: dict[str, Any], say: Say) -> tuple[Timed, MachineSettings]:
    dataset = facts.dataset
    asked = {"data": [str(dataset.folder)], "method": way.method, **given}
    settings = validate(TrainSettings, asked, where="segue.advise")
    train = tuple(facts.part("train") or facts.masked) if way.judged == "test" else tuple(facts.masked)
    if way.judged == "folds":
        train = train[: math.ceil(len(train) * (FOLDS - 1) / FOLDS)]
    elif way.judged == "test" and not facts.part("train"):
        train = train[: math.ceil(len(train) * facts.learnt / facts.annotated)]
    images = (*facts.unmasked, *train) if way.method == "semi" else ()
    nothing = Split("split", dataset.name, SplitSettings(), "", {}, {}, {}, {}, frozenset())
    # Without validation: that is judged on masks as their files have them.
    source = Source(dataset, _store(dataset), nothing, train, (), images)
    patches = settings.network.architecture == networks.VOLUMES
    material = Material((source,), (), Target.of(dataset.card.classes), {}, settings.neighbours, patches)
    found = resolve(settings, material, say)
    loop, size, cost = found.settings.loop, found.settings.size, found.cost
    assert isinstance(size, tuple)
    judgements = math.ceil(int(loop.steps) / int(loop.epoch_steps))
    validation = len(facts.part("validation")) / len(train) * len(material.train) if way.judged == "test" else 0.0
    looking = judgements * validation / int(loop.batch) * cost.seconds / int(loop.steps) * _LOOKING
    told, runs = _steps(loop, size, cost), FOLDS if way.judged == "folds" else 1
    seconds = runs * (cost.seconds + looking)
    told = f"{runs} times {told}" if runs > 1 else told
    return Timed("train", seconds, told, runs, round(cost.looks)), found.settings.machine


def _pretraining(folders: Sequence[str], machine: MachineSettings, say: Say) -> Timed:
    several = []
    for folder in folders:
        dataset = Dataset.open(folder)
        several.append(Pooled(dataset, _store(dataset), images_of(dataset), ""))
    settings = validate(
        PretrainSettings, {"data": list(folders), "machine": machine.model_dump()}, where="segue.advise"
    )
    pool = Pool(tuple(several), settings.neighbours, settings.contrast.partitions)
    resolved, cost = pretrain.resolved(settings, pool)
    assert isinstance(resolved.size, tuple)
    return Timed("pretrain", cost.seconds, _steps(resolved.loop, resolved.size, cost), looks=round(cost.looks))


def _steps(loop: LoopSettings, size: tuple[int, ...], cost: Cost) -> str:
    steps, images = int(loop.steps), int(loop.batch) * loop.accumulate
    return f"{count(steps, 'step')} of {images} at {'x'.join(map(str, size))}, {cost.seconds / steps:.2g} s each"


# Stores of noise


def made_store(dataset: Dataset) -> Store:
    """Noise in the sizes that the cases would have in a store."""
    volumes = bool(dataset.cases) and dataset.cases[0].volume
    recipe = Recipe(spacing=working_spacing(dataset.cases)) if volumes else None
    card = StoreCard(
        dataset=dataset.name,
        dataset_folder=str(dataset.folder),
        size=0 if volumes else working_size(dataset.cases),
        recipe=recipe,
        channels=dataset.card.channels,
        classes=dataset.card.classes,
        dtype=DTYPE if volumes else dataset.card.dtype,
        cases=len(dataset.cases),
        labelled=sum(case.labelled for case in dataset.cases),
        made_from="",
        sources="",
    )
    return _Volumes(dataset, card) if volumes else _Frames(dataset, card)


class _Frames(FrameStore):
    def __init__(self, dataset: Dataset, card: StoreCard) -> None:
        Store.__init__(self, dataset.folder, card)
        self.places = tuple(
            Place(case.case, Fit.capped(case.height, case.width, card.size), 0, 0 if case.labelled else -1)
            for case in dataset.cases
        )
        self._plane = _noise([place.fit.stored for place in self.places], card)

    def levels(self, number: int) -> list[tuple[int, int]]:
        return self.places[number].fit.levels()

    def pyramid(self, number: int) -> list[npt.NDArray[Any]]:
        return [self.image(number, level) for level in range(len(self.levels(number)))]

    def image(self, number: int, level: int = 0) -> npt.NDArray[Any]:
        height, width = self.levels(number)[level]
        return np.ascontiguousarray(self._plane[:height, :width])

    def mask(self, number: int) -> npt.NDArray[np.uint8] | None:
        place = self.places[number]
        return None if place.mask < 0 else _stripes(place.fit.stored, self.card)


class _Volumes(VolumeStore):
    def __init__(self, dataset: Dataset, card: StoreCard) -> None:
        super().__init__(dataset.folder, card, [_place(case, card) for case in dataset.cases])
        self._plane = _noise([place.placement.stored[1:] for place in self.places], card)

    def image(self, number: int) -> npt.NDArray[np.uint16]:
        depth, height, width = self.places[number].placement.stored
        return np.broadcast_to(self._plane[:height, :width], (depth, height, width, self._plane.shape[2]))

    def mask(self, number: int) -> npt.NDArray[np.uint8] | None:
        place = self.places[number]
        shape = place.placement.stored
        return np.broadcast_to(_stripes(shape[1:], self.card), shape) if place.labelled else None


def _place(case: Case, card: StoreCard) -> VolumePlace:
    assert card.recipe is not None
    native, steps = (case.depth, case.height, case.width), case.steps
    stored = fitting(native, steps, tuple(want or have for want, have in zip(card.recipe.spacing, steps, strict=True)))
    one, two, three = (step * side / kept for step, side, kept in zip(steps, native, stored, strict=True))
    slices = {number: tuple(range(stored[0])) for number in (0, *card.classes)} if case.labelled else {}
    return VolumePlace(
        case.case, "", case.labelled, Placement(native, (0, 0, 0), native, stored), (one, two, three), (0.0, 0.0, 1.0), "",
        ((0.0, 1.0),) * len(card.channels), slices,
    )  # fmt: skip


def _noise(sizes: Sequence[tuple[int, ...]], card: StoreCard) -> npt.NDArray[Any]:
    height, width = (max(size[axis] for size in sizes) for axis in range(2))
    numbers = np.random.default_rng(0)
    return numbers.integers(np.iinfo(card.dtype).max, size=(height, width, len(card.channels)), dtype=card.dtype)


def _stripes(size: tuple[int, ...], card: StoreCard) -> npt.NDArray[np.uint8]:
    """Some of every class."""
    ids = sorted({0, *card.classes})
    row = np.array(ids, np.uint8)[np.arange(size[1]) * len(ids) // size[1]]
    return np.ascontiguousarray(np.broadcast_to(row, (size[0], size[1])))
