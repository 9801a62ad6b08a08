"""The learning-rate finder: the rate rises from step to step on a network that is thrown away; where does the loss fall?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segue.data.case import write_rows
from segue.errors import Failed
from segue.files import atomic
from segue.training.loop import Loop

_LOWEST, _HIGHEST, _STEPS = 1e-6, 1.0, 60
_MEMORY = 0.85  # of the smoothed loss
_HOPELESS = 1.5  # times the best loss: higher rates need not be tried
_SAFETY = 0.3  # of the rate where the loss was lowest: by then it has begun to jump


@dataclass(frozen=True)
class Found:
    rates: tuple[float, ...]
    losses: tuple[float, ...]  # smoothed
    proposal: float

    def save(self, path: Path) -> None:
        pairs = zip(self.rates, self.losses, strict=True)
        with atomic(path) as file:
            write_rows(file, [["rate", "loss"], *([f"{rate:.3g}", f"{loss:.5g}"] for rate, loss in pairs)])


def find_rate(loop: Loop) -> Found:
    """`loop` is a throwaway: its method, its weights and its place in the row of batches are used up."""
    rates, losses, smooth = [], [], 0.0
    cuts = loop.settings.accumulate
    parcels = loop.batches.loader(range(_STEPS * cuts), 0)
    full = [(group, group["full_rate"]) for o in loop.optimisers.values() for group in o.param_groups]
    highest = max(rate for _, rate in full)
    for step in range(_STEPS):
        rate = _LOWEST * (_HIGHEST / _LOWEST) ** (step / (_STEPS - 1))
        for group, own in full:
            group["full_rate"] = rate * own / highest  # encoder and decoder keep their proportion
        try:
            loss = loop.one_step([next(parcels) for _ in range(cuts)])
        except Failed:  # not a number: far too high
            break
        loop.step += 1
        smooth = _MEMORY * smooth + (1 - _MEMORY) * loss
        rates.append(rate)
        losses.append(smooth / (1 - _MEMORY ** (step + 1)))
        if step > 10 and losses[-1] > _HOPELESS * min(losses):
            break
    return Found(tuple(rates), tuple(losses), _proposal(rates, losses))


def _proposal(rates: Sequence[float], losses: Sequence[float]) -> float:
    if len(rates) < 5 or not all(map(math.isfinite, losses)):
        raise Failed("the learning-rate finder saw no loss that falls", hint="Give a rate: --set loop.rate=1e-3")
    lowest = min(range(len(losses)), key=losses.__getitem__)
    digits = 1 - math.floor(math.log10(rates[lowest] * _SAFETY))
    return round(rates[lowest] * _SAFETY, digits)
