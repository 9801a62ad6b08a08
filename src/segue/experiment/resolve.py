"""Before the first step: everything that is "auto" gets its value, from the data or from a short probe of this machine. Where
nothing is, nothing is probed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from segue.data.stores.frames import FrameStore
from segue.errors import BadInput
from segue.experiment import assemble
from segue.experiment.canvas import with_canvas
from segue.experiment.judging import Judges, frame_of
from segue.experiment.length import TRYING, Cost, endless, nowhere, step_cost, with_length
from segue.experiment.material import Material
from segue.experiment.settings import TrainSettings
from segue.experiment.teaching import demand_shown
from segue.networks import SegmentationNetwork
from segue.training.devices import fabric_of
from segue.training.finder import Found, find_rate
from segue.training.loop import Loop
from segue.training.machine import best_device, crowd, sensible_batch, untouched_randomness
from segue.training.machine import resolve as resolve_machine
from segue.training.memory import fitting_batch
from segue.training.settings import LoopSettings

_LEAST, _LESS = 1 << 12, 0.7  # voxels of a patch that is still made smaller, and by how much
_PRETRAINED = 0.1  # of the decoder's rate
_AVERAGE = 0.99  # decay of the weights' moving average, where it is needed
_JUDGED = 8  # cases that the probe takes


@dataclass(frozen=True)
class Resolved:
    settings: TrainSettings
    cost: Cost  # as far as the probe can tell
    finder: Found | None


def resolve(settings: TrainSettings, material: Material, say: Callable[[str], None]) -> Resolved:
    if settled(settings):
        return Resolved(settings, Cost(math.nan, math.nan), None)
    say(TRYING)
    settings = _followed(settings, material)
    machine = settings.machine.resolve(device=best_device())
    settings, built = _fitting(settings.model_copy(update={"machine": machine}), material, say)
    assert isinstance(settings.size, tuple)
    if material.teachers is not None:
        demand_shown(material.teachers, frame_of(settings, material, built))
    if machine.device == "cpu" and (told := crowd()):
        say(f"! {told}")
    machine = resolve_machine(machine, built, channels=material.channels, size=settings.size)
    settings = settings.model_copy(update={"machine": machine})
    loop = _batched(settings, material, built, say)
    started = bool(settings.init) or settings.network.weights != "none"
    found = settings.model_copy(update={"loop": loop})
    finder = None
    if loop.rate == "find":
        finder = find_rate(_trial(_rated(found, 1.0, started), material)[0])
        say(f"learning rate {finder.proposal:g}, by trial")
    found = _rated(found, finder.proposal if finder else float(loop.rate), started)
    each, judge_seconds = timed(found, material)
    whole, cost = with_length(found, len(material.learnt), each, judge_seconds)
    return Resolved(whole, cost, finder)


def settled(settings: TrainSettings) -> bool:
    """Nothing is left to the data or to the machine; how long it will take nobody has tried."""
    given = settings.model_dump(exclude={"stores"})
    lengths = any(given[name] is not None for name in ("looks", "epochs", "minutes"))
    return not lengths and given["loop"]["rate"] != "find" and isinstance(settings.size, tuple) and not _auto(given)


def _auto(given: Mapping[str, Any]) -> bool:
    return any(_auto(value) if isinstance(value, Mapping) else value == "auto" for value in given.values())


def _fitting(
    asked: TrainSettings, material: Material, say: Callable[[str], None]
) -> tuple[TrainSettings, SegmentationNetwork]:
    """With a canvas, and the network for it. Patches that nobody has asked for are so small that memory holds two."""
    settings = with_canvas(asked, material)
    built, _ = assemble.network(settings, material.target, material.channels)
    if not material.patches or isinstance(asked.size, tuple):
        return settings, built
    assert isinstance(settings.size, tuple)
    wanted, most = settings.size, math.prod(settings.size)
    while most > _LEAST and _fits(settings, material, built) < 2:
        most = int(_LESS * most)
        settings = with_canvas(asked, material, most=most)
        built, _ = assemble.network(settings, material.target, material.channels)
    if isinstance(settings.size, tuple) and settings.size != wanted:
        one, other = (" x ".join(map(str, size)) for size in (settings.size, wanted))
        say(f"patches of {one}, not {other}: memory holds no more")
    return settings, built


def _fits(settings: TrainSettings, material: Material, built: SegmentationNetwork) -> int:
    """Images at once."""
    assert isinstance(settings.size, tuple)
    return fitting_batch(
        built,
        torch.device(str(settings.machine.device)),
        channels=material.channels,
        size=settings.size,
        views=assemble.how(settings, material.target, built).at_once,
        processes=settings.machine.devices,
    )


def _batched(
    settings: TrainSettings, material: Material, built: SegmentationNetwork, say: Callable[[str], None]
) -> LoopSettings:
    """A step's images; where memory does not hold them at once, the step is cut into micro-batches."""
    loop = settings.loop
    if loop.batch != "auto":
        return loop
    assert isinstance(settings.size, tuple)
    batch = min(sensible_batch(settings.size), max(2, len(material.learnt)))
    fitting = _fits(settings, material, built)
    if fitting >= batch:
        return loop.resolve(batch=batch)
    cuts = math.ceil(batch / max(2, fitting))  # one image alone is nothing to normalise by
    smaller = math.ceil(batch / cuts)
    if not assemble.how(settings, material.target, built).accumulates:
        say(f"batches of {smaller}, not {batch}: memory holds no more")
        return loop.resolve(batch=smaller)
    say(f"a step of {batch} images is taken in {cuts} parts: memory does not hold it at once")
    return loop.model_copy(update={"accumulate": loop.accumulate * cuts}).resolve(batch=smaller)


def _followed(settings: TrainSettings, material: Material) -> TrainSettings:
    """What is chosen by, what images without masks follow, and whether weights are averaged."""
    strong = _strong(material)
    semi, site = settings.semi.resolve(strong=strong), settings.site.resolve(strong=strong)
    averages = not material.validates or settings.method in ("semi", "site")
    loop = settings.loop.resolve(average=_AVERAGE if averages else 0.0)
    if settings.method == "semi" and semi.teacher and not loop.average:
        raise BadInput(
            "loop.average: semi.teacher is the moving average of the weights, and 0 means that there is none",
            hint="--set semi.teacher=false follows the weights themselves.",
        )
    if settings.method == "site" and not loop.average:
        raise BadInput("loop.average: what is kept of a site is the moving average of the weights, and 0 means none")
    settings = settings.resolve(validation="none" if settings.labels != "all" else "all")
    return settings.model_copy(update={"semi": semi, "site": site, "loop": loop})


def _strong(material: Material) -> str:
    """Scanners have contrasts of their own; and there is no box of a patch."""
    pictures = isinstance(material.stores[0], FrameStore)
    members = ["strong", *([] if pictures else ["tone(strength=1, p=0.8)", "bias(p=0.5)"])]
    return " + ".join([*members, *([] if material.patches else ["cutmix(p=0.5)"])])


def _rated(settings: TrainSettings, rate: float, started: bool) -> TrainSettings:
    loop = settings.loop.model_copy(update={"rate": rate}).resolve(encoder_rate=rate * (_PRETRAINED if started else 1))
    return settings.model_copy(update={"loop": loop})


def _trial(settings: TrainSettings, material: Material) -> tuple[Loop, SegmentationNetwork]:
    """A loop, and the network that it trains: both are thrown away."""
    built, _ = assemble.network(settings, material.target, material.channels)
    settings = endless(settings)
    parts = assemble.parts(settings, material, built)
    loop = Loop(
        parts.method, parts.batches, settings.loop,
        fabric=fabric_of(settings.machine), run=nowhere(), judge=None, keep=lambda network, path: None,
    )  # fmt: skip
    return loop, built


def timed(settings: TrainSettings, material: Material) -> tuple[Cost, float]:
    """What a step costs on average, and the seconds of a judgement."""
    with untouched_randomness():
        each, built = _step_timed(settings, material)
        if settings.method == "semi":
            semi = settings.semi.model_copy(update={"warm": 0.0, "ramp": 0.0, "fitted": 0.0})
            whole, _ = _step_timed(settings.model_copy(update={"semi": semi}), material)
            warm, later = settings.semi.warm, 1 - settings.semi.warm
            each = Cost(
                warm * each.seconds + later * whole.seconds,
                warm * each.looks + later * whole.looks,
            )
        judges = Judges.of(settings, material, frame_of(settings, material, built))
        few = min(_JUDGED, material.validates)
        judging = judges.seconds(built, few) * material.validates / few if few else 0.0
    return each, judging


def _step_timed(settings: TrainSettings, material: Material) -> tuple[Cost, SegmentationNetwork]:
    """What a step costs at the very beginning, and the network that took it."""
    loop, built = _trial(settings, material)
    return step_cost(loop), built
