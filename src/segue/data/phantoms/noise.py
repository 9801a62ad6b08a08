"""Building blocks of all phantoms: addressed randomness, smooth fields, closed contours, branching lines.

Everything is drawn on a coarse grid and enlarged by OpenCV, because anatomy is smooth and a frame has a few
milliseconds. Frozen: the four phantoms' bytes depend on every constant here.
"""

from __future__ import annotations

import math
import zlib

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Generator = np.random.Generator

STEPS = 512  # entries of a table over the full circle


def address(seed: int, *parts: str | int) -> Generator:
    """A generator that depends on the address alone, never on what was drawn before it."""
    words = [zlib.crc32(part.encode()) if isinstance(part, str) else part for part in parts]  # hash() differs by run
    # The length belongs to it: numpy fills up with zeros, so (p) and (p, 0) would draw the same numbers.
    return np.random.default_rng([seed, len(words), *words])


def field(rng: Generator, shape: tuple[int, int], cells: float, *, octaves: int = 1, wrap: bool = False) -> Floats:
    """A smooth random field (rows, columns) of about unit variance, `cells` bumps along the shorter side.

    With `wrap` it continues over its edges, as a texture around a tube must.
    """
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        density = cells * 2**octave / min(shape)
        rows, columns = (max(2, round(side * density)) for side in shape)
        rim = 2 if wrap else 0
        grid = rng.standard_normal((rows, columns) if wrap else (rows + 1, columns + 1), np.float32)
        if wrap:
            # An edge of two cells, enlarged too and cut off again: the interpolation then sees the other side.
            grid = np.pad(grid, rim, mode="wrap")
            high, wide = (round(side * (n + 2 * rim) / n) for side, n in zip(shape, (rows, columns), strict=True))
            top, left = (high - shape[0]) // 2, (wide - shape[1]) // 2
            layer = cv2.resize(grid, (wide, high), interpolation=cv2.INTER_CUBIC)
            layer = layer[top : top + shape[0], left : left + shape[1]]
        else:
            layer = cv2.resize(grid, shape[::-1], interpolation=cv2.INTER_CUBIC)
        total += np.asarray(layer, np.float32) * np.float32(1.35 * 0.55**octave)
    return total


def volume(rng: Generator, shape: tuple[int, int, int], cells: tuple[int, int, int]) -> Floats:
    """A smooth random field (z, y, x) with so many bumps along each axis."""
    z, y, x = shape
    grid = rng.standard_normal([n + 1 for n in cells], np.float32).transpose(1, 2, 0)
    planes = cv2.resize(grid, (x, y), interpolation=cv2.INTER_CUBIC).reshape(y * x, -1)
    stack = cv2.resize(planes, (z, y * x), interpolation=cv2.INTER_CUBIC)
    return np.asarray(stack.T.reshape(shape) * np.float32(1.7), np.float32)


def contour(rng: Generator, *, rough: float, lowest: int = 2, harmonics: int = 6, decay: float = 1.0) -> Floats:
    """Radius over the angle (STEPS entries, mean about 1): harmonics with random phase, weaker as they get finer."""
    angles = np.arange(STEPS, dtype=np.float32) * np.float32(2 * math.pi / STEPS)
    order = np.arange(lowest, lowest + harmonics, dtype=np.float32)
    size = rough * rng.standard_normal(harmonics) * (lowest / order) ** decay
    phase = rng.uniform(0, 2 * math.pi, harmonics)
    waves = np.cos(order[:, None] * angles + phase[:, None].astype(np.float32))
    return np.asarray(np.maximum(1 + size.astype(np.float32) @ waves, 0.25), np.float32)


def polar(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Radius and angle (0 to 2 pi)."""
    radius, angle = cv2.cartToPolar(x, y)
    return np.asarray(radius, np.float32), np.asarray(angle, np.float32)


def around(angle: Floats) -> npt.NDArray[np.intp]:
    """Indices into a table of STEPS entries for angles from 0 to 2 pi."""
    index: npt.NDArray[np.intp] = (angle * np.float32(STEPS / (2 * math.pi))).astype(np.intp)
    return index % STEPS


def mesh(shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """Pixel centres (x, y) in units of half the height, (0, 0) in the middle."""
    rows, columns = shape
    x = (np.arange(columns, dtype=np.float32) - np.float32((columns - 1) / 2)) / np.float32(rows / 2)
    y = (np.arange(rows, dtype=np.float32) - np.float32((rows - 1) / 2)) / np.float32(rows / 2)
    return np.broadcast_to(x, shape).copy(), np.broadcast_to(y[:, None], shape).copy()


def ramp(values: Floats, low: float, high: float) -> Floats:
    """0 below `low`, 1 above `high`, smooth in between."""
    t = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def branches(rng: Generator, side: int, *, roots: int, width: float, steps: int = 34) -> Bytes:
    """Vessels on a square canvas that wraps: walks that wander, fork and thin out, all walking at once."""
    place = rng.uniform(0, side, (roots, 2))
    course = rng.uniform(0, 2 * math.pi, roots)
    thick = width * rng.uniform(0.6, 1.0, roots)
    strokes, weights = [], []
    for _ in range(steps):
        course = course + rng.normal(0, 0.36, len(course))
        ahead = place + side / 60 * np.stack([np.cos(course), np.sin(course)], 1)
        strokes.append(np.stack([place, ahead], 1))
        weights.append(thick)
        place, thick = ahead % side, thick * 0.965
        fork = rng.random(len(thick)) < 0.075
        if fork.any() and len(thick) < 6 * roots:
            place = np.concatenate([place, place[fork]])
            course = np.concatenate([course, course[fork] + rng.choice([-0.8, 0.8], int(fork.sum()))])
            thick = np.concatenate([thick, thick[fork] * 0.75])
        alive = thick > 0.22
        place, course, thick = place[alive], course[alive], thick[alive]
    # One call per shade: the shade carries what is thinner than a pixel. Shift 3: ends lie between pixels.
    lines = (np.concatenate(strokes) * 8).astype(np.int32)
    level = np.ceil(np.concatenate(weights) * 5).astype(int)
    canvas = np.zeros((side, side), np.uint8)
    for step in np.unique(level).tolist():
        shade = (min(255, 51 * step),)
        cv2.polylines(canvas, list(lines[level == step]), False, shade, max(1, round(step / 5)), cv2.LINE_AA, 3)
    return canvas
