"""What has become of a study's runs. One writes it, anybody reads it."""

from __future__ import annotations

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
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.fates = _fates(ledger.finished)

    @classmethod
    @contextmanager
    def open(cls, study: Path) -> Iterator[Self]:
        with Ledger.open(study / NAME) as ledger:
            yield cls(ledger)

    @staticmethod
    def read(study: Path) -> dict[str, Fate]:
        return _fates(Ledger.read(study / NAME))

    def write(self, outcome: Outcome[Any]) -> Fate:
        before = self.fates.get(outcome.key)
        fate = Fate(
            outcome.value or {}, outcome.error or "", outcome.trace or "", before.tries + 1 if before is not None else 1
        )
        self.fates[outcome.key] = fate
        self._ledger.write(Outcome(outcome.key, {name: value for name, value in vars(fate).items() if value}))
        return fate


def _fates(lines: Mapping[str, Any]) -> dict[str, Fate]:
    return {
        name: Fate(line.get("told", {}), line.get("error", ""), line.get("trace", ""), line["tries"])
        for name, line in lines.items()
    }
