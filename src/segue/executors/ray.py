"""A cluster of Ray: joined where one runs, else started on this machine for as long as the work takes.

A worker is an actor, which is set up once. One that is lost, with its machine or without, is replaced where there is room, and
what it held is done again, each item by itself and a bounded number of times. Machines that come later are made use of.
"""

from __future__ import annotations

import os
import socket
import time
from collections import Counter, deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from segue.errors import BadInput, Failed, in_words
from segue.executors.executor import Executor, Items, Work, next_size
from segue.executors.machine import cores, limit_opencv, share_of_threads
from segue.executors.outcome import Outcome, Worker, failure

_TRIES = 3  # of an item whose worker is lost
_STILLBORN = 10  # workers in a row that were lost before they could begin
_ANSWER = 10.0  # seconds for the first answer
_LOOK = 2.0  # seconds, after which it is asked again which machines there are
_PATIENCE = 60.0  # of them, while none is there


class RayExecutor(Executor):
    """`options`: the address of a cluster, else what RAY_ADDRESS says, else one is started here."""

    def outcomes(self, work: Work) -> Generator[Outcome[Any], None, None]:
        with _cluster(self.options or os.environ.get("RAY_ADDRESS", "")) as ray:
            crew = _Crew(ray, work, self.workers)
            try:
                yield from crew.outcomes()
            finally:
                crew.dismiss()


@contextmanager
def _cluster(address: str) -> Iterator[ModuleType]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # what is to come anyway, and warned of until then
    try:
        import ray
    except ImportError:
        raise BadInput("ray is not installed", hint="pip install 'segue[cluster]'") from None
    if ray.is_initialized():  # by whoever calls us, and theirs to end
        yield ray
        return
    if address:
        _demand_answer(address)
    here = {"num_cpus": cores(), "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    try:
        ray.init(address or "local", log_to_driver=False, logging_level="error", **({} if address else here))
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise Failed(f"ray:{address}: cannot be joined ({in_words(error).splitlines()[0]})") from None
    try:
        yield ray
    finally:
        ray.shutdown()


def _demand_answer(address: str) -> None:
    """Ray itself would wait for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWER).close()
    except (OSError, ValueError) as error:
        raise BadInput(
            f"ray:{address}: no cluster answers there ({in_words(error)})",
            hint="HOST:PORT, as `ray start --head` has told it.",
        ) from None


class _Crew:
    def __init__(self, ray: ModuleType, work: Work, most: int | None) -> None:
        self._ray, self._most = ray, most
        self._worker = ray.put(Worker(work.function, work.setup))  # once, however many workers fetch it
        self._threads = work.needs.threads
        self._needs = {"CPU": work.needs.cores, "memory": work.needs.memory}
        if any("GPU" in there for there in self._machines()):
            self._needs["GPU"] = work.needs.cards
        self._queue = deque(work.items)
        self._apart: deque[tuple[str, Any]] = deque()  # one by one: what a lost worker held
        self._tries: Counter[str] = Counter()
        self._coming: dict[Any, Any] = {}  # a worker's first word -> the worker
        self._idle: list[Any] = []
        self._busy: dict[Any, tuple[Any, Items]] = {}
        self._size, self._stillborn, self._seen = 1, 0, time.monotonic()

    def outcomes(self) -> Iterator[Outcome[Any]]:
        if not self._room():
            asked = ", ".join(f"{amount:,} {name}" for name, amount in self._needs.items() if amount)
            raise BadInput(f"ray: no machine of the cluster has what one item needs ({asked})")
        while self._queue or self._apart or self._busy:
            self._hire()
            self._hand_out()
            done, _ = self._ray.wait([*self._busy, *self._coming], num_returns=1, timeout=_LOOK)
            for ref in done:
                if ref in self._coming:
                    self._begun(ref)
                else:
                    yield from self._ended(ref)

    def dismiss(self) -> None:
        """At once: what was in hand is done again when it is asked for again."""
        for worker in (*self._coming.values(), *self._idle, *(worker for worker, _ in self._busy.values())):
            with suppress(Exception):  # of a cluster that is gone
                self._ray.kill(worker)

    def _machines(self) -> list[dict[str, float]]:
        return [one["Resources"] for one in self._ray.nodes() if one["Alive"]]

    def _room(self) -> int:
        """Workers that the cluster would hold if nobody else were there."""
        needs = {name: amount for name, amount in self._needs.items() if amount}
        return sum(
            min(int(there.get(name, 0) // amount) for name, amount in needs.items()) for there in self._machines()
        )

    def _hire(self) -> None:
        room = self._room()
        if room:
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > _PATIENCE:
            raise Failed("the cluster has no machine left to work on", hint="The same again goes on where it was.")
        left = len(self._queue) + len(self._apart) + len(self._busy)
        while len(self._coming) + len(self._idle) + len(self._busy) < min(self._most or room, room, left):
            worker = (
                self._ray.remote(_Hand)
                .options(
                    num_cpus=self._needs["CPU"], memory=self._needs["memory"] or None,
                    num_gpus=self._needs.get("GPU", 0), scheduling_strategy="SPREAD",
                    runtime_env={"env_vars": share_of_threads(self._threads)},
                )
                .remote(self._worker, str(Path.cwd()), self._threads)
            )  # fmt: skip
            self._coming[worker.begin.remote()] = worker

    def _begun(self, ref: Any) -> None:
        worker = self._coming.pop(ref)
        try:
            self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            self._stillborn += 1
            if getattr(error, "actor_init_failed", False) or self._stillborn > _STILLBORN:
                told = [line.strip() for line in str(error).splitlines() if line.strip()][-1]
                raise Failed(
                    f"a worker cannot begin on the cluster: {told}",
                    hint="Each machine needs the same Segue and the same folders.",
                ) from None
        else:
            self._stillborn = 0
            self._idle.append(worker)

    def _hand_out(self) -> None:
        while self._idle and (self._queue or self._apart):
            size = min(self._size, len(self._queue))
            batch = [self._apart.popleft()] if self._apart else [self._queue.popleft() for _ in range(size)]
            worker = self._idle.pop()
            self._busy[worker.work.remote(batch)] = worker, batch

    def _ended(self, ref: Any) -> Iterator[Outcome[Any]]:
        worker, batch = self._busy.pop(ref)
        try:
            outcomes = self._ray.get(ref)
        except self._ray.exceptions.RayTaskError as error:  # an item, or what came of it, that cannot travel
            self._idle.append(worker)
            if len(batch) > 1:
                self._apart.extend(batch)
            else:
                yield failure(batch[0][0], error.cause if isinstance(error.cause, Exception) else error)
        except self._ray.exceptions.RayError:
            self._ray.kill(worker)  # should it be out of reach alone: nobody else may have its items meanwhile
            self._tries.update(name for name, _ in batch)
            for name, item in batch:
                if self._tries[name] < _TRIES:
                    self._apart.append((name, item))
                else:
                    told = f"{_TRIES} workers were lost while they worked on it (out of memory, a crash, or their machines)"
                    yield Outcome(name, None, error=told)
        else:
            self._idle.append(worker)
            self._size = next_size(outcomes, self._size, len(self._queue) // (2 * max(1, len(self._busy))))
            yield from outcomes


class _Hand:
    """What an actor is."""

    def __init__(self, worker: Worker[Any], folder: str, threads: int) -> None:
        try:
            os.chdir(folder)
        except OSError:
            raise Failed(f"{socket.gethostname()} does not see {folder}") from None
        limit_opencv(threads)
        self._worker = worker

    def begin(self) -> None:
        """It is there."""

    def work(self, batch: Items) -> list[Outcome[Any]]:
        return [self._worker.do(name, item) for name, item in batch]
