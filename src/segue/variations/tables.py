"""Small tables that both executors work from: filters, the equaliser's curve, a JPEG's numbers."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

Singles = npt.NDArray[np.float32]


def gaussian(sigma: float) -> Singles:
    """Taps of a blur; sigma in pixels."""
    reach = max(1, math.ceil(3 * sigma))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-3)) ** 2)
    return np.asarray(taps / taps.sum(), np.float32)


@functools.lru_cache(maxsize=256)
def coarse(length: int, small: int) -> Singles:
    """(length, length): means over `small` stretches, and what lies between their middles."""
    edges = np.arange(small + 1) * (length / small)
    cells = np.arange(length)
    covered = np.clip(np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells), 0, None)
    down = covered / covered.sum(axis=1, keepdims=True)
    places = np.clip((cells + 0.5) * small / length - 0.5, 0, small - 1)
    left = np.minimum(places.astype(np.intp), max(small - 2, 0))
    up = np.zeros((length, small))
    up[cells, left] = 1 - (places - left)
    up[cells, np.minimum(left + 1, small - 1)] += places - left
    return np.asarray(up @ down, np.float32)


def coarser(length: int, times: float) -> int:
    return max(1, round(length / (1 + times)))


def stroke(x: float, y: float) -> Singles:
    """A square filter that smears along a straight stroke; its length in pixels."""
    reach = max(1, math.ceil(max(abs(x), abs(y)) / 2))
    steps = 4 * reach + 1
    along = np.linspace(-0.5, 0.5, steps)
    taps = np.zeros((2 * reach + 3, 2 * reach + 3))
    places = np.stack([along * y, along * x]) + reach + 1
    whole = np.floor(places).astype(np.intp)
    rest = places - whole
    for down in (0, 1):
        for right in (0, 1):
            weight = np.abs(1 - down - rest[0]) * np.abs(1 - right - rest[1])
            np.add.at(taps, (whole[0] + down, whole[1] + right), weight)
    taps = taps[1:-1, 1:-1]  # nothing reaches the rim
    return np.asarray(taps / taps.sum(), np.float32)


def equalised(histogram: Any, limit: Any) -> Any:
    """(n, 256) counts to the curve at 256 levels that evens them out, its slope limited: what is clipped off is spread
    over all levels, which adds up to 1 to the slope. For arrays and for tensors."""
    share = histogram / histogram.sum(-1)[:, None].clip(min=1)
    kept = share.clip(max=(limit - 1) / 256)
    share = kept + (1 - kept.sum(-1)[:, None]) / 256
    risen = share.cumsum(-1) - share / 2
    return (risen - risen[:, :1]) / (risen[:, -1:] - risen[:, :1])


def quality(lost: float) -> int:
    """A JPEG's, 1..100."""
    return 100 - round(min(max(float(lost), 0), 99))


@functools.cache
def cosines() -> Singles:
    """(8, 8): the transform of a JPEG's blocks, orthonormal."""
    k, x = np.mgrid[:8, :8]
    matrix = np.cos((2 * x + 1) * k * np.pi / 16) / 2
    matrix[0] /= math.sqrt(2)
    return np.asarray(matrix, np.float32)


# Annex K of the JPEG standard.
_LUMA = (
    "16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62 "
    "18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"
)
_CHROMA = (
    "17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66 99 99 99 99 99 99 "
    + "99 99 99 99 99 99 99 99 " * 4
)


@functools.cache
def quantisers(quality: int) -> Singles:
    """(2, 8, 8): steps of luma and chroma at a quality of 1..100, as the common library scales them."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    tables = np.array([list(map(int, text.split())) for text in (_LUMA, _CHROMA)]).reshape(2, 8, 8)
    return np.asarray(np.clip((tables * scale + 50) // 100, 1, 255), np.float32)
