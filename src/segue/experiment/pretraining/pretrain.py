"""`segue pretrain`: an encoder from images alone. Asked again in the same words, it goes on where it was."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from segue import networks, variations
from segue.config import validate
from segue.errors import BadInput
from segue.executors.progress import duration
from segue.experiment import assemble, seen
from segue.experiment.folder import Ended, asked_for, demand_unchanged, serve, to_its_end
from segue.experiment.length import (
    TRYING,
    Cost,
    demand_one_length,
    demand_start,
    endless,
    looks_before,
    nowhere,
    step_cost,
    with_length,
)
from segue.experiment.pretraining.monitor import IMAGES, PASSES, Monitor
from segue.experiment.pretraining.pool import Pool, gather
from segue.experiment.settings import PretrainSettings
from segue.experiment.telling import ProgressLine, Say, silent, told_machine, watched
from segue.methods.contrast import Contrast, Local
from segue.methods.masked import Masked
from segue.methods.settings import ContrastSettings
from segue.networks import SegmentationNetwork
from segue.networks.pretext import Pretext, encoder_of
from segue.report.run_warnings import hardly
from segue.step import Method
from segue.training.batches import Batches
from segue.training.devices import fabric_of
from segue.training.loop import Loop, Watcher
from segue.training.machine import best_device, sensible_batch, untouched_randomness
from segue.training.machine import resolve as resolve_machine
from segue.training.orders import Order, Row, Structured
from segue.training.run import PRETRAINING, Run
from segue.training.settings import LoopSettings
from segue.training.trackers import trackers
from segue.words import count

_ON_CPU, _ON_GPU = 128, 224  # sides of the canvas, where nothing else is asked for
_IMAGES = 32  # of a batch of simclr
# A third of a training's. Watched without labels on slices of hearts, after 240 steps: 8 directions, and parts told in 38 % of
# cases against 25 % by chance; at a training's own rate 2 directions and 30 %.
_RATE = 3e-4
_JUDGEMENTS = 12  # at most: they choose nothing


class Pretrained(Ended):
    def as_json(self) -> dict[str, Any]:
        about = self.run.about
        return {
            "run": str(self.run.folder), "already": self.already, "seconds": round(self.seconds, 1),
            "steps": about["steps"], "watched": about["watched"],
        }  # fmt: skip


def pretrain(
    data: str | Path | Sequence[str | Path] = (),
    out: Path | str | None = None,
    *,
    settings: PretrainSettings | None = None,
    fresh: bool = False,
    track: Sequence[str] = (),
    progress: bool = False,
    say: Say = silent,
    **given: Any,
) -> Pretrained:
    """Train an encoder on images without masks; `given` are single settings: minutes=30, method="masked".

    Args:
        data: one dataset's folder, or several, of pictures and volumes.
        out: the run's folder; by default a name made of data, network and settings, in `runs/`.
        settings: all settings at once, instead of `data` and `given`.
        fresh: replace a run that lies there.
        track: names of trackers to write to as well, such as "tensorboard".
        progress: show a line that moves.
        say: is told in sentences what goes on.
    """
    asked = settings or asked_for(PretrainSettings, data, given, "segue.pretrain")
    ended = to_its_end(
        asked, out, f"{asked.method}-{asked.network.encoder}",
        prepared=lambda folder: _prepared(folder, asked, say, progress), carry_on=carry_on,
        module="segue.experiment.pretraining.pretrain", fresh=fresh, track=track, progress=progress, say=say,
    )  # fmt: skip
    return Pretrained(ended.run, ended.seconds, ended.already)


# Before the first step


def _prepared(folder: Path, asked: PretrainSettings, say: Say, progress: bool) -> Run:
    demand_one_length(asked)
    demand_start(asked.init)
    variations.parse(asked.variation)
    if asked.network.architecture == networks.VOLUMES:
        raise BadInput(
            f"{networks.VOLUMES}: pre-training is for networks that see pictures and slices",
            hint="Volumes are looked at slice by slice: --architecture unet.",
        )
    networks.demand_known(asked.network)
    if asked.network.members > 1:
        raise BadInput(
            "network.members: a pre-training makes one encoder, which each member of a training may begin from"
        )
    pool = gather(asked, say=say, progress=progress)
    say(TRYING)
    settings, cost = resolved(asked, pool)
    built, told = assemble.network(settings, pool.target, pool.channels)
    if told:
        say(told)
    about = {
        "asked": json.loads(asked.model_dump_json()), "kind": PRETRAINING, "data": pool.about(), "beside": [],
        "target": pool.target.as_json(), "network": json.loads(built.settings.model_dump_json()),
        "parameters": sum(p.numel() for p in built.parameters()), "images": len(pool.examples), "weights_from": told,
        "looks_before": looks_before(asked.init),
    }  # fmt: skip
    run = Run.create(
        folder, config=json.loads(settings.model_dump_json()), about=about, cases=pool.table(),
        seen=[*seen.inherited(settings.init, settings.network.weights), *pool.seen()],
    )  # fmt: skip
    loop = settings.loop
    kinds = ", ".join(
        count(len(own.frames) or len(own.volumes), "picture" if own.frames else "volume") for own in pool.groups
    )
    say(f"{settings.method} on {kinds}: {count(len(pool.examples), 'image')} to look at")
    steps, looks = count(int(loop.steps), "step"), count(round(cost.looks), "look")
    say(
        f"{steps} of {loop.batch} images, {looks} in all, on {told_machine(settings.machine)}: {duration(cost.seconds)} or so"
    )
    if not told and (often := hardly(cost.looks / len(pool.examples), int(loop.steps))):
        say(f"! each image will be looked at {often}: hardly any pre-training")
    return run


def resolved(asked: PretrainSettings, pool: Pool) -> tuple[PretrainSettings, Cost]:
    machine = asked.machine.resolve(device=best_device())
    side = asked.size if isinstance(asked.size, int) else _ON_CPU if machine.device == "cpu" else _ON_GPU
    size = asked.size if isinstance(asked.size, tuple) else (side, side)
    settings = asked.model_copy(update={"size": size, "loop": _batched(asked, pool, size)})
    built, _ = assemble.network(settings, pool.target, pool.channels)
    if asked.method == "local":
        _demand_whole_cells(built, size)
    machine = resolve_machine(machine, built, channels=pool.channels, size=size)
    settings = settings.model_copy(update={"machine": machine})
    with untouched_randomness():
        trial = _loop(endless(settings), pool, nowhere())
        each = step_cost(trial)
    # Looking takes a third of learning.
    looked = min(IMAGES, len(pool.examples)) * PASSES / 3
    judge_seconds = each.seconds * looked / each.looks
    return with_length(settings, len(pool.examples), each, judge_seconds, judgements=_JUDGEMENTS)


def _demand_whole_cells(built: SegmentationNetwork, size: tuple[int, int]) -> None:
    """Maps of an image that was padded at its far ends lie elsewhere than the image."""
    divisor, smallest = built.body.divisor, built.body.smallest
    assert isinstance(divisor, int)
    assert isinstance(smallest, int)
    fitting = [max(-(-side // divisor) * divisor, smallest) for side in size]
    if fitting != list(size):
        raise BadInput(
            f"size: local compares places of maps, so both sides must be multiples of {divisor}, from {smallest} on, and "
            f"{size[0]}x{size[1]} are not",
            hint=f"--size {fitting[0]}x{fitting[1]}",
        )


def _batched(asked: PretrainSettings, pool: Pool, size: tuple[int, int]) -> LoopSettings:
    """A batch that has what is compared in it."""
    loop, told = asked.loop, asked.contrast
    across = told.across if asked.method == "local" else asked.method == "contrast" and told.positives == "across"
    if not _structured(asked):
        usual = max(_IMAGES, sensible_batch(size)) if asked.method == "simclr" else sensible_batch(size)
        batch = loop.batch if isinstance(loop.batch, int) else usual
        if batch < 2:
            raise BadInput("loop.batch: of one image there is nothing to tell apart; 2 is the least")
    else:
        least = 2 * len(pool.several) if across else max(1, math.ceil(2 / told.partitions))
        volumes = told.volumes
        if isinstance(loop.batch, int):
            if loop.batch % told.partitions:
                raise BadInput(
                    f"loop.batch: {loop.batch} images are not whole volumes of {told.partitions} partitions each",
                    hint=f"Such as {max(1, loop.batch // told.partitions) * told.partitions}.",
                )
            volumes = loop.batch // told.partitions
        if volumes < least:
            given = isinstance(loop.batch, int)
            key, enough = ("loop.batch", least * told.partitions) if given else ("contrast.volumes", least)
            raise BadInput(
                f"a batch of {count(volumes, 'volume')} holds no pair to compare: {key} must be {enough} or more"
            )
        batch = volumes * told.partitions
    if asked.method == "contrast" and _alone(told, pool):
        raise BadInput(
            "contrast.partitions: with 1 all slices are of one part, and nothing is left to tell apart",
            hint="Such as 4, or --positives images.",
        )
    if across and max(len(group.volumes) for group in pool.groups) < 2:
        raise BadInput("contrast: images are to be alike across volumes, and no dataset has two volumes")
    if loop.rate == "find":
        raise BadInput("loop.rate: a pre-training has no rate finder; give a number")
    rate = float(loop.rate) if "rate" in loop.model_fields_set else _RATE
    return loop.model_copy(update={"rate": rate}).resolve(batch=batch, average=0.0, encoder_rate=rate)


def _structured(settings: PretrainSettings) -> bool:
    """Whether a batch is made of volumes with all their parts."""
    return settings.method == "contrast" or (settings.method == "local" and settings.contrast.across)


def _alone(told: ContrastSettings, pool: Pool) -> bool:
    """Whether no image is a negative of any other."""
    elsewhere = told.elsewhere == "negative" and told.negatives == "all" and len(pool.groups) > 1
    return (
        told.partitions == 1
        and told.positives != "images"
        and not (elsewhere or any(own.frames for own in pool.groups))
    )


# The parts


def method_of(settings: PretrainSettings, pool: Pool, built: SegmentationNetwork) -> tuple[Method, Sequence[str]]:
    """The method, and how the names of those tensors begin that are kept of what it trains."""
    variation, told = variations.parse(settings.variation), settings.contrast
    if settings.method == "masked":
        return Masked(built, settings.masked, variation), (*encoder_of(built), "body.decoder.")
    if settings.method == "simclr":
        told = told.model_copy(update={"positives": "images"})
    with assemble.seeded(settings.loop.seed, "head"):
        head = Pretext(
            built, width=told.width, levels=told.levels if settings.method == "local" else 0, demean=told.demean,
            datasets=len(pool.several), memory=told.memory,
        )  # fmt: skip
    kind = Local if settings.method == "local" else Contrast
    return kind(head, told, variation), head.learnt()


def _row(settings: PretrainSettings, pool: Pool) -> Row:
    if _structured(settings):
        return Structured(pool.groups, settings.contrast.partitions, settings.loop.seed)
    return Order(len(pool.examples), settings.loop.seed)


def _loop(
    settings: PretrainSettings, pool: Pool, run: Run, *, monitored: bool = False, track: Sequence[str] = (),
    progress: bool = False, say: Say = silent,
) -> Loop:  # fmt: skip
    assert isinstance(settings.size, tuple)
    fabric = fabric_of(settings.machine)
    built, _ = assemble.network(settings, pool.target, pool.channels)
    made, kept = method_of(settings, pool, built)
    assemble.demand_whole_batch(settings, made)
    fills = assemble.padding(settings, built)
    batches = Batches(
        pool.examples, _row(settings, pool), made.views, size=settings.size, batch=int(settings.loop.batch), padding=fills,
        known=pool.known, rank=fabric.global_rank, world=fabric.world_size,
    )  # fmt: skip
    watchers: list[Watcher] = []
    if monitored and fabric.is_global_zero:
        watchers = [*([ProgressLine(watched)] if progress else []), *trackers(track, run)]
    monitor = None
    if monitored:
        monitor = Monitor(
            pool, variations.parse(settings.variation), size=settings.size, padding=fills,
            precision=str(settings.machine.precision), before=lambda: loop.lines, say=say,
        )  # fmt: skip
    loop = Loop(
        made, batches, settings.loop, fabric=fabric, run=run, judge=monitor, keep=partial(_keep, kept=kept),
        watchers=watchers, warn=say,
    )  # fmt: skip
    return loop


def _keep(network: nn.Module, path: Path, *, kept: Sequence[str]) -> None:
    inner = network.network if isinstance(network, Pretext) else network
    assert isinstance(inner, SegmentationNetwork)
    networks.save(inner, path, only=kept)


def carry_on(run: Run, *, track: Sequence[str] = (), progress: bool = False, say: Say = silent) -> None:
    """Train what the folder says, from where it is to the end. Several processes do this side by side."""
    settings = validate(PretrainSettings, run.config, where=str(run.folder / "config.yaml"))
    pool = gather(settings)
    demand_unchanged(run, pool.about(), [])
    loop = _loop(settings, pool, run, monitored=True, track=track, progress=progress, say=say)
    loop.fit(workers=int(settings.machine.workers))
    if loop.fabric.is_global_zero:
        run.finish(steps=loop.step, looks=loop.looks, watched=loop.lines[-1].get("validation", {}))


if __name__ == "__main__":  # one of several processes
    serve(carry_on)
