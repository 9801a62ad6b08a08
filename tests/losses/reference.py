"""Every loss once more, slowly: one sample, one pixel at a time, straight from its definition."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

IGNORE = 255
Array = npt.NDArray[Any]


def probabilities(logits: Array, exclusive: bool) -> Array:
    """(L, h, w) to (K, h, w)."""
    if not exclusive:
        return 1 / (1 + np.exp(-logits))
    if len(logits) == 1:
        logits = np.concatenate([np.zeros_like(logits), logits])
    powers = np.exp(logits - logits.max(0))
    return powers / powers.sum(0)


def questions(
    logits: Array, truth: Array, exclusive: bool, background: bool = False
) -> list[tuple[list[float], list[int]]]:
    """For each channel, the probabilities and answers of the pixels that count."""
    maps = probabilities(logits.astype(np.float64), exclusive)
    found = []
    for channel in range(0 if background or not exclusive else 1, len(maps)):
        p, t = [], []
        for at in np.ndindex(maps.shape[1:]):
            value = truth[at] if exclusive else truth[(channel, *at)]
            if value != IGNORE:
                p.append(float(maps[(channel, *at)]))
                t.append(int(value == channel) if exclusive else int(value))
        found.append((p, t))
    return found


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def areas(
    logits: Array,
    truth: Array,
    exclusive: bool,
    *,
    alpha: float,
    beta: float,
    background: bool = False,
    empty: float = 0.01,
) -> float:
    values = []
    for p, t in questions(logits, truth, exclusive, background):
        if not p:
            continue
        hits = sum(a * b for a, b in zip(p, t, strict=True))
        extra = sum(a * (1 - b) for a, b in zip(p, t, strict=True))
        missed = sum((1 - a) * b for a, b in zip(p, t, strict=True))
        if any(t):
            values.append(1 - hits / (hits + alpha * extra + beta * missed))
        else:
            values.append(extra / (extra + max(1.0, empty * len(p))))
    return mean(values)


def pixelwise(
    logits: Array, truth: Array, exclusive: bool, *, gamma: float = 0.0, weights: tuple[float, ...] | None = None
) -> float:
    maps = probabilities(logits.astype(np.float64), exclusive)
    values = []
    for at in np.ndindex(truth.shape):
        value = int(truth[at])
        if value == IGNORE:
            continue
        if exclusive:
            right = maps[(value, *at)]
            weight = weights[value] if weights else 1.0
        else:
            right = maps[at] if value else 1 - maps[at]
            weight = weights[at[0]] if weights else 1.0
        values.append(weight * (1 - right) ** gamma * -math.log(right))
    return mean(values)


def lovasz(logits: Array, truth: Array, exclusive: bool, *, background: bool = False, empty: float = 0.01) -> float:
    """The mean of the Jaccard loss of the wrong pixels over all thresholds of the error: the extension, as an integral."""
    values = []
    for p, t in questions(logits, truth, exclusive, background):
        if not p:
            continue
        spare = 0.0 if any(t) else max(1.0, empty * len(p))
        errors = [abs(a - b) for a, b in zip(p, t, strict=True)]
        levels = sorted({0.0, *errors})
        total = 0.0
        for low, high in pairwise(levels):
            wrong = [error >= high for error in errors]
            hits = sum(1 for b, bad in zip(t, wrong, strict=True) if b and not bad)
            union = sum(1 for b, bad in zip(t, wrong, strict=True) if b or bad)
            total += (high - low) * (1 - (hits + spare) / (union + spare))
        values.append(total)
    return mean(values)


def boundary(logits: Array, truth: Array, exclusive: bool) -> float:
    maps = probabilities(logits.astype(np.float64), exclusive)
    values = []
    for channel in range(1 if exclusive else 0, len(maps)):
        ids = truth if exclusive else truth[channel]
        yes = channel if exclusive else 1
        known = [at for at in np.ndindex(ids.shape) if ids[at] != IGNORE]
        side = len(known) ** (1 / ids.ndim)
        for at in known:
            others = [math.dist(at, other) for other in known if (ids[other] == yes) != (ids[at] == yes)]
            away = (min(others) - 0.5) / side if others else 1.0
            values.append(abs(maps[(channel, *at)] - (ids[at] == yes)) * away)
    return mean(values)


def _dice(*given: Any, **arguments: Any) -> float:
    return areas(*given, alpha=0.5, beta=0.5, **arguments)


def _jaccard(*given: Any, **arguments: Any) -> float:
    return areas(*given, alpha=1.0, beta=1.0, **arguments)


def _tversky(*given: Any, alpha: float = 0.3, beta: float = 0.7, **arguments: Any) -> float:
    return areas(*given, alpha=alpha, beta=beta, **arguments)


def _focal(*given: Any, gamma: float = 2.0, **arguments: Any) -> float:
    return pixelwise(*given, gamma=gamma, **arguments)


REFERENCE: Mapping[str, Callable[..., float]] = {
    "dice": _dice,
    "jaccard": _jaccard,
    "tversky": _tversky,
    "ce": pixelwise,
    "bce": pixelwise,
    "focal": _focal,
    "lovasz": lovasz,
    "boundary": boundary,
}


def overlap(logits: Array, truth: Array, exclusive: bool) -> float:
    maps = probabilities(logits.astype(np.float64), exclusive)
    both = either = 0
    for at in np.ndindex(maps.shape[1:]):
        if exclusive:
            value, choice = int(truth[at]), int(maps[(slice(None), *at)].argmax())
            pairs = [(choice == k, value == k) for k in range(1, len(maps))] if value != IGNORE else []
        else:
            values = truth[(slice(None), *at)]
            pairs = [(maps[(k, *at)] > 0.5, values[k] == 1) for k in range(len(maps)) if values[k] != IGNORE]
        both += sum(a and b for a, b in pairs)
        either += sum(a or b for a, b in pairs)
    return both / either if either else 1.0
