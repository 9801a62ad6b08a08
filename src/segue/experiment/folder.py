"""A run's folder found again and brought to its end: the same words, the same run. What trains with masks and what trains
without differ in how a run is prepared and how it is carried on, and in nothing else."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import ValidationError

from segue.config import validate
from segue.data.alone import locked
from segue.errors import BadInput, SegueError
from segue.experiment.settings import AdaptSettings, InpaintSettings, PretrainSettings, TrainSettings
from segue.experiment.telling import Say
from segue.training import checkpoint
from segue.training.devices import is_child, spawn
from segue.training.machine import keep_memory
from segue.training.run import Run

Anything = TrainSettings | PretrainSettings | InpaintSettings | AdaptSettings
Asked = TypeVar("Asked", TrainSettings, PretrainSettings, InpaintSettings)


class CarryOn(Protocol):
    """Train what a run's folder says, from where it is to the end."""

    def __call__(self, run: Run, *, track: Sequence[str], progress: bool, say: Say) -> None: ...


@dataclass(frozen=True)
class Ended:
    run: Run
    seconds: float
    already: bool  # it was there, finished


def asked_for(
    kind: type[Asked], data: str | Path | Sequence[str | Path], given: Mapping[str, Any], where: str
) -> Asked:
    """Settings from a verb's arguments."""
    several = [data] if isinstance(data, str | Path) else list(data)
    return validate(kind, {"data": [str(one) for one in several], **given}, where=where)


def to_its_end(
    asked: Anything, out: Path | str | None, detail: str, *,
    prepared: Callable[[Path], Run], carry_on: CarryOn, module: str, fresh: bool, track: Sequence[str], progress: bool,
    say: Say,
) -> Ended:  # fmt: skip
    """The run that was asked for: found, or prepared; then carried on, by several processes of `module` where so many share
    a batch. `detail`: of its name, where no folder is given."""
    keep_memory()
    folder = Path(out) if out is not None else Path("runs") / run_name(asked, detail)
    began = time.monotonic()
    if fresh and (folder / "run.json").exists():
        shutil.rmtree(folder)
    known = known_run(folder, asked)
    if known is not None and known.finished:
        return Ended(known, 0.0, True)
    run = known or prepared(folder)
    if known is not None:
        say(f"going on with {folder}")
    devices = run.config["machine"]["devices"]
    with locked(folder.with_name(f".{folder.name}.lock"), what=folder, busy="another process trains this run"):
        if Run.open(folder).finished:  # by whoever was in here before
            return Ended(Run.open(folder), 0.0, True)
        if devices > 1:
            spawn(module, [str(run.folder), *track], devices)
        else:
            carry_on(run, track=track, progress=progress, say=say)
        checkpoint.forget(run.weights)
    return Ended(Run.open(folder), time.monotonic() - began, False)


def serve(carry_on: CarryOn) -> None:
    """As one of several processes: the run's folder and trackers are the command's words."""
    assert is_child()
    keep_memory()
    try:
        carry_on(Run.open(sys.argv[1]), track=sys.argv[2:], progress=True, say=print)
    except SegueError as error:
        sys.exit(f"segue: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def demand_unchanged(run: Run, data: Any, beside: Any) -> None:
    if (data, beside) != (run.about["data"], run.about["beside"]):
        raise BadInput(
            f"{run.folder}: its datasets, stores or splits have changed since it began",
            hint="Give another --out to train anew.",
        )


def run_name(asked: Anything, detail: str) -> str:
    """The same settings, the same name: so the same command finds its run again."""
    digest = hashlib.blake2b(asked.model_dump_json().encode(), digest_size=3).hexdigest()
    names = "+".join(Path(folder).name for folder in asked.data)
    return f"{names}-{detail}-{digest}".replace("/", "-")


def known_run(folder: Path, asked: Anything) -> Run | None:
    """The run that lies there, if it was asked for in the same words."""
    if not folder.exists() or not any(folder.iterdir()):
        return None
    if Run.unborn(folder):
        return None
    if not (folder / "run.json").exists():
        raise BadInput(f"{folder}: is there and is not a run", hint="Give another --out.")
    run = Run.open(folder)
    before, now = _filled(run.about["asked"], type(asked)), json.loads(asked.model_dump_json())
    if before == now:
        return run
    key, one, other = _first_difference(before, now)
    raise BadInput(
        f"{folder}: is a run with other settings ({key}: {one!r} there, {other!r} now)",
        hint="Give another --out, or --fresh to replace it.",
    )


def demand_as_asked(run: Run, asked: TrainSettings) -> None:
    """Nobody has written other settings into its folder than it was asked for; what was left open may be anything."""
    found = _filled(run.config, TrainSettings)
    key, there, wanted = _first_difference(found, _where_open(json.loads(asked.model_dump_json()), found))
    if key:
        raise BadInput(
            f"{run.folder}: its config.yaml is not what it was asked for ({key}: {there!r} there, {wanted!r} asked)",
            hint="Move the folder away, and it is trained anew.",
        )


# Stand in steps, and in parts that memory holds, when they are found.
_LENGTHS = ("looks", "epochs", "minutes", "accumulate")


def _where_open(asked: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked, and what was found where nothing was."""
    told: dict[str, Any] = {}
    for key, value in asked.items():
        if isinstance(value, dict) and isinstance(found.get(key), dict):
            told[key] = _where_open(value, found[key])
        else:
            left = value in ("auto", "find", None) or key in _LENGTHS or (key == "size" and isinstance(value, int))
            told[key] = found.get(key) if left else value
    return told


def _filled(before: Mapping[str, Any], kind: type[Anything]) -> dict[str, Any]:
    """A setting that is newer than the run was not asked for: it is at its default."""
    try:
        return dict(json.loads(kind.model_validate(before).model_dump_json()))
    except ValidationError:
        return dict(before)


def _first_difference(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> tuple[str, Any, Any]:
    for key in [*now, *before]:
        one, other = before.get(key), now.get(key)
        if isinstance(one, dict) and isinstance(other, dict) and one != other:
            return _first_difference(one, other, f"{prefix}{key}.")
        if one != other:
            return prefix + key, one, other
    return prefix, None, None
