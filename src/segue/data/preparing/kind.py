"""What preparing asks of a kind of cases, and what both kinds need."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from segue.data.case import IGNORE, Case
from segue.data.dataset import Dataset
from segue.data.preparing.settings import PrepareSettings


class Task(Protocol):
    @property
    def case(self) -> Case: ...


@dataclass(frozen=True)
class Bench:
    """What a worker has at hand for all cases."""

    dataset: Dataset
    work: Path

    def __call__(self) -> Bench:
        return self


class Kind(Protocol):
    @property
    def settings(self) -> PrepareSettings: ...  # resolved

    @property
    def channels(self) -> tuple[str, ...]: ...  # of what is stored

    @property
    def bytes(self) -> int: ...  # of the store, at most

    @property
    def memory(self) -> int: ...  # that the largest case takes while it is worked on

    @property
    def asked(self) -> str: ...

    """The settings that matter, for a hash: a store made from the same is not made again."""

    @property
    def told(self) -> str: ...

    """What is done to the cases, in a few words."""

    def about(self) -> dict[str, Any]:
        """For the card."""

    def try_one(self, case: Case) -> None:
        """The work of a case, thrown away, to see how long it takes."""

    def begin(self, work: Path) -> None:
        """Before the first case."""

    def tasks(self) -> Sequence[Task]: ...

    @property
    def store_one(self) -> Callable[[Any, Bench], Any]: ...

    """In a worker: writes a case. What it returns is kept in the ledger as JSON."""

    def finish(self, work: Path, done: Mapping[str, Any]) -> None:
        """Write the index of the cases that came out well."""


def same_share(ids: npt.NDArray[np.uint8], case: Case) -> bool:
    """Whether a mask has as much foreground as the scan has seen: the file or the rule on the card may have changed."""
    counted = (np.count_nonzero(ids) - np.count_nonzero(ids == IGNORE)) / ids.size
    return case.foreground is None or math.isclose(counted, case.foreground, rel_tol=1e-5)  # the table has six digits
