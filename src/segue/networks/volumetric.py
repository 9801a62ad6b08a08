"""U-Nets for volumes, as nnU-Net plans them: a stage keeps an axis whole, kernel included, as long as its voxels are much
longer along it than along the others; instance norms; logits of coarser stages while it learns.

Written here because the library that has them holds timm at an old version (docs/idea.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from segue.networks.network import Body
from segue.networks.outputs import Outputs
from segue.networks.settings import Stages, Triple

PLAIN, RESIDUAL = "plain-3d", "residual-3d"
ENCODERS = {PLAIN: "two convolutions a stage", RESIDUAL: "residual blocks, one to six a stage"}

_MOST = 320  # channels
_BLOCKS = (1, 3, 4, 6, 6, 6)  # of a residual encoder, by stage
_SLOPE = 0.01
_FEWEST = 4  # voxels along an axis that are not halved any more
_COARSE = 2.0  # times the finest spacing, above which an axis is left alone
_SHARES = 2  # of the coarsest stages have no logits of their own


def planned(patch: Triple, spacing: tuple[float, float, float], depth: int) -> Stages:
    """Kernels and strides by stage, the first at full size. An axis is halved while it is as fine as the others, nearly,
    and has the voxels for it."""
    kernels: list[Triple] = []
    strides: list[Triple] = [(1, 1, 1)]
    size, step = list(patch), list(spacing)
    seen = [1, 1, 1]
    while True:
        finest = min(step)
        # Once an axis has been convolved it is so further on: the others catch up with it.
        seen = [3 if before == 3 or now < _COARSE * finest else 1 for before, now in zip(seen, step, strict=True)]
        kernels.append((seen[0], seen[1], seen[2]))
        halved = [now < _COARSE * finest and side >= 2 * _FEWEST for now, side in zip(step, size, strict=True)]
        if len(strides) > depth or not any(halved):
            return Stages(kernels=tuple(kernels), strides=tuple(strides))
        stride = [2 if each else 1 for each in halved]
        size = [-(-side // by) for side, by in zip(size, stride, strict=True)]
        step = [length * by for length, by in zip(step, stride, strict=True)]
        strides.append((stride[0], stride[1], stride[2]))


class VolumeUnet(Body):
    dims = 3

    def __init__(self, encoder: str, channels: int, classes: int, stages: Stages) -> None:
        super().__init__()
        assert isinstance(stages.strides, tuple)
        assert isinstance(stages.kernels, tuple)
        widths = [min(_MOST, stages.width * 2**number) for number in range(len(stages.strides))]
        self.encoder = _Encoder(encoder, channels, widths, stages.kernels, stages.strides)
        self.decoder = _Decoder(encoder, classes, widths, stages.kernels, stages.strides, deep=stages.deep)
        one, two, three = (math.prod(stride[axis] for stride in stages.strides) for axis in range(3))
        self.divisor = (one, two, three)
        self.smallest = self.divisor

    def trunks(self) -> Mapping[str, nn.Module]:
        return {"encoder": self.encoder}

    def encode(self, x: Tensor) -> Sequence[Tensor]:
        maps: Sequence[Tensor] = self.encoder(x)
        return maps

    def decode(self, x: Tensor, maps: Sequence[Tensor]) -> Outputs:
        logits, coarse = self.decoder(maps)
        return Outputs(logits, coarse=coarse)


class _Encoder(nn.Module):
    def __init__(
        self, kind: str, channels: int, widths: Sequence[int], kernels: Sequence[Triple], strides: Sequence[Triple]
    ) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        before = channels
        for number, (width, kernel, stride) in enumerate(zip(widths, kernels, strides, strict=True)):
            if kind == PLAIN:
                blocks: list[nn.Module] = [_convolved(before, width, kernel, stride), _convolved(width, width, kernel)]
            else:
                stem = [_convolved(before, width, kernel)] if number == 0 else []
                first = _Residual(width if stem else before, width, kernel, stride)
                count = _BLOCKS[min(number, len(_BLOCKS) - 1)]
                blocks = [*stem, first, *(_Residual(width, width, kernel) for _ in range(count - 1))]
            stages.append(nn.Sequential(*blocks))
            before = width
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found


class _Decoder(nn.Module):
    def __init__(
        self, kind: str, classes: int, widths: Sequence[int], kernels: Sequence[Triple], strides: Sequence[Triple], *,
        deep: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        ups: list[nn.Module] = []
        joins: list[nn.Module] = []
        heads: list[nn.Module] = []
        levels = len(widths) - 1
        for level in reversed(range(levels)):
            width, kernel = widths[level], kernels[level]
            by = strides[level + 1]
            ups.append(nn.ConvTranspose3d(widths[level + 1], width, by, by))
            twice = [_convolved(width, width, kernel)] if kind == PLAIN else []
            joins.append(nn.Sequential(_convolved(2 * width, width, kernel), *twice))
            last = level == 0
            told = last or (deep and level <= levels - _SHARES)
            heads.append(nn.Conv3d(width, classes, 1) if told else nn.Identity())
        self.ups, self.joins, self.heads = nn.ModuleList(ups), nn.ModuleList(joins), nn.ModuleList(heads)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, tuple[Tensor, ...]]:
        x = maps[-1]
        said: list[Tensor] = []
        for number, (up, join, head) in enumerate(zip(self.ups, self.joins, self.heads, strict=True)):
            x = join(torch.cat([up(x), maps[-2 - number]], 1))
            last = number == len(self.ups) - 1
            if last or (self.training and isinstance(head, nn.Conv3d)):
                said.append(head(x))
        return said[-1], tuple(reversed(said[:-1]))


class _Residual(nn.Module):
    def __init__(self, before: int, width: int, kernel: Triple, stride: Triple = (1, 1, 1)) -> None:
        super().__init__()
        self.first = _convolved(before, width, kernel, stride)
        self.second = nn.Sequential(_convolution(width, width, kernel), _norm(width))
        shortcut: list[nn.Module] = [nn.AvgPool3d(stride, stride)] if max(stride) > 1 else []
        if before != width:
            shortcut += [nn.Conv3d(before, width, 1, bias=False), _norm(width)]
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.leaky_relu(self.second(self.first(x)) + self.shortcut(x), _SLOPE)


def _convolved(before: int, width: int, kernel: Triple, stride: Triple = (1, 1, 1)) -> nn.Sequential:
    return nn.Sequential(_convolution(before, width, kernel, stride), _norm(width), nn.LeakyReLU(_SLOPE, inplace=True))


def _convolution(before: int, width: int, kernel: Triple, stride: Triple = (1, 1, 1)) -> nn.Conv3d:
    made = nn.Conv3d(before, width, kernel, stride, tuple(side // 2 for side in kernel))  # type: ignore[arg-type]
    nn.init.kaiming_normal_(made.weight, a=_SLOPE)
    if made.bias is not None:
        nn.init.zeros_(made.bias)
    return made


def _norm(width: int) -> nn.Module:
    return nn.InstanceNorm3d(width, affine=True)
