"""Bodies made of segmentation-models-pytorch's parts: one network, or two or three that look at each other's masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from segue.networks.network import Body
from segue.networks.outputs import Outputs


class SmpBody(Body):
    """One of its architectures: encoder, decoder, head."""

    def __init__(self, model: Any, *, smallest: int = 1) -> None:
        super().__init__()
        self.encoder: Any = model.encoder
        self.decoder: Any = model.decoder
        self.head: Any = model.segmentation_head
        self.divisor = max(int(self.encoder.output_stride), getattr(self.encoder, "patch", 1))
        self.smallest = max(smallest, self.divisor)

    def trunks(self) -> Mapping[str, nn.Module]:
        # Around timm's networks stand a wrapper, or tokens made into maps: these are new, the network inside is what
        # pre-trained weights fill.
        inner = getattr(self.encoder, "tokens", self.encoder)
        return {"encoder": getattr(inner, "model", inner)}

    def forward(self, x: Tensor, maps: Sequence[Tensor] | None = None) -> Outputs:
        found = self.encoder(x) if maps is None else maps
        # Some decoders change the list that they are given.
        return Outputs(self.head(self.decoder(list(found))), features=tuple(found))


class DualDecoder(SmpBody):
    """A second decoder on the same encoder gives the image back, so that the encoder must keep what the image holds."""

    def __init__(self, model: Any, other: Any) -> None:
        super().__init__(model)
        self.painter: Any = other.decoder
        self.canvas: Any = other.segmentation_head

    def forward(self, x: Tensor, maps: Sequence[Tensor] | None = None) -> Outputs:
        found = super().forward(x, maps)
        return found._replace(reconstruction=self.canvas(self.painter(list(found.features))))


class TriUnet(Body):
    """Two networks see the image, a third sees the two masks. Features are the third's."""

    def __init__(self, first: SmpBody, second: SmpBody, third: SmpBody) -> None:
        super().__init__()
        self.first, self.second, self.third = first, second, third
        self.divisor, self.smallest = first.divisor, first.smallest

    def trunks(self) -> Mapping[str, nn.Module]:
        return {name: body.trunks()["encoder"] for name, body in self.named_children() if isinstance(body, SmpBody)}

    def forward(self, x: Tensor, maps: Sequence[Tensor] | None = None) -> Outputs:
        if maps is not None:
            return self.third(x, maps)
        deep = self.first(x).logits, self.second(x).logits
        return self.third(torch.sigmoid(torch.cat(deep, 1)))._replace(deep=deep)


class Stacked(Body):
    """The second network sees the image and the first one's mask. Features are the second's."""

    def __init__(self, first: SmpBody, second: SmpBody) -> None:
        super().__init__()
        self.first, self.second = first, second
        self.divisor, self.smallest = first.divisor, first.smallest

    def trunks(self) -> Mapping[str, nn.Module]:
        return {name: body.trunks()["encoder"] for name, body in self.named_children() if isinstance(body, SmpBody)}

    def forward(self, x: Tensor, maps: Sequence[Tensor] | None = None) -> Outputs:
        if maps is not None:
            return self.second(x, maps)
        rough = self.first(x).logits
        return self.second(torch.cat([x, torch.sigmoid(rough)], 1))._replace(deep=(rough,))
