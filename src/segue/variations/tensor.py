"""The executor on tensors: whole batches, any device, wherever gradients or predictions flow. Here torch begins.

It does what `opencv` does. Gradients flow to images and predictions, never to the drawn numbers; rounding inside a JPEG
lets them pass.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from segue.data.case import IGNORE
from segue.errors import BadInput
from segue.variations import boxes, spline, warp
from segue.variations.padding import CONSTANT, Padding
from segue.variations.tensor_pixels import develop
from segue.variations.tensor_rows import put, rows_of, to_tensor

if TYPE_CHECKING:
    from segue.variations.drawn import Drawn

Function = TypeVar("Function", bound=Callable[..., Any])


def _exactly(function: Function) -> Function:
    """Whatever precision the caller's network runs in: places in bfloat16 would be off by pixels."""

    @functools.wraps(function)
    def exact(drawn: Drawn, x: Tensor, **more: Any) -> Any:
        with torch.autocast(x.device.type, enabled=False):
            return function(drawn, x, **more)

    return cast(Function, exact)


@_exactly
def images(drawn: Drawn, x: Tensor, *, partner: Tensor | None = None, padding: Padding = CONSTANT) -> Tensor:
    """(n, channels, height, width), float 0..1"""
    if x.ndim != 4 or len(x) != drawn.n or not x.is_floating_point():
        raise BadInput(
            f"a tensor of images has the shape ({drawn.n}, channels, height, width) and floats in 0..1, "
            f"not {tuple(x.shape)} of {x.dtype}"
        )
    size = warp.checked(drawn, (x.shape[2], x.shape[3]))
    found, valid = _warped(drawn, x.float(), padding)
    found = develop(drawn, found, valid)
    found = _erased(drawn, found.clone() if found is x else found, size)
    if valid is not None and not padding.mirrored:
        colour = padding.value(x.shape[1])
        if colour.any():
            found = torch.where(valid[:, None], found, to_tensor(colour, x.device)[None, :, None, None])
        else:
            found = found * valid[:, None]
    return _mixed(drawn, found, found if partner is None else partner, size, own=partner is None).to(x.dtype)


@_exactly
def carry(
    drawn: Drawn, maps: Tensor, *, valid: Tensor | None = None, partner: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    size = warp.checked(drawn, (maps.shape[-2], maps.shape[-1]))
    _checked(drawn, maps)
    places = functools.partial(_forward, drawn, size, maps.device) if _moves(drawn).any() else None
    found, counts = _carried(maps, valid, places)
    ignored = [boxes.ignored(drawn, index, size) for index in range(drawn.n)]
    if any(each is not None for each in ignored):
        gone = _stacked(ignored, size, maps.device)
        counts = counts & ~gone
        found = torch.where(_as(gone, found), _outside(maps), found)
    others = (found, counts) if partner is None else partner
    own = partner is None
    return _mixed(drawn, found, others[0], size, own=own), _mixed(drawn, counts, others[1], size, own=own)


@_exactly
def undo(drawn: Drawn, maps: Tensor, *, valid: Tensor | None = None) -> tuple[Tensor, Tensor]:
    size = warp.checked(drawn, (maps.shape[-2], maps.shape[-1]))
    lost = [boxes.lost(drawn, index, size) for index in range(drawn.n)]
    if any(each is not None for each in lost):
        known = ~_stacked(lost, size, maps.device)
        valid = known if valid is None else valid & known
    _checked(drawn, maps)
    places = functools.partial(_backward, drawn, size, maps.device) if _moves(drawn).any() else None
    return _carried(maps, valid, places)


def _checked(drawn: Drawn, maps: Tensor) -> None:
    if maps.ndim not in (3, 4) or len(maps) != drawn.n:
        raise BadInput(f"maps have the shape ({drawn.n}, [channels,] height, width), not {tuple(maps.shape)}")


# Geometry. A grid (k, height, width, 2) holds x and y of the source from -1 to 1, from edge to edge along each axis.


def _warped(drawn: Drawn, x: Tensor, padding: Padding) -> tuple[Tensor, Tensor | None]:
    """The images warped, and what is not invented; None: all of it."""
    size = (x.shape[2], x.shape[3])
    groups: dict[tuple[int, int], list[int]] = {}
    for index in map(int, np.flatnonzero(_moves(drawn))):
        shrink = warp.shrinking(warp.to_pixels(size) @ warp.matrix(drawn, index), size)
        groups.setdefault(warp.reading(size, shrink), []).append(index)
    if not groups:
        return x, None
    grid, inside = _forward(drawn, size, x.device)
    found, border = x, "reflection" if padding.mirrored else "border"
    for read, rows in groups.items():
        source = _shrunk(rows_of(x, rows), read)
        done = F.grid_sample(source, rows_of(grid, rows), "bilinear", border, align_corners=False)
        found = put(found, rows, done)
    return found, inside


def _moves(drawn: Drawn) -> npt.NDArray[np.bool_]:
    still = np.zeros(drawn.n, np.bool_)
    return still | drawn.active.get("matrix", still) | drawn.active.get("bend", still)


def _grid(drawn: Drawn, rows: Sequence[int], size: tuple[int, int], device: torch.device) -> Tensor:
    """Where each pixel comes from, for samples that all bend or all do not."""
    matrices = np.stack([warp.matrix(drawn, index) for index in rows])
    bends = drawn.parts["bend"][list(rows)] if drawn.acts("bend", rows[0]) else None
    return _places(matrices, bends, size, device)


def _places(
    matrices: npt.NDArray[Any], bends: npt.NDArray[Any] | None, size: tuple[int, int], device: torch.device
) -> Tensor:
    long = max(size)
    matrices = np.diag([long / size[1], long / size[0], 1.0]) @ matrices
    if bends is None:  # a plane is a spline of two coefficients along each axis: its offset and its slope
        fields = np.zeros((len(matrices), 3, 2, 2))
        fields[:, :, 0, 0], fields[:, :, 0, 1], fields[:, :, 1, 0] = (
            matrices[:, :, 2],
            matrices[:, :, 0],
            matrices[:, :, 1],
        )
        down, along = (_straight(each, each / long) for each in size)
    else:
        fields = np.stack([warp.homogeneous(bend, matrix) for bend, matrix in zip(bends, matrices, strict=True)])
        count = spline.cells(bends.shape[-1])
        down, along = (spline.basis(each, each / long, count) for each in size)
    if (slanted := np.any(matrices[:, 2, :2])) == 0:
        fields = fields[:, :2] / matrices[:, 2, 2][:, None, None, None]
    axes = fields.shape[1]
    # (k, g, width, axes), so that one product writes the grid as it is read
    columns = torch.einsum("kagh,wh->kgwa", to_tensor(fields, device), to_tensor(along, device)).flatten(2)
    grid = (to_tensor(down, device) @ columns).view(len(matrices), *size, axes)
    return grid[..., :2] / grid[..., 2:] if slanted else grid


@functools.lru_cache(maxsize=64)
def _straight(length: int, extent: float) -> npt.NDArray[np.float32]:
    places = (np.arange(length) + 0.5) / length * (2 * extent) - extent
    return np.stack([np.ones(length), places], axis=1).astype(np.float32)


def _inside(grid: Tensor) -> Tensor:
    far = grid.abs()
    return torch.maximum(far[..., 0], far[..., 1]) <= 1 + 1e-6


def _forward(drawn: Drawn, size: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """The grid of all samples and where it is inside. Kept, because images, their targets and predictions ask for it."""
    if (size, device) in drawn.kept:
        return cast(tuple[Tensor, Tensor], drawn.kept[size, device])
    bent = drawn.active.get("bend", np.zeros(drawn.n, np.bool_))
    grid = torch.empty((drawn.n, *size, 2), device=device)
    for rows in (np.flatnonzero(bent).tolist(), np.flatnonzero(~bent).tolist()):
        if rows:
            grid = put(grid, rows, _grid(drawn, rows, size, device))
    inside = _inside(grid)
    if not torch.is_inference_mode_enabled():  # its tensors are of no use outside of it
        drawn.kept[size, device] = grid, inside
    return grid, inside


def _backward(drawn: Drawn, size: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """Where each pixel went, and where that is known."""
    matrices = np.linalg.inv(np.stack([warp.matrix(drawn, index) for index in range(drawn.n)]))
    grid = _places(matrices, None, size, device)
    bent = np.flatnonzero(drawn.active.get("bend", ())).tolist()
    known = torch.ones((drawn.n, *size), dtype=torch.bool, device=device)
    for index in bent:
        where = warp.backward(drawn, index, size)
        ends = [(2 * places + 1) / length - 1 for places, length in zip(where.maps(), size[::-1], strict=True)]
        grid[index] = to_tensor(np.stack(ends, axis=-1), device)
        known[index] = torch.as_tensor(where.known, device=device)
    return grid, _inside(grid) & known


def _carried(
    maps: Tensor, valid: Tensor | None, places: Callable[[], tuple[Tensor, Tensor]] | None
) -> tuple[Tensor, Tensor]:
    """Maps read at other places, and where they count; `places` None: where they are."""
    if places is None:
        size = (maps.shape[-2], maps.shape[-1])
        everything = torch.ones((len(maps), *size), dtype=torch.bool, device=maps.device)
        counts = everything if valid is None else valid.clone()
        return torch.where(_as(counts, maps), maps, _outside(maps)), counts
    grid, counts = places()
    if valid is not None:
        counts = counts & (_nearest(valid[:, None].float(), grid)[:, 0] > 0)
    planes = maps if maps.ndim == 4 else maps[:, None]
    if not maps.is_floating_point():
        if maps.dtype in (torch.uint8, torch.int8, torch.int16, torch.bool):  # floats hold them exactly
            found = _nearest(planes.float(), grid).to(maps.dtype)
        else:
            found = _picked(planes, grid)
        return found.view(maps.shape).masked_fill(~_as(counts, maps), _outside(maps)), counts
    planes = planes.float()
    if valid is None:
        found = _sampled(planes, grid)
    else:  # what did not count must not bleed into what does: a mean over what counts
        found = _sampled(torch.where(valid[:, None], planes, 0.0), grid)
        found = found / _sampled(valid[:, None].float(), grid).clamp(min=1e-6)
    return (found * counts[:, None]).view(maps.shape).to(maps.dtype), counts


def _nearest(planes: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(planes, grid, mode="nearest", padding_mode="border", align_corners=False)


def _picked(planes: Tensor, grid: Tensor) -> Tensor:
    """The nearest of numbers that are too large for a float."""
    size = planes.shape[-2:]
    row = ((grid[..., 1] + 1) * (size[0] / 2) - 0.5).round_().clamp_(0, size[0] - 1)
    column = ((grid[..., 0] + 1) * (size[1] / 2) - 0.5).round_().clamp_(0, size[1] - 1)
    near = (row.long() * size[1] + column.long()).flatten(1)[:, None].expand(-1, planes.shape[1], -1)
    return planes.flatten(2).gather(2, near).view(planes.shape)


def _sampled(planes: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(planes, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _shrunk(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Each pixel the mean of its area."""
    if (x.shape[2], x.shape[3]) == size:
        return x
    down, along = (to_tensor(_areas(old, new), x.device) for old, new in zip(x.shape[2:], size, strict=True))
    return down @ x @ along.T


@functools.lru_cache(maxsize=64)
def _areas(old: int, new: int) -> npt.NDArray[np.float32]:
    edges = np.arange(new + 1) * (old / new)
    pixels = np.arange(old)
    shared = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.asarray(np.clip(shared, 0, None) * (new / old), np.float32)


def _erased(drawn: Drawn, x: Tensor, size: tuple[int, int]) -> Tensor:
    for index in np.flatnonzero(drawn.active.get("erase", ())):
        for (rows, columns), colour, _ in boxes.erasures(drawn, int(index), size):
            given = colour if x.shape[1] == 3 else np.full(x.shape[1], colour.mean())
            x[index, :, rows, columns] = to_tensor(given, x.device)[:, None, None]
    return x


def _mixed(drawn: Drawn, mine: Tensor, other: Tensor, size: tuple[int, int], *, own: bool) -> Tensor:
    pastes = boxes.pastes(drawn, size, own=own)
    if pastes:
        mine = mine.clone()
        for index, partner, (rows, columns) in pastes:
            mine[index, ..., rows, columns] = other[partner, ..., rows, columns]
    return mine


def _as(mask: Tensor, maps: Tensor) -> Tensor:
    return mask if maps.ndim == 3 else mask[:, None]


def _stacked(several: Sequence[npt.NDArray[np.bool_] | None], size: tuple[int, int], device: torch.device) -> Tensor:
    nothing = np.zeros(size, np.bool_)
    return torch.as_tensor(np.stack([nothing if each is None else each for each in several]), device=device)


def _outside(maps: Tensor) -> int:
    return 0 if maps.is_floating_point() or maps.dtype == torch.bool else IGNORE
