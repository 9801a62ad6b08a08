"""What is remembered of an image to find its copies: a digest of its pixels (exact) and a grey thumbnail (near).

A copy may be re-encoded, rescaled, recoloured, flipped, turned, or cropped by a tenth. Candidates come from the low
frequencies of the thumbnail: each image asks as itself and as each of its variants (flips, turns, crops; all linear in
the thumbnail), and `neighbours` finds who lies near. `alignment` then looks at the two thumbnails themselves.
"""

from __future__ import annotations

import zlib
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segue.data.copies.alignment import SIDE, Floats, Looks, Matches, Pairs, Thumbs, agreement, halved
from segue.data.copies.neighbours import Forest
from segue.data.copies.variant import VARIANTS, Variant, sampling
from segue.executors.machine import threads

_LOW = 8  # frequencies a side
_SMALL = SIDE // 2
_CANDIDATE = 0.85  # cosine of candidates for copies
_RELATED = 0.3  # cosine below which two frames that follow each other are not even looked at
_FLAT = 2.0  # grey levels; a flatter thumbnail (black frame, lens cap) says nothing of what it shows
_BLOCK = 512


def fingerprint(image: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> tuple[str, Thumbs]:
    """Of (height, width) or (height, width, channels): digest and thumbnail.

    A copy saved losslessly in another format has the same digest. It is a checksum of the pixels beside one of the
    thumbnail: strangers differ in the second, and of pictures with one thumbnail the first tells all but one in 2**32
    apart, at a third of the time of a cryptographic hash.
    """
    small = thumbnail(image)
    return digest(image, small), small


def digest(pixels: npt.NDArray[Any], small: Thumbs) -> str:
    shape = "x".join(map(str, pixels.shape))
    return f"{zlib.crc32(np.ascontiguousarray(pixels).data):08x}{zlib.crc32(small.data):08x}-{shape}"


def thumbnail(image: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> Thumbs:
    """Grey: of colours their brightness, of other channels the first."""
    if image.ndim == 3:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.shape[2] == 3 else np.ascontiguousarray(image[..., 0])
    else:
        grey = image
    if grey.dtype == np.uint16:
        grey = grey // 257
    # Enlarging by area would make blocks; a copy of a tiny image is found by its smooth enlargement.
    larger = min(grey.shape) < SIDE
    small = cv2.resize(
        grey.astype(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR if larger else cv2.INTER_AREA
    )
    return np.asarray(small, np.uint8)


def copies(ours: Thumbs, theirs: Thumbs | None = None, *, looks: Looks | None = None) -> Matches:
    """Likely copies among `ours`, or of `ours` in `theirs`: the best variant of each pair and its score.

    `looks`: of those that are searched in; without, they are taken for one device's.
    """
    found = _candidates(ours, theirs)
    others = ours if theirs is None else theirs
    return agreement(ours, others, found.pairs, found.variants, looks=looks or Looks.of_thumbs(others))


def following(thumbs: Thumbs, pairs: Pairs, *, looks: Looks | None = None) -> Matches:
    """How alike given pairs are, where the camera may have moved: frames that follow each other."""
    say, small = _speaking(thumbs)
    place = np.full(len(thumbs), -1)
    place[say] = np.arange(len(say))
    pairs = pairs[(place[pairs] >= 0).all(axis=1)]
    if not len(pairs):
        return Matches.none()
    plain = _frequencies(small, VARIANTS[0])
    white = _whitened(plain, *_statistics(plain))
    likeness = (white[place[pairs[:, 0]]] * white[place[pairs[:, 1]]]).sum(axis=1)
    pairs = pairs[likeness > _RELATED]
    return agreement(thumbs, thumbs, pairs, None, looks=looks or Looks.of_thumbs(thumbs))


def _candidates(ours: Thumbs, theirs: Thumbs | None) -> Matches:
    within = theirs is None
    ours_say, ours_small = _speaking(ours)
    theirs_say, theirs_small = (ours_say, ours_small) if theirs is None else _speaking(theirs)
    if not len(ours_say) or not len(theirs_say):
        return Matches.none()
    plain = _frequencies(theirs_small, VARIANTS[0])
    mean, spread = _statistics(plain if within else np.concatenate([plain, _frequencies(ours_small, VARIANTS[0])]))
    forest = Forest(_whitened(plain, mean, spread))
    best = _Best(len(ours) if theirs is None else len(theirs), symmetric=within)

    def near(variant: Variant) -> list[tuple[Pairs, Pairs, Floats]]:
        return list(forest.near(_whitened(_frequencies(ours_small, variant), mean, spread), _CANDIDATE))

    with threads() as pool:  # products of matrices: they run side by side in threads
        for number, hits in enumerate(pool.map(near, VARIANTS)):
            for i, j, similarity in hits:
                i, j = ours_say[i], theirs_say[j]
                keep = i != j if within else np.ones(len(i), bool)
                best.take(i[keep], j[keep], similarity[keep], number)
    return best.matches()


class _Best:
    """Of all hits of a pair the most similar one; merged now and then, so that memory follows the pairs, not the hits.

    `symmetric`: (i, j) and (j, i) are one pair, of which the direction that fits better is kept.
    """

    def __init__(self, columns: int, *, symmetric: bool) -> None:
        self._columns, self._symmetric = columns, symmetric
        self._parts: list[tuple[npt.NDArray[np.int64], Floats, npt.NDArray[np.int16]]] = []
        self._pending = 0

    def take(self, i: npt.NDArray[np.intp], j: npt.NDArray[np.intp], similarity: Floats, number: int) -> None:
        if len(i):
            self._parts.append((i.astype(np.int64) * self._columns + j, similarity, np.full(len(i), number, np.int16)))
            self._pending += len(i)
            if self._pending > 1_000_000:
                self._merge()

    def _merge(self) -> None:
        keys, similarity, variant = (np.concatenate(column) for column in zip(*self._parts, strict=True))
        order = np.lexsort((variant, -similarity, keys))
        first = order[np.r_[True, np.diff(keys[order]) > 0]]
        self._parts = [(keys[first], similarity[first], variant[first])]
        self._pending = 0

    def matches(self) -> Matches:
        if not self._parts:
            return Matches.none()
        self._merge()
        keys, similarity, variants = self._parts[0]
        pairs = np.stack(np.divmod(keys, self._columns), axis=1).astype(np.intp)
        if self._symmetric:
            ends = np.sort(pairs, axis=1)
            order = np.lexsort((pairs[:, 0], -similarity, ends[:, 1], ends[:, 0]))
            kept = order[np.r_[True, (np.diff(ends[order], axis=0) != 0).any(axis=1)]]
            pairs, variants, similarity = pairs[kept], variants[kept], similarity[kept]
        return Matches(pairs, variants, similarity)


def _speaking(thumbs: Thumbs) -> tuple[npt.NDArray[np.intp], Thumbs]:
    """Which thumbnails show something, and these in small."""
    small = np.empty((len(thumbs), _SMALL, _SMALL), np.uint8)
    for start in range(0, len(thumbs), _BLOCK):
        small[start : start + _BLOCK] = np.rint(halved(thumbs[start : start + _BLOCK]))
    flat = small.reshape(len(small), -1)
    say = np.concatenate(
        [flat[start : start + _BLOCK].std(axis=1) > _FLAT for start in range(0, len(flat), _BLOCK)]
        or [np.zeros(0, bool)]
    )
    return np.flatnonzero(say), small[say]


def _frequencies(small: Thumbs, variant: Variant) -> Floats:
    """The low DCT frequencies of a variant, contrast taken out; (n, _LOW * _LOW)."""
    rows, columns = _cosines(variant.rows), _cosines(variant.columns)
    found: Floats = np.empty((len(small), _LOW, _LOW), np.float32)
    for start in range(0, len(small), _BLOCK):
        part = small[start : start + _BLOCK].astype(np.float32)
        found[start : start + _BLOCK] = rows @ part @ columns.T
    if variant.turned:
        found = found.transpose(0, 2, 1)
    alternate = (-1.0) ** np.arange(_LOW, dtype=np.float32)
    if variant.flipped_rows:
        found = found * alternate[:, None]
    if variant.flipped_columns:
        found = found * alternate
    found = found.reshape(len(found), -1).copy()
    found[:, 0] = 0  # brightness
    return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-6), np.float32)


def _cosines(span: tuple[float, float]) -> Floats:
    """The low DCT of a cropped row, as one matrix on the whole row."""
    at = (np.arange(_SMALL) + 0.5) / _SMALL
    waves = np.cos(np.pi * np.arange(_LOW)[:, None] * at) * np.sqrt(2 / _SMALL)
    waves[0] /= np.sqrt(2)
    return np.asarray(waves @ sampling(span, _SMALL), np.float32)


def _statistics(frequencies: Floats) -> tuple[Floats, Floats]:
    """Mean and spread of each frequency, made alike for all flips and turns, so that whitening commutes with them."""
    grid = frequencies.reshape(-1, _LOW, _LOW)
    mean: Floats = np.zeros((_LOW, _LOW), np.float32)
    mean[::2, ::2] = grid.mean(axis=0)[::2, ::2]
    mean = np.asarray((mean + mean.T) / 2, np.float32)
    variance = ((grid - mean) ** 2).mean(axis=0)
    spread = np.sqrt((variance + variance.T) / 2)
    return mean.ravel(), np.maximum(spread, 1e-4).ravel().astype(np.float32)


def _whitened(frequencies: Floats, mean: Floats, spread: Floats) -> Floats:
    white = (frequencies - mean) / spread
    white[:, 0] = 0
    return np.ascontiguousarray(
        white / np.maximum(np.linalg.norm(white, axis=1, keepdims=True), 1e-6), dtype=np.float32
    )
