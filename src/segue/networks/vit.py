"""Plain vision transformers as encoders: one grid of tokens made into maps of every size.

Patches of 14 pixels do not fit maps that halve and double. So the image is resized a little beforehand, such that one
patch stands for 16 of its pixels (8 or 32 for other patches), and any architecture can go on from there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segue.networks.encoders import Encoder
from segue.networks.network import Body
from segue.networks.operators import smp, timm
from segue.networks.outputs import Outputs

_STEM = 32
_WIDTHS = {4: 64, 8: 128, 16: 256, 32: 256}


class Tokens(nn.Module):
    """The transformer: maps from `count` of its blocks, evenly spaced, the last one among them, with their class token."""

    knows_places = True

    def __init__(self, encoder: Encoder, channels: int, count: int) -> None:
        super().__init__()
        self.model: Any = timm().create_model(encoder.key, in_chans=channels, num_classes=0, **encoder.options)
        blocks = len(self.model.feature_info)
        self.blocks = [blocks * (index + 1) // count - 1 for index in range(count)]
        self.width = int(self.model.feature_info[-1]["num_chs"])
        self.patch = int(self.model.feature_info[-1]["reduction"])
        self.stride = int(2 ** round(math.log2(self.patch)))
        self.classed = bool(getattr(self.model, "num_prefix_tokens", 0))

    def forward(self, x: Tensor) -> list[tuple[Tensor, Tensor | None]]:
        height, width = (size // self.stride * self.patch for size in x.shape[-2:])
        if self.patch != self.stride:
            x = F.interpolate(x, size=(height, width), mode="bilinear", align_corners=False, antialias=True)
        found = self.model.forward_intermediates(
            x, indices=self.blocks, norm=True, intermediates_only=True, return_prefix_tokens=self.classed
        )
        return [(each[0], each[1][:, :1]) for each in found] if self.classed else [(each, None) for each in found]


class Pyramid(nn.Module):
    """Tokens as an encoder for segmentation-models-pytorch: a map for each halving of the image.

    The finest one comes from a small convolution on the image, since tokens know nothing of edges.
    """

    def __init__(self, encoder: Encoder, channels: int, depth: int, output_stride: int = 32) -> None:
        super().__init__()
        self.tokens = Tokens(encoder, channels, depth - 1)
        strides = [2 ** (level + 2) for level in range(depth - 1)]
        self.out_channels = [channels, _STEM, *(_WIDTHS[stride] for stride in strides)]
        self.output_stride, self.patch = strides[-1], self.tokens.stride
        self.stem = nn.Sequential(nn.Conv2d(channels, _STEM, 3, 2, 1, bias=False), nn.BatchNorm2d(_STEM), nn.ReLU())
        self.levels = nn.ModuleList(self._level(stride, stride) for stride in strides)

    def set_in_channels(self, channels: int, pretrained: bool = True) -> None:
        """The transformer was made for them. This and `make_dilated` are what the library asks of an encoder."""

    def make_dilated(self, output_stride: int) -> None:
        """Levels deeper than this keep its size: what dilation does to a convolutional encoder."""
        strides = [2 ** (level + 2) for level in range(len(self.levels))]
        self.output_stride = min(output_stride, self.output_stride)
        self.levels = nn.ModuleList(self._level(stride, min(stride, output_stride)) for stride in strides)

    def _level(self, stride: int, drawn: int) -> nn.Module:
        width, have = _WIDTHS[stride], self.tokens.stride
        steps: list[nn.Module] = [nn.Conv2d(self.tokens.width, width, 1, bias=False), nn.BatchNorm2d(width)]
        while have > drawn:
            steps += [nn.ReLU(), nn.ConvTranspose2d(width, width, 2, 2, bias=False), nn.BatchNorm2d(width)]
            have //= 2
        while have < drawn:
            steps += [nn.ReLU(), nn.Conv2d(width, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width)]
            have *= 2
        return nn.Sequential(*steps)

    def forward(self, x: Tensor) -> list[Tensor]:
        levels = zip(self.levels, self.tokens(x), strict=True)
        return [x, self.stem(x), *(level(found) for level, (found, _) in levels)]


class DptBody(Body):
    """DPT's decoder and head on tokens. A feature map holds, at each place, its own token and the class token."""

    def __init__(self, encoder: Encoder, channels: int, classes: int, depth: int, fusion: int) -> None:
        super().__init__()
        count = depth - 1
        self.encoder = Tokens(encoder, channels, count)
        dpt = smp().decoders.dpt
        self.decoder: Any = dpt.decoder.DPTDecoder(
            encoder_out_channels=[self.encoder.width] * count,
            encoder_output_strides=[self.encoder.stride] * count,
            encoder_has_prefix_tokens=self.encoder.classed,
            readout="cat" if self.encoder.classed else "ignore",
            intermediate_channels=[self.encoder.width // 2 ** max(3 - level, 0) for level in range(count)],
            fusion_channels=fusion,
        )
        self.head: Any = dpt.decoder.DPTSegmentationHead(fusion, classes, upsampling=2)
        base = smp().base.initialization
        base.initialize_decoder(self.decoder)
        base.initialize_head(self.head)
        self.divisor = self.smallest = max(2**depth, self.encoder.stride)

    def trunks(self) -> Mapping[str, nn.Module]:
        return {"encoder": self.encoder.model}

    def encode(self, x: Tensor) -> Sequence[Tensor]:
        return [
            found if token is None else torch.cat([found, _spread(token, found)], 1) for found, token in self.encoder(x)
        ]

    def decode(self, x: Tensor, maps: Sequence[Tensor]) -> Outputs:
        width = self.encoder.width
        # The class token lies at every place; the decoder wants it once and lays it out again itself.
        tokens = [each[:, width:].mean((2, 3)).unsqueeze(1) if self.encoder.classed else None for each in maps]
        return Outputs(self.head(self.decoder([each[:, :width] for each in maps], tokens)))


def _spread(token: Tensor, over: Tensor) -> Tensor:
    return token.transpose(1, 2).unsqueeze(-1).expand(-1, -1, *over.shape[-2:])
