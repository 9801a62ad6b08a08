"""From a study to the runs that answer it, and to what several of them share.

Nothing is opened and nothing is trained: what can be wrong in a file is told here, with the axis or the row that it stands in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from segue.config import validate
from segue.errors import BadInput, nearest
from segue.experiment.settings import InpaintSettings, PretrainSettings, TrainSettings
from segue.studies.axes import Axis, grid
from segue.studies.bunch import Bunch, Key, below, bunch, dotted, laid, nested
from segue.studies.searching.space import space
from segue.studies.study import Declared, Study
from segue.studies.table import ROW, rows

SEARCH_SEED = 1000  # of its trials: repeats have other ones
SEEDED: tuple[Key, ...] = (("loop", "seed"), ("draw",))  # by repeats
# What stands in a bunch for a run that comes before, and the setting of the training that takes its folder.
BEFORE: Mapping[str, tuple[type[PretrainSettings | InpaintSettings], str]] = {
    "pretrain": (PretrainSettings, "init"),
    "inpaint": (InpaintSettings, "painter"),
}
_LIKE = ("network", "size", "neighbours")  # of a pre-training, where it does not say otherwise: as in the training


@dataclass(frozen=True)
class Entry:
    """A run of the study: which value of each axis, and the repeat."""

    values: Mapping[str, str]
    repeat: int
    settings: TrainSettings
    before: tuple[str, ...] = ()  # names of the runs that it begins from

    @property
    def arm(self) -> str:
        """What repeats have in common."""
        return ", ".join(self.values.values())

    @cached_property
    def name(self) -> str:
        return named("run", self.settings)


@dataclass(frozen=True)
class Begun:
    """What a search begins from: a value of an axis, with all that is fixed."""

    given: Bunch
    settings: TrainSettings
    before: Mapping[str, PretrainSettings | InpaintSettings]


@dataclass(frozen=True)
class Plan:
    study: Study
    axes: tuple[Axis, ...]
    declared: tuple[Declared, ...]
    entries: tuple[Entry, ...]
    before: Mapping[str, PretrainSettings | InpaintSettings] = field(default_factory=dict)  # by name, each once
    begun: Begun | None = None  # where its search begins, if it has one
    waiting: str = ""  # the value that its search has not brought yet

    @cached_property
    def names(self) -> dict[str, Entry]:
        """Each run once: entries may share one."""
        found: dict[str, Entry] = {}
        for entry in self.entries:
            found.setdefault(entry.name, entry)
        return found

    def as_json(self) -> dict[str, Any]:
        return {
            "question": self.study.question, "data": self.data,
            "runs": [
                {"run": one.name, "values": dict(one.values), "repeat": one.repeat, "before": list(one.before)}
                for one in self.entries
            ],
            "before": {name: json.loads(asked.model_dump_json()) for name, asked in self.before.items()},
        }  # fmt: skip

    @property
    def splits(self) -> list[str]:
        """That runs learn and are judged by."""
        return list(dict.fromkeys(entry.settings.split for entry in self.entries))

    @cached_property
    def data(self) -> list[str]:
        """Every dataset that something learns from."""
        learnt = [one for entry in self.entries for one in (*entry.settings.data, *entry.settings.unlabelled)]
        return list(dict.fromkeys([*learnt, *(one for each in self.before.values() for one in each.data)]))


def plan(study: Study, pool: Path, won: Bunch | None = None) -> Plan:
    """`pool`: the folder of runs, which studies share. `won`: what its search came to, where it has one that has ended."""
    axes = [*([rows(Path(study.table), study.columns)] if study.table else []), *study.varied]
    by_name = {one.name: one for one in axes}
    if len(by_name) < len(axes):
        raise BadInput(f"axes: {ROW} is the axis of the table's rows")
    begun, waiting = None, ""
    if study.search is not None:
        axes, begun = _searched(study, axes, pool, won)
        by_name, waiting = {one.name: one for one in axes}, "" if won else study.search.called
    declared, fixed = study.declared(axes), bunch(study.fixed)
    before: dict[str, PretrainSettings | InpaintSettings] = {} if begun is None else dict(begun.before)
    entries = []
    for values in grid(axes):
        told = [(f"{axis}: {value}", by_name[axis].values[value]) for axis, value in values.items()]
        where = ", ".join(name for name, _ in told)
        if waiting in values.values():
            continue
        settings, needed = _before(laid([("fixed", fixed), *told]), study, pool, where)
        before |= needed
        for repeat in range(study.repeats):
            asked = training(study.data, _seeded(settings, repeat, study), where)
            entries.append(Entry(values, repeat, asked, tuple(needed)))
    return Plan(study, tuple(axes), declared, tuple(entries), before, begun, waiting)


def _searched(study: Study, axes: list[Axis], pool: Path, won: Bunch | None) -> tuple[list[Axis], Begun]:
    """With the value that the search brings, beside the others; and where it begins, at a seed that no repeat has."""
    told = study.search
    assert told is not None
    if len(axes) > 1:
        raise BadInput(
            "search: a study that searches has one axis, or a table", hint="What is the same for all is fixed."
        )
    (axis,) = axes
    if told.begin not in axis.values:
        raise BadInput(f"search: begin: {axis.name} has no value {told.begin!r}: {nearest(told.begin, axis.values)}")
    if told.called in axis.values:
        raise BadInput(f"search: called: {axis.name} has a value {told.called!r} already")
    own, where = axis.values[told.begin], space(told.space)
    settings, before = _before(laid([("fixed", bunch(study.fixed)), (told.begin, own)]), study, pool, told.begin)
    for one in where.dimensions:
        for some in one.what.bunches:
            training(study.data, some, f"search: {one.name}")
    clash = next((key for key in where.keys if key in bunch(study.fixed)), None)
    if clash is not None:
        raise BadInput(f"search: {dotted(clash)} is fixed, so there is nothing to search for")
    seeded = {**settings, **_seeds(settings, SEARCH_SEED)}
    begun = Begun(seeded, training(study.data, seeded, told.begin), before)
    values = {**axis.values, told.called: {**where.without(own), **(won or {})}}
    return [Axis(axis.name, values)], begun


def training(data: Sequence[str], settings: Bunch, where: str) -> TrainSettings:
    return validate(TrainSettings, {"data": list(data), **nested(settings)}, where=where)


def _seeds(settings: Bunch, number: int) -> dict[Key, Any]:
    """Of a label budget the patients too."""
    budget = settings.get(("labels",), "all") != "all"
    return dict.fromkeys(SEEDED if budget else SEEDED[:1], number)


def _seeded(settings: Bunch, repeat: int, study: Study) -> dict[Key, Any]:
    for key in SEEDED:
        if key in settings and study.repeats > 1:
            raise BadInput(f"{dotted(key)}: is what repeats differ by", hint="repeats: 1, or leave it out.")
    return {**_seeds(settings, repeat), **settings}


def _before(
    settings: dict[Key, Any], study: Study, pool: Path, where: str
) -> tuple[dict[Key, Any], dict[str, PretrainSettings | InpaintSettings]]:
    """The training's settings, with folders of runs that come before it, and what these are asked."""
    found: dict[str, PretrainSettings | InpaintSettings] = {}
    for what, (kind, taken_as) in BEFORE.items():
        own, settings = below(settings, what)
        if not own:
            continue
        if (taken_as,) in settings:
            raise BadInput(f"{where}: {taken_as} is what {what} gives; only one of them can be")
        like = {key: value for key, value in settings.items() if key[0] in _LIKE} if what == "pretrain" else {}
        given = {"data": list(study.data), **nested({**like, **own})}
        asked = validate(kind, given, where=f"{where}: {what}")
        name = named(what, asked)
        found[name] = asked
        settings = {**settings, (taken_as,): str(pool / name)}
    return settings, found


def named(kind: str, asked: TrainSettings | PretrainSettings | InpaintSettings) -> str:
    """The same settings, the same name, whichever study asks."""
    digest = hashlib.blake2b(asked.model_dump_json().encode(), digest_size=6).hexdigest()
    return f"{kind}-{digest}"
