"""One function over many items, on the processes of this machine.

Results come as they finish. A worker is set up once (`setup` loads what it needs), gets its share of the threads, and
ignores Ctrl-C, so that no item is torn in the middle: the parent stops handing out, the workers finish the item in hand.
An item's exception comes back as that item's failure. A worker that dies (out of memory, a crash in a codec) takes no
other item with it: the items it may have held are tried again one by one, and the one that kills is named.
With a `ledger`, finished items are remembered on disk and not done again.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Generic, TypeVar

from threadpoolctl import threadpool_limits

from segue.errors import BadInput, Failed, SegueError, in_words
from segue.executors.progress import Progress

T = TypeVar("T")
R = TypeVar("R")

_BATCH_SECONDS = 0.2  # long enough that handing out costs nothing, short enough that progress moves
_LARGEST_BATCH = 256
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)


@dataclass(frozen=True)
class Needs:
    """What one item takes while it is worked on; bounds how many workers run side by side."""

    cores: int = 1
    memory: int = 0  # bytes; 0: little


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


class LocalExecutor:
    def __init__(self, *, workers: int | None = None, progress: bool = True) -> None:
        """`workers=0` works in this process, None takes as many as the cores and the memory allow."""
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
    ) -> Iterator[Outcome[Any]]:
        """`function(item)`, or `function(item, what setup returned)`; with a ledger, results must be JSON-able.

        `stash` runs here, on each fresh result, before the ledger: it puts large parts elsewhere and returns the rest.
        """
        todo = [(key(item), item) for item in items]
        with ExitStack() as stack:
            progress = stack.enter_context(Progress(label, len(todo), shown=self.progress))
            book = stack.enter_context(Ledger.open(ledger)) if ledger is not None else None
            if book is not None:
                for name, _ in todo:
                    if name in book.finished:
                        progress.advance(resumed=True)
                        yield Outcome(name, book.finished[name], resumed=True)
                todo = [(name, item) for name, item in todo if name not in book.finished]
            workers = min(self._workers(needs), len(todo))
            run = self._in_processes if workers > 1 else self._here
            for outcome in run(function, todo, setup, workers):
                if outcome.error is None:
                    if stash is not None:
                        outcome = replace(outcome, value=stash(outcome.value))  # type: ignore[arg-type]
                    if book is not None:
                        book.write(outcome)
                progress.advance(failed=outcome.error is not None)
                yield outcome

    def _workers(self, needs: Needs) -> int:
        if self.workers is not None:
            return self.workers
        workers = max(1, cores() // needs.cores)
        if needs.memory:
            workers = max(1, min(workers, available_memory() // needs.memory))
        return workers

    def _here(
        self, function: Callable[..., R], todo: list[tuple[str, T]], setup: Callable[[], Any] | None, _: int
    ) -> Iterator[Outcome[R]]:
        if todo:
            arguments = (setup(),) if setup else ()
            for name, item in todo:
                yield _attempt(function, name, item, arguments)

    def _in_processes(
        self, function: Callable[..., R], todo: list[tuple[str, T]], setup: Callable[[], Any] | None, workers: int
    ) -> Iterator[Outcome[R]]:
        suspects: list[tuple[str, T]] = []
        queue = deque(todo)
        while queue:
            yield from self._until_a_worker_dies(function, queue, setup, workers, suspects)
            # A worker died while it may have held these: one by one, each in its own process.
            for name, item in suspects:
                yield from self._alone(function, name, item, setup)
            suspects.clear()

    def _until_a_worker_dies(
        self,
        function: Callable[..., R],
        queue: deque[tuple[str, T]],
        setup: Callable[[], Any] | None,
        workers: int,
        suspects: list[tuple[str, T]],
    ) -> Iterator[Outcome[R]]:
        with _pool(function, setup, workers) as (pool, stop):
            running: dict[Future[list[Outcome[R]]], list[tuple[str, T]]] = {}
            size, finished_any = 1, False
            try:
                while queue or running:
                    while queue and len(running) < workers + 1:  # one ready, so that no worker waits for the parent
                        batch = [queue.popleft() for _ in range(min(size, len(queue)))]
                        running[pool.submit(_work, batch)] = batch
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        batch = running[future]
                        outcomes = future.result()
                        del running[future]
                        finished_any = True
                        size = _next_size(outcomes, size, len(queue) // (2 * workers))
                        yield from outcomes
            except BrokenProcessPool:
                if not finished_any and not _starts():
                    raise Failed(
                        "worker processes cannot be started from here",
                        hint="In a script, call Segue under `if __name__ == '__main__':`, or pass workers=0.",
                    ) from None
                for future, batch in running.items():
                    if future.done() and future.exception() is None:
                        yield from future.result()
                    else:
                        suspects += batch
            finally:
                stop.set()

    def _alone(
        self, function: Callable[..., R], name: str, item: T, setup: Callable[[], Any] | None
    ) -> Iterator[Outcome[R]]:
        try:
            with _pool(function, setup, 1) as (pool, _):
                yield from pool.submit(_work, [(name, item)]).result()
        except BrokenProcessPool:
            yield Outcome(name, None, error="the worker was killed while it worked on it (out of memory, or a crash)")


def _next_size(outcomes: Sequence[Outcome[Any]], size: int, fair: int) -> int:
    each = max(sum(outcome.seconds for outcome in outcomes) / max(len(outcomes), 1), 1e-6)
    return max(1, min(int(_BATCH_SECONDS / each), 4 * size, _LARGEST_BATCH, fair))


@contextmanager
def _pool(
    function: Callable[..., Any], setup: Callable[[], Any] | None, workers: int
) -> Iterator[tuple[ProcessPoolExecutor, Event]]:
    """Spawned, not forked: the parent may hold threads (OpenCV, torch), and every platform behaves alike."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    share = str(max(1, cores() // workers))
    with _environment(dict.fromkeys(_THREADS, share)):
        pool = ProcessPoolExecutor(
            workers, mp_context=context, initializer=_begin, initargs=(function, setup, stop, int(share))
        )
        try:
            yield pool, stop
        finally:
            stop.set()
            with _uninterrupted():
                pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """A second Ctrl-C in the middle of a shutdown would leave workers and parent waiting for each other for ever."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Workers read thread counts when they load their libraries, so the parent lends them its environment."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


# What a worker knows, set by `_begin`. The set-up itself runs with the first item, so that its exception has a way back.
_job: dict[str, Any] = {}


def _begin(function: Callable[..., Any], setup: Callable[[], Any] | None, stop: Event, threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(threads)
    _job.update(function=function, setup=setup, stop=stop)


def _die_with_parent() -> None:
    """A killed parent leaves no workers behind, waiting for ever at the other end of a pipe."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(batch: list[tuple[str, Any]]) -> list[Outcome[Any]]:
    outcomes: list[Outcome[Any]] = []
    for name, item in batch:
        if _job["stop"].is_set():
            break
        if "arguments" not in _job:
            try:
                _job["arguments"] = (_job["setup"](),) if _job["setup"] else ()
            except Exception as error:
                outcomes.append(_failure(name, error, 0.0))
                continue
        outcomes.append(_attempt(_job["function"], name, item, _job["arguments"]))
    return outcomes


def _attempt(function: Callable[..., R], name: str, item: Any, arguments: tuple[Any, ...]) -> Outcome[R]:
    start = time.perf_counter()
    try:
        value = function(item, *arguments)
    except Exception as error:
        return _failure(name, error, time.perf_counter() - start)
    return Outcome(name, value, seconds=time.perf_counter() - start)


def _failure(name: str, error: Exception, seconds: float) -> Outcome[Any]:
    if isinstance(error, SegueError):
        told = error.message
    elif isinstance(error, MemoryError):
        told = "not enough memory"
    else:
        told = in_words(error)
    return Outcome(name, None, error=told, trace=traceback.format_exc(), seconds=seconds)


def _starts() -> bool:
    """Can a worker be started at all? A script without a main guard cannot start any."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(int, 1).result() == 1
        except BrokenProcessPool:
            return False


class Ledger:
    """A line of JSON for each finished item. A line torn by a crash is dropped, so its item is simply done again."""

    def __init__(self, path: Path) -> None:
        self.finished, whole = _lines(path)
        if path.exists():
            os.truncate(path, whole)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8", newline="")

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
        self._file.write(json.dumps([outcome.key, outcome.value], separators=(",", ":")) + "\n")
        self._file.flush()


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


@contextmanager
def threads() -> Iterator[ThreadPoolExecutor]:
    """Threads for array work that leaves Python: as many as cores, the libraries' own threads switched off meanwhile.

    Both at once would wait for each other far longer than they work.
    """
    with threadpool_limits(1), ThreadPoolExecutor(cores()) as pool:
        yield pool


def cores() -> int:
    """Cores that this process may use, which in a container are fewer than the machine has."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(count, -(-int(quota) // int(period))))
    except (OSError, ValueError):
        return count


def available_memory() -> int:
    """Bytes that can be had now, a container's bound included; a guess of 4 GiB where the system does not tell."""
    return min([_free_memory(), *_left_to_container()])


def _left_to_container() -> list[int]:
    group = Path("/sys/fs/cgroup")
    try:
        most, used = ((group / name).read_text().strip() for name in ("memory.max", "memory.current"))
        cached = re.search(r"^inactive_file (\d+)$", (group / "memory.stat").read_text(), re.MULTILINE)
        return [] if most == "max" else [max(0, int(most) - int(used) + (int(cached.group(1)) if cached else 0))]
    except (OSError, ValueError):
        return []


def _free_memory() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, ValueError, OSError):
        return 4 << 30
