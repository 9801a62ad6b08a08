"""Learning to paint: a hole is filled so that it shows what the mask says, and a critic tells painted places from real ones.

The hole is some edit's, the mask is the true one, so that what was there is the answer: lesions where it says so, healthy
tissue elsewhere. Each window is painted twice, with two noises. The first is held to what was there; the second only to the
critic, and to being another than the first. An encoder of our own may be asked too how unlike what was there the first one is:
it is told grain and form, where colours alone are content with a blur.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segue.methods.settings import InpaintingSettings
from segue.networks import SegmentationNetwork
from segue.networks.painter import Critic, Painter
from segue.step import Batch, Loss, View
from segue.variations.variation import Variation

_LEAST = 1e-6
_ENOUGH = 0.05  # of the range of colours: two pictures that differ by so much need not differ more


class Inpainting:
    accumulates = True
    average: Callable[..., Any] | None = None

    def __init__(
        self, painter: Painter, critic: Critic, told: InpaintingSettings, variation: Variation,
        encoder: SegmentationNetwork | None = None,
    ) -> None:  # fmt: skip
        """`encoder`: of `perceptual`; it is none of the networks that learn, and must not be one."""
        self.told, self.encoder = told, encoder
        self.networks: dict[str, nn.Module] = {"painter": painter, "critic": critic}
        self.views: Sequence[Variation] = (variation,)
        self.beside: Sequence[Variation] = ()
        self.remembers: dict[str, Tensor] = {}

    def step(self, batch: Batch) -> Generator[Loss, bool, None]:
        (view,) = batch.views
        given, hole = windows(view)
        weight = (hole.flatten(1).sum(1) > 0).float()
        one, other = (laid(given, hole, self._painted(given)) for _ in range(2))
        judged = torch.cat([given, one.detach(), other.detach()])
        real, *false = self._criticised(judged, hole, 3)
        wrong = _mean(F.relu(1 - real), hole) + sum(_mean(F.relu(1 + each), hole) for each in false) / 2
        yield Loss("critic", wrong, weight, {"critic": wrong.detach()})

        pleased = sum(_mean(-each, hole) for each in self._criticised(torch.cat([one, other]), hole, 2)) / 2
        off, apart = off_by(one, given, hole), off_by(one, other, hole)
        same = F.relu(1 - apart / _ENOUGH)
        total = off + self.told.critic * pleased + self.told.variety * same
        parts = {"off": off.detach(), "apart": apart.detach()}
        if self.encoder is not None:
            unlike = unlike_by(self.encoder, one, given, hole)
            total, parts = total + self.told.perceptual * unlike, {**parts, "unlike": unlike.detach()}
        yield Loss("painter", total, weight, parts)

    def _painted(self, given: Tensor) -> Tensor:
        found: Tensor = self.networks["painter"](given).logits
        return torch.sigmoid(found.float())

    def _criticised(self, given: Tensor, hole: Tensor, count: int) -> list[Tensor]:
        found: Tensor = self.networks["critic"](given)
        return list(found.float().chunk(count))

    def predictor(self) -> str:
        return "painter"


def windows(view: View) -> tuple[Tensor, Tensor]:
    """(n, channels + 2, ...) as networks see it, and the hole (n, 1, ...); masks have two regions: what is there, the hole."""
    inside, hole = ((view.target[:, place, None] == 1).float() for place in range(2))
    return torch.cat([view.images, hole, inside], 1), hole * view.shown[:, None]


def laid(given: Tensor, hole: Tensor, painted: Tensor) -> Tensor:
    """The windows with what was painted in their holes."""
    colours = given.shape[1] - 2
    return torch.cat([torch.where(hole > 0, painted, given[:, :colours]), given[:, colours:]], 1)


def off_by(one: Tensor, other: Tensor, hole: Tensor) -> Tensor:
    """(n,): how far the colours of two windows are from each other in their holes."""
    return _mean((one - other)[:, :-2].abs().mean(1, keepdim=True), hole)


def unlike_by(encoder: SegmentationNetwork, one: Tensor, given: Tensor, hole: Tensor) -> Tensor:
    """(n,): how far an encoder's maps of the one are from those of what was there, in the cells that the hole reaches into;
    of each level as a share of what was there, the mean over all."""
    with torch.no_grad():
        there = maps_of(encoder, given[:, :-2])
    shares = []
    for mine, theirs in zip(maps_of(encoder, one[:, :-2]), there, strict=True):
        wide = theirs.square().mean((1, 2, 3)).clamp(min=_LEAST)
        shares.append(_mean((mine - theirs).square().mean(1, keepdim=True), hole) / wide)
    return torch.stack(shares).mean(0)


def maps_of(encoder: SegmentationNetwork, colours: Tensor) -> list[Tensor]:
    """Finest first, without the image itself, which some encoders tell too; grey is repeated."""
    seen = colours.expand(-1, encoder.channels, -1, -1)
    maps = encoder(seen, features=True, decode=False).features
    return [level.float() for level in maps if level.shape[1:] != seen.shape[1:]]


def _mean(values: Tensor, hole: Tensor) -> Tensor:
    """(n,): of (n, 1, ...) over the hole, in however coarse cells."""
    if values.shape[2:] != hole.shape[2:]:
        hole = F.adaptive_max_pool2d(hole, values.shape[2:])
    return (values * hole).flatten(1).sum(1) / hole.flatten(1).sum(1).clamp(min=1)
