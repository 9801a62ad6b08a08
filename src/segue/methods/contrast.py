"""Learning from images alone, by contrast: views of one image, or of one part of an anatomy, are represented alike.

Who is alike is said by columns (volume, partition, dataset, patient), never by places in the batch. The images of a batch are
compared with each other, so a batch is never cut; several processes share theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
import torch.distributed as distributed
from torch import Tensor, nn

from segue.losses.contrast import Contrasted, contrast
from segue.losses.pairs import Columns, Negatives, pairs
from segue.losses.places import local_contrast
from segue.methods.settings import ContrastSettings
from segue.networks.pretext import Embedded, Memory, Pretext
from segue.step import KNOWN, Batch, Loss
from segue.variations import parse
from segue.variations.address import Address
from segue.variations.drawn import Drawn
from segue.variations.variation import Scene, Variation


class Contrast:
    """Whole images are compared."""

    accumulates = False
    average: Callable[..., Any] | None = None

    def __init__(self, network: Pretext, told: ContrastSettings, variation: Variation) -> None:
        self.told = told
        self.memory = network.memory
        self.networks: dict[str, nn.Module] = {"encoder": network}
        self.beside: Sequence[Variation] = ()
        self.remembers: dict[str, Tensor] = {}
        self.compared: Sequence[Variation] = (*([parse("none")] if told.plain else []), variation, variation)
        self.views: Sequence[Variation] = (*self.compared, *([Steady(variation)] * 2 if told.representation else []))

    def step(self, batch: Batch) -> Generator[Loss, bool, None]:
        columns = columns_of(batch)
        count = len(self.compared)
        rows = columns.views(count, first=0 if self.told.plain else 1)
        steady = columns.views(len(self.views) - count, first=1)
        both = torch.cat([rows.dataset, steady.dataset])
        found: Embedded = self.networks["encoder"](torch.cat([view.images for view in batch.views]), both)
        z = found.embedding[: len(rows)]
        global_ = self._compared(z, rows, self.memory)
        loss, weight, parts = global_.loss, global_.weight, {"contrast": global_.loss.detach()}
        if self.told.representation:
            whole = self._compared(found.representation[len(rows) :], steady, None)
            share = self.told.representation
            # As many anchors count as much, however many views either side has.
            loss = torch.cat([loss, whole.loss])
            weight = torch.cat([(1 - share) * weight / len(rows), share * whole.weight / len(steady)])
            parts = {**parts, "representation": whole.loss.detach()}
        yield Loss("encoder", loss, weight, parts)

    def _compared(self, z: Tensor, rows: Columns, memory: Memory | None) -> Contrasted:
        everyone, theirs, own = gathered(z, rows)
        present = len(everyone)
        if memory is not None:
            past, past_of = memory.read()
            others, known = (
                torch.cat([everyone, past.to(everyone.dtype)]),
                Columns.cat([theirs, Columns(*past_of.unbind(1))]),
            )
            memory.write(everyone.detach(), torch.stack(theirs.all(), 1))
        else:
            others, known = everyone, theirs
        found = self._against(z, others, rows, known, own, present, self.told.negatives)
        if self.told.own:
            # The second of the published two steps, in one.
            near = self._against(z, others, rows, known, own, present, "dataset")
            share = self.told.own
            found = Contrasted((1 - share) * found.loss + share * near.loss, found.weight)
        return found

    def _against(
        self, z: Tensor, others: Tensor, rows: Columns, theirs: Columns, own: int, present: int, whose: Negatives
    ) -> Contrasted:
        found = pairs(rows, theirs, self.told.positives, own=own, elsewhere=self.told.elsewhere, negatives=whose)
        # What is remembered was made by older weights: to be far from, not near to.
        found.positives[:, present:] = False
        return contrast(z, others, found, self.told.temperature)

    def predictor(self) -> str:
        return "encoder"


class Local:
    """Places of the decoder's maps are compared, where geometry is undone."""

    accumulates = False
    average: Callable[..., Any] | None = None

    def __init__(self, network: Pretext, told: ContrastSettings, variation: Variation) -> None:
        self.told = told
        self.networks: dict[str, nn.Module] = {"encoder": network}
        self.views: Sequence[Variation] = (variation, variation)
        self.beside: Sequence[Variation] = ()
        self.remembers: dict[str, Tensor] = {}

    def step(self, batch: Batch) -> Generator[Loss, bool, None]:
        columns = columns_of(batch)
        one, other = batch.views
        found: Embedded = self.networks["encoder"](torch.cat([one.images, other.images]), columns.dataset.repeat(2))
        laid = [
            view.drawn.undo(maps.float(), valid=_smaller(view.shown, maps))
            for view, maps in zip(batch.views, found.maps.chunk(2), strict=True)
        ]
        (mine, mine_known), (theirs, theirs_known) = laid
        done = local_contrast(
            mine, theirs, mine_known & theirs_known, temperature=self.told.temperature, regions=self.told.regions,
            neighbours=self.told.neighbours, across=columns if self.told.across else None,
        )  # fmt: skip
        yield Loss("encoder", done.loss, done.weight)

    def predictor(self) -> str:
        return "encoder"


@dataclass(frozen=True)
class Steady:
    """A variation whose geometry is left away."""

    of: Variation

    @property
    def name(self) -> str:
        return self.of.name

    def draw(self, shape: tuple[int, int], key: Sequence[Address]) -> Drawn:
        return self.of.draw(shape, key).photometric()

    def into(self, scene: Scene) -> Drawn:
        return self.of.into(scene).photometric()

    def scaled(self, severity: float) -> Self:
        return replace(self, of=self.of.scaled(severity))


def columns_of(batch: Batch) -> Columns:
    assert batch.known is not None
    known = dict(zip(KNOWN, batch.known.T, strict=True))
    return Columns(**known, view=torch.zeros_like(known["image"]))


def gathered(z: Tensor, rows: Columns) -> tuple[Tensor, Columns, int]:
    """Of all processes, and where this one's begin; gradients flow back to whose they are."""
    if not (distributed.is_available() and distributed.is_initialized()) or distributed.get_world_size() == 1:
        return z, rows, 0
    everyone: Tensor = _Everyone.apply(z)
    return everyone, rows.each(_of_all), distributed.get_rank() * len(z)


def _of_all(mine: Tensor) -> Tensor:
    parts = [torch.empty_like(mine) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, mine.contiguous())
    return torch.cat(parts)


class _Everyone(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        return _of_all(z)

    @staticmethod
    def backward(ctx: Any, slopes: Tensor) -> Tensor:
        slopes = slopes.clone()
        distributed.all_reduce(slopes)
        return slopes.chunk(distributed.get_world_size())[distributed.get_rank()]


def _smaller(shown: Tensor, maps: Tensor) -> Tensor:
    """Where a map's cell shows nothing but the picture."""
    share = nn.functional.adaptive_avg_pool2d(shown[:, None].float(), (maps.shape[2], maps.shape[3]))
    return share[:, 0] > 0.999
