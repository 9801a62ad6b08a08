"""Watching a pre-training without a mask: whether images are still told apart, and by what.

None of it chooses anything: the last weights are kept. What has collapsed will not come back, so such a run is stopped.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from segue.errors import Failed
from segue.evaluation.showing.embedding import alignment, effective_rank, probes, spread, uniformity
from segue.experiment.pretraining.pool import Pool
from segue.experiment.pretraining.represent import Floats, collapse, known, representations, sample
from segue.networks import SegmentationNetwork
from segue.networks.pretext import Pretext
from segue.training.loop import Judged
from segue.variations.padding import Padding
from segue.variations.variation import Variation

IMAGES, PASSES = 256, 3  # that a judgement looks at, and how often
_PATIENCE = 3  # judgements in a row: at its beginning a network sees all images nearly alike
_BEGINNING = 300  # steps
COLLAPSED = "collapsed"


class Monitor:
    """The loop's judge of a pre-training: it gives numbers and no score."""

    def __init__(
        self, pool: Pool, variation: Variation, *, size: tuple[int, ...], padding: Padding, precision: str,
        before: Callable[[], Sequence[Mapping[str, Any]]], say: Callable[[str], None],
    ) -> None:  # fmt: skip
        """`before`: what was told of the epochs that lie behind, asked anew each time: a run that goes on judges its last
        epoch again, and that counts once."""
        self.chosen = sample(pool, IMAGES)
        self.examples = [pool.examples[number] for number in self.chosen]
        self.known, self.variation = known(pool, self.chosen), variation
        self.size, self.padding, self.precision, self.before, self.say = size, padding, precision, before, say

    def __call__(self, network: nn.Module, tick: Callable[[], None]) -> Judged:
        inner = network.network if isinstance(network, Pretext) else network
        assert isinstance(inner, SegmentationNetwork)
        views = [self.variation, self.variation]
        how: dict[str, Any] = {"precision": self.precision, "tick": tick}
        (whole,) = representations(inner, self.examples, self.size, self.padding, **how)
        pair = representations(inner, self.examples, self.size, self.padding, views=views, **how)
        # What is compared in training is what would collapse first.
        z, one, other = (self._projected(network, each) for each in (whole, *pair))
        told = collapse(z, self.known)
        numbers = {COLLAPSED: float(bool(told))}
        if np.isfinite(z).all():
            numbers |= {
                "spread": spread(z), "effective rank": effective_rank(z), "uniformity": uniformity(z),
                "alignment": alignment(one, other),
            }  # fmt: skip
            for what, probe in probes(whole, self.known).items():
                numbers |= {f"{what} told by neighbours": probe.accuracy, f"{what} by chance": probe.chance}
        if told and isinstance(network, Pretext):
            self._stop(told)
        return Judged(None, {name: round(value, 4) for name, value in numbers.items()})

    def _projected(self, network: nn.Module, whole: Floats) -> Floats:
        if not isinstance(network, Pretext):
            return whole
        device = next(network.parameters()).device
        with torch.inference_mode():
            numbers = torch.arange(len(network.means), device=device)
            names = list(dict.fromkeys(self.known.datasets))
            dataset = numbers[[names.index(name) for name in self.known.datasets]]
            z = network.embedded(torch.from_numpy(whole).to(device), dataset)
        found: Floats = z.float().cpu().numpy()
        return found

    def _stop(self, told: str) -> None:
        behind = itertools.takewhile(_still_collapsed, reversed(self.before()))
        row = 1 + len(list(behind))
        if row < _PATIENCE:
            if row > 1:
                self.say(f"! {told}")
            return
        raise Failed(
            f"the pre-training has collapsed: {told}, {row} judgements in a row",
            hint="A lower rate (--rate), a higher contrast.temperature, more images in a batch (contrast.volumes), or "
            "variations that leave more of an image.",
        )


def _still_collapsed(line: Mapping[str, Any]) -> bool:
    """Of an epoch that lies behind. The very first steps do not count: a network has not begun to tell images apart."""
    return bool(line.get("validation", {}).get(COLLAPSED)) and line["step"] >= _BEGINNING
