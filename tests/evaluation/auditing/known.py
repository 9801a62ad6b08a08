"""Made-up cases of which all is known: evidence that tells the Dice well, a little, or not at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from segue.evaluation.auditing.evidence import BINS, Evidence
from segue.evaluation.auditing.fit import HOME, Known

PLAIN = Evidence(
    found=0.1, promised=0.8, together=0.8, steady=0.8, least=0.7, members=math.nan, soft=0.9, confidence=0.95,
    sure=(0,) * BINS, rest=(0,) * BINS,
)  # fmt: skip
NOTHING = replace(PLAIN, found=0.0, promised=0.0, together=0.0, steady=0.0, least=0.0, soft=0.0)


def evidence(dice: float, noise: float, numbers: np.random.Generator) -> Evidence:
    """All of it says the Dice, more or less."""
    said = np.clip(dice + noise * numbers.normal(size=4), 0.01, 0.99).tolist()
    return replace(
        PLAIN, promised=said[0], together=said[1], steady=said[2], least=said[3], soft=min(0.99, said[0] + 0.1)
    )


def group(name: str, mean: float, noise: float, *, count: int = 60, off: float = 0.0) -> list[Known]:
    """`off`: what evidence promises beside what is so, as it does where a place is another kind of place."""
    numbers = np.random.default_rng(abs(hash_of(name)))
    dices = np.clip(numbers.normal(mean, 0.2, count), 0.01, 0.99)
    return [
        Known(
            f"{name} {number}",
            f"p{number}",
            name,
            name.split()[0],
            evidence(dice + off, noise, numbers),
            True,
            float(dice),
        )
        for number, dice in enumerate(dices)
    ]


def hash_of(name: str) -> int:
    return sum(ord(letter) * (place + 1) for place, letter in enumerate(name))


def world(noise: float, *, means: Sequence[float] = (0.8, 0.7, 0.55, 0.75, 0.5, 0.65, 0.35)) -> list[Known]:
    """Home and its copies, spoilt in three ways."""
    names = [HOME, "blur 1", "blur 3", "noise 1", "noise 3", "jpeg 1", "jpeg 3"]
    return [one for name, mean in zip(names, means, strict=True) for one in group(name, mean, noise)]
