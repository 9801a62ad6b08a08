"""A network while it learns without masks: a head on top says what is compared, and is thrown away afterwards."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.distributed as distributed
from torch import Tensor, nn
from torch.nn import functional

from segue.networks.cut import trial
from segue.networks.network import SegmentationNetwork

_HIDDEN = 1024
_COLUMNS = 6  # that are known of an image that is shown
_MOMENTUM = 0.99  # of what a dataset's mean is known by


class Embedded(NamedTuple):
    representation: Tensor
    """(n, width of the encoder): its deepest map, averaged over all places."""
    embedding: Tensor
    """(n, d): projected."""
    maps: Tensor
    """(n, d, h, w): the decoder's map, projected place by place; empty where nobody asks."""


class Pretext(nn.Module):
    """`demean`: without the mean of its dataset, so that what sets datasets apart is nothing to tell images apart by."""

    def __init__(
        self, network: SegmentationNetwork, *, width: int, levels: int, demean: str, datasets: int, memory: int
    ) -> None:
        super().__init__()
        self.network, self.levels, self.demean = network, levels, demean
        encoded, decoded = _looked_at(network, levels)
        self.projection: nn.Module = nn.Identity()
        self.places: nn.Module = nn.Identity()
        if levels:
            self.places = nn.Sequential(nn.Conv2d(decoded, decoded, 1), nn.ReLU(), nn.Conv2d(decoded, width, 1))
        elif demean != "representation":
            self.projection = nn.Sequential(nn.Linear(encoded, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, width))
        compared = encoded if demean == "representation" else width
        self.memory = Memory(memory, compared) if memory and not levels else None
        self.means: Tensor
        self.known: Tensor
        self.register_buffer("means", torch.zeros(datasets, encoded))
        self.register_buffer("known", torch.zeros(datasets, dtype=torch.bool))

    def forward(self, x: Tensor, dataset: Tensor) -> Embedded:
        found = self.network(x, features=True, decode=False, levels=self.levels)
        whole = found.features[-1].flatten(2).mean(2)
        if self.levels:
            return Embedded(whole, x.new_empty(len(x), 0), self.places(found.decoded))
        return Embedded(whole, self.embedded(whole, dataset), x.new_empty(len(x), 0, 1, 1))

    def embedded(self, whole: Tensor, dataset: Tensor) -> Tensor:
        """Representations as they are compared."""
        seen = whole if self.demean == "none" else whole - self._mean(whole, dataset)
        projected: Tensor = self.projection(seen)
        return projected

    def _mean(self, whole: Tensor, dataset: Tensor) -> Tensor:
        if self.training:
            self._learn(whole.detach().float(), dataset)
        return self.means[dataset].to(whole.dtype)

    @torch.no_grad()
    def _learn(self, whole: Tensor, dataset: Tensor) -> None:
        """Of all processes, or each would know its own."""
        of = functional.one_hot(dataset, len(self.means)).float()[:, :, None]
        totals = torch.cat([(of * whole[:, None]).sum(0), of.sum(0)], 1)
        if distributed.is_available() and distributed.is_initialized():
            distributed.all_reduce(totals)
        count = totals[:, -1]
        share = torch.where(self.known, 1 - _MOMENTUM, 1.0) * (count > 0)
        self.means.lerp_(totals[:, :-1] / count.clamp(min=1)[:, None], share[:, None])
        self.known |= count > 0

    @property
    def dims(self) -> int:
        return self.network.dims

    def groups(self) -> dict[str, list[nn.Parameter]]:
        heads = [*self.projection.parameters(), *self.places.parameters()]
        roles = self.network.groups()
        return {**roles, "decoder": [*roles["decoder"], *heads]}

    def learnt(self) -> Sequence[str]:
        """How the names of the network's tensors begin that have learnt."""
        decoder = [f"body.decoder.blocks.{number}." for number in range(self.levels)]
        return (*encoder_of(self.network), *(["body.decoder.center.", *decoder] if decoder else []))


class Memory(nn.Module):
    """The last so many embeddings, and what they were of: a part of the state, so that a run goes on as it was."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.past: Tensor
        self.past_of: Tensor
        self.register_buffer("past", torch.zeros(size, width))
        self.register_buffer("past_of", torch.full((size, _COLUMNS), -1))

    def read(self) -> tuple[Tensor, Tensor]:
        there = self.past_of[:, 0] >= 0
        return self.past[there], self.past_of[there]

    @torch.no_grad()
    def write(self, z: Tensor, z_of: Tensor) -> None:
        for kept, new in ((self.past, z), (self.past_of, z_of)):
            kept.copy_(torch.cat([kept, new.to(kept.dtype)])[-len(kept) :])


def encoder_of(network: SegmentationNetwork) -> Sequence[str]:
    names = {id(module): name for name, module in network.named_modules()}
    return [f"{names[id(trunk)]}." for trunk in network.body.trunks().values()]


def _looked_at(network: SegmentationNetwork, levels: int) -> tuple[int, int]:
    """How wide the deepest map is, and the decoder's after so many levels, by a look at a small image. What takes no part in
    them does not learn: several processes would wait for its gradients."""
    training = network.training
    network.eval()
    with torch.enable_grad():
        found = network(trial(network.body, network.channels), features=True, decode=False, levels=levels)
    network.train(training)
    deepest, decoded = found.features[-1], found.decoded
    last = deepest if decoded is None else decoded
    learning = [p for p in network.parameters() if p.requires_grad]
    reached = torch.autograd.grad(last.sum(), learning, allow_unused=True) if last.requires_grad else ()
    for parameter, slope in itertools.zip_longest(learning, reached):
        parameter.requires_grad_(slope is not None)
    return deepest.shape[1], 0 if decoded is None else decoded.shape[1]
