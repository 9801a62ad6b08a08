"""What has become of a study's runs. One writes it, anybody reads it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from segue.executors import Ledger, Outcome

NAME = "book.jsonl"


@dataclass(frozen=True)
class Fate:
    """Of a run that has ended, well or not."""

    told: Mapping[str, Any]
    error: str = ""
    trace: str = ""
    tries: int = 1

    @property
    def failed(self) -> bool:
        return bool(self.error)


class Book:
    def __init__(self, ledger: Ledger, fates: dict[str, Fate]) -> None:
        self._ledger = ledger
        self.fates = fates

    @classmethod
    @contextmanager
    def open(cls, study: Path) -> Iterator[Self]:
        with Ledger.open(study / NAME) as ledger:
            yield cls(ledger, _fates(ledger.finished, study.parent))

    @staticmethod
    def read(study: Path) -> dict[str, Fate]:
        return _fates(Ledger.read(study / NAME), study.parent)

    def write(self, outcome: Outcome[Any]) -> Fate:
        before = self.fates.get(outcome.key)
        fate = Fate(
            outcome.value or {}, outcome.error or "", outcome.trace or "", before.tries + 1 if before is not None else 1
        )
        self.fates[outcome.key] = fate
        self._ledger.write(Outcome(outcome.key, {name: value for name, value in vars(fate).items() if value}))
        return fate


def _fates(lines: Mapping[str, Any], pool: Path) -> dict[str, Fate]:
    """A run that was done and has been removed since has none: it is to be done again."""
    there = {entry.name for entry in os.scandir(pool)} if pool.is_dir() else set()
    every = {
        name: Fate(line.get("told", {}), line.get("error", ""), line.get("trace", ""), line["tries"])
        for name, line in lines.items()
    }
    return {name: fate for name, fate in every.items() if fate.failed or name in there}
