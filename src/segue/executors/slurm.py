"""A cluster of SLURM, by submitit: items are jobs of an array, some to a job where there are very many.

What jobs are told and tell lies in a folder of the work, on storage that all machines share. So a driver that was killed finds
its jobs again, those that have ended meanwhile among them. A job that its time limit cuts off, or a more urgent one, is queued
again by submitit; one that is lost with several items has each of them sent by itself.
"""

from __future__ import annotations

import getpass
import json
import math
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from segue.errors import BadInput, Failed, nearest
from segue.executors.executor import Executor, Items, Work
from segue.executors.ledger import Ledger
from segue.executors.machine import cores, share_of_threads
from segue.executors.outcome import Outcome, Worker

FOLDER = "slurm"  # in the folder of the work
SENT = "sent.jsonl"
_ARRAY = 1000  # jobs; SLURM's own bound is 1001 where nobody has set another
_MINUTES = 24 * 60  # where nobody says
_CUT_OFF = 10  # times that a job is queued again
_OURS = ("setup", "teardown", "srun_args", "use_srun", "additional_parameters", "map_count", "array_parallelism")


class SlurmExecutor(Executor):
    """`options`: of `sbatch`, as partition=gpu,time=240 (minutes), and each=ITEMS of a job."""

    def __init__(self, options: str = "", *, workers: int | None = None, progress: bool = True) -> None:
        super().__init__(options, workers=workers, progress=progress)
        self._submitit = _submitit()
        self._given = _pairs(options)
        self._each = int(self._given.pop("each", 0))
        self._cluster = str(self._given.pop("cluster", FOLDER))
        known = {*self._submitit.SlurmExecutor._valid_parameters(), "each"} - {*_OURS}
        for name in self._given:
            if name not in known:
                raise BadInput(f"slurm:{options}: {name!r} is no option: {nearest(name, known)}")
        if not isinstance(self._given.get("time", 1), int):
            raise BadInput(f"slurm:{options}: time is in minutes")

    def outcomes(self, work: Work) -> Generator[Outcome[Any], None, None]:
        queue: _Queue = Slurm() if self._cluster == FOLDER else Here()
        with _papers(work.place) as folder:
            sending = self.sending(folder, work)
            waiting = self._found(folder, dict(work.items), queue)
            found = {name for chunk in waiting.values() for name, _ in chunk}
            left = [(name, item) for name, item in work.items if name not in found]
            waiting |= self._sent(sending, work, _parts(left, self._size(len(left))))
            watch = _Watch(queue)
            try:
                while waiting:
                    folder.touch()  # so that a network file system looks anew
                    there, lost = {path.name for path in folder.iterdir()}, watch.lost(waiting)
                    ended = [job for job in waiting if job.job_id in lost or job.paths.result_pickle.name in there]
                    for job in ended:
                        chunk = waiting.pop(job)
                        outcomes, why = _told(job)
                        job.paths.result_pickle.unlink(missing_ok=True)  # it is told once, whoever asks again
                        if not why:
                            yield from outcomes
                        elif len(chunk) > 1:
                            waiting |= self._sent(sending, work, _parts(chunk, 1))
                        else:
                            yield Outcome(chunk[0][0], None, error=f"its job {job.job_id} gave no result: {why}")
                    if not ended:
                        time.sleep(queue.pause)
            finally:
                queue.cancel(waiting)

    def sending(self, folder: Path, work: Work) -> Any:
        """Submitit's executor, told what a job takes."""
        needs, local = work.needs, self._cluster != FOLDER
        try:
            made = self._submitit.AutoExecutor(folder, cluster=self._cluster, slurm_max_num_timeout=_CUT_OFF)
        except (RuntimeError, ValueError) as error:
            raise BadInput(f"slurm: there is none here ({error})", hint="Ask where `sbatch` is.") from None
        taken = int(self._given.get("cpus_per_task", needs.cores))
        threads = share_of_threads(taken // needs.processes)
        asked: dict[str, Any] = {
            "name": f"segue {work.label}".replace(" ", "-"), "cpus_per_task": needs.cores, "timeout_min": _MINUTES,
            f"{'local' if local else FOLDER}_setup": [f"export {name}={count}" for name, count in threads.items()],
        }  # fmt: skip
        if needs.memory:
            asked["mem_gb"] = needs.memory / (1 << 30)
        told = any("gpu" in str(pair) for pair in self._given.items())
        if needs.cards and not (local or told) and _has_cards(str(self._given.get("partition", ""))):
            asked["gpus_per_node"] = needs.cards
        if self.workers:
            asked["slurm_array_parallelism"] = self.workers
        made.update_parameters(**asked, **{f"{FOLDER}_{name}": value for name, value in self._given.items()})
        return made

    def _size(self, items: int) -> int:
        """Items of a job."""
        jobs = _ARRAY if self._cluster == FOLDER else self.workers or cores()
        return max(self._each, math.ceil(items / jobs), 1)

    def _sent(self, sending: Any, work: Work, chunks: Sequence[Items]) -> dict[Any, Items]:
        if not chunks:
            return {}
        worker = Worker(work.function, work.setup)
        try:
            jobs = sending.submit_array([_Chunk(worker, chunk) for chunk in chunks])
        except self._submitit.core.utils.FailedJobError as error:
            raise Failed(f"slurm does not take the jobs: {_last(str(error))}") from None
        with (sending.folder / SENT).open("a", encoding="utf-8") as file:
            for job, chunk in zip(jobs, chunks, strict=True):
                file.write(json.dumps([job.job_id, [name for name, _ in chunk]]) + "\n")
        return dict(zip(jobs, chunks, strict=True))

    def _found(self, folder: Path, items: dict[str, Any], queue: _Queue) -> dict[Any, Items]:
        """Jobs that a driver has left behind, if all that they do is still wanted."""
        kind = self._submitit.SlurmJob if self._cluster == FOLDER else self._submitit.LocalJob
        found: dict[Any, Items] = {}
        unwanted = []
        for job_id, names in Ledger.read(folder / SENT).items():
            job = kind(folder, job_id)
            if all(name in items for name in names):
                found[job] = [(name, items[name]) for name in names]
            elif not job.paths.result_pickle.exists():
                unwanted.append(job)
        queue.cancel(unwanted)
        alive = queue.alive(found) if found else set()
        return {
            job: chunk for job, chunk in found.items() if job.job_id in alive or job.paths.result_pickle.exists()
        }  # fmt: skip


class _Chunk:
    """What a job does."""

    def __init__(self, worker: Worker[Any], items: Items) -> None:
        self._worker, self._items = worker, items

    def __call__(self) -> list[Outcome[Any]]:
        return [self._worker.do(name, item) for name, item in self._items]

    def checkpoint(self) -> Any:
        """Cut off: the same again, which goes on where its items know to."""
        return _submitit().helpers.DelayedSubmission(_Chunk(self._worker, self._items))


class _Queue(Protocol):
    pause: float  # seconds between two looks at what has come
    patience: float  # between two questions who is still there

    def alive(self, jobs: Iterable[Any]) -> set[str]: ...

    def cancel(self, jobs: Iterable[Any]) -> None: ...


class _Watch:
    """Who is not in the queue, nor has told anything, twice in a row, is lost."""

    def __init__(self, queue: _Queue) -> None:
        self._queue = queue
        self._looked, self._doubted = 0.0, set[str]()

    def lost(self, jobs: Collection[Any]) -> set[str]:
        if time.monotonic() - self._looked < self._queue.patience:
            return set()
        alive = self._queue.alive(jobs)
        absent = {job.job_id for job in jobs} - alive
        lost = absent & self._doubted
        self._looked, self._doubted = time.monotonic(), absent
        return lost


class Slurm:
    """Asked by `squeue` alone: it needs no accounting, which not every SLURM keeps."""

    pause, patience = 1.0, 15.0

    def alive(self, jobs: Iterable[Any]) -> set[str]:
        asked = ["squeue", "--noheader", "--array", "--user", getpass.getuser(), "--format", "%i"]
        answer = subprocess.run(asked, capture_output=True, text=True, check=False)
        if answer.returncode:  # a controller that is being restarted
            return {job.job_id for job in jobs}
        return set(answer.stdout.split())

    def cancel(self, jobs: Iterable[Any]) -> None:
        ids = [job.job_id for job in jobs]
        if ids:
            subprocess.run(["scancel", *ids], capture_output=True, check=False)


class Here:
    """Submitit's stand-in for a cluster (cluster=local): processes of this machine, to try things out."""

    pause, patience = 0.05, 0.5

    def alive(self, jobs: Iterable[Any]) -> set[str]:
        return {job.job_id for job in jobs if _runs(job)}

    def cancel(self, jobs: Iterable[Any]) -> None:
        for job in jobs:
            with suppress(ProcessLookupError):
                os.kill(int(job.job_id), signal.SIGINT)
            job.wait()


def _runs(job: Any) -> bool:
    if job.state != "NO PROCESS AND NO RESULT":  # a child of ours
        return not job.done()
    try:
        os.kill(int(job.job_id), 0)
    except ProcessLookupError:
        return False
    return True


def _submitit() -> ModuleType:
    try:
        import submitit
        import submitit.helpers
    except ImportError:
        raise BadInput("submitit is not installed", hint="pip install 'segue[cluster]'") from None
    return submitit  # type: ignore[no-any-return]


def _pairs(options: str) -> dict[str, str | int]:
    found: dict[str, str | int] = {}
    for pair in filter(None, options.split(",")):
        name, equals, value = pair.partition("=")
        if not equals:
            raise BadInput(f"slurm:{options}: {pair!r} is not of the form NAME=VALUE")
        found[name.replace("-", "_")] = int(value) if value.isdigit() else value
    return found


def _parts(items: Items, size: int) -> list[Items]:
    return [items[at : at + size] for at in range(0, len(items), size)]


@contextmanager
def _papers(place: Path | None) -> Iterator[Path]:
    """They go when the work ends, and stay when its driver is killed. What nobody could find again goes under any name."""
    folder = place / FOLDER if place is not None else Path(tempfile.mkdtemp(prefix=f".{FOLDER}-", dir=Path.cwd()))
    folder.mkdir(exist_ok=True, parents=True)
    try:
        yield folder.absolute()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _has_cards(partition: str) -> bool:
    asked = ["sinfo", "--noheader", "--format", "%G", *(["--partition", partition] if partition else [])]
    return "gpu" in subprocess.run(asked, capture_output=True, text=True, check=False).stdout


def _told(job: Any) -> tuple[list[Outcome[Any]], str]:
    """What a job has done, or why nothing is known of it."""
    if not job.paths.result_pickle.exists():
        return [], _last(job.stderr() or "it left no word")
    error = job.exception()
    return ([], _last(str(error))) if error is not None else (job.result(), "")


def _last(text: str) -> str:
    """The line that says most: what follows a trace, and not where the logs lie."""
    told = [line.strip() for line in text.partition("----------------------\nYou can")[0].splitlines()]
    return next((line for line in reversed(told) if line.strip("- ")), text)
