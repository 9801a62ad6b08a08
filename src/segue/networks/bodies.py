"""Bodies made of segmentation-models-pytorch's parts: one network, or two or three that look at each other's masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segue.errors import BadInput
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

    def encode(self, x: Tensor) -> Sequence[Tensor]:
        maps: Sequence[Tensor] = self.encoder(x)
        return maps

    def decode(self, x: Tensor, maps: Sequence[Tensor]) -> Outputs:
        return Outputs(self.head(self.decoder(list(maps))))  # some decoders change the list that they are given


class UnetBody(SmpBody):
    """Its decoder is a row of levels, each a whole: so it can be asked for the first of them."""

    def partly(self, maps: Sequence[Tensor], levels: int) -> Tensor:
        blocks = list(self.decoder.blocks)
        if not 0 < levels < len(blocks):
            raise BadInput(f"levels: the decoder has {len(blocks)}, of which 1 to {len(blocks) - 1} can be asked for")
        deepest_first = list(maps)[:0:-1]  # the image itself is not decoded
        x: Tensor = self.decoder.center(deepest_first[0])
        for number, block in enumerate(blocks[:levels]):
            skip = deepest_first[number + 1]
            x = block(x, skip.shape[2], skip.shape[3], skip_connection=skip)
        return x


class Linear(SmpBody):
    """No decoder: a convolution of 1 x 1 on every map of the encoder, their sum as large as the image. What it finds was in
    the maps already, so it tells what an encoder has learnt."""

    def __init__(self, model: Any, classes: int) -> None:
        super().__init__(model)
        self.decoder = nn.ModuleList(nn.Conv2d(width, classes, 1) for width in model.encoder.out_channels[1:] if width)
        self.head = nn.Identity()

    def decode(self, x: Tensor, maps: Sequence[Tensor]) -> Outputs:
        seen = [each for each in list(maps)[1:] if each.shape[1]]
        votes = [
            F.interpolate(vote(each), size=x.shape[2:], mode="bilinear")
            for vote, each in zip(self.decoder, seen, strict=True)
        ]
        return Outputs(torch.stack(votes).sum(0))


class DualDecoder(SmpBody):
    """A second decoder on the same encoder gives the image back, so that the encoder must keep what the image holds."""

    def __init__(self, model: Any, other: Any) -> None:
        super().__init__(model)
        self.painter: Any = other.decoder
        self.canvas: Any = other.segmentation_head

    def decode(self, x: Tensor, maps: Sequence[Tensor]) -> Outputs:
        return super().decode(x, maps)._replace(reconstruction=self.canvas(self.painter(list(maps))))


class OnMasks(Body):
    """Several networks, the last of which sees what those before it say. Features are the last one's."""

    def before(self, x: Tensor) -> tuple[Tensor, ...]:
        """Logits of those before the last."""
        raise NotImplementedError

    def shown(self, x: Tensor, said: tuple[Tensor, ...]) -> Tensor:
        """What the last one sees."""
        raise NotImplementedError

    @property
    def last(self) -> SmpBody:
        raise NotImplementedError

    def trunks(self) -> Mapping[str, nn.Module]:
        return {name: body.trunks()["encoder"] for name, body in self.named_children() if isinstance(body, SmpBody)}

    def encode(self, x: Tensor) -> Sequence[Tensor]:
        return self.last.encode(self.shown(x, self.before(x)))

    def decode(self, x: Tensor, maps: Sequence[Tensor]) -> Outputs:
        return self.last.decode(x, maps)

    def forward(
        self, x: Tensor, maps: Sequence[Tensor] | None = None, *, decode: bool = True, levels: int = 0
    ) -> Outputs:
        if maps is not None or not decode:
            return super().forward(x, maps, decode=decode, levels=levels)
        deep = self.before(x)
        return self.last(self.shown(x, deep))._replace(deep=deep)


class TriUnet(OnMasks):
    """Two networks see the image, a third sees the two masks."""

    def __init__(self, first: SmpBody, second: SmpBody, third: SmpBody) -> None:
        super().__init__()
        self.first, self.second, self.third = first, second, third
        self.divisor, self.smallest = first.divisor, first.smallest

    def before(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.first(x).logits, self.second(x).logits

    def shown(self, x: Tensor, said: tuple[Tensor, ...]) -> Tensor:
        return torch.sigmoid(torch.cat(said, 1))

    @property
    def last(self) -> SmpBody:
        return self.third


class Stacked(OnMasks):
    """The second network sees the image and the first one's mask."""

    def __init__(self, first: SmpBody, second: SmpBody) -> None:
        super().__init__()
        self.first, self.second = first, second
        self.divisor, self.smallest = first.divisor, first.smallest

    def before(self, x: Tensor) -> tuple[Tensor, ...]:
        return (self.first(x).logits,)

    def shown(self, x: Tensor, said: tuple[Tensor, ...]) -> Tensor:
        return torch.cat([x, torch.sigmoid(said[0])], 1)

    @property
    def last(self) -> SmpBody:
        return self.second
