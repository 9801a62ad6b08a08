"""How long a run is: passes, minutes or steps become steps, and epochs become what lies between two judgements."""

from __future__ import annotations

import math
import tempfile
import time
from pathlib import Path
from typing import Protocol, Self, TypeVar

from segue.errors import BadInput
from segue.training.loop import Loop
from segue.training.machine import MachineSettings
from segue.training.run import Run
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
    def epochs(self) -> float | None: ...

    @property
    def minutes(self) -> float | None: ...

    @property
    def loop(self) -> LoopSettings: ...

    @property
    def machine(self) -> MachineSettings: ...

    def model_copy(self, *, update: dict[str, object]) -> Self: ...


S = TypeVar("S", bound=Lasting)


def demand_one_length(settings: Lasting) -> None:
    given = [name for name in ("epochs", "minutes") if getattr(settings, name) is not None]
    given += ["loop.steps"] if settings.loop.steps != "auto" else []
    if len(given) > 1:
        raise BadInput(f"{' and '.join(given)} are both given: how long to train is said once")


def endless(settings: S) -> S:
    """For a trial, whose steps are not counted."""
    loop = settings.loop.model_copy(update={"steps": 1 << 40, "epoch_steps": 1 << 40, "schedule": "constant"})
    return settings.model_copy(update={"loop": loop})


def nowhere() -> Run:
    """Of a trial, which writes nothing."""
    return Run(Path(tempfile.gettempdir()))


def step_seconds(loop: Loop) -> float:
    """A few steps, of which the first does not count."""
    cuts = loop.settings.accumulate
    parcels = loop.batches.loader(range((_TIMED + 1) * cuts), 0)
    taken = []
    for _ in range(_TIMED + 1):
        start = time.perf_counter()
        loop.one_step([next(parcels) for _ in range(cuts)])
        loop.step += 1
        taken.append(time.perf_counter() - start)
    return min(taken[1:])


def with_length(
    settings: S, examples: int, per_step: float, judge_seconds: float, *, judgements: int = _JUDGEMENTS
) -> tuple[S, float]:
    """The settings with steps, and the seconds that these will take."""
    loop = settings.loop
    images = int(loop.batch) * loop.accumulate * settings.machine.devices
    one_pass = math.ceil(examples / images)
    if settings.minutes is not None:
        seconds = 60 * settings.minutes
        if judge_seconds:
            judgements = max(2, min(judgements, math.floor(_FOR_JUDGING * seconds / judge_seconds)))
        steps = max(2, math.floor((seconds - judgements * judge_seconds) / per_step))
    elif settings.epochs is not None:
        steps = math.ceil(settings.epochs * examples / images)
    else:
        steps = min(_MOST, max(_FEWEST, _PASSES * one_pass))
    loop = loop.resolve(steps=steps)
    loop = loop.resolve(epoch_steps=min(int(loop.steps), max(one_pass, math.ceil(int(loop.steps) / judgements))))
    expected = int(loop.steps) * per_step + math.ceil(int(loop.steps) / int(loop.epoch_steps)) * judge_seconds
    # What was asked for in passes or minutes now stands in steps; asked again, it would be two lengths.
    return settings.model_copy(update={"loop": loop, "epochs": None, "minutes": None}), expected
