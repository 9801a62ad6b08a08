"""What is finished, on disk, so that it is not done again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from segue.errors import BadInput, Failed
from segue.executors.outcome import Outcome


class Ledger:
    """A line of JSON for each finished item. A line torn by a crash is dropped, so its item is simply done again."""

    def __init__(self, path: Path) -> None:
        self.finished, whole = _lines(path)
        if path.exists():
            os.truncate(path, whole)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._file = path, path.open("a", encoding="utf-8", newline="")

    @staticmethod
    def read(path: Path) -> dict[str, Any]:
        """What is finished, while somebody else may be writing."""
        return _lines(path)[0]

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Ledger]:
        try:
            book = cls(path)
        except OSError as error:
            raise BadInput(f"{path}: cannot be written ({error.strerror})") from None
        with book._file:
            yield book

    def write(self, outcome: Outcome[Any]) -> None:
        try:
            self._file.write(json.dumps([outcome.key, outcome.value], separators=(",", ":")) + "\n")
            self._file.flush()
        except OSError as error:
            with suppress(OSError):
                self._file.close()
            raise Failed(
                f"{self._path}: cannot be written ({error.strerror})",
                hint="What stands there is kept; with room the same command goes on.",
            ) from error


def _lines(path: Path) -> tuple[dict[str, Any], int]:
    """By item, the last line of each; and how many bytes are whole."""
    found: dict[str, Any] = {}
    whole = 0
    if path.exists():
        with path.open("rb") as file:
            for line in file:
                try:
                    name, value = json.loads(line) if line.endswith(b"\n") else None  # type: ignore[misc]
                except (ValueError, TypeError, RecursionError):
                    break
                found[name] = value
                whole += len(line)
    return found, whole
