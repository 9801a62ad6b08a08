"""What is done for a study by whoever does it, on this machine or another: one run, from its settings to its tables."""

from __future__ import annotations

import contextlib
import math
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from segue.config import validate
from segue.evaluation.judging.metrics import METRICS
from segue.evaluation.judging.summary import patient_mean, rows_for
from segue.evaluation.judging.table import Row, Table
from segue.executors import Needs
from segue.experiment.folder import demand_as_asked
from segue.experiment.settings import EvaluateSettings, InpaintSettings, PretrainSettings, TrainSettings
from segue.training.run import ABOUT, Run

Asked = TrainSettings | PretrainSettings | InpaintSettings


@dataclass(frozen=True)
class Item:
    """A run: what it is asked, where it lies, and on what it is judged."""

    name: str
    folder: Path
    asked: Asked  # to the last setting, where that is known
    planned: Asked  # as the study's file has it
    home: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    judging: EvaluateSettings = field(default_factory=EvaluateSettings)


def needs(several: Iterable[Asked]) -> Needs:
    """Of the one that needs most: a core for each thread that is asked for, and a card for each process that could use one."""
    cores, cards, processes = 1, 0, 1
    for machine in (asked.machine for asked in several):
        threads = 1 if machine.threads == "auto" else machine.threads
        processes = max(processes, machine.devices)
        cores = max(cores, machine.devices * threads)
        if machine.device in ("auto", "cuda"):
            cards = max(cards, machine.devices)
    return Needs(cores=cores, cards=cards, processes=processes)


def begin() -> Mapping[type[Asked], Callable[..., Any]]:
    """All that takes long to load, once for many runs."""
    from segue.experiment.inpainting.fit import fit
    from segue.experiment.pretraining.pretrain import pretrain
    from segue.experiment.train import train

    return {TrainSettings: train, PretrainSettings: pretrain, InpaintSettings: fit}


def work(item: Item, verbs: Mapping[type[Asked], Callable[..., Any]]) -> dict[str, Any]:
    """What is told of it when it is done; all else lies in its folder."""
    began = time.monotonic()
    from_here()
    done = verbs[type(item.asked)](out=item.folder, settings=_words(item))
    told = {
        "already": done.already, "trained": round(done.seconds, 1), "parameters": done.run.about["parameters"],
        "looks": done.run.about.get("looks", 0),
    }  # fmt: skip
    if item.home:
        from segue.experiment.evaluate import judged

        # No page of its own: of a thousand runs nobody reads them.
        there = item.judging.model_copy(update={"part": "auto"})
        sets = judged(item.folder, list(item.home), settings=item.judging)
        sets += judged(item.folder, list(item.elsewhere), settings=there) if item.elsewhere else []
        told["sets"] = {one.name: _means(one.table) for one in sets}
        told["home"] = next((one.name for one in sets if one.about["home"]), "")
    return {**told, "seconds": round(time.monotonic() - began, 1), "peak": peak()}


def _words(item: Item) -> Asked:
    """Of a run that lies there, whichever study or person has begun it, what that was asked."""
    if not (item.folder / ABOUT).exists():
        return item.asked
    run = Run.open(item.folder)
    if isinstance(item.planned, TrainSettings):
        demand_as_asked(run, item.planned)
    return validate(type(item.asked), run.about["asked"], where=f"{item.folder / ABOUT}")


def _means(table: Table) -> dict[str, float | None]:
    """Of each metric over patients, as the answer has it."""
    found = {name: patient_mean(rows_for(table, name), partial(_value, name)) for name in METRICS}
    return {name: None if math.isnan(value) else round(value, 6) for name, value in found.items()}


def _value(name: str, row: Row) -> float:
    return row.value(name)


def from_here() -> None:
    """The largest memory that this process has had is forgotten, where the system can: it was another run's."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak() -> int:
    """Bytes since then; where the system does not tell, at any time."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
