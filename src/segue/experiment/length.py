"""How long a run is: looks, passes, minutes or steps become steps, and epochs become what lies between two judgements."""

from __future__ import annotations

import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self, TypeVar

from segue.errors import BadInput
from segue.experiment.members import MEMBERS, one_encoder
from segue.training.loop import Loop
from segue.training.machine import MachineSettings
from segue.training.run import ABOUT, Run
from segue.training.settings import LoopSettings

TRYING = "trying a few steps, to see what this machine does best ..."
_FEWEST, _MOST = 1000, 20_000  # steps, where neither steps nor epochs nor minutes are given
_PASSES = 100
_JUDGEMENTS = 40  # at most, over the whole run
_FOR_JUDGING = 0.1  # of the time, when time is what is given
_TIMED = 2  # steps


class Lasting(Protocol):
    """Settings of anything that trains."""

    @property
    def looks(self) -> int | None: ...

    @property
    def epochs(self) -> float | None: ...

    @property
    def minutes(self) -> float | None: ...

    @property
    def loop(self) -> LoopSettings: ...

    @property
    def machine(self) -> MachineSettings: ...

    def model_copy(self, *, update: dict[str, object]) -> Self: ...


S = TypeVar("S", bound=Lasting)


@dataclass(frozen=True)
class Cost:
    """Of a step on average, or of a whole run."""

    seconds: float
    looks: float  # at images, each view one


def demand_one_length(settings: Lasting) -> None:
    given = [name for name in ("looks", "epochs", "minutes") if getattr(settings, name) is not None]
    given += ["loop.steps"] if settings.loop.steps != "auto" else []
    if len(given) > 1:
        raise BadInput(f"{' and '.join(given)} are both given: how long to train is said once")


def demand_start(init: str) -> None:
    """What one begins from is there; what it holds is found out later."""
    if init and not Path(init).exists():
        raise BadInput(f"init: there is no file or run called {init!r}")
    if init and any((Path(init) / name).exists() for name in (ABOUT, MEMBERS)):
        one_encoder(init, "--init")


def looks_before(*starts: str) -> int:
    """Of the runs that one begins from, or learns from, and of those before them; of weights without a run nobody knows."""
    runs = [run for start in filter(None, starts) if (run := Run.behind(start)) is not None]
    return sum(int(run.about.get("looks", 0)) + int(run.about.get("looks_before", 0)) for run in runs)


def endless(settings: S) -> S:
    """For a trial, whose steps are not counted."""
    loop = settings.loop.model_copy(update={"steps": 1 << 40, "epoch_steps": 1 << 40, "schedule": "constant"})
    return settings.model_copy(update={"loop": loop})


def nowhere() -> Run:
    """Of a trial, which writes nothing."""
    return Run(Path(tempfile.gettempdir()))


def step_cost(loop: Loop) -> Cost:
    """By a few steps, of which the first does not count."""
    cuts = loop.settings.accumulate
    parcels = loop.batches.loader(range((_TIMED + 1) * cuts), 0)
    taken = []
    for _ in range(_TIMED + 1):
        start = time.perf_counter()
        loop.one_step([next(parcels) for _ in range(cuts)])
        loop.step += 1
        taken.append(time.perf_counter() - start)
    return Cost(min(taken[1:]), loop.batches.looks(cuts))


def with_length(
    settings: S, examples: int, each: Cost, judge_seconds: float, *, judgements: int = _JUDGEMENTS
) -> tuple[S, Cost]:
    """The settings with steps, and what these will cost. `each`: a step of one process."""
    loop = settings.loop
    images = int(loop.batch) * loop.accumulate * settings.machine.devices
    looks = each.looks * settings.machine.devices
    one_pass = math.ceil(examples / images)
    if settings.minutes is not None:
        seconds = 60 * settings.minutes
        if judge_seconds:
            judgements = max(2, min(judgements, math.floor(_FOR_JUDGING * seconds / judge_seconds)))
        steps = max(2, math.floor((seconds - judgements * judge_seconds) / each.seconds))
    elif settings.looks is not None:
        steps = max(2, round(settings.looks / looks))
    elif settings.epochs is not None:
        steps = math.ceil(settings.epochs * examples / images)
    else:
        steps = min(_MOST, max(_FEWEST, _PASSES * one_pass))
    loop = loop.resolve(steps=steps)
    loop = loop.resolve(epoch_steps=min(int(loop.steps), max(one_pass, math.ceil(int(loop.steps) / judgements))))
    expected = int(loop.steps) * each.seconds + math.ceil(int(loop.steps) / int(loop.epoch_steps)) * judge_seconds
    # What was asked for in looks, passes or minutes now stands in steps; asked again, it would be two lengths.
    return settings.model_copy(update={"loop": loop, "looks": None, "epochs": None, "minutes": None}), Cost(
        expected, int(loop.steps) * looks
    )
