"""What a search has come to, as it is kept beside the study: read without the engine that made it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from segue.executors import Ledger
from segue.files import read_json, write_json
from segue.studies.bunch import Bunch, bunch
from segue.studies.plan import Begun, Plan
from segue.studies.searching.settings import Search

SUMMARY = "search.json"


@dataclass(frozen=True)
class Trial:
    number: int
    state: Literal["done", "pruned", "over", "failed"]  # over: a limit
    drawn: Mapping[str, Any] = field(default_factory=dict)  # by dimension
    sets: Mapping[str, Any] = field(default_factory=dict)  # what that sets, by dotted name
    run: str = ""
    score: float | None = None  # on validation at home
    at: float = 1.0  # how far it came, of its steps
    seconds: float = 0.0
    parameters: int = 0
    peak: int = 0
    error: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Trials:
    all: tuple[Trial, ...]
    ended: bool  # all that were asked for

    @property
    def best(self) -> Trial | None:
        """The best of those that went to their end within the limits; of equals the first."""
        done = [one for one in self.all if one.state == "done" and one.score is not None]
        return max(done, key=lambda one: (one.score, -one.number), default=None)

    @property
    def won(self) -> Bunch | None:
        """What the best sets, once the search has ended."""
        return bunch(self.best.sets) if self.ended and self.best is not None else None

    def as_json(self) -> dict[str, Any]:
        best = None if self.best is None else self.best.number
        return {"ended": self.ended, "best": best, "trials": [one.as_json() for one in self.all]}

    def count(self, state: str) -> int:
        return sum(one.state == state for one in self.all)


def name_of(start: Begun, told: Search, data: tuple[str, ...]) -> str:
    """What trials have in common: of another space or another beginning it is another search."""
    given = [
        start.settings.model_dump_json(), told.space, told.limits.model_dump(), told.by, told.prune, list(data),
    ]  # fmt: skip
    return f"search-{hashlib.blake2b(json.dumps(given).encode(), digest_size=4).hexdigest()}"


def searched(found: Plan, study: Path) -> Trials | None:
    """Of the search that a study has, if it has one."""
    told = found.study.search
    if told is None or found.begun is None:
        return None
    return trials(study, name_of(found.begun, told, found.study.data), told.trials)


def trials(study: Path, name: str, wanted: int) -> Trials:
    """All of them, or those that this machine has ended so far."""
    told = read_json(study / SUMMARY) if (study / SUMMARY).exists() else {}
    if told.get("name") == name and len(told["trials"]) >= wanted:
        return Trials(_in_order(told["trials"]), True)
    return Trials(_in_order(one for one in Ledger.read(ledger(study, name)).values() if one), False)


def write(study: Path, name: str, found: Iterable[Trial]) -> None:
    write_json(study / SUMMARY, {"name": name, "trials": [one.as_json() for one in found]})


def ledger(study: Path, name: str) -> Path:
    return study / f"{name}.jsonl"


def _in_order(told: Any) -> tuple[Trial, ...]:
    return tuple(sorted((Trial(**one) for one in told), key=lambda one: one.number))
