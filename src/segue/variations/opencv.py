"""The executor on stored arrays: one image at a time, nothing per pixel in Python. Training batches on a CPU and prediction.

`render` brings a case of the store onto the network's canvas: letterbox, resize and all geometry are one interpolation,
read from the level of the pyramid that is within 1.5 times of what is needed. The identity is the plain letterbox, so
prediction goes through the same lines; `restore` brings its maps back.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from segue.data.case import IGNORE
from segue.errors import BadInput
from segue.variations import boxes, pixels, warp
from segue.variations.padding import CONSTANT, Padding

if TYPE_CHECKING:
    from segue.variations.drawn import Drawn

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]

_CHANNELS = 4  # more than these OpenCV does not warp at once


@dataclass(frozen=True, slots=True)
class Rendered:
    image: Array  # (height, width, channels), as stored
    labels: npt.NDArray[np.uint8] | None
    valid: Bools  # False: invented


def render(
    drawn: Drawn,
    index: int,
    levels: Sequence[Array],
    labels: npt.NDArray[np.uint8] | None,
    size: tuple[int, int],
    padding: Padding = CONSTANT,
    *,
    onto: warp.Floats | None = None,
    shown: Bools | None = None,
    out: Rendered | None = None,
) -> Rendered:
    """Sample `index` of `drawn` done to one case: its pyramid (height, width, channels), the full size first, and its
    labels. Everything but mixing, which needs a partner: `paste` does it to a batch of these. `onto` says which place of the
    case each relative place on the canvas is; without it the whole case is letterboxed. `shown`: what of the case is of the
    picture, where not all of it is."""
    warp.demand_flat(drawn)
    source = _size(levels[0])
    box = warp.letterbox(source, size) if onto is None else onto
    level = _level(levels, warp.shrinking(box @ warp.matrix(drawn, index), size))
    where = warp.forward(drawn, index, size, warp.between(source, _size(level)) @ box)
    # Labels are read at full size, at the same places.
    full = where if _size(level) == source else warp.forward(drawn, index, size, box)
    found = None if labels is None else nearest(labels, full, IGNORE)
    valid: Bools | None = None  # all of it
    if shown is not None:
        valid = nearest(shown, full, False)
    elif not where.covers(_size(level)):
        if labels is not None and found is not None and labels.max() < IGNORE:
            valid = np.asarray(found != IGNORE)
        else:
            valid = nearest(_everywhere(source), full, False)
    image = pixels.develop(drawn, index, _interpolated(level, where, padding), valid, padding)
    erased = boxes.ignored(drawn, index, size)
    if found is not None and erased is not None:
        found[erased] = IGNORE
    if out is None:
        return Rendered(image, found, np.ones(size, np.bool_) if valid is None else valid)
    np.copyto(out.image, image)
    np.copyto(out.valid, True if valid is None else valid)
    if found is not None and out.labels is not None:
        np.copyto(out.labels, found)
    return out


def restore(maps: npt.NDArray[np.float32], source: tuple[int, int]) -> npt.NDArray[np.float32]:
    """(height, width, classes) of a canvas on the grid of the source that was letterboxed onto it."""
    size = _size(maps)
    box = warp.letterbox(source, size) @ warp.to_relative(size)
    # What the network says about padding must not leak over the edge: only pixels whose centre shows the source count.
    rows, columns = (_shown(box[axis, axis], box[axis, 2], size[1 - axis], source[1 - axis]) for axis in (1, 0))
    shown = np.ascontiguousarray(maps[rows, columns], np.float32)
    to_canvas = np.asarray(np.linalg.inv(box), np.float64)
    to_canvas[:2, 2] -= (columns.start, rows.start)
    smaller = warp.reading(_size(shown), float(to_canvas[0, 0]))
    if smaller != _size(shown):
        to_canvas = warp.between(_size(shown), smaller) @ to_canvas
        shown = _shrunk(shown, smaller)
    where = warp.Where(source, warp.snapped(to_canvas))
    return np.asarray(_interpolated(shown, where, CONSTANT), np.float32)


def images(drawn: Drawn, x: Array, *, partner: Array | None = None, padding: Padding = CONSTANT) -> Array:
    """(n, height, width, channels)"""
    if x.ndim != 4 or len(x) != drawn.n:
        raise BadInput(f"an array of images has the shape ({drawn.n}, height, width, channels), not {x.shape}")
    if x.dtype not in (np.uint8, np.uint16, np.float32):
        raise BadInput(f"images are uint8, uint16 or float32 in 0..1, not {x.dtype}")
    size = warp.checked(drawn, (x.shape[1], x.shape[2]))
    found = np.empty_like(x, order="C")
    for index, image in enumerate(x):
        found[index] = render(drawn, index, [np.ascontiguousarray(image)], None, size, padding).image
    if partner is None:
        paste(drawn, found)
    else:
        _paste(drawn, found, partner, size, own=False)
    return found


def paste(drawn: Drawn, *several: Array) -> None:
    """Mix a rendered batch in place: images, labels and valid, each (n, height, width, ...). The last thing to be done to
    it; nothing happens if nothing mixes."""
    if "mix" in drawn.active:
        for each in several:
            _paste(drawn, each, each.copy(), _size(each[0]), own=True)


def _paste(drawn: Drawn, mine: Array, other: Array, size: tuple[int, int], *, own: bool) -> None:
    """`own`: the partners are of this batch, and `other` is a copy of it; else `other` has a partner for each sample."""
    for index, partner, where in boxes.pastes(drawn, size, own=own):
        mine[index][where] = other[partner][where]


def carry(
    drawn: Drawn, maps: Array, *, valid: Bools | None = None, partner: tuple[Array, Bools] | None = None
) -> tuple[Array, Bools]:
    size = warp.checked(drawn, (maps.shape[-2], maps.shape[-1]))
    found, counts = _carried([warp.forward(drawn, index, size) for index in range(drawn.n)], maps, valid)
    for index in range(drawn.n):
        erased = boxes.ignored(drawn, index, size)
        if erased is not None:
            counts[index] &= ~erased
            found[index][..., erased] = outside(maps)
    last = np.moveaxis(found, 1, -1) if found.ndim == 4 else found  # a view
    if partner is None:
        paste(drawn, last, counts)
    else:
        others, known = partner
        _paste(drawn, last, np.moveaxis(others, 1, -1) if others.ndim == 4 else others, size, own=False)
        _paste(drawn, counts, known, size, own=False)
    return found, counts


def undo(drawn: Drawn, maps: Array, *, valid: Bools | None = None) -> tuple[Array, Bools]:
    size = warp.checked(drawn, (maps.shape[-2], maps.shape[-1]))
    lost = [boxes.lost(drawn, index, size) for index in range(drawn.n)]
    if any(each is not None for each in lost):
        valid = np.ones((drawn.n, *size), np.bool_) if valid is None else valid.copy()
        for index, each in enumerate(lost):
            if each is not None:
                valid[index] &= ~each
    return _carried([warp.backward(drawn, index, size) for index in range(drawn.n)], maps, valid)


def nearest(plane: Array, where: warp.Where, beyond: int) -> Array:
    """(height, width) of whole numbers at other places, never mixed."""
    if plane.dtype.itemsize == 1 and where.known is None:
        found = _warped(
            np.ascontiguousarray(plane).view(np.uint8), where, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT, beyond
        )
        return np.asarray(found.view(plane.dtype))
    x, y = where.maps()
    rows = np.clip(np.rint(y), 0, plane.shape[0] - 1).astype(np.intp)
    columns = np.clip(np.rint(x), 0, plane.shape[1] - 1).astype(np.intp)
    return np.where(where.inside(_size(plane)), plane[rows, columns], np.asarray(beyond, plane.dtype))


def outside(maps: Array) -> int:
    """What stands in maps where nothing is known."""
    return IGNORE if np.issubdtype(maps.dtype, np.integer) else 0


def _carried(places: Sequence[warp.Where], maps: Array, valid: Bools | None) -> tuple[Array, Bools]:
    if maps.ndim not in (3, 4) or len(maps) != len(places):
        raise BadInput(f"maps have the shape ({len(places)}, [channels,] height, width), not {maps.shape}")
    smooth = np.issubdtype(maps.dtype, np.floating)
    size = (maps.shape[-2], maps.shape[-1])
    found, counts = np.empty_like(maps, order="C"), np.empty((len(maps), *size), np.bool_)
    for index, where in enumerate(places):
        before = _everywhere(size) if valid is None else valid[index]
        if (whole := _permuted(maps[index].reshape(-1, *size).transpose(1, 2, 0), where)) is not None:
            counts[index] = _permuted(before.view(np.uint8)[..., None], where)[..., 0]  # type: ignore[index]
            moved = whole.transpose(2, 0, 1).reshape(maps.shape[1:])
            found[index] = moved if valid is None else np.where(counts[index], moved, outside(maps))
            continue
        counts[index] = nearest(before, where, False)
        for channel in np.ndindex(maps.shape[1:-2]):
            plane = maps[index][channel]
            if smooth:
                value = _interpolated_plane(np.where(before, plane, 0), where)
                if valid is not None:  # a mean over what counts: nothing else may bleed into it
                    value /= np.maximum(_interpolated_plane(before, where), 1e-6)
                found[index][channel] = np.where(counts[index], value, 0)
            else:
                found[index][channel] = np.where(counts[index], nearest(plane, where, 0), outside(maps))
    return found, counts


def _interpolated(level: Array, where: warp.Where, padding: Padding) -> Array:
    """(height, width, channels)"""
    exact = _permuted(level, where)
    if exact is not None:
        return exact
    border = cv2.BORDER_REFLECT if padding.mirrored else cv2.BORDER_REPLICATE
    channels = level.shape[2]
    if channels == 1:
        return _warped(level, where, cv2.INTER_LINEAR, border)[:, :, None]
    if channels == 3:
        return np.asarray(cv2.cvtColor(_warped(_four(level), where, cv2.INTER_LINEAR, border), cv2.COLOR_RGBA2RGB))
    parts = [_warped(_four(level[:, :, at : at + 4]), where, cv2.INTER_LINEAR, border) for at in range(0, channels, 4)]
    return np.concatenate(parts, axis=2)[:, :, :channels]


def _four(level: Array) -> Array:
    """OpenCV interpolates four channels in half the time of three, and two less exactly than either."""
    if level.shape[2] == 3:
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(level), cv2.COLOR_RGB2RGBA))
    return np.ascontiguousarray(np.pad(level, ((0, 0), (0, 0), (0, 4 - level.shape[2]))))


def _interpolated_plane(plane: Array, where: warp.Where) -> npt.NDArray[np.float32]:
    return _warped(plane.astype(np.float32), where, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)


def _warped(source: Array, where: warp.Where, how: int, border: int, beyond: float = 0) -> Array:
    height, width = where.size
    if where.matrix is None:
        found = cv2.remap(source, *where.maps(), how, borderMode=border, borderValue=beyond)
    elif np.any(where.matrix[2, :2]):
        flags = how | cv2.WARP_INVERSE_MAP
        found = cv2.warpPerspective(
            source, where.matrix, (width, height), flags=flags, borderMode=border, borderValue=beyond
        )
    else:
        matrix = where.matrix[:2] / where.matrix[2, 2]
        flags = how | cv2.WARP_INVERSE_MAP
        found = cv2.warpAffine(source, matrix, (width, height), flags=flags, borderMode=border, borderValue=beyond)
    return np.asarray(found)


# Flips and quarter turns by what they do to (x, y): from the place in the result to that in the source.
_PERMUTATIONS: dict[tuple[float, ...], Callable[[Array], Array]] = {
    (1, 0, 0, 1): lambda level: level.copy(),
    (-1, 0, 0, 1): lambda level: _flipped(level, 1),
    (1, 0, 0, -1): lambda level: _flipped(level, 0),
    (-1, 0, 0, -1): lambda level: _flipped(level, -1),
    (0, 1, 1, 0): lambda level: level.swapaxes(0, 1).copy(),
    (0, -1, -1, 0): lambda level: level.swapaxes(0, 1)[::-1, ::-1].copy(),
    (0, 1, -1, 0): lambda level: level.swapaxes(0, 1)[:, ::-1].copy(),
    (0, -1, 1, 0): lambda level: level.swapaxes(0, 1)[::-1].copy(),
}


def _flipped(level: Array, how: int) -> Array:
    if level.dtype.itemsize > 4 or level.dtype.kind == "b":  # what OpenCV does not know in each of its versions
        return level[:: 1 if how == 1 else -1, :: 1 if how == 0 else -1].copy()
    return np.asarray(cv2.flip(level, how))


def _permuted(level: Array, where: warp.Where) -> Array | None:
    """The level itself if no pixel is interpolated and none invented, else None."""
    if where.matrix is None or np.any(where.matrix[2] != (0, 0, 1)):
        return None
    permute = _PERMUTATIONS.get(tuple(where.matrix[:2, :2].ravel()))
    if permute is None:
        return None
    # The first pixel of the result comes from this end of each axis if the whole source is used.
    lengths = (level.shape[1], level.shape[0])
    ends = [0.0 if row[:2].sum() > 0 else length - 1.0 for row, length in zip(where.matrix[:2], lengths, strict=True)]
    turned = where.matrix[0, 0] == 0
    if list(where.matrix[:2, 2]) != ends or _size(level) != (where.size[::-1] if turned else where.size):
        return None
    return permute(level).reshape(*where.size, -1)


def _level(levels: Sequence[Array], shrink: float) -> Array:
    """The smallest level that is not enlarged; shrunk further where the pyramid ends too early."""
    source = max(_size(levels[0]))
    chosen, rest = levels[0], shrink
    for level in levels[1:]:
        left = shrink * max(_size(level)) / source
        if left < 1 - 1e-6:
            break
        chosen, rest = level, left
    size = warp.reading(_size(chosen), rest)
    return chosen if size == _size(chosen) else _shrunk(chosen, size)


def _shrunk(pixels_: Array, size: tuple[int, int]) -> Array:
    parts = [
        cv2.resize(pixels_[:, :, at : at + _CHANNELS], size[::-1], interpolation=cv2.INTER_AREA).reshape(*size, -1)
        for at in range(0, pixels_.shape[2], _CHANNELS)
    ]
    return np.concatenate(parts, axis=2)


def _shown(scale: float, offset: float, length: int, source: int) -> slice:
    """Which of `length` pixels have their centre in [0, source] of the source's area."""
    places = np.flatnonzero(np.abs(np.arange(length) * scale + offset - (source - 1) / 2) <= source / 2 + 1e-6)
    return slice(int(places[0]), int(places[-1]) + 1)


@functools.lru_cache(maxsize=64)
def _everywhere(size: tuple[int, int]) -> Bools:
    found = np.ones(size, np.bool_)
    found.setflags(write=False)
    return found


def _size(pixels_: Array) -> tuple[int, int]:
    return (pixels_.shape[0], pixels_.shape[1])
