"""A training that is not begun: what it would be asked to the last setting, and what it would take. A study finds that out
once for all repeats of an arm, and for what they begin from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from segue.experiment import assemble
from segue.experiment.inpainting import fit
from segue.experiment.length import Cost, with_length
from segue.experiment.pretraining import pool, pretrain
from segue.experiment.resolve import resolve, timed
from segue.experiment.settings import InpaintSettings, PretrainSettings, TrainSettings
from segue.experiment.telling import silent
from segue.experiment.train import begun
from segue.training.machine import best_device, keep_memory

Asked = TrainSettings | PretrainSettings | InpaintSettings


@dataclass(frozen=True)
class Rehearsed:
    settings: Asked
    cost: Cost
    parameters: int


def rehearse(asked: Asked, *, threads: int) -> Rehearsed:
    """`threads`: of a processor, which it will have for itself where the settings do not say."""
    keep_memory()
    machine = asked.machine.resolve(device=best_device())
    if machine.device == "cpu":
        asked = asked.model_copy(update={"machine": machine.resolve(threads=threads)})
    return _KINDS[type(asked)](asked)


def _training(asked: TrainSettings) -> Rehearsed:
    material, _ = begun(asked)
    found = resolve(asked, material, silent)
    settings, cost = found.settings, found.cost
    if math.isnan(cost.seconds):
        _, cost = with_length(settings, len(material.learnt), *timed(settings, material))
    built, _ = assemble.network(settings, material.target, material.channels)
    return Rehearsed(settings, cost, _parameters(built))


def _pretraining(asked: PretrainSettings) -> Rehearsed:
    images = pool.gather(asked)
    settings, cost = pretrain.resolved(asked, images)
    built, _ = assemble.network(settings, images.target, images.channels)
    return Rehearsed(settings, cost, _parameters(built))


def _painting(asked: InpaintSettings) -> Rehearsed:
    learnt = fit.opened(asked)
    settings, cost = fit.resolved(asked, learnt, fit.asked_encoder(asked, learnt))
    painter, _ = fit.made(settings, learnt.material.channels)
    return Rehearsed(settings, cost, _parameters(painter))


def _parameters(network: Any) -> int:
    return sum(weight.numel() for weight in network.parameters())


_KINDS: dict[type[Asked], Callable[[Any], Rehearsed]] = {
    TrainSettings: _training, PretrainSettings: _pretraining, InpaintSettings: _painting,
}  # fmt: skip
