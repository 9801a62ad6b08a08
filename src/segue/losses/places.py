"""Local contrast: a place of an image shall look like itself in another view, and unlike its neighbourhood.

https://arxiv.org/abs/2006.10511. Places are regions of 3 x 3 cells of two feature maps that lie in the same frame: whoever
calls has undone what a view did to the geometry. Both maps are anchors in turn, and the mean of both is taken.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from segue.errors import BadInput
from segue.losses.contrast import Contrasted, directions, info_nce
from segue.losses.pairs import Columns, counterparts

SIDE = 3  # cells
Place = tuple[int, int]  # its first row and column


def local_contrast(
    maps: Tensor,
    other_maps: Tensor,
    valid: Tensor,
    *,
    temperature: float,
    regions: Literal[9, 13] = 13,
    neighbours: int = 5,
    across: Columns | None = None,
) -> Contrasted:
    """(n, c, h, w) twice; `valid`: (n, h, w) bool, where both are known. A number per image; weight 0 where no region counts.

    A region's positive is the same place of the other map, its negatives the nearest other regions of its own image in both.
    A region in which a cell is not valid takes no part; its neighbours are not replaced by farther ones. With `across`, a row
    of columns per image, the same place of the same partition in other volumes of the same dataset is a positive too.
    """
    if maps.shape != other_maps.shape or valid.shape != (len(maps), *maps.shape[2:]):
        raise ValueError(
            f"maps of shapes {tuple(maps.shape)}, {tuple(other_maps.shape)} and what is valid {tuple(valid.shape)}: must be "
            "(n, c, h, w) twice and (n, h, w)"
        )
    where = places(maps.shape[2], maps.shape[3], regions)
    near = nearest(where, neighbours).to(maps.device)
    together = None if across is None else counterparts(across).fill_diagonal_(True)
    # Half precision would round cosines before they are divided by a small temperature.
    with torch.autocast(maps.device.type, enabled=False):
        known = _cut(valid.unsqueeze(1), where).all(-1)  # (n, places)
        # Weighing by zero is not enough: what stands there, NaN included, must not reach a sum.
        first, second = (
            directions(_cut(given, where).float().masked_fill(~known.unsqueeze(-1), 0.0))
            for given in (maps, other_maps)
        )
        sides = [_seen_from(*pair, known, near, together, temperature) for pair in ((first, second), (second, first))]
    count = known.sum(1)
    loss = torch.stack([(side.loss * known).sum(1) for side in sides]).mean(0) / count.clamp(min=1)
    return Contrasted(loss, (count > 0).float())


def places(height: int, width: int, regions: Literal[9, 13]) -> list[Place]:
    """Evenly on the map: 3 x 3, and of 13 also the 4 between. On small maps some coincide, and each counts once."""
    if min(height, width) < SIDE:
        raise BadInput(
            f"feature maps of {height} x {width} cells are too small for local contrast, which compares regions of "
            f"{SIDE} x {SIDE}",
            hint="Take larger images or a finer level of the decoder.",
        )

    def row(quarter: int) -> int:
        return ((height - SIDE) * quarter + 2) // 4  # rounded to whole cells

    def column(quarter: int) -> int:
        return ((width - SIDE) * quarter + 2) // 4

    grids = [(0, 2, 4)] if regions == 9 else [(0, 2, 4), (1, 3)]
    return list(dict.fromkeys((row(down), column(right)) for grid in grids for down in grid for right in grid))


def nearest(where: list[Place], neighbours: int) -> Tensor:
    """(places, places) bool: the nearest others of each; of equally near ones those that are listed first."""
    corners = torch.tensor(where)
    away = (corners[:, None] - corners).square().sum(-1).fill_diagonal_(torch.iinfo(torch.int64).max)
    chosen = away.argsort(dim=1, stable=True)[:, : min(neighbours, len(where) - 1)]
    return torch.zeros_like(away, dtype=torch.bool).scatter_(1, chosen, True)


def _cut(maps: Tensor, where: list[Place]) -> Tensor:
    """(n, c, h, w) to (n, places, 9 c)."""
    corners = torch.tensor(where, device=maps.device)
    cells = corners[:, :, None] + torch.arange(SIDE, device=maps.device)  # (places, rows and columns, 3)
    cut = maps[:, :, cells[:, 0, :, None], cells[:, 1, None, :]]
    return cut.transpose(1, 2).flatten(2)


def _seen_from(
    first: Tensor, second: Tensor, known: Tensor, near: Tensor, together: Tensor | None, temperature: float
) -> Contrasted:
    """(n, places): anchors are the first map's regions. `together`: (n, n), whose same places are positives."""
    scaled = first / temperature
    beside = scaled @ second.mT
    around = torch.cat([scaled @ first.mT, beside], 2)
    far = (near & known.unsqueeze(1)).repeat(1, 1, 2)
    if together is None:
        return info_nce(beside.diagonal(dim1=1, dim2=2).unsqueeze(2), known.unsqueeze(2), around, far)
    similar = (scaled.transpose(0, 1) @ second.permute(1, 2, 0)).transpose(0, 1)  # (n, places, n)
    return info_nce(similar, together.unsqueeze(1) & known.T & known.unsqueeze(2), around, far)
