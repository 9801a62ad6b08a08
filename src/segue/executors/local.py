"""The processes of this machine.

A worker ignores Ctrl-C, so that no item is torn in the middle: the parent stops handing out, the workers finish the item in
hand. A worker that dies (out of memory, a crash in a codec) takes no other item with it: the items it may have held are tried
again one by one, and the one that kills is named. Where items need graphics cards, each worker sees its own alone.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event
from typing import Any

from segue.errors import BadInput, Failed
from segue.executors.executor import Executor, Items, Needs, Work, next_size
from segue.executors.machine import CARDS, available_memory, cards, cores, limit_opencv, share_of_threads
from segue.executors.outcome import Outcome, Worker


class LocalExecutor(Executor):
    """`workers=0` works in this process."""

    def __init__(self, options: str = "", *, workers: int | None = None, progress: bool = True) -> None:
        if options:
            raise BadInput(f"local:{options}: this machine takes no options")
        super().__init__(workers=workers, progress=progress)

    def outcomes(self, work: Work) -> Generator[Outcome[Any], None, None]:
        workers = self.at_once(work.needs, len(work.items))
        if workers == 1:
            worker = Worker(work.function, work.setup)
            for name, item in work.items:
                yield worker.do(name, item)
            return
        suspects: Items = []
        queue = deque(work.items)
        while queue:
            yield from _until_a_worker_dies(work, queue, workers, suspects)
            # A worker died while it may have held these: one by one, each in its own process.
            for name, item in suspects:
                yield _alone(work, name, item)
            suspects.clear()

    def at_once(self, needs: Needs, items: int) -> int:
        return max(1, min(self.room(needs), items))

    def threads(self, needs: Needs, items: int) -> int:
        """All cores are shared out."""
        return _share(needs, self.at_once(needs, items))

    def room(self, needs: Needs) -> int:
        """Workers side by side."""
        if self.workers is not None:
            return self.workers
        workers = cores() // needs.cores
        if needs.memory:
            workers = min(workers, available_memory() // needs.memory)
        if needs.cards and cards():
            workers = min(workers, len(cards()) // needs.cards)
        return max(1, workers)


def _until_a_worker_dies(
    work: Work, queue: deque[tuple[str, Any]], workers: int, suspects: Items
) -> Iterator[Outcome[Any]]:
    with _pool(work, workers) as (pool, stop):
        running: dict[Future[list[Outcome[Any]]], Items] = {}
        size, finished_any = 1, False
        try:
            while queue or running:
                while queue and len(running) < workers + 1:  # one ready, so that no worker waits for the parent
                    batch = [queue.popleft() for _ in range(min(size, len(queue)))]
                    with _deaf():
                        running[pool.submit(_work, batch)] = batch
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    outcomes = future.result()
                    del running[future]
                    finished_any = True
                    size = next_size(outcomes, size, len(queue) // (2 * workers))
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


def _alone(work: Work, name: str, item: Any) -> Outcome[Any]:
    try:
        with _pool(work, 1) as (pool, _):
            (outcome,) = pool.submit(_work, [(name, item)]).result()
            return outcome
    except BrokenProcessPool:
        return Outcome(name, None, error="the worker was killed while it worked on it (out of memory, or a crash)")


@contextmanager
def _pool(work: Work, workers: int) -> Iterator[tuple[ProcessPoolExecutor, Event]]:
    """Spawned, not forked: the parent may hold threads (OpenCV, torch), and every platform behaves alike."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    own = context.SimpleQueue()
    for shares in _cards(work.needs, workers):
        own.put(shares)
    threads = _share(work.needs, workers)
    with _environment(share_of_threads(threads)):
        pool = ProcessPoolExecutor(
            workers, mp_context=context, initializer=_begin,
            initargs=(Worker(work.function, work.setup), stop, threads, own),
        )  # fmt: skip
        try:
            yield pool, stop
        finally:
            stop.set()
            with _uninterrupted():
                pool.shutdown(wait=True, cancel_futures=True)


def _share(needs: Needs, workers: int) -> int:
    """Threads of each process, where so many workers have all cores."""
    return max(1, cores() // workers // needs.processes)


def _cards(needs: Needs, workers: int) -> list[str | None]:
    """Of each worker; none of its own where there are none, or where there are fewer than an item wants."""
    there = cards()
    if not needs.cards or len(there) < needs.cards:
        return [None] * workers
    groups = [there[at : at + needs.cards] for at in range(0, len(there) - needs.cards + 1, needs.cards)]
    return [",".join(groups[number % len(groups)]) for number in range(workers)]


@contextmanager
def _deaf() -> Iterator[None]:
    """Ctrl-C waits while a worker is begun, which would take it before it knows to ignore it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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


@dataclass(frozen=True)
class _Job:
    """What a process knows from its beginning."""

    worker: Worker[Any]
    stop: Event


_job: list[_Job] = []


def _begin(worker: Worker[Any], stop: Event, threads: int, own: SimpleQueue[str | None]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    seen = own.get()
    if seen is not None:
        os.environ[CARDS] = seen  # before anything has asked CUDA
    limit_opencv(threads)
    _job.append(_Job(worker, stop))


def _die_with_parent() -> None:
    """A killed parent leaves no workers behind, waiting for ever at the other end of a pipe."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(batch: Items) -> list[Outcome[Any]]:
    (job,) = _job
    outcomes: list[Outcome[Any]] = []
    for name, item in batch:
        if job.stop.is_set():
            break
        outcomes.append(job.worker.do(name, item))
    return outcomes


def _starts() -> bool:
    """Can a worker be started at all? A script without a main guard cannot start any."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(int, 1).result() == 1
        except BrokenProcessPool:
            return False
