"""Learning rates as functions of the step alone, so that a resumed run needs no scheduler's memory.

Only `plateau` looks at what was measured; it is given the history.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

Schedule = Literal["cosine", "one-cycle", "restarts", "plateau", "constant"]

_WARM_UP = 0.02  # of all steps, from a tenth of the rate: the first steps of Adam are its wildest
_RISE = 0.3  # of one cycle
_FIRST = 0.14  # of all steps, before the first restart; each cycle is twice as long: 1 + 2 + 4 of them fill the run
_PATIENCE, _DROP = 5, 0.3  # of plateau: so many judgements without a better one
_LOWEST = 1e-3


def factor(schedule: Schedule, step: int, steps: int, judged: Sequence[float] = ()) -> float:
    """What the rate is multiplied by at this step. `judged`: the scores so far, larger is better."""
    share = step / max(1, steps)
    if schedule == "constant":
        return _warm(share)
    if schedule == "cosine":
        return _warm(share) * _cosine(share)
    if schedule == "one-cycle":
        if share < _RISE:
            return 0.04 + 0.96 * (1 - _cosine(share / _RISE))
        return max(_LOWEST, _cosine((share - _RISE) / (1 - _RISE)))
    if schedule == "restarts":
        start, length = 0.0, _FIRST
        while share >= start + length:
            start, length = start + length, 2 * length
        return _warm(share) * _cosine((share - start) / length)
    return _warm(share) * _DROP ** _drops(judged)


def _warm(share: float) -> float:
    return min(1.0, 0.1 + 0.9 * share / _WARM_UP)


def _cosine(share: float) -> float:
    return max(_LOWEST, 0.5 + 0.5 * math.cos(math.pi * min(1.0, share)))


def _drops(judged: Sequence[float]) -> int:
    """How often the scores have stood still for as long as patience lasts."""
    best, still, drops = -math.inf, 0, 0
    for score in judged:
        best, still = (score, 0) if score > best else (best, still + 1)
        if still > _PATIENCE:
            drops, still = drops + 1, 0
    return drops
