"""All pairs of unit vectors above a cosine, in near n log n.

A tree halves the points again and again along directions in which they differ much, until a leaf is small enough to
compare everything in it with one matrix product. A query near a boundary goes down both sides, and several trees cut
differently, so that a close pair is separated in all of them only by rare bad luck (measured in benchmarks/leak_scaling.py).
Up to one leaf's worth of points the search is exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]

LEAF = 256
TREES = 4
_SPILL = 0.10  # of a node's points lie within the margin on each side of its cut
_DIRECTIONS = 16  # principal directions that the cuts are mixed from


@dataclass(frozen=True)
class _Level:
    direction: Vectors  # (d,)
    cut: Vectors  # (nodes,)
    low: Vectors  # below it a query goes left only
    high: Vectors  # above it right only


class Forest:
    """Points, arranged so that `near` finds the close ones without looking at all."""

    def __init__(self, points: Vectors, *, leaf: int = LEAF, trees: int = TREES, seed: int = 0) -> None:
        self.points = points
        depth = 0
        while len(points) / 2**depth > leaf:
            depth += 1
        self._trees = [
            _grow(points, depth, np.random.default_rng([seed, tree])) for tree in range(trees if depth else 1)
        ]

    def near(self, queries: Vectors, cosine: float) -> Iterator[tuple[Indices, Indices, Vectors]]:
        """(query, point, similarity) of the pairs found; the same pair may come once from each tree."""
        for levels, order, bounds in self._trees:
            who, leaf = _descend(queries, levels)
            by_leaf = np.argsort(leaf, kind="stable")
            starts = np.searchsorted(leaf[by_leaf], np.arange(len(bounds)))
            for number in range(len(bounds) - 1):
                asking = who[by_leaf[starts[number] : starts[number + 1]]]
                members = order[bounds[number] : bounds[number + 1]]
                for first in range(0, len(asking), LEAF):  # bounds the memory of one product
                    part = asking[first : first + LEAF]
                    similarity = queries[part] @ self.points[members].T
                    hits = np.flatnonzero(similarity > cosine)
                    rows, columns = np.divmod(hits, len(members))
                    yield part[rows], members[columns], similarity.ravel()[hits]


def _grow(points: Vectors, depth: int, rng: np.random.Generator) -> tuple[list[_Level], Indices, npt.NDArray[np.intp]]:
    order = np.arange(len(points))
    levels = []
    directions = _principal(points) if depth else np.zeros((0, points.shape[1]), np.float32)
    for level in range(depth):
        mixed = rng.standard_normal(len(directions)).astype(np.float32) @ directions
        projected = points @ (mixed / np.linalg.norm(mixed))
        bounds = _bounds(len(points), level)
        cut, low, high = (np.empty(2**level, np.float32) for _ in range(3))
        for node in range(2**level):
            members = order[bounds[node] : bounds[node + 1]]
            here = projected[members]
            ranked = np.argsort(here, kind="stable")
            order[bounds[node] : bounds[node + 1]] = members[ranked]
            middle = _bounds(len(points), level + 1)[2 * node + 1] - bounds[node]
            spill = int(len(members) * _SPILL)
            sorted_here = here[ranked]
            cut[node] = sorted_here[middle]
            low[node], high[node] = sorted_here[max(middle - spill, 0)], sorted_here[min(middle + spill, len(here) - 1)]
        levels.append(_Level(mixed / np.linalg.norm(mixed), cut, low, high))
    return levels, order, _bounds(len(points), depth)


def _bounds(count: int, level: int) -> npt.NDArray[np.intp]:
    """Where the nodes of a level begin in the order: halves of halves, the same on every machine."""
    return (np.arange(2**level + 1) * count) >> level


def _principal(points: Vectors) -> Vectors:
    sample = points[:: max(1, len(points) // 20_000)]
    values, vectors = np.linalg.eigh(np.cov(sample, rowvar=False))
    strongest = vectors[:, ::-1][:, :_DIRECTIONS] * np.sqrt(np.maximum(values[::-1][:_DIRECTIONS], 0))
    return np.ascontiguousarray(strongest.T, dtype=np.float32)


def _descend(queries: Vectors, levels: list[_Level]) -> tuple[Indices, Indices]:
    who, node = np.arange(len(queries)), np.zeros(len(queries), np.intp)
    for level in levels:
        projected = (queries @ level.direction)[who]
        left, right = projected < level.high[node], projected >= level.low[node]
        who = np.concatenate([who[left], who[right]])
        node = np.concatenate([2 * node[left], 2 * node[right] + 1])
    return who, node
