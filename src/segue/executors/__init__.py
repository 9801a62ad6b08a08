"""One way to spread work: `executor(on).map(function, items, key=..., setup=..., needs=...)`."""

from __future__ import annotations

from segue.errors import BadInput, nearest
from segue.executors.executor import Executor as Executor
from segue.executors.executor import Needs as Needs
from segue.executors.ledger import Ledger as Ledger
from segue.executors.local import LocalExecutor as LocalExecutor
from segue.executors.outcome import Outcome as Outcome
from segue.executors.ray import RayExecutor as RayExecutor
from segue.executors.slurm import SlurmExecutor as SlurmExecutor

ENGINES: dict[str, type[Executor]] = {"local": LocalExecutor, "ray": RayExecutor, "slurm": SlurmExecutor}


def executor(on: str, *, workers: int | None = None, progress: bool = True) -> Executor:
    """`on`: an engine's name, and behind a colon what it is told: local, ray, ray:ADDRESS, slurm:KEY=VALUE,..."""
    name, _, options = on.partition(":")
    if name not in ENGINES:
        raise BadInput(f"on {on!r}: no engine is called {name!r}: {nearest(name, ENGINES)}")
    return ENGINES[name](options, workers=workers, progress=progress)
