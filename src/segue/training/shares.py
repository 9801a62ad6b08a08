"""How much of its image a mask gives to each class, on average over the masks that there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segue.data.case import IGNORE
from segue.data.target import Target
from segue.training.examples import Example, Labels

_ENOUGH = 500  # masks, drawn among all (every eighth slice might be the top of each volume): more would say the same
_WHOLE = 0.9  # of their pixels must be drawn; of scribbles nobody knows how much is of what


def shares(examples: Sequence[Example], target: Target) -> tuple[float, ...] | None:
    """By channel; None: too little was drawn to say."""
    chosen = np.random.default_rng(0).permutation(len(examples))[:_ENOUGH]
    drawn = [(examples[n], labels) for n in sorted(chosen) if (labels := examples[n].labels()) is not None]
    if not drawn or np.mean([(labels != IGNORE).mean() for _, labels in drawn]) < _WHOLE:
        return None
    found = np.zeros(len(target.names))
    for channel in range(len(found)):
        known = [labels for example, labels in drawn if target.exclusive or not example.unknown >> channel & 1]
        if known:
            found[channel] = np.mean([_share(labels, channel, target) for labels in known])
    return tuple(found.tolist())


def _share(labels: Labels, channel: int, target: Target) -> float:
    inside = labels == channel if target.exclusive else (labels >> channel & 1).astype(bool)
    counts = labels != IGNORE
    return float((inside & counts).sum() / max(1, counts.sum()))
