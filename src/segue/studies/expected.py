"""What a study will take on this machine: a few steps of each arm tell, and nothing of it is trained."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segue.executors import executor
from segue.experiment.opening import as_it_stands, made
from segue.experiment.telling import Say, silent, told_machine
from segue.studies.book import Book
from segue.studies.plan import Entry, Plan
from segue.studies.running import driving, opened
from segue.studies.settling import Found, by_key, key_of, settle
from segue.studies.stamps import demand_same
from segue.studies.work import needs
from segue.training.run import ABOUT, Run

_COPIES = 2  # of the weights, that a run keeps: the best and the last
_WEIGHT = 4  # bytes
_BESIDE = 3 << 20  # bytes of a run's tables and pictures


@dataclass(frozen=True)
class Expected:
    seconds: float  # of training, so many runs side by side; not a number: nobody knows
    side_by_side: int
    bytes: int  # of all runs
    machines: Mapping[str, int]  # in words: runs that have it so
    errors: Mapping[str, str]  # by arm: why it cannot be begun
    guessed: int  # runs whose time is taken to be that of others: what they begin from is not there

    def as_json(self) -> dict[str, Any]:
        seconds = None if math.isnan(self.seconds) else round(self.seconds)
        return {**vars(self), "seconds": seconds, "machines": dict(self.machines), "errors": dict(self.errors)}


def expect(
    found: Plan, folder: Path, *, workers: int | None = None, on: str = "local", progress: bool = False, say: Say = silent
) -> Expected:  # fmt: skip
    """Of what is still to be done. Stores that are missing are prepared; all that is found out serves the runs later."""
    datasets = opened(found)
    with driving(folder):
        demand_same(datasets, found.splits, folder)
        for dataset in datasets[: len(found.data)]:
            made(as_it_stands(dataset), say, progress)
        fates = Book.read(folder)
        todo = [one for name, one in found.names.items() if name not in fates or fates[name].failed]
        before = {name: asked for name, asked in found.before.items() if not _finished(folder.parent / name)}
        free = [one for one in todo if not set(one.before) & set(before)]
        engine = executor(on, workers=workers, progress=progress)
        known = settle({**before, **by_key(free)}, folder, engine, runs=len(todo))
        wanted = needs(known.of(one.settings) for one in free if known.has(one.settings))
        beside = engine.at_once(wanted, len(todo))
    return _expected(todo, free, list(before), known, beside)


def _finished(folder: Path) -> bool:
    return (folder / ABOUT).exists() and Run.open(folder).finished


def _expected(todo: list[Entry], free: list[Entry], before: list[str], known: Found, beside: int) -> Expected:
    own = [known.by_key[key_of(one.settings)] for one in free if known.has(one.settings)]
    first = [known.by_key[name] for name in before if name in known.by_key]
    guessed = len(todo) - len(free)
    usual = statistics.fmean(one.seconds for one in own) if own else math.nan
    weights = statistics.fmean(one.parameters for one in own) if own else 0.0
    seconds = sum(one.seconds for one in own) + (guessed * usual if guessed else 0.0)
    stored = sum(one.parameters for one in own) + guessed * weights + sum(one.parameters for one in first)
    runs = len(own) + guessed + len(first)
    return Expected(
        sum(one.seconds for one in first) / max(1, min(beside, len(first))) + seconds / beside,
        beside, round(_COPIES * _WEIGHT * stored) + runs * _BESIDE,
        Counter(told_machine(one.settings.machine) for one in own),
        {one.arm: known.errors[key] for one in free if (key := key_of(one.settings)) in known.errors}, guessed,
    )  # fmt: skip
