"""`segue train`: from datasets to a run. Asked again in the same words, it goes on where it was."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from segue import networks
from segue.config import validate
from segue.errors import BadInput, Failed
from segue.evaluation.judging.metrics import NOTHING
from segue.evaluation.predicting.frame import Frame
from segue.experiment import assemble, seen, teaching
from segue.experiment.adapting.site import METHOD, opened
from segue.experiment.adapting.statistics import remember_in_run, remember_site
from segue.experiment.folder import Ended, asked_for, demand_unchanged, serve, to_its_end
from segue.experiment.judging import Judges, frame_of
from segue.experiment.length import Cost, demand_one_length, demand_start, looks_before
from segue.experiment.material import Material
from segue.experiment.pretraining.transfer import settle
from segue.experiment.report import passes
from segue.experiment.resolve import resolve
from segue.experiment.settings import TrainSettings
from segue.experiment.telling import ProgressLine, Say, chosen_by, silent, told_machine
from segue.report.run_warnings import SHORT, hardly, unfitted
from segue.training.devices import fabric_of
from segue.training.loop import Loop, Watcher
from segue.training.run import Run
from segue.training.trackers import trackers
from segue.words import count


class Trained(Ended):
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
    watch: Sequence[Watcher] = (),
    progress: bool = False,
    say: Say = silent,
    **given: Any,
) -> Trained:
    """Train a network; `given` are single settings: minutes=5, labels="10%", network={"encoder": "resnet34"}.

    Args:
        data: one dataset's folder, or several.
        out: the run's folder; by default a name made of data, network and settings, in `runs/`.
        settings: all settings at once, instead of `data` and `given`.
        fresh: replace a run that lies there.
        track: names of trackers to write to as well, such as "tensorboard".
        watch: who else is told of each step and epoch, and may end it by an exception; not where processes share a batch.
        progress: show a line that moves.
        say: is told in sentences what goes on.
    """
    asked = settings or asked_for(TrainSettings, data, given, "segue.train")
    if asked.method == METHOD:
        raise BadInput(
            "method site: goes on with a run at another hospital", hint="segue adapt RUN --to DATASET --source-free"
        )
    ended = to_its_end(
        asked, out, f"{asked.network.architecture}-{asked.network.encoder}",
        prepared=lambda folder: prepared(folder, asked, say, progress),
        carry_on=partial(carry_on, watch=watch), module="segue.experiment.train", fresh=fresh, track=track,
        progress=progress, say=say,
    )  # fmt: skip
    return Trained(ended.run, ended.seconds, ended.already)


def begun(asked: TrainSettings, say: Say = silent, progress: bool = False) -> tuple[Material, list[dict[str, str]]]:
    """What is learnt from, opened, and what the runs and weights that are begun from have seen: nothing that will judge."""
    demand_one_length(asked)
    demand_start(asked.init)
    material = opened(asked, check=partial(assemble.demand_known, asked), say=say, progress=progress)
    starts = [start for start in (asked.init, asked.painter, *_teachers(material), asked.network.weights) if start]
    inherited = seen.inherited(*starts)
    for source in material.sources:
        seen.refuse(inherited, source.dataset, source.judging, starts[0])
    return material, inherited


def _teachers(material: Material) -> list[str]:
    return [str(run.folder) for run in material.teachers.runs] if material.teachers else []


def _nothing(settings: TrainSettings, material: Material) -> dict[str, Any]:
    return {}


def prepared(
    folder: Path, asked: TrainSettings, say: Say, progress: bool, *,
    more: Callable[[TrainSettings, Material], dict[str, Any]] = _nothing,
) -> Run:  # fmt: skip
    """Everything found out and written down; from here on the folder is all that training needs. `more`: what it says beside
    that, of the settings as they were found."""
    material, inherited = begun(asked, say, progress)
    found = resolve(asked, material, say)
    settings = found.settings
    built, told = assemble.network(settings, material.target, material.channels)
    if told:
        say(told)
        if settings.loop.encoder_rate != settings.loop.rate:
            say(
                f"the encoder learns at {settings.loop.encoder_rate:g}, the rest at {settings.loop.rate:g}; in few steps "
                f"one rate may do better: --set loop.encoder_rate={settings.loop.rate:g}"
            )
    about = {
        "asked": json.loads(asked.model_dump_json()),
        "data": material.about(), "beside": material.about_beside(),
        "target": material.target.as_json(),
        "frame": material.before.about["frame"] if material.before else frame_of(settings, material, built).as_json(),
        "network": json.loads(built.settings.model_dump_json()),
        "parameters": sum(p.numel() for p in built.parameters()),
        "train": len(material.train), "images": len(material.images), "validation_cases": material.validates,
        "weights_from": told, "looks_before": looks_before(asked.init, *_teachers(material)),
        "teachers": teaching.about(material.teachers), **more(settings, material),
    }  # fmt: skip
    run = Run.create(
        folder, config=json.loads(settings.model_dump_json()), about=about, cases=material.table(),
        seen=[*inherited, *material.looked_at()],
    )  # fmt: skip
    if found.finder is not None:
        found.finder.save(folder / "rate-finder.csv")
    for line in _outline(settings, material, about["parameters"], found.cost):
        say(line)
    if not told and (often := hardly(passes(run.config, about), int(settings.loop.steps))):
        say(f"! each image with a mask will be seen {often}: hardly any training for a network from nothing")
    if settings.method == "semi" and settings.semi.fitted and int(settings.loop.steps) < SHORT and not told:
        many = 2 * SHORT
        looks = round(many * found.cost.looks / int(settings.loop.steps), -3) if asked.loop.steps == "auto" else 0
        longer = f"--looks {looks:.0f}" if looks else f"--set loop.steps={many}"
        say(
            f"! semi: images are followed once the masks are fitted to a Dice of {settings.semi.fitted:g}, which from nothing "
            f"takes some {SHORT} steps; in these nothing may be followed at all: {longer}"
        )
    return run


def _outline(settings: TrainSettings, material: Material, parameters: int, cost: Cost) -> tuple[str, str]:
    from segue.executors.progress import duration

    loop, machine = settings.loop, told_machine(settings.machine)
    tried = not math.isnan(cost.seconds)
    looks, lasts = (
        (f", {count(round(cost.looks), 'look')} in all", f": {duration(cost.seconds)} or so") if tried else ("", "")
    )
    size = "x".join(map(str, settings.size)) if isinstance(settings.size, tuple) else ""  # in the order of --size
    return (
        f"{settings.network.architecture} on {settings.network.encoder}, {parameters / 1e6:.1f} M parameters, "
        f"{size} {'voxels' if material.patches else 'px (height x width)'}",
        f"{_counted(material)}; {count(int(loop.steps), 'step')} of {loop.batch}{looks}, on {machine}{lasts}",
    )


def _counted(material: Material) -> str:
    if not material.sources:
        return f"{count(len(material.learnt), 'image')} without masks"
    volumes = sum(len(source.train) for source in material.sources)
    if material.seen((1, 1, 1)) is None:
        beside = f", {count(len(material.images), 'image')} beside them" if material.images else ""
        return f"{count(volumes, 'training image')}{beside}, {count(material.validates, 'validation image')}"
    slices = "" if material.patches else f" ({count(len(material.train), 'slice')})"
    beside = (
        f", {count(len(material.images), 'patch' if material.patches else 'slice')} beside" if material.images else ""
    )
    return f"{count(volumes, 'training volume')}{slices}{beside}, {count(material.validates, 'validation volume')}"


def carry_on(
    run: Run, *, track: Sequence[str] = (), watch: Sequence[Watcher] = (), progress: bool = False, say: Say = silent
) -> None:  # fmt: skip
    """Train what the folder says, from where it is to the end. Several processes do this side by side."""
    settings = validate(TrainSettings, run.config, where=str(run.folder / "config.yaml"))
    material = opened(settings)
    demand_unchanged(run, material.about(), material.about_beside())
    teaching.demand_same(run, material.teachers)
    fabric = fabric_of(settings.machine)
    built, _ = assemble.network(settings, material.target, material.channels)
    adapted = run.about.get("adapted", {})
    if settings.method == METHOD:  # before the method is made of it: that remembers what it began from
        remember_site(built, settings, material, [place["name"] for place in adapted["to"]])
    parts = assemble.parts(settings, material, built, rank=fabric.global_rank, world=fabric.world_size)
    if settings.init and settings.method != METHOD:
        settle(built, parts.batches)
    judges = Judges.of(settings, material, Frame.from_json(run.about["frame"], where=str(run.folder)))
    watchers: list[Watcher] = []
    if fabric.is_global_zero:
        watchers = [*([ProgressLine(chosen_by(settings.select))] if progress else []), *trackers(track, run), *watch]
    loop = Loop(
        parts.method, parts.batches, settings.loop, fabric=fabric, run=run,
        judge=judges.quick if material.validates else None, keep=networks.save,  # type: ignore[arg-type]  # networks are ours
        watchers=watchers, warn=say,
    )  # fmt: skip
    if adapted and loop.average is not None:
        loop.average.grown()
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
        if best.get("validation", {}).get(settings.select, 1.0) < NOTHING:
            say("! on validation hardly anything is found: train longer, or look at the masks and the learning rate")
        if settings.method == "semi":
            followed = any("sure" in line for line in loop.lines)
            for head, told in unfitted(loop.lines[-1].get("fitted", 0.0), followed=followed):
                say(f"! {head[0].lower()}{head[1:]} {told}")
        if settings.method == METHOD:  # beside its source both hospitals' images have passed through in every step
            remember_in_run(run, settings, material, fabric.device)
        run.finish(steps=loop.step, looks=loop.looks, best_epoch=best["epoch"], validation=best.get("validation", {}))


def _too_large(settings: TrainSettings) -> Failed:
    loop = settings.loop
    half = max(1, int(loop.batch) // 2)
    return Failed(
        f"not enough memory for {loop.batch} images of {settings.size} at once",
        hint=f"--set loop.batch={half} --set loop.accumulate={2 * loop.accumulate} learns the same with half of it.",
    )


if __name__ == "__main__":  # one of several processes
    serve(carry_on)
