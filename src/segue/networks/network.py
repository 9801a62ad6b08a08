"""The network that everybody sees: colours 0..1 of any size in, logits of that size out.

Around a body that knows only normalised images of fitting sizes, it brings channels, colours and sizes there and back.
A body is one module with one forward, `body(x, maps)`, which gives Outputs with features; given maps, it decodes those.
It is made of two halves, `encode` and `decode`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segue.data.target import Target
from segue.errors import BadInput
from segue.networks.matched import Matched
from segue.networks.norms import has_batch_norm, keep_still
from segue.networks.outputs import Outputs
from segue.networks.settings import NetworkSettings


class Body(nn.Module):
    """What an architecture must be; `trunks` are the parts that pre-trained weights fill, by name."""

    dims: int = 2
    """Axes of an image."""
    divisor: int | tuple[int, ...]
    """Sizes must be a multiple of it, along all axes or each ..."""
    smallest: int | tuple[int, ...]
    """... and no smaller than this."""

    def trunks(self) -> Mapping[str, nn.Module]:
        raise NotImplementedError

    def encode(self, x: Tensor) -> Sequence[Tensor]:
        """The encoder's maps, finest first."""
        raise NotImplementedError

    def decode(self, x: Tensor, maps: Sequence[Tensor]) -> Outputs:
        raise NotImplementedError

    def partly(self, maps: Sequence[Tensor], levels: int) -> Tensor:
        """The decoder's map after so many of its levels."""
        raise BadInput("only unet has a decoder that can be asked for a part of itself", hint="--architecture unet")

    def forward(
        self, x: Tensor, maps: Sequence[Tensor] | None = None, *, decode: bool = True, levels: int = 0
    ) -> Outputs:
        found = tuple(self.encode(x) if maps is None else maps)
        done = self.decode(x, found) if decode else Outputs(x.new_empty(len(x), 0, *x.shape[2:]))
        return done._replace(features=found, decoded=self.partly(found, levels) if levels else None)


class SegmentationNetwork(nn.Module):
    """`network(x)`; `network(x, features=True)` tells the encoder's maps too; `network(x, features=maps)` decodes those;
    `network(x, features=True, decode=False)` tells nothing else, but with `levels=2` the decoder's map after two levels.

    Everything goes through this one forward: a submodule that is called around it escapes DDP and autocast in silence.
    """

    def __init__(
        self,
        body: Body,
        *,
        settings: NetworkSettings,
        target: Target,
        channels: int,
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        super().__init__()
        self.body = body
        self.settings, self.target, self.channels = settings, target, channels
        self.matched: Matched | None = None
        """What was found of the weights that the settings name."""
        self.colour_mean: Tensor
        self.colour_std: Tensor
        self.register_buffer("colour_mean", self._colours_of(mean))
        self.register_buffer("colour_std", self._colours_of(std))
        self.knows_places = any(getattr(part, "knows_places", False) for part in body.modules())
        """It has learnt the places of a canvas by heart, so that another canvas is another thing to it."""
        self._batch_normed = any(has_batch_norm(trunk) for trunk in body.trunks().values())

    @property
    def dims(self) -> int:
        """Axes of an image: 3 of a volume."""
        return self.body.dims

    @property
    def mean(self) -> tuple[float, ...]:
        """The colour (0..1, a number per channel) that normalisation maps to zero."""
        return tuple(float(value) for value in self.colour_mean.flatten())

    @property
    def std(self) -> tuple[float, ...]:
        """What normalisation divides by."""
        return tuple(float(value) for value in self.colour_std.flatten())

    def set_colours(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """What images are normalised with: what the weights have been trained with."""
        self.colour_mean.copy_(self._colours_of(mean))
        self.colour_std.copy_(self._colours_of(std))

    def _colours_of(self, numbers: Sequence[float]) -> Tensor:
        return torch.tensor(tuple(numbers)).view(1, -1, *[1] * self.dims)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """All parameters: the encoder's, and everything else."""
        encoder = {id(p): p for trunk in self.body.trunks().values() for p in trunk.parameters()}
        return {
            "encoder": list(encoder.values()),
            "decoder": [p for p in self.parameters() if id(p) not in encoder],
        }

    def train(self, mode: bool = True) -> Self:
        """As always, but what does not learn keeps its running statistics too."""
        super().train(mode)
        if mode and self.settings.tune != "full":
            for trunk in self.body.trunks().values():
                keep_still(trunk, everything=self.settings.tune == "frozen")
        return self

    def forward(
        self, x: Tensor, *, features: bool | Sequence[Tensor] = False, decode: bool = True, levels: int = 0
    ) -> Outputs:
        if x.ndim != 2 + self.dims or x.shape[1] != self.channels:
            axes = "h, w" if self.dims == 2 else "d, h, w"
            raise BadInput(
                f"the network expects images of shape (n, {self.channels}, {axes}), got {tuple(x.shape)}",
                hint="A network is built for a number of channels: build(settings, target, channels).",
            )
        if self.settings.members > 1 and features is not False:
            raise BadInput(
                "network.members: each has an encoder of its own, and this asks for the maps of one",
                hint="--set network.members=1",
            )
        whole = (slice(None), slice(None), *(slice(side) for side in x.shape[2:]))
        fitting = self._fitting(x)
        if self._lost_in_one_pixel(fitting):
            raise BadInput(
                f"batch norm cannot learn from a single image of {x.shape[2]}x{x.shape[3]}: its deepest map is one pixel",
                hint="Larger images, a larger batch, or network.norm=group.",
            )
        found = self.body(fitting, None if isinstance(features, bool) else features, decode=decode, levels=levels)

        def cropped(y: Tensor) -> Tensor:
            return y[whole]

        again = found.reconstruction
        return Outputs(
            cropped(found.logits),
            tuple(cropped(each) for each in found.deep),
            tuple(found.coarse),
            tuple(found.features) if features is not False else (),
            found.decoded,
            None if again is None else cropped(self._colours(again)),
            tuple(Outputs(cropped(one.logits), coarse=tuple(one.coarse)) for one in found.members),
        )

    def _fitting(self, x: Tensor) -> Tensor:
        """Normalised, padded at the far end of each axis by the mean colour, which is zero by then."""
        x = (x - self.colour_mean) / self.colour_std
        missing = [self._missing(size, axis) for axis, size in enumerate(x.shape[2:])]
        if any(missing):
            x = F.pad(x, [pad for more in reversed(missing) for pad in (0, more)])
        return x

    def _lost_in_one_pixel(self, x: Tensor) -> bool:
        learns = self.training and self._batch_normed and self.settings.tune == "full"
        return learns and x.shape[0] * x.shape[2:].numel() == math.prod(
            _along(self.body.divisor, axis) for axis in range(self.dims)
        )

    def _missing(self, size: int, axis: int) -> int:
        divisor, smallest = _along(self.body.divisor, axis), _along(self.body.smallest, axis)
        return -size % divisor if size > smallest else smallest - size

    def _colours(self, y: Tensor) -> Tensor:
        return y * self.colour_std + self.colour_mean


def _along(number: int | tuple[int, ...], axis: int) -> int:
    return number if isinstance(number, int) else number[axis]
