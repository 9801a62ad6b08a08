"""Do two thumbnails show the same? They are brought over each other, then their detail is compared.

The small movement that is left after a guess is solved for, to first order and coarse to fine. Detail is the picture
less its smooth part, its contrast evened out, so that hair and vessels count as much as the border of a lesion; and
less what most pictures of the set share (the aperture of an endoscope, its text), which is no evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from segue.data.copies.variant import VARIANTS
from segue.executors.machine import threads

SIDE = 64
_PROMISING = 0.5  # cosine of the coarse evened detail, before any alignment
_ALIGNED = 0.55  # of the coarse detail must be explained, or a pair is not looked at closely
_CONTRAST = 4.0  # grey levels of local contrast below which detail counts as noise
_SAMPLE = 200  # thumbnails that show what is common
_FEW = 20  # thumbnails that show nothing common: it could be one scene, filmed often
_FARTHEST = 8  # pixels of a halved thumbnail that a camera moves between frames
_BLOCK = 64  # pairs at once: what is computed of them stays in the processor's cache

Thumbs = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Pairs = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Matches:
    """Pairs (i, j), the number of the variant of i that resembles j most, and how well, 0..1."""

    pairs: Pairs  # (n, 2)
    variants: npt.NDArray[np.int16]
    scores: Floats

    @classmethod
    def none(cls) -> Matches:
        return cls(np.zeros((0, 2), np.intp), np.zeros(0, np.int16), np.zeros(0, np.float32))

    def above(self, score: float) -> Matches:
        keep = self.scores >= score
        return Matches(self.pairs[keep], self.variants[keep], self.scores[keep])


def agreement(
    ours: Thumbs, theirs: Thumbs, pairs: Pairs, variants: npt.NDArray[np.int16] | None, *, looks: Looks
) -> Matches:
    """Score given pairs. The guess to start from is each pair's variant; without variants, the best shift.

    `looks` are those of `theirs`.
    """
    scores = np.zeros(len(pairs), np.float32)
    chosen = np.arange(len(pairs)) if variants is None else _promising(ours, theirs, pairs, variants)
    guesses = np.stack([variant.matrix() for variant in VARIANTS])

    def score(part: npt.NDArray[np.intp]) -> Floats:
        source, target = ours[pairs[part, 0]], theirs[pairs[part, 1]]
        pattern = looks.patterns[looks.of[pairs[part, 1]]]
        if variants is None:
            return _moving(source, target, pattern)
        return _still(source, target, guesses[variants[part]], pattern)

    parts = [chosen[start : start + _BLOCK] for start in range(0, len(chosen), _BLOCK)]
    with threads() as pool:
        for part, found in zip(parts, pool.map(score, parts), strict=True):
            scores[part] = found
    return Matches(pairs, np.zeros(len(pairs), np.int16) if variants is None else variants, scores)


def _promising(ours: Thumbs, theirs: Thumbs, pairs: Pairs, variants: npt.NDArray[np.int16]) -> npt.NDArray[np.intp]:
    """The pairs that are alike at a glance; most strangers end here."""
    kept = [np.zeros(0, np.intp)]
    for number in np.unique(variants):
        alike = np.flatnonzero(variants == number)
        for start in range(0, len(alike), _BLOCK):
            part = alike[start : start + _BLOCK]
            source = _even(VARIANTS[number].of(halved(ours[pairs[part, 0]])), 3.0).reshape(len(part), -1)
            target = _even(halved(theirs[pairs[part, 1]]), 3.0).reshape(len(part), -1)
            norms = np.linalg.norm(source, axis=1) * np.linalg.norm(target, axis=1)
            kept.append(part[(source * target).sum(axis=1) > _PROMISING * norms])
    return np.sort(np.concatenate(kept))


@dataclass(frozen=True)
class Looks:
    """Thumbnails that come from one device share its aperture and its text: a pattern for each look, and who has which."""

    patterns: Floats  # (looks, pixels), of length 1, or zero where nothing can be said
    of: npt.NDArray[np.intp]  # thumbnail -> look

    @classmethod
    def of_thumbs(cls, thumbs: Thumbs, names: Sequence[str] | None = None) -> Looks:
        """`names`: what tells devices apart (site, size); without, all are taken for one."""
        if names is None:
            return cls(_common_pattern(thumbs)[None], np.zeros(len(thumbs), np.intp))
        known = {name: number for number, name in enumerate(sorted(set(names)))}
        of = np.array([known[name] for name in names], np.intp)
        return cls(np.stack([_common_pattern(thumbs[np.flatnonzero(of == look)]) for look in range(len(known))]), of)


def _common_pattern(thumbs: Thumbs) -> Floats:
    """The detail that more than half of the pictures share."""
    if len(thumbs) < _FEW:
        return np.zeros(SIDE * SIDE, np.float32)
    sample = np.asarray(thumbs[:: max(1, len(thumbs) // _SAMPLE)], np.float32)
    shared = np.median(_even(sample).reshape(len(sample), -1), axis=0)
    return (shared / max(float(np.linalg.norm(shared)), 1e-6)).astype(np.float32)


def _still(source: Thumbs, target: Thumbs, guess: Floats, pattern: Floats) -> Floats:
    coarse_source, coarse_target = halved(source), _detail(halved(target))
    explained, step = _explained(_detail(_warped(coarse_source, guess)), coarse_target)
    alive = np.flatnonzero(explained > _ALIGNED)
    scores = np.zeros(len(source), np.float32)
    if len(alive):
        guess = guess[alive] @ step[alive]
        _, step = _explained(_detail(_warped(coarse_source[alive], guess)), coarse_target[alive])
        moved = _warped(source[alive].astype(np.float32), guess @ step)
        aim = _telling(target[alive].astype(np.float32), pattern[alive])
        scores[alive], _ = _explained(_telling(moved, pattern[alive]), aim)
    return scores


def _moving(source: Thumbs, target: Thumbs, pattern: Floats) -> Floats:
    coarse_source, coarse_target = halved(source), _detail(halved(target))
    tries = []
    for guess in (np.tile(np.eye(3, dtype=np.float32), (len(source), 1, 1)), _shift(coarse_source, halved(target))):
        for _ in range(2):
            explained, step = _explained(_detail(_warped(coarse_source, guess)), coarse_target)
            guess = guess @ step
        tries.append((explained, guess))
    (still, unmoved), (shifted, moved) = tries
    guess = np.where((shifted > still)[:, None, None], moved, unmoved)
    fine_source, aim = source.astype(np.float32), _telling(target.astype(np.float32), pattern)
    first, step = _explained(_telling(_warped(fine_source, guess), pattern), aim)
    second, _ = _explained(_telling(_warped(fine_source, guess @ step), pattern), aim)
    return np.maximum(first, second)


def _shift(source: Floats, target: Floats) -> Floats:
    """The whole-pixel shift at which the two agree most, by correlation."""
    side = source.shape[1]
    window = np.hanning(side + 2)[1:-1].astype(np.float32)
    window = window[:, None] * window
    padded = (2 * side, 2 * side)
    ours, theirs = np.fft.rfft2(_even(source) * window, padded), np.fft.rfft2(_even(target) * window, padded)
    near = np.r_[0 : _FARTHEST + 1, -_FARTHEST:0]
    correlation = np.fft.irfft2(ours.conj() * theirs, padded)[:, near][:, :, near].reshape(len(source), -1)
    down, right = np.divmod(correlation.argmax(axis=1), len(near))
    guess = np.tile(np.eye(3, dtype=np.float32), (len(source), 1, 1))
    guess[:, 0, 2], guess[:, 1, 2] = -near[down] / side, -near[right] / side
    return guess


def _explained(source: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Squared multiple correlation of each target with its source, gain, offset and small affine movement allowed;
    and the movement, as matrices on places 0..1."""
    side = source.shape[1]
    down, right = np.gradient(source, axis=1), np.gradient(source, axis=2)
    place = ((np.arange(side, dtype=np.float32) + 0.5) / side - 0.5) * 2
    y, x = place[:, None], place[None, :]
    parts = [source, down, right, y * down, x * down, y * right, x * right]
    regressors = np.stack([part.reshape(len(source), -1) for part in parts], axis=1)
    regressors -= regressors.mean(axis=2, keepdims=True)
    aim = target.reshape(len(target), -1) - target.mean(axis=(1, 2))[:, None]
    gram = regressors @ regressors.transpose(0, 2, 1)
    # A little ridge: the gradients of a smooth image nearly depend on each other.
    ridge = 1e-3 * np.trace(gram, axis1=1, axis2=2) / len(parts) + 1e-3
    gram += ridge[:, None, None] * np.eye(len(parts), dtype=np.float32)
    cross = regressors @ aim[:, :, None]
    weights = np.linalg.solve(gram, cross)[:, :, 0]
    total = np.maximum((aim**2).sum(axis=1), 1e-6)
    explained = (weights * cross[:, :, 0]).sum(axis=1) / total
    gain = weights[:, 0]
    movement = np.clip(weights[:, 1:] / np.maximum(np.abs(gain), 1e-6)[:, None] / side, -0.06, 0.06)
    ty, tx, yy, yx, xy, xx = movement.T  # pixels over side: already fractions of the image
    step = np.tile(np.eye(3, dtype=np.float32), (len(source), 1, 1))
    step[:, 0, 0] += 2 * yy
    step[:, 0, 1] += 2 * yx
    step[:, 0, 2] += ty - yy - yx  # turns and scales about the middle
    step[:, 1, 0] += 2 * xy
    step[:, 1, 1] += 2 * xx
    step[:, 1, 2] += tx - xy - xx
    # A negative is not a copy.
    return np.where(gain > 0, np.clip(explained, 0, 1), 0).astype(np.float32), step


def _warped(thumbs: Floats, matrices: Floats) -> Floats:
    side = thumbs.shape[1]
    swap = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]], np.float32)
    to_unit = np.array([[1 / side, 0, 0.5 / side], [0, 1 / side, 0.5 / side], [0, 0, 1]], np.float32)
    from_unit = np.array([[side, 0, -0.5], [0, side, -0.5], [0, 0, 1]], np.float32)
    pixels = from_unit @ swap @ matrices @ swap @ to_unit
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.stack(
        [
            cv2.warpAffine(thumb, matrix[:2], (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE)
            for thumb, matrix in zip(thumbs, pixels, strict=True)
        ]
    )


def halved(thumbs: Thumbs) -> Floats:
    """Mean of each 2 x 2."""
    rows = thumbs[:, ::2].astype(np.float32) + thumbs[:, 1::2]
    return np.asarray((rows[:, :, ::2] + rows[:, :, 1::2]) / 4, np.float32)


@cache
def _smoothing(side: int, sigma: float) -> Floats:
    """A Gaussian blur of rows as a matrix: for many small pictures at once a product is faster than a filter."""
    unit = np.eye(side, dtype=np.float32)
    return np.ascontiguousarray(
        cv2.GaussianBlur(unit, (0, 0), sigmaX=1e-3, sigmaY=sigma, borderType=cv2.BORDER_REFLECT), dtype=np.float32
    )


def _smooth(thumbs: Floats, sigma: float) -> Floats:
    blur = _smoothing(thumbs.shape[1], sigma)
    return np.asarray(blur @ thumbs @ blur.T, np.float32)


def _detail(thumbs: Floats, sigma: float = 4.0) -> Floats:
    """Less its own smooth part: every endoscope's picture is bright in the middle."""
    return thumbs - _smooth(thumbs, sigma)


def _telling(thumbs: Floats, pattern: Floats) -> Floats:
    """Evened detail, less what is common to the device; a pattern for each thumbnail."""
    flat = _even(thumbs).reshape(len(thumbs), -1)
    told = flat - (flat * pattern).sum(axis=1, keepdims=True) * pattern
    return np.asarray(told.reshape(thumbs.shape), np.float32)


def _even(thumbs: Floats, sigma: float = 4.0) -> Floats:
    """Detail over local contrast."""
    detail = _detail(thumbs, sigma)
    return np.asarray(detail / np.sqrt(_smooth(detail * detail, sigma) + _CONTRAST**2), np.float32)
