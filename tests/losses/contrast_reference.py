"""Contrast once more, slowly: two images, two places at a time, straight from the definitions.

In the precision of what is given: of doubles in the tests, whose gradients count too, of floats in the benchmark.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from segue.losses.pairs import Columns


class Row(NamedTuple):
    image: int
    volume: int
    partition: int
    dataset: int
    unit: int
    view: int


def rows(columns: Columns) -> list[Row]:
    listed = [getattr(columns, name).tolist() for name in Row._fields]
    return [Row(*values) for values in zip(*listed, strict=True)]


def is_positive(a: Row, b: Row, kind: str, elsewhere: str) -> bool:
    if a.image == b.image:
        return True
    if kind != "across" or a.partition == -1 or a.partition != b.partition or a.volume == b.volume:
        return False
    if a.dataset != b.dataset and elsewhere != "positive":
        return False
    return (a.view, b.view) in [(0, 0), (1, 2), (2, 1)]


def is_negative(a: Row, b: Row, kind: str, elsewhere: str, negatives: str) -> bool:
    if a.image == b.image or (negatives == "dataset" and a.dataset != b.dataset):
        return False
    frames = -1 in (a.partition, b.partition)
    if a.unit == b.unit and (frames or (kind == "images" and a.volume != b.volume)):
        return False
    if kind == "images" or frames or a.partition != b.partition:
        return True
    return a.dataset != b.dataset and elsewhere == "negative" and a.unit != b.unit


def pairs(
    anchors: Columns, others: Columns, kind: str, *, own: int | None, elsewhere: str, negatives: str
) -> tuple[list[list[int]], list[list[int]]]:
    """For each anchor, the places of its positives and of its negatives among the others."""
    near: list[list[int]] = []
    far: list[list[int]] = []
    listed = rows(others)
    for i, a in enumerate(rows(anchors)):
        apart = [(j, b) for j, b in enumerate(listed) if own is None or j != own + i]
        near.append([j for j, b in apart if is_positive(a, b, kind, elsewhere)])
        far.append([j for j, b in apart if is_negative(a, b, kind, elsewhere, negatives)])
    return near, far


def term(anchor: Tensor, positive: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """-log(e^s / (e^s + sum e^s_k)) of one pair; `negatives` (k, d)."""
    own = torch.exp(torch.cosine_similarity(anchor, positive, dim=0) / temperature)
    theirs = torch.exp(torch.cosine_similarity(anchor.unsqueeze(0), negatives, dim=1) / temperature)
    return -torch.log(own / (own + theirs.sum()))


def contrast(
    z: Tensor, others: Tensor, near: list[list[int]], far: list[list[int]], temperature: float
) -> tuple[Tensor, list[int]]:
    losses = []
    for i, positives in enumerate(near):
        terms = [term(z[i], others[j], others[far[i]], temperature) for j in positives]
        losses.append(torch.stack(terms).mean() if terms else z.new_zeros(()))
    return torch.stack(losses), [int(bool(positives)) for positives in near]


def places(height: int, width: int, regions: int) -> list[tuple[int, int]]:
    """By their middles, from the middle of the first region to that of the last."""
    shares = [(y, x) for y in (0.0, 0.5, 1.0) for x in (0.0, 0.5, 1.0)]
    if regions == 13:
        shares += [(y, x) for y in (0.25, 0.75) for x in (0.25, 0.75)]
    found = []
    for y, x in shares:
        place = int(y * (height - 3) + 0.5), int(x * (width - 3) + 0.5)
        if place not in found:
            found.append(place)
    return found


def local_contrast(
    maps: Tensor,
    other_maps: Tensor,
    valid: Tensor,
    *,
    temperature: float,
    regions: int,
    neighbours: int,
    across: Columns | None = None,
) -> tuple[Tensor, list[int]]:
    where = places(maps.shape[2], maps.shape[3], regions)
    listed = None if across is None else rows(across)

    def cut(image: Tensor, r: int) -> Tensor:
        y, x = where[r]
        return image[..., y : y + 3, x : x + 3].flatten()

    def known(i: int, r: int) -> bool:
        return bool(cut(valid[i], r).all())

    def same_place(i: int) -> list[int]:
        """Images whose same region is a positive of that of image i."""
        if listed is None:
            return [i]
        a = listed[i]
        return [
            j
            for j, b in enumerate(listed)
            if j == i
            or (a.partition >= 0 and (a.partition, a.dataset) == (b.partition, b.dataset) and a.volume != b.volume)
        ]

    def around(r: int) -> list[int]:
        def away(q: int) -> int:
            return (where[q][0] - where[r][0]) ** 2 + (where[q][1] - where[r][1]) ** 2

        return sorted((q for q in range(len(where)) if q != r), key=away)[:neighbours]

    losses, weights = [], []
    for i in range(len(maps)):
        terms = []
        for r in range(len(where)):
            if not known(i, r):
                continue
            sides = []
            for f, g in ((maps, other_maps), (other_maps, maps)):
                negatives = [cut(each[i], q) for q in around(r) if known(i, q) for each in (f, g)]
                stacked = torch.stack(negatives) if negatives else f.new_zeros(0, 9 * f.shape[1])
                positives = [cut(g[j], r) for j in same_place(i) if known(j, r)]
                of_pairs = [term(cut(f[i], r), positive, stacked, temperature) for positive in positives]
                sides.append(torch.stack(of_pairs).mean())
            terms.append((sides[0] + sides[1]) / 2)
        losses.append(torch.stack(terms).mean() if terms else maps.new_zeros(()))
        weights.append(int(bool(terms)))
    return torch.stack(losses), weights
