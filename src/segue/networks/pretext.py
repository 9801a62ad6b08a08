"""A network while it learns without masks: a head on top says what is compared, and is thrown away afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

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
        encoded, decoded = _widths(network, levels)
        self.projection: nn.Module = nn.Identity()
        self.places: nn.Module = nn.Identity()
        if levels:
            self.places = nn.Sequential(nn.Conv2d(decoded, decoded, 1), nn.ReLU(), nn.Conv2d(decoded, width, 1))
        elif demean != "representation":
            self.projection = nn.Sequential(nn.Linear(encoded, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, width))
        self.memory = Memory(memory, width) if memory and not levels else None
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
            with torch.no_grad():
                for number in dataset.unique():
                    mean = whole[dataset == number].float().mean(0)
                    share = 1 - _MOMENTUM if self.known[number] else 1.0
                    self.means[number] = self.means[number].lerp(mean, share)
                    self.known[number] = True
        return self.means[dataset].to(whole.dtype)

    @property
    def dims(self) -> int:
        return self.network.dims

    def groups(self) -> dict[str, list[nn.Parameter]]:
        heads = [*self.projection.parameters(), *self.places.parameters()]
        roles = self.network.groups()
        return {**roles, "decoder": [*roles["decoder"], *heads]}

    def learnt(self) -> Sequence[str]:
        """How the names of the network's tensors begin that have learnt."""
        blocks = (f"body.decoder.blocks.{number}." for number in range(self.levels))
        return (*encoder_of(self.network), *blocks)


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


def _widths(network: SegmentationNetwork, levels: int) -> tuple[int, int]:
    """Of the deepest map, and of the decoder's after so many levels. Found by a look at a small image."""
    training = network.training
    network.eval()
    with torch.no_grad():
        found = network(trial(network.body, network.channels), features=True, decode=False, levels=levels)
    network.train(training)
    return found.features[-1].shape[1], 0 if found.decoded is None else found.decoded.shape[1]
