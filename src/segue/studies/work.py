"""What is done for a study by whoever does it, on this machine or another: one run, from its settings to its tables."""

from __future__ import annotations

import contextlib
import math
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segue.executors import Needs
from segue.experiment.settings import EvaluateSettings, InpaintSettings, PretrainSettings, TrainSettings

Asked = TrainSettings | PretrainSettings | InpaintSettings


@dataclass(frozen=True)
class Item:
    """A run: what it is asked, where it lies, and on what it is judged."""

    name: str
    folder: Path
    asked: Asked
    on: tuple[str, ...] = ()
    judging: EvaluateSettings = field(default_factory=EvaluateSettings)


def needs(items: Iterable[Item]) -> Needs:
    """Of the one that needs most: a core for each thread that is asked for, and a card for each process that could use one."""
    cores, cards, processes = 1, 0, 1
    for machine in (item.asked.machine for item in items):
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
    _from_here()
    done = verbs[type(item.asked)](out=item.folder, settings=item.asked)
    told = {
        "already": done.already, "trained": round(done.seconds, 1), "parameters": done.run.about["parameters"],
        "looks": done.run.about.get("looks", 0),
    }  # fmt: skip
    if item.on:
        from segue.experiment.evaluate import evaluate

        judged = evaluate(item.folder, list(item.on), settings=item.judging)
        told["sets"] = {
            one.name: {each.class_name: _means(each.means) for each in one.summaries} for one in judged.sets
        }
        told["home"] = next((one.name for one in judged.sets if one.about["home"]), "")
    return {**told, "seconds": round(time.monotonic() - began, 1), "peak": _peak()}


def _means(means: Mapping[str, float]) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else round(value, 6) for name, value in means.items()}


def _from_here() -> None:
    """The largest memory that this process has had is forgotten, where the system can: it was another run's."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak() -> int:
    """Bytes since then; where the system does not tell, at any time."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
