"""How far a study has come: of each arm, how many of its repeats are done, and what they came to so far."""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segue.studies.book import Book, Fate
from segue.studies.plan import Entry, Plan
from segue.studies.running import folder_of, planned
from segue.studies.searching.found import Trials, searched
from segue.studies.study import read
from segue.training.run import ABOUT, Run


@dataclass(frozen=True)
class Arm:
    values: Mapping[str, str]
    done: int
    failed: int
    begun: int
    waiting: int
    means: Mapping[str, float]  # by set, over patients and repeats


@dataclass(frozen=True)
class Going:
    """A run that has begun and has not ended, at work or left."""

    run: str
    arm: str
    repeat: int
    step: int  # that it was last told of
    steps: int
    score: float | None  # on validation, then

    @property
    def judged(self) -> bool:
        """It has learnt, and is judged."""
        return self.step >= self.steps > 0


@dataclass(frozen=True)
class Standing:
    folder: Path
    plan: Plan
    arms: tuple[Arm, ...]
    errors: Mapping[str, str]  # by run
    left: float  # seconds, one run after the other; not a number: nobody knows
    going: tuple[Going, ...] = ()
    trials: Trials | None = None  # of its search, if it has one

    def total(self, what: str) -> int:
        return sum(getattr(arm, what) for arm in self.arms)

    def as_json(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder), "errors": dict(self.errors),
            "left": None if math.isnan(self.left) else round(self.left),
            "going": [vars(one) for one in self.going],
            "search": None if self.trials is None else self.trials.as_json(),
            "arms": [{**vars(arm), "values": dict(arm.values), "means": dict(arm.means)} for arm in self.arms],
        }  # fmt: skip


def status(file: Path | str, out: Path | str | None = None) -> Standing:
    """Read from its folder; whoever runs it goes on."""
    study, folder = read(Path(file)), folder_of(file, out)
    found, fates = planned(study, folder), Book.read(folder)
    there = {entry.name for entry in os.scandir(folder.parent)} if folder.parent.is_dir() else set()
    arms: dict[str, list[Entry]] = {}
    for entry in found.entries:
        arms.setdefault(entry.arm, []).append(entry)
    taken = [fate.told["seconds"] for fate in fates.values() if not fate.failed and not fate.told["already"]]
    going = tuple(
        _going(one, folder.parent) for name, one in found.names.items() if name in there and name not in fates
    )
    open_ = sum(name not in fates for name in found.names) - sum(one.step / max(one.steps, 1) for one in going)
    return Standing(
        folder, found, tuple(_arm(own, fates, there, study.metric) for own in arms.values()),
        _errors(found, fates),
        open_ * statistics.median(taken) if taken else math.nan, going, searched(found, folder),
    )  # fmt: skip


def _errors(found: Plan, fates: Mapping[str, Fate]) -> dict[str, str]:
    """Of what still belongs to the study, by arm and repeat where it has one."""
    failed = {name: fate.error for name, fate in fates.items() if fate.failed}
    before = {name: failed[name] for name in found.before if name in failed}
    runs = {
        f"{one.arm}, repeat {one.repeat} ({name})": failed[name] for name, one in found.names.items() if name in failed
    }
    return before | runs


def _going(one: Entry, pool: Path) -> Going:
    run = Run(pool / one.name)
    if not (run.folder / ABOUT).exists():
        return Going(one.name, one.arm, one.repeat, 0, 0, None)
    lines = run.metrics()
    last: dict[str, Any] = lines[-1] if lines else {"step": 0}
    score = last.get("validation", {}).get(one.settings.select)
    return Going(one.name, one.arm, one.repeat, last["step"], int(run.config["loop"]["steps"]), score)


def _arm(own: Sequence[Entry], fates: Mapping[str, Fate], there: set[str], metric: str) -> Arm:
    ended = [fates[one.name] for one in own if one.name in fates]
    done = [fate for fate in ended if not fate.failed]
    begun = sum(one.name in there for one in own if one.name not in fates)
    values: dict[str, list[float]] = {}
    for fate in done:
        for name, means in fate.told["sets"].items():
            if means[metric] is not None:
                values.setdefault(name, []).append(means[metric])
    return Arm(
        own[0].values, len(done), len(ended) - len(done), begun, len(own) - len(ended) - begun,
        {name: statistics.fmean(each) for name, each in values.items()},
    )  # fmt: skip
