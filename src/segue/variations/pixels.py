"""What happens to the pixels of an image once it is warped: colour, light, focus, grain, holes. On arrays.

Bytes stay bytes and are rounded after each stage; everything else goes through float32 in 0..1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from segue.variations import bank, boxes, tables, warp
from segue.variations.padding import Padding

if TYPE_CHECKING:
    from segue.variations.drawn import Drawn

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.float64]

GLINT = 4.0  # how steep the edge of a highlight is


def develop(drawn: Drawn, index: int, image: Array, valid: Bools | None, padding: Padding) -> Array:
    """A warped image (height, width, channels) of our own, perhaps changed in place, to what is seen. `valid`: what is
    not invented; None: all of it."""
    asked = [name for name, acts in drawn.active.items() if name in _STAGES and acts[index]]
    kind = image.dtype
    if asked and kind == np.uint16:
        image = image.astype(np.float32) / np.float32(65535)
    for name in asked:
        image = _STAGES[name](image, drawn.parts[name][index], valid)
        if image.dtype == np.float32 and name != "curve":
            image = np.clip(image, 0, 1)
    for (rows, columns), colour, _ in boxes.erasures(drawn, index, _size(image)):
        image[rows, columns] = _like(image, colour)
    if valid is not None and not padding.mirrored:
        # Last, so that no stage has changed it: padding looks alike in training and in prediction.
        image = _filled(image, valid, padding.value(image.shape[2]))
    if image.dtype != kind:
        image = np.rint(image * np.float32(65535)).astype(kind)
    return image


def _colour(image: Array, numbers: Numbers, valid: Bools | None) -> Array:
    channels = image.shape[2]
    matrix, of_mean, offset = numbers[:, :3], numbers[:, 3:6], numbers[:, 6]
    if channels != 3:  # as a grey picture
        matrix, of_mean = (np.eye(channels) * part.sum(1).mean() for part in (matrix, of_mean))
        offset = np.full(channels, offset.mean())
    shift = offset * _peak(image)
    if (matrix != of_mean).any():
        shift = shift + (of_mean - matrix) @ _mean(image, valid)
    return _kept(cv2.transform(image, np.concatenate([matrix, shift[:, None]], axis=1)), image)


def _mean(image: Array, valid: Bools | None) -> Numbers:
    """Of each channel, over what is not invented."""
    if valid is None:
        total, part = image, 1.0
    else:
        total, part = (
            _kept(cv2.copyTo(image, valid.view(np.uint8)), image),
            max(np.count_nonzero(valid) / valid.size, 1e-6),
        )
    if image.shape[2] <= 4:
        return np.array(cv2.mean(total)[: image.shape[2]]) / part
    return np.asarray(total.mean((0, 1), dtype=np.float64) / part)


def _equalise(image: Array, numbers: Numbers, valid: Bools | None) -> Array:
    amount, limit = numbers
    histogram = _histogram(image, valid)
    levels = np.linspace(0, 1, 256)
    return _looked_up(image, levels + amount * (tables.equalised(histogram[None], limit)[0] - levels))


def _histogram(image: Array, valid: Bools | None) -> Numbers:
    """(256,) counts of the luma of what is not invented."""
    shown = image if image.dtype == np.uint8 else np.rint(image * 255).astype(np.uint8)
    if image.shape[2] == 3:
        grey = cv2.cvtColor(shown, cv2.COLOR_RGB2GRAY)
    else:
        grey = np.rint(shown.mean(2)).astype(np.uint8) if image.shape[2] > 1 else shown[:, :, 0]
    if valid is not None:
        grey = grey * valid.view(np.uint8)
    found = cv2.calcHist([np.ascontiguousarray(grey)], [0], None, [256], [0, 256]).ravel().astype(np.float64)
    if valid is not None:
        found[0] -= valid.size - np.count_nonzero(valid)
    return found


def _curve(image: Array, numbers: Numbers, valid: Bools | None) -> Array:
    return _looked_up(image, numbers)


def _looked_up(image: Array, curve: Numbers) -> Array:
    """A curve given at even steps over 0..1."""
    knots = np.linspace(0, 1, len(curve))
    if image.dtype == np.uint8:
        table = np.rint(np.interp(np.linspace(0, 1, 256), knots, curve) * 255).astype(np.uint8)
        return _kept(cv2.LUT(image, table), image)
    return np.interp(image, knots, curve).astype(np.float32)


def _light(image: Array, numbers: Numbers, valid: Bools | None) -> Array:
    gain = cv2.exp(warp.grid(numbers[None], _size(image))[0])
    gains = cv2.merge([gain] * image.shape[2])
    return _kept(cv2.multiply(image, gains, dtype=cv2.CV_8U if image.dtype == np.uint8 else cv2.CV_32F), image)


def _glints(image: Array, numbers: Numbers, valid: Bools | None) -> Array:
    size = _size(image)
    half = max(size) / 2
    for x, y, long, short, angle, strength in numbers:
        if not strength:
            continue
        rows, columns = boxes.box(np.array([x, y, long, long]), size)
        # Relative to the middle of the patch, in its own axes.
        right = (np.arange(columns.start, columns.stop) + 0.5 - size[1] / 2) / half - x
        down = ((np.arange(rows.start, rows.stop) + 0.5 - size[0] / 2) / half - y)[:, None]
        cosine, sine = math.cos(angle), math.sin(angle)
        far = ((cosine * right + sine * down) / long) ** 2 + ((cosine * down - sine * right) / short) ** 2
        white = (strength * np.clip((1 - far) * GLINT, 0, 1))[:, :, None].astype(np.float32)
        part = image[rows, columns]
        image[rows, columns] = _rounded(part + (_peak(image) - part) * white, image)
    return image


def _blur(image: Array, numbers: Numbers, valid: Bools | None) -> Array:
    return _smoothed(image, float(numbers[0]) * max(_size(image)) / 2)


def _motion(image: Array, numbers: Numbers, valid: Bools | None) -> Array:
    half = max(_size(image)) / 2
    smeared: Array = image.astype(np.float32)  # OpenCV filters floats three times as fast
    for x, y in numbers * half:
        if x or y:
            smeared = cv2.filter2D(smeared, -1, tables.stroke(x, y), borderType=cv2.BORDER_REPLICATE)
    return _rounded(_kept(smeared, image), image)


def _sharpen(image: Array, numbers: Numbers, valid: Bools | None) -> Array:
    amount, radius = numbers
    smooth = _smoothed(image, float(radius) * max(_size(image)) / 2)
    return _kept(cv2.addWeighted(image, 1 + amount, smooth, -amount, 0), image)


def _smoothed(image: Array, sigma: float) -> Array:
    taps = tables.gaussian(sigma)
    return _kept(cv2.sepFilter2D(image, -1, taps, taps, borderType=cv2.BORDER_REPLICATE), image)


def _ghost(image: Array, numbers: Numbers, valid: Bools | None) -> Array:
    strength, shift, across = numbers
    axis = int(across)
    copy = np.roll(image, round(shift * image.shape[axis]), axis=axis)
    return _kept(cv2.addWeighted(image, 1 / (1 + strength), copy, strength / (1 + strength), 0), image)


def _coarse(image: Array, numbers: Numbers, valid: Bools | None) -> Array:
    rows, columns = (tables.coarse(side, tables.coarser(side, float(numbers[0]))) for side in _size(image))
    planes = image.astype(np.float32).transpose(2, 0, 1)
    return _rounded(np.ascontiguousarray((rows @ planes @ columns.T).transpose(1, 2, 0)), image)


def _noise(image: Array, numbers: Numbers, valid: Bools | None) -> Array:
    strength, place = numbers
    normal = bank.stretch(float(place), image.size).reshape(image.shape)
    kind = cv2.CV_8U if image.dtype == np.uint8 else cv2.CV_32F
    return _kept(cv2.addWeighted(image, 1, normal, strength * _peak(image), 0, dtype=kind), image)


def _jpeg(image: Array, numbers: Numbers, valid: Bools | None) -> Array:
    """Through a real encoder: 8 bits, colours at half the size, each channel by itself where they are not three."""
    pixels = image if image.dtype == np.uint8 else np.rint(image * 255).astype(np.uint8)
    asked = [
        cv2.IMWRITE_JPEG_QUALITY, tables.quality(numbers[0]),
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    ]  # fmt: skip
    if image.shape[2] == 3:
        packed = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), asked)[1]
        found = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR_RGB))
    else:
        planes = [cv2.imencode(".jpg", np.ascontiguousarray(plane), asked)[1] for plane in np.moveaxis(pixels, 2, 0)]
        found = np.dstack([np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE)) for packed in planes])
    return found if image.dtype == np.uint8 else found.astype(np.float32) / np.float32(255)


_STAGES: dict[str, Callable[[Array, Numbers, Bools | None], Array]] = {
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


def _filled(image: Array, valid: Bools, colour: npt.NDArray[np.float32]) -> Array:
    if not colour.any():
        return _kept(cv2.copyTo(image, valid.view(np.uint8)), image)
    image[~valid] = _like(image, colour)
    return image


def _like(image: Array, colour: npt.NDArray[Any]) -> Array:
    """A colour in 0..1 as a pixel of this image."""
    colour = colour if len(colour) == image.shape[2] else np.full(image.shape[2], colour.mean())
    return _rounded(colour * _peak(image), image)


def _rounded(values: Array, image: Array) -> Array:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8) if image.dtype == np.uint8 else values.astype(image.dtype)


def _peak(image: Array) -> float:
    return 255.0 if image.dtype == np.uint8 else 65535.0 if image.dtype == np.uint16 else 1.0


def _kept(found: Array, image: Array) -> Array:
    """OpenCV drops an axis of one channel."""
    return np.asarray(found).reshape(*image.shape[:2], -1)


def _size(image: Array) -> tuple[int, int]:
    return (image.shape[0], image.shape[1])
