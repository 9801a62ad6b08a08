"""The contract: one function over many items, wherever they are done.

Results come as they finish. A worker is set up once (`setup` loads what it needs) and gets its share of the threads. An item's
exception comes back as that item's failure, and so does a worker that dies under it. With a `ledger`, finished items are
remembered on disk and not done again. All that is told here; an engine only hands out items and brings outcomes back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from segue.executors.ledger import Ledger
from segue.executors.outcome import Outcome
from segue.executors.progress import Progress

T = TypeVar("T")
R = TypeVar("R")

Items = list[tuple[str, Any]]  # with their keys

_BATCH_SECONDS = 0.2  # long enough that handing out costs nothing, short enough that progress moves
_LARGEST_BATCH = 256


@dataclass(frozen=True)
class Needs:
    """What one item takes while it is worked on; bounds how many workers run side by side."""

    cores: int = 1
    memory: int = 0  # bytes; 0: little
    cards: int = 0  # graphics cards, where there are any
    processes: int = 1  # that share the cores

    @property
    def threads(self) -> int:
        """Of each process, where an item gets no more than it needs."""
        return max(1, self.cores // self.processes)


@dataclass(frozen=True)
class Work:
    """What is handed to an engine."""

    items: Items
    function: Callable[..., Any]
    setup: Callable[[], Any] | None
    needs: Needs
    label: str
    place: Path | None  # where an engine may keep papers of its own


class Executor(ABC):
    def __init__(self, options: str = "", *, workers: int | None = None, progress: bool = True) -> None:
        """`options`: what stands behind the engine's name. `workers`: items in hand at a time, None as many as there is
        room for."""
        self.options = options
        self.workers = workers
        self.progress = progress

    def map(
        self,
        function: Callable[..., R],
        items: Iterable[T],
        *,
        key: Callable[[T], str] = str,
        setup: Callable[[], Any] | None = None,
        needs: Needs = Needs(),
        label: str = "working",
        ledger: Path | None = None,
        stash: Callable[[R], Any] | None = None,
        place: Path | None = None,
    ) -> Iterator[Outcome[Any]]:
        """`function(item)`, or `function(item, what setup returned)`; with a ledger, results must be JSON-able.

        `stash` runs here, on each fresh result, before the ledger: it puts large parts elsewhere and returns the rest.
        `place`: a folder that belongs to this work, by default the ledger's.
        """
        todo: Items = [(key(item), item) for item in items]
        place = place or (ledger.parent if ledger is not None else None)
        with ExitStack() as stack:
            progress = stack.enter_context(Progress(label, len(todo), shown=self.progress))
            book = stack.enter_context(Ledger.open(ledger)) if ledger is not None else None
            if book is not None:
                for name, _ in todo:
                    if name in book.finished:
                        progress.advance(resumed=True)
                        yield Outcome(name, book.finished[name], resumed=True)
                todo = [(name, item) for name, item in todo if name not in book.finished]
            if not todo:
                return
            work = Work(todo, function, setup, needs, label, place)
            for outcome in stack.enter_context(closing(self.outcomes(work))):
                if outcome.error is None:
                    if stash is not None:
                        outcome = replace(outcome, value=stash(outcome.value))  # type: ignore[arg-type]
                    if book is not None:
                        book.write(outcome)
                progress.advance(failed=outcome.error is not None)
                yield outcome

    def at_once(self, needs: Needs, items: int) -> int:
        """Of so many items, as far as that can be known."""
        return max(1, min(self.workers or 1, items))

    def threads(self, needs: Needs, items: int) -> int:
        """Of each process of an item, where it does not say itself."""
        return needs.threads

    @abstractmethod
    def outcomes(self, work: Work) -> Generator[Outcome[Any], None, None]:
        """One for each item, in any order. Closed before its end, it leaves nobody working."""


def next_size(outcomes: Sequence[Outcome[Any]], size: int, fair: int) -> int:
    """Of a batch, after one of `size`; `fair`: what leaves something for the other workers."""
    each = max(sum(outcome.seconds for outcome in outcomes) / max(len(outcomes), 1), 1e-6)
    return max(1, min(int(_BATCH_SECONDS / each), 4 * size, _LARGEST_BATCH, fair))
