"""One item done: what came of it, or in a sentence why nothing did."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from segue.errors import Failed, SegueError, in_words

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[R]):
    key: str
    value: R | None
    error: str | None = None  # one sentence
    trace: str | None = None  # for --debug
    seconds: float = 0.0
    resumed: bool = False

    def result(self) -> R:
        if self.error is not None:
            raise Failed(f"{self.key}: {self.error}")
        return self.value  # type: ignore[return-value]


class Worker(Generic[R]):
    """Does items, wherever it is. The set-up runs with the first of them, so that its exception has a way back."""

    def __init__(self, function: Callable[..., R], setup: Callable[[], Any] | None) -> None:
        self._function, self._setup = function, setup
        self._arguments: tuple[Any, ...] | None = None if setup else ()

    def do(self, name: str, item: Any) -> Outcome[R]:
        start = time.perf_counter()
        try:
            if self._arguments is None:
                assert self._setup is not None
                self._arguments = (self._setup(),)
                start = time.perf_counter()
            value = self._function(item, *self._arguments)
        except Exception as error:
            return failure(name, error, time.perf_counter() - start)
        return Outcome(name, value, seconds=time.perf_counter() - start)


def failure(name: str, error: Exception, seconds: float = 0.0) -> Outcome[Any]:
    if isinstance(error, SegueError):
        told = error.message
    elif isinstance(error, MemoryError):
        told = "not enough memory"
    else:
        told = in_words(error)
    trace = "".join(traceback.format_exception(error))
    return Outcome(name, None, error=told, trace=trace, seconds=seconds)
