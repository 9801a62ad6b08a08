"""Networks that paint: one fills a hole so that it shows what a mask says, the other tells painted places from real ones.

Both see windows: the image, the hole, and the mask as it is to be. The painter also gets noise, so that one mask has many
pictures.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from segue.errors import BadInput
from segue.files import atomic

NOISE = 8  # channels
# Pixels of the window for one of the noise, which is smooth: of noise as fine as the map two pictures differ by their grain.
_COARSE = 32
_DILATIONS = (1, 2, 4, 8, 4, 2, 1)  # sees 100 pixels of the window around each


class Painted(NamedTuple):
    logits: Tensor
    """(n, channels, height, width): of colours from 0 to 1."""


class Painter(nn.Module):
    """(n, channels + 2, side, side) of a window, its hole and its mask -> its colours. What lies in the hole is not seen."""

    def __init__(self, channels: int, width: int = 16) -> None:
        super().__init__()
        self.channels = channels
        wide = 4 * width
        self.first = nn.Sequential(nn.Conv2d(channels + 2, width, 5, padding=2), nn.ELU())
        self.smaller = nn.Sequential(nn.Conv2d(width, 2 * width, 3, 2, 1), nn.ELU())
        self.smallest = nn.Sequential(nn.Conv2d(2 * width, wide, 3, 2, 1), nn.ELU())
        self.stir = nn.Conv2d(NOISE, wide, 1)
        self.blocks = nn.ModuleList(_Residual(wide, dilation) for dilation in _DILATIONS)
        self.up = nn.Sequential(nn.Conv2d(wide + 2 * width, 2 * width, 3, 1, 1), nn.ELU())
        self.last = nn.Sequential(nn.Conv2d(3 * width, width, 3, 1, 1), nn.ELU(), nn.Conv2d(width, channels, 3, 1, 1))

    def forward(self, given: Tensor, noise: Tensor | None = None) -> Painted:
        hole = given[:, self.channels, None]
        seen = torch.cat([(given[:, : self.channels] - 0.5) * (1 - hole), given[:, self.channels :]], 1)
        whole = self.first(seen)
        half = self.smaller(whole)
        deep = self.smallest(half)
        noise = self.noise(len(given), given.shape[-1]).to(deep.device) if noise is None else noise
        deep = deep + self.stir(F.interpolate(noise, size=deep.shape[2:], mode="bilinear").to(deep.dtype))
        for block in self.blocks:
            deep = block(deep)
        half = self.up(torch.cat([F.interpolate(deep, size=half.shape[2:]), half], 1))
        return Painted(self.last(torch.cat([F.interpolate(half, size=whole.shape[2:]), whole], 1)))

    @staticmethod
    def noise(n: int, side: int, generator: torch.Generator | None = None) -> Tensor:
        return torch.randn(n, NOISE, side // _COARSE, side // _COARSE, generator=generator)

    def seeded(self, seeds: list[int], side: int) -> Tensor:
        """The noise of each of these seeds."""
        return torch.cat([self.noise(1, side, torch.Generator().manual_seed(seed)) for seed in seeds])

    def groups(self) -> dict[str, list[nn.Parameter]]:
        return {"decoder": list(self.parameters())}


class Critic(nn.Module):
    """(n, channels + 2, side, side) -> (n, 1, side / 8, side / 8): the more, the more real that place looks."""

    def __init__(self, channels: int, width: int = 32) -> None:
        super().__init__()
        widths = (channels + 2, width, 2 * width, 4 * width)
        layers: list[nn.Module] = []
        for have, want in pairwise(widths):
            layers += [spectral_norm(nn.Conv2d(have, want, 4, 2, 1)), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, spectral_norm(nn.Conv2d(widths[-1], 1, 3, 1, 1)))

    def forward(self, given: Tensor) -> Tensor:
        found: Tensor = self.layers(given - 0.5)
        return found

    def groups(self) -> dict[str, list[nn.Parameter]]:
        return {"decoder": list(self.parameters())}


class _Residual(nn.Module):
    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation), nn.ELU(), nn.Conv2d(width, width, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = F.elu(x + self.inner(x))
        return found


def save(painter: nn.Module, path: Path | str) -> None:
    """Written whole or not at all."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in painter.state_dict().items()}
    with atomic(Path(path), "wb") as file:
        file.write(safetensors.torch.save(tensors))


def load(painter: Painter, path: Path | str) -> None:
    try:
        painter.load_state_dict(safetensors.torch.load_file(str(path)))
    except (OSError, RuntimeError, safetensors.SafetensorError) as error:
        raise BadInput(f"{path}: holds no such painter ({str(error).splitlines()[0]})") from None
