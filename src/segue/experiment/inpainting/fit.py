"""`segue inpaint fit`: a painter from a dataset's masks. Asked again in the same words, it goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from segue import variations
from segue.config import validate
from segue.data.target import BACKGROUND
from segue.errors import BadInput, nearest
from segue.executors.progress import duration
from segue.experiment import assemble, seen
from segue.experiment.canvas import with_canvas
from segue.experiment.folder import Ended, asked_for, demand_unchanged, serve, to_its_end
from segue.experiment.inpainting.encoder import digest_of, encoder_for
from segue.experiment.length import TRYING, Cost, demand_one_length, endless, nowhere, step_cost, with_length
from segue.experiment.material import Material, gather
from segue.experiment.settings import InpaintSettings, TrainSettings
from segue.experiment.telling import ProgressLine, Say, silent, told_machine
from segue.methods.inpainting import Inpainting, laid, off_by, windows
from segue.networks import SegmentationNetwork
from segue.networks import painter as networks
from segue.networks.painter import Critic, Painter
from segue.step import View
from segue.training.batches import Batches, on_device
from segue.training.devices import fabric_of
from segue.training.loop import Judged, Loop, Watcher
from segue.training.machine import best_device, channels_last, untouched_randomness
from segue.training.machine import resolve as resolve_machine
from segue.training.orders import InTurn, Order
from segue.training.painting import HoleExample
from segue.training.run import INPAINTING, Run
from segue.training.trackers import trackers
from segue.variations.padding import CONSTANT
from segue.words import count

_RATE, _AVERAGE, _BATCH = 5e-4, 0.99, 8
_JUDGED = 48  # windows that a judgement looks at
_LOOKING = 1 / 5  # of the time of learning from a window


@dataclass(frozen=True)
class Learnt:
    """What a painting is learnt from, and for what."""

    material: Material
    canvas: tuple[int, int]  # of the images that windows are cut from
    channel: int  # of a mask: what is painted
    side: int  # of the windows

    @property
    def examples(self) -> list[HoleExample]:
        return self._holes(self.material.train)

    @property
    def held(self) -> list[HoleExample]:
        """Of validation: what no painter has learnt from."""
        return self._holes(self.material.validation)

    def _holes(self, examples: Sequence[Any]) -> list[HoleExample]:
        return [HoleExample(one, self.canvas, self.channel, self.side) for one in examples]


def fit(
    data: str | Path | Sequence[str | Path] = (),
    out: Path | str | None = None,
    *,
    settings: InpaintSettings | None = None,
    fresh: bool = False,
    track: Sequence[str] = (),
    progress: bool = False,
    say: Say = silent,
    **given: Any,
) -> Ended:
    """Train a painter of what a dataset's masks show; arguments are those of `segue.train`."""
    asked = settings or asked_for(InpaintSettings, data, given, "segue.inpaint_fit")
    return to_its_end(
        asked, out, "painter", prepared=lambda folder: _prepared(folder, asked, say, progress), carry_on=carry_on,
        module="segue.experiment.inpainting.fit", fresh=fresh, track=track, progress=progress, say=say,
    )  # fmt: skip


def opened(settings: InpaintSettings, say: Say = silent, progress: bool = False) -> Learnt:
    """The datasets with their masks, and where on a mask is what is painted."""
    variations.parse(settings.variation)
    machine = settings.machine.resolve(device=best_device())
    several = {"data": settings.data, "split": settings.split, "labels": settings.labels, "draw": settings.draw}
    asked = validate(
        TrainSettings,
        {**several, "stores": settings.stores, "validation": "all", "size": settings.size},
        where="inpaint",
    )
    material = gather(asked, say=say, progress=progress)
    target = material.target
    if settings.what and settings.what not in target.foreground:
        raise BadInput(f"what: no class is called {settings.what!r} ({nearest(settings.what, target.foreground)})")
    if settings.what == "" and len(target.foreground) > 1:
        raise BadInput(
            f"what: which of {', '.join(target.foreground)} is to be painted?", hint=f"--what {target.foreground[0]}"
        )
    size = with_canvas(asked.model_copy(update={"machine": machine}), material).size
    assert isinstance(size, tuple)
    name = settings.what or target.foreground[0]
    assert target.names[0] == BACKGROUND
    return Learnt(material, (size[0], size[1]), target.names.index(name), settings.side)


def _demand_both(settings: InpaintSettings) -> None:
    """An encoder and what it is asked for: neither is anything without the other."""
    if settings.encoder and not settings.inpainting.perceptual:
        raise BadInput(
            f"encoder: nothing asks {settings.encoder} for anything", hint="--set inpainting.perceptual=0.1 does."
        )
    if settings.inpainting.perceptual and not settings.encoder:
        raise BadInput(
            "inpainting.perceptual: needs an encoder that looks at what was painted",
            hint="--encoder RUN, of segue pretrain or segue train",
        )
    if settings.encoder:
        Run.open(settings.encoder)  # before anything is prepared


def asked_encoder(settings: InpaintSettings, found: Learnt) -> SegmentationNetwork | None:
    return encoder_for(settings.encoder, found.material.channels) if settings.encoder else None


def made(settings: InpaintSettings, channels: int) -> tuple[Painter, Critic]:
    with assemble.seeded(settings.loop.seed, "painter"):
        return Painter(channels, settings.width), Critic(channels)


# Before the first step


def _prepared(folder: Path, asked: InpaintSettings, say: Say, progress: bool) -> Run:
    demand_one_length(asked)
    if asked.loop.rate == "find":
        raise BadInput("loop.rate: a painter has no rate finder; give a number")
    _demand_both(asked)
    found = opened(asked, say, progress)
    material = found.material
    inherited = seen.inherited(asked.encoder)
    for source in material.sources:
        seen.refuse(inherited, source.dataset, source.judging, asked.encoder)
    encoder = asked_encoder(asked, found)
    say(TRYING)
    settings, cost = resolved(asked, found, encoder)
    painter, _ = made(settings, material.channels)
    about = {
        "asked": json.loads(asked.model_dump_json()), "kind": INPAINTING, "data": material.about(), "beside": [],
        "target": material.target.as_json(), "channel": found.channel, "channels": material.channels,
        "dtype": material.dtype, "canvas": list(found.canvas), "train": len(material.train),
        "parameters": sum(p.numel() for p in painter.parameters()),
        "encoder": "" if encoder is None else digest_of(encoder),
    }  # fmt: skip
    run = Run.create(
        folder, config=json.loads(settings.model_dump_json()), about=about, cases=material.table(),
        seen=[*inherited, *material.looked_at()],
    )  # fmt: skip
    loop = settings.loop
    what = material.target.names[found.channel]
    say(
        f"a painter of {what}, {about['parameters'] / 1e6:.1f} M parameters, windows of {settings.side}x{settings.side} px"
    )
    say(
        f"{count(len(material.train), 'image')}; {count(int(loop.steps), 'step')} of {loop.batch} windows on "
        f"{told_machine(settings.machine)}: {duration(cost.seconds)} or so"
    )
    return run


def resolved(
    asked: InpaintSettings, found: Learnt, encoder: SegmentationNetwork | None
) -> tuple[InpaintSettings, Cost]:
    rate = float(asked.loop.rate) if "rate" in asked.loop.model_fields_set else _RATE
    loop = asked.loop.model_copy(update={"rate": rate}).resolve(batch=_BATCH, average=_AVERAGE, encoder_rate=rate)
    painter, _ = made(asked, found.material.channels)
    side = (asked.side, asked.side)
    machine = resolve_machine(asked.machine, painter, channels=found.material.channels + 2, size=side)
    settings = asked.model_copy(update={"size": found.canvas, "loop": loop, "machine": machine})
    with untouched_randomness():
        each = step_cost(_loop(endless(settings), found, encoder, nowhere()))
    judging = each.seconds * min(_JUDGED, len(found.held)) / int(loop.batch) * _LOOKING
    return with_length(settings, len(found.examples), each, judging)


# The parts


def _loop(
    settings: InpaintSettings, found: Learnt, encoder: SegmentationNetwork | None, run: Run, *, judged: bool = False,
    track: Sequence[str] = (), progress: bool = False, say: Say = silent,
) -> Loop:  # fmt: skip
    fabric = fabric_of(settings.machine)
    painter, critic = made(settings, found.material.channels)
    if settings.machine.layout == "channels-last":
        channels_last(painter)
        channels_last(critic)
    if encoder is not None:
        encoder.to(fabric.device)
    method = Inpainting(painter, critic, settings.inpainting, variations.parse(settings.variation), encoder)
    batches = Batches(
        found.examples, Order(len(found.examples), settings.loop.seed), method.views, size=(settings.side, settings.side),
        batch=int(settings.loop.batch), padding=CONSTANT, regions=2, rank=fabric.global_rank, world=fabric.world_size,
    )  # fmt: skip
    watchers: list[Watcher] = []
    if judged and fabric.is_global_zero:
        watchers = [*([ProgressLine(_told)] if progress else []), *trackers(track, run)]
    return Loop(
        method, batches, settings.loop, fabric=fabric, run=run, judge=Held(found) if judged and found.held else None,
        keep=networks.save, watchers=watchers, warn=say,
    )  # fmt: skip


class Held:
    """How far what is painted into held-back images is from what was there. It chooses nothing: what looks most like the
    one answer is not what looks most real."""

    def __init__(self, found: Learnt) -> None:
        self.found = found

    @cached_property
    def views(self) -> Sequence[View]:
        return held_windows(self.found, _JUDGED)

    def __call__(self, network: nn.Module, tick: Callable[[], None]) -> Judged:
        device = next(network.parameters()).device
        off, mean = 0.0, 0.0
        for view in self.views:
            tick()
            given, hole = windows(_on(view, device))
            colours = given.shape[1] - 2
            painted = laid(given, hole, torch.sigmoid(network(given).logits.float()))
            plain = (given * (1 - hole)).sum((2, 3)) / (1 - hole).sum((2, 3)).clamp(min=1)
            flat = laid(given, hole, plain[:, :colours, None, None].expand_as(given[:, :colours]))
            off += float(off_by(painted, given, hole).mean())
            mean += float(off_by(flat, given, hole).mean())
        return Judged(
            None, {"off": round(off / len(self.views), 4), "off by a mean colour": round(mean / len(self.views), 4)}
        )


def held_windows(found: Learnt, most: int) -> Sequence[View]:
    """The same windows each time, some of every held-back image in turn."""
    examples = found.held
    order = InTurn(len(examples))
    side = (found.side, found.side)
    batches = Batches(examples, order, [variations.parse("none")], size=side, batch=8, padding=CONSTANT, regions=2)
    return [
        on_device(batches[step], torch.device("cpu")).views[0] for step in range(max(1, min(most, len(examples)) // 8))
    ]


def _on(view: View, device: torch.device) -> View:
    return View(view.images.to(device), view.target.to(device), view.drawn, view.shown.to(device))


def _told(numbers: dict[str, float]) -> str:
    return f"off by {numbers['off']:.3f} in held-back holes (a mean colour: {numbers['off by a mean colour']:.3f})"


def carry_on(run: Run, *, track: Sequence[str] = (), progress: bool = False, say: Say = silent) -> None:
    """Train what the folder says, from where it is to the end. Several processes do this side by side."""
    settings = validate(InpaintSettings, run.config, where=str(run.folder / "config.yaml"))
    found = opened(settings)
    demand_unchanged(run, found.material.about(), [])
    encoder = asked_encoder(settings, found)
    if encoder is not None and digest_of(encoder) != run.about["encoder"]:
        raise BadInput(
            f"{run.folder}: the weights of {settings.encoder} have changed since it began",
            hint="Give another --out to train anew.",
        )
    loop = _loop(settings, found, encoder, run, judged=True, track=track, progress=progress, say=say)
    loop.fit(workers=int(settings.machine.workers))
    if loop.fabric.is_global_zero:
        run.finish(steps=loop.step, looks=loop.looks, held=loop.lines[-1].get("validation", {}))


if __name__ == "__main__":  # one of several processes
    serve(carry_on)
