"""What a study leaves to data and machine is found out once for all repeats of an arm, and kept beside the study.

So repeats differ by their seeds alone, arms of one network run in the same precision on the same threads, and no run
spends its first seconds on a probe.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segue.config import validate
from segue.executors import Executor
from segue.experiment.settings import InpaintSettings, PretrainSettings, TrainSettings
from segue.studies.plan import Entry
from segue.studies.work import from_here, needs, peak
from segue.training.machine import MachineSettings

Asked = TrainSettings | PretrainSettings | InpaintSettings

NAME = "settled.jsonl"
KINDS: Mapping[str, type[Asked]] = {kind.__name__: kind for kind in (TrainSettings, PretrainSettings, InpaintSettings)}
_LABEL = "what each arm is to the last setting"
_SHAPE = {"data", "stores", "network", "size", "neighbours", "machine"}  # what a machine's favourites hang on


@dataclass(frozen=True)
class Settled:
    settings: Asked
    seconds: float  # of a run, as a few steps tell
    parameters: int
    peak: int  # bytes of memory that a few steps took


@dataclass(frozen=True)
class Found:
    by_key: Mapping[str, Settled]
    errors: Mapping[str, str]  # by key

    def has(self, asked: TrainSettings) -> bool:
        return key_of(asked) in self.by_key

    def memory(self, several: Iterable[TrainSettings]) -> int:
        """That the largest of them takes."""
        return max((self.by_key[key_of(asked)].peak for asked in several if self.has(asked)), default=0)

    def of(self, asked: TrainSettings) -> TrainSettings:
        """With the seeds of a repeat."""
        settings = self.by_key[key_of(asked)].settings
        assert isinstance(settings, TrainSettings)
        return _seeded(settings, asked.loop.seed, asked.draw)


@dataclass(frozen=True)
class _Arm:
    key: str
    asked: Asked
    threads: int


def settle(asked: Mapping[str, Asked], folder: Path, engine: Executor, *, runs: int) -> Found:
    """What is not known yet is found out; first one arm of each network, whose machine settings the others take.

    Args:
        asked: by key, which `key_of` gives of a training.
        runs: that there will be of all of them.
    """
    wanted = needs(asked.values())
    threads = engine.threads(wanted, runs)
    arms = {key: _Arm(key, one, threads) for key, one in asked.items()}
    first = {_shape(arm.asked): arm for arm in reversed(arms.values())}
    found, errors = dict[str, Settled](), dict[str, str]()

    def bring(several: Iterable[_Arm]) -> None:
        for outcome in engine.map(
            _rehearsed, several, key=lambda arm: arm.key, setup=_begin, label=_LABEL, needs=wanted, ledger=folder / NAME
        ):
            if outcome.error is not None:
                errors[outcome.key] = outcome.error
            else:
                found[outcome.key] = _settled(outcome.result())

    bring(first.values())
    machines = {shape: found[arm.key].settings.machine for shape, arm in first.items() if arm.key in found}
    bring(_on(arm, machines.get(_shape(arm.asked))) for key, arm in arms.items() if key not in {*found, *errors})
    return Found(found, errors)


def by_key(entries: Iterable[Entry]) -> dict[str, Asked]:
    """Of all repeats of an arm the first."""
    found: dict[str, Asked] = {}
    for one in entries:
        found.setdefault(key_of(one.settings), one.settings)
    return found


def key_of(asked: TrainSettings) -> str:
    """Alike for all repeats."""
    return _digest(_seeded(asked, 0, None).model_dump_json())


def _shape(asked: Asked) -> str:
    return type(asked).__name__ + _digest(asked.model_dump_json(include=_SHAPE))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def _seeded(asked: TrainSettings, seed: int, draw: int | None) -> TrainSettings:
    return asked.model_copy(update={"loop": asked.loop.model_copy(update={"seed": seed}), "draw": draw})


def _on(arm: _Arm, machine: MachineSettings | None) -> _Arm:
    return arm if machine is None else replace(arm, asked=arm.asked.model_copy(update={"machine": machine}))


def _settled(told: Mapping[str, Any]) -> Settled:
    return Settled(
        validate(KINDS[told["kind"]], told["settings"], where=NAME), told["seconds"], told["parameters"], told["peak"]
    )


def _begin() -> Any:
    from segue.experiment.rehearse import rehearse

    return rehearse


def _rehearsed(arm: _Arm, rehearse: Any) -> dict[str, Any]:
    from_here()
    done = rehearse(arm.asked, threads=arm.threads)
    return {
        "kind": type(done.settings).__name__, "settings": json.loads(done.settings.model_dump_json()),
        "seconds": round(done.cost.seconds, 2), "parameters": done.parameters, "peak": peak(),
    }  # fmt: skip
