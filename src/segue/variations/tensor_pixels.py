"""What happens to the colours of tensors: what `pixels` does, in floats and without rounding to bytes in between."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from segue.variations import bank, spline, tables, warp
from segue.variations.pixels import GLINT
from segue.variations.tensor_rows import on, rows_of, to_tensor

if TYPE_CHECKING:
    from segue.variations.drawn import Drawn

_LUMA = (0.299, 0.587, 0.114)
_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def develop(drawn: Drawn, x: Tensor, valid: Tensor | None) -> Tensor:
    """All stages in their order; `valid` is what is not invented (None: all of it)."""
    for name, stage in _STAGES.items():
        if name in drawn.active:
            x = on(x, drawn.active[name], functools.partial(stage, drawn.parts[name], valid))
    return x


# Stages: each gets the numbers of all samples, what is valid, which rows it is asked for, and those rows.


def _colour(numbers: npt.NDArray[Any], valid: Tensor | None, rows: Sequence[int], x: Tensor) -> Tensor:
    chosen, channels = numbers[rows], x.shape[1]
    matrix, of_mean, offset = chosen[:, :, :3], chosen[:, :, 3:6], chosen[:, :, 6]
    if channels != 3:  # as a grey picture
        matrix, of_mean = (np.eye(channels) * part.sum(2).mean(1)[:, None, None] for part in (matrix, of_mean))
        offset = np.repeat(offset.mean(1)[:, None], channels, axis=1)
    shift = to_tensor(offset, x.device)
    if not np.array_equal(matrix, of_mean):
        if valid is None:
            mean = x.mean((2, 3))[:, :, None]
        else:
            counted = rows_of(valid, rows)[:, None]
            mean = ((x * counted).sum((2, 3)) / counted.sum((2, 3)).clamp(min=1))[:, :, None]
        shift = shift + (to_tensor(of_mean - matrix, x.device) @ mean)[:, :, 0]
    return torch.baddbmm(shift[:, :, None], to_tensor(matrix, x.device), x.flatten(2)).view(x.shape)


def _equalise(numbers: npt.NDArray[Any], valid: Tensor | None, rows: Sequence[int], x: Tensor) -> Tensor:
    with torch.no_grad():
        shown = (x * 255).round()
        weights = torch.tensor(_LUMA, device=x.device) if x.shape[1] == 3 else x.new_full((x.shape[1],), 1 / x.shape[1])
        grey = (shown * weights[:, None, None]).sum(1).round().long()
        counted = torch.ones_like(grey, dtype=x.dtype) if valid is None else rows_of(valid, rows).to(x.dtype)
        histogram = x.new_zeros((len(x), 256)).scatter_add_(1, grey.flatten(1), counted.flatten(1))
        amount, limit = (to_tensor(numbers[rows, which], x.device)[:, None] for which in (0, 1))
        levels = torch.linspace(0, 1, 256, device=x.device)
        curve = levels + amount * (tables.equalised(histogram, limit) - levels)
    return _looked_up(x, curve)


def _curve(numbers: npt.NDArray[Any], valid: Tensor | None, rows: Sequence[int], x: Tensor) -> Tensor:
    return _looked_up(x, to_tensor(numbers[rows], x.device))


def _looked_up(x: Tensor, curve: Tensor) -> Tensor:
    steps = curve.shape[1] - 1
    along = x.flatten(1) * steps
    below = along.detach().clamp(0, steps - 1).long()
    low = curve.gather(1, below)
    return torch.addcmul(low, curve.diff(dim=1).gather(1, below), along - below).view(x.shape)


def _light(numbers: npt.NDArray[Any], valid: Tensor | None, rows: Sequence[int], x: Tensor) -> Tensor:
    height, width = size = x.shape[2:]
    field = to_tensor(numbers[rows], x.device)
    count = spline.cells(field.shape[-1])
    down, along = (to_tensor(spline.basis(each, each / max(size), count), x.device) for each in (height, width))
    return x * (down @ (field @ along.T)).exp()[:, None]


def _glints(numbers: npt.NDArray[Any], valid: Tensor | None, rows: Sequence[int], x: Tensor) -> Tensor:
    relative = warp.to_relative((x.shape[2], x.shape[3]))
    right = to_tensor(np.arange(x.shape[3]) * relative[0, 0] + relative[0, 2], x.device)
    down = to_tensor(np.arange(x.shape[2]) * relative[1, 1] + relative[1, 2], x.device)[:, None]
    dark = torch.ones_like(x[:, 0])
    for patches in to_tensor(numbers[rows].swapaxes(0, 1), x.device):
        middle_x, middle_y, long, short, angle, strength = patches.T[..., None, None]
        long, short = long.clamp(min=1e-6), short.clamp(min=1e-6)
        to_right, to_down = right - middle_x, down - middle_y
        along = (angle.cos() * to_right + angle.sin() * to_down) / long
        across = (angle.cos() * to_down - angle.sin() * to_right) / short
        dark = dark * (1 - strength * ((1 - along**2 - across**2) * GLINT).clamp(0, 1))
    return 1 - (1 - x) * dark[:, None]


def _blur(numbers: npt.NDArray[Any], valid: Tensor | None, rows: Sequence[int], x: Tensor) -> Tensor:
    return _smoothed(x, numbers[rows, 0] * max(x.shape[2:]) / 2)


def _motion(numbers: npt.NDArray[Any], valid: Tensor | None, rows: Sequence[int], x: Tensor) -> Tensor:
    strokes = numbers[rows] * max(x.shape[2:]) / 2
    for which in range(strokes.shape[1]):
        x = _filtered(x, [tables.stroke(*stroke) for stroke in strokes[:, which]])
    return x


def _sharpen(numbers: npt.NDArray[Any], valid: Tensor | None, rows: Sequence[int], x: Tensor) -> Tensor:
    amount = to_tensor(numbers[rows, 0], x.device)[:, None, None, None]
    return x + amount * (x - _smoothed(x, numbers[rows, 1] * max(x.shape[2:]) / 2))


def _ghost(numbers: npt.NDArray[Any], valid: Tensor | None, rows: Sequence[int], x: Tensor) -> Tensor:
    copies = [
        each.roll(round(shift * each.shape[1 + int(across)]), 1 + int(across))
        for each, (_, shift, across) in zip(x, numbers[rows], strict=True)
    ]
    strength = to_tensor(numbers[rows, 0], x.device)[:, None, None, None]
    return (x + strength * torch.stack(copies)) / (1 + strength)


def _coarse(numbers: npt.NDArray[Any], valid: Tensor | None, rows: Sequence[int], x: Tensor) -> Tensor:
    down, along = (
        torch.stack(
            [to_tensor(tables.coarse(side, tables.coarser(side, float(times))), x.device) for times in numbers[rows, 0]]
        )
        for side in x.shape[2:]
    )
    return down[:, None] @ x @ along[:, None].mT


def _smoothed(x: Tensor, sigmas: npt.NDArray[Any]) -> Tensor:
    taps = [tables.gaussian(sigma) for sigma in sigmas]
    return _filtered(_filtered(x, [each[:, None] for each in taps]), [each[None] for each in taps])


def _filtered(x: Tensor, filters: Sequence[npt.NDArray[np.float32]]) -> Tensor:
    """A filter of odd sides for each sample."""
    high, wide = (max(each.shape[axis] for each in filters) for axis in (0, 1))
    padded = []
    for each in filters:
        up, left = (high - each.shape[0]) // 2, (wide - each.shape[1]) // 2
        padded.append(np.pad(each, ((up, up), (left, left))))
    n, channels = x.shape[:2]
    weights = to_tensor(np.stack(padded), x.device).repeat_interleave(channels, 0)[:, None]
    edged = F.pad(x, (wide // 2, wide // 2, high // 2, high // 2), mode="replicate")
    return F.conv2d(edged.flatten(0, 1)[None], weights, groups=n * channels).view(x.shape)


def _noise(numbers: npt.NDArray[Any], valid: Tensor | None, rows: Sequence[int], x: Tensor) -> Tensor:
    n, channels, height, width = x.shape
    normal = torch.stack([_stretch(place, channels * height * width, x.device) for place in numbers[rows, 1]])
    values = normal.view(n, height, width, channels).permute(0, 3, 1, 2)
    return x + values * to_tensor(numbers[rows, 0], x.device)[:, None, None, None]


def _stretch(place: float, length: int, device: torch.device) -> Tensor:
    """As `bank.stretch`, from a bank that is brought to the device once."""
    start, normal = int(place * bank.BANK), _bank(device)
    if start + length <= bank.BANK:
        return normal[start : start + length]
    return torch.tensor(bank.stretch(place, length), device=device)


@functools.lru_cache(maxsize=8)
def _bank(device: torch.device) -> Tensor:
    return torch.tensor(bank.bank(), device=device)


def _jpeg(numbers: npt.NDArray[Any], valid: Tensor | None, rows: Sequence[int], x: Tensor) -> Tensor:
    """What a JPEG's rounding does: blocks of 8 x 8, colours at half the size."""
    height, width = x.shape[2:]
    quantisers = np.stack([tables.quantisers(tables.quality(lost)) for lost in numbers[rows, 0]])
    steps = to_tensor(quantisers, x.device)
    pixels = F.pad(_rounded(x * 255), (0, -width % 16, 0, -height % 16), mode="replicate")
    if x.shape[1] != 3:
        return (_blocks(pixels, steps[:, :1]) / 255)[:, :, :height, :width]
    turn = torch.tensor(_YCC, device=x.device)
    colours = torch.einsum("ij,njhw->nihw", turn, pixels)
    luma = _blocks(colours[:, :1], steps[:, :1])
    chroma = _blocks(F.avg_pool2d(colours[:, 1:], 2) + 128, steps[:, 1:]) - 128
    chroma = F.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False)
    back = torch.einsum("ij,njhw->nihw", torch.linalg.inv(turn), torch.cat([luma, chroma], 1))
    return (_rounded(back.clamp(0, 255)) / 255)[:, :, :height, :width]


def _blocks(planes: Tensor, steps: Tensor) -> Tensor:
    """Planes of 0..255 through the transform and back; steps (n, 1, 8, 8)."""
    n, channels, height, width = planes.shape
    cosines = to_tensor(tables.cosines(), planes.device)
    cut = (_rounded(planes) - 128).view(n, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    step = steps[:, :, None, None]
    values = cosines.T @ (_rounded(cosines @ cut @ cosines.T / step) * step) @ cosines
    return _rounded((values + 128).clamp(0, 255)).transpose(3, 4).reshape(planes.shape)


def _rounded(x: Tensor) -> Tensor:
    """Gradients pass as if nothing were rounded."""
    return x + (x.round() - x).detach()


_Stage = Callable[[npt.NDArray[Any], Tensor | None, Sequence[int], Tensor], Tensor]
_STAGES: dict[str, _Stage] = {
    "colour": _colour,
    "equalise": _equalise,
    "curve": _curve,
    "light": _light,
    "glints": _glints,
    "blur": _blur,
    "motion": _motion,
    "sharpen": _sharpen,
    "ghost": _ghost,
    "coarse": _coarse,
    "noise": _noise,
    "jpeg": _jpeg,
}
