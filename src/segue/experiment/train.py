"""`segue train`: from datasets to a run. Asked again in the same words, it goes on where it was."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from segue import networks
from segue.config import validate
from segue.errors import BadInput, Failed
from segue.evaluation.frame import Frame
from segue.experiment import assemble, seen
from segue.experiment.folder import known_run, run_name
from segue.experiment.judging import Judges, frame_of
from segue.experiment.material import Material, gather
from segue.experiment.pretraining.transfer import settle
from segue.experiment.resolve import resolve
from segue.experiment.settings import TrainSettings
from segue.experiment.telling import ProgressLine, chosen_by
from segue.training.devices import fabric_of, is_child, spawn
from segue.training.loop import Loop, Watcher
from segue.training.machine import keep_memory
from segue.training.run import Run
from segue.training.trackers import trackers

Say = Callable[[str], None]

_NOTHING = 0.05  # Dice below which a network has learnt nothing yet


def _silent(line: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Trained:
    run: Run
    seconds: float
    already: bool  # it was there, finished

    def as_json(self) -> dict[str, Any]:
        about = self.run.about
        return {
            "run": str(self.run.folder), "already": self.already, "seconds": round(self.seconds, 1),
            "steps": about["steps"], "best_epoch": about["best_epoch"], "validation": about["validation"],
        }  # fmt: skip


def train(
    data: str | Path | Sequence[str | Path] = (),
    out: Path | str | None = None,
    *,
    settings: TrainSettings | None = None,
    fresh: bool = False,
    track: Sequence[str] = (),
    progress: bool = False,
    say: Say = _silent,
    **given: Any,
) -> Trained:
    """Train a network; `given` are single settings: minutes=5, labels="10%", network={"encoder": "resnet34"}.

    Args:
        data: one dataset's folder, or several.
        out: the run's folder; by default a name made of data, network and settings, in `runs/`.
        settings: all settings at once, instead of `data` and `given`.
        fresh: replace a run that lies there.
        track: names of trackers to write to as well, such as "tensorboard".
        progress: show a line that moves.
        say: is told in sentences what goes on.
    """
    keep_memory()
    asked = settings or _settings(data, given)
    folder = Path(out) if out is not None else Path("runs") / run_name(asked, asked.network.architecture)
    began = time.monotonic()
    if fresh and (folder / "run.json").exists():
        shutil.rmtree(folder)
    known = known_run(folder, asked)
    if known is not None and known.finished:
        return Trained(known, 0.0, True)
    run = known or _prepared(folder, asked, say, progress)
    if known is not None:
        say(f"going on with {folder}")
    devices = run.config["machine"]["devices"]
    if devices > 1:
        spawn("segue.experiment.train", [str(run.folder), *track], devices)
    else:
        carry_on(run, track=track, progress=progress, say=say)
    return Trained(Run.open(folder), time.monotonic() - began, False)


def _settings(data: str | Path | Sequence[str | Path], given: Mapping[str, Any]) -> TrainSettings:
    several = [data] if isinstance(data, str | Path) else list(data)
    return validate(TrainSettings, {"data": [str(one) for one in several], **given}, where="segue.train")


def _prepared(folder: Path, asked: TrainSettings, say: Say, progress: bool) -> Run:
    """Everything found out and written down; from here on the folder is all that training needs."""
    material = gather(asked, check=partial(assemble.demand_known, asked), say=say, progress=progress)
    say("trying a few steps, to see what this machine does best ...")
    found = resolve(asked, material, say)
    settings = found.settings
    inherited = seen.inherited(asked.init, asked.network.weights)
    for source in material.sources:
        seen.refuse(inherited, source.dataset, source.judging, asked.init or asked.network.weights)
    built, told = assemble.network(settings, material.target, material.channels)
    if told:
        say(told)
    about = {
        "asked": json.loads(asked.model_dump_json()),
        "data": material.about(), "beside": material.about_beside(),
        "target": material.target.as_json(),
        "frame": frame_of(settings, material, built).as_json(),
        "network": json.loads(built.settings.model_dump_json()),
        "parameters": sum(p.numel() for p in built.parameters()),
        "train": len(material.train), "images": len(material.images), "validation_cases": material.validates,
        "weights_from": told,
    }  # fmt: skip
    run = Run.create(
        folder, config=json.loads(settings.model_dump_json()), about=about, cases=material.table(),
        seen=[*inherited, *material.looked_at()],
    )  # fmt: skip
    if found.finder is not None:
        found.finder.save(folder / "rate-finder.csv")
    for line in _outline(settings, material, about["parameters"], found.seconds):
        say(line)
    return run


def _outline(settings: TrainSettings, material: Material, parameters: int, seconds: float) -> tuple[str, str]:
    from segue.executors.progress import duration
    from segue.words import count

    loop, machine = settings.loop, settings.machine
    size = "x".join(map(str, settings.size)) if isinstance(settings.size, tuple) else ""  # in the order of --size
    device = f"{machine.device} ({count(int(machine.threads), 'thread')}, {machine.precision}, {machine.layout})"
    return (
        f"{settings.network.architecture} on {settings.network.encoder}, {parameters / 1e6:.1f} M parameters, "
        f"{size} {'voxels' if material.patches else 'px (height x width)'}",
        f"{_counted(material)}; {int(loop.steps):,} steps of {loop.batch} on {device}: {duration(seconds)} or so",
    )


def _counted(material: Material) -> str:
    from segue.words import count

    volumes = sum(len(source.train) for source in material.sources)
    if material.seen((1, 1, 1)) is None:
        beside = f", {count(len(material.images), 'image')} beside them" if material.images else ""
        return f"{count(volumes, 'training image')}{beside}, {count(material.validates, 'validation image')}"
    slices = "" if material.patches else f" ({count(len(material.train), 'slice')})"
    beside = (
        f", {count(len(material.images), 'patch' if material.patches else 'slice')} beside" if material.images else ""
    )
    return f"{count(volumes, 'training volume')}{slices}{beside}, {count(material.validates, 'validation volume')}"


def carry_on(run: Run, *, track: Sequence[str] = (), progress: bool = False, say: Say = _silent) -> None:
    """Train what the folder says, from where it is to the end. Several processes do this side by side."""
    settings = validate(TrainSettings, run.config, where=str(run.folder / "config.yaml"))
    material = gather(settings)
    if (material.about(), material.about_beside()) != (run.about["data"], run.about["beside"]):
        raise BadInput(
            f"{run.folder}: its datasets, stores or splits have changed since it began",
            hint="Give another --out to train anew.",
        )
    fabric = fabric_of(settings.machine)
    built, _ = assemble.network(settings, material.target, material.channels)
    parts = assemble.parts(settings, material, built, rank=fabric.global_rank, world=fabric.world_size)
    if settings.init:
        settle(built, parts.batches)
    judges = Judges.of(settings, material, Frame.from_json(run.about["frame"], where=str(run.folder)))
    watchers: list[Watcher] = []
    if fabric.is_global_zero:
        watchers = [*([ProgressLine(chosen_by(settings.select))] if progress else []), *trackers(track, run)]
    loop = Loop(
        parts.method, parts.batches, settings.loop, fabric=fabric, run=run,
        judge=judges.quick if material.validates else None, keep=networks.save,  # type: ignore[arg-type]  # networks are ours
        watchers=watchers, warn=say,
    )  # fmt: skip
    try:
        loop.fit(workers=int(settings.machine.workers))
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _too_large(settings) from error
    except RuntimeError as error:
        if "not enough memory" in str(error) or "out of memory" in str(error).lower():
            raise _too_large(settings) from error
        raise
    if fabric.is_global_zero:
        best = max(loop.lines, key=lambda line: line.get("validation", {}).get(settings.select, line["epoch"]))
        if best.get("validation", {}).get(settings.select, 1.0) < _NOTHING:
            say("! on validation hardly anything is found: train longer, or look at the masks and the learning rate")
        run.finish(steps=loop.step, best_epoch=best["epoch"], validation=best.get("validation", {}))


def _too_large(settings: TrainSettings) -> Failed:
    loop = settings.loop
    half = max(1, int(loop.batch) // 2)
    return Failed(
        f"not enough memory for {loop.batch} images of {settings.size} at once",
        hint=f"--set loop.batch={half} --set loop.accumulate={2 * loop.accumulate} learns the same with half of it.",
    )


if __name__ == "__main__":  # one of several processes
    import sys

    from segue.errors import SegueError

    assert is_child()
    keep_memory()
    try:
        carry_on(Run.open(sys.argv[1]), track=sys.argv[2:], progress=True, say=print)
    except SegueError as error:
        sys.exit(f"segue: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
