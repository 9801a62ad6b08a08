"""What is enlarged twice and then convolved, done as one transposed convolution.

A decoder's block repeats every pixel of its map 2 x 2 times, joins the skip's map and convolves the two by 3 x 3. Of
the nine products that make a pixel of the enlarged map, most multiply the same value with another weight. To add these
weights first, and to convolve the small map by 4 x 4 at stride two, gives the same numbers (to rounding) from 4 products
where there were 9, and the enlarged map is never made: a U-Net's step takes a fifth less time on a processor. Parameters
and their names stay as they are in segmentation-models-pytorch.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from segue.networks.exchange import exchange

# Row a, column k: whether the kernel's row k reaches row a of what a pixel of the small map contributes to.
_ROWS = ((0, 0, 1), (0, 1, 1), (1, 1, 0), (1, 0, 0))
_KERNEL, _FOLDED = 3, 4


def fold_enlarging(module: nn.Module) -> None:
    """Every block of the decoder that can be computed so is from now on."""
    exchange(module, _folded)


def reach() -> Tensor:
    """(16, 9): how much of each weight of the 3 x 3 is in each of the 4 x 4."""
    rows = torch.tensor(_ROWS, dtype=torch.float32)
    return torch.einsum("ak,bl->abkl", rows, rows).reshape(_FOLDED**2, _KERNEL**2)


def enlarged_convolution(
    x: Tensor, skip: Tensor | None, weight: Tensor, reach: Tensor, bias: Tensor | None = None
) -> Tensor:
    """`conv2d(cat([x enlarged twice, skip]), weight, bias, padding=1)`."""
    channels = x.shape[1]
    folded = (weight[:, :channels].reshape(-1, _KERNEL**2) @ reach.T).view(-1, channels, _FOLDED, _FOLDED)
    y = F.conv_transpose2d(x, _like(folded.transpose(0, 1), weight), bias, stride=2, padding=1)
    if skip is None or not skip.shape[1]:  # some encoders' maps of half the image's size have no channels
        return y
    return y + F.conv2d(skip, _like(weight[:, channels:], weight), padding=1)


def _like(weight: Tensor, model: Tensor) -> Tensor:
    """A part of a kernel in the kernel's own order in memory, on which the choice of the fast routine hangs."""
    last = model.is_contiguous(memory_format=torch.channels_last)
    return weight.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)


class _Block(nn.Module):
    """A decoder's block of segmentation-models-pytorch, with that one's layers under that one's names."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.conv1, self.conv2 = block.conv1, block.conv2
        self.attention1 = getattr(block, "attention1", nn.Identity())
        self.attention2 = getattr(block, "attention2", nn.Identity())
        self.attends = any(True for _ in self.attention1.parameters())  # to the joined maps, which it then needs
        self.reach: Tensor
        self.register_buffer("reach", reach(), persistent=False)

    def joined(self, x: Tensor, height: int, width: int, skip: Tensor | None) -> Tensor:
        first, *rest = self.conv1
        twice = (height, width) == (2 * x.shape[-2], 2 * x.shape[-1])
        if twice and (skip is None or not self.attends):
            y = enlarged_convolution(x, skip, first.weight, self.reach, first.bias)
        else:
            x = F.interpolate(x, size=(height, width), mode="nearest")
            y = first(x if skip is None else self.attention1(torch.cat([x, skip], dim=1)))
        for layer in rest:
            y = layer(y)
        return self.attention2(self.conv2(y))


class EnlargingBlock(_Block):
    def forward(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        height, width = (2 * size for size in x.shape[-2:])
        return self.joined(x, height, width, skip)


class EnlargingUnetBlock(_Block):
    """The U-Net's, which is told how large its map shall be: with some encoders not twice as large."""

    def forward(self, x: Tensor, height: int, width: int, skip_connection: Tensor | None = None) -> Tensor:
        return self.joined(x, height, width, skip_connection)


_BLOCKS = {"UnetDecoderBlock": EnlargingUnetBlock, "DecoderBlock": EnlargingBlock}


def _folded(old: nn.Module) -> nn.Module | None:
    kind = _BLOCKS.get(type(old).__name__)
    first = getattr(old, "conv1", None)
    if kind is None or getattr(old, "interpolation_mode", None) != "nearest" or first is None:
        return None
    return kind(old)
