"""What a hospital's endoscope and recorder make of a scene: lens, aperture, colour, noise, overlays, compression.

A site is one such instrument. Its numbers are frozen (see `colon`).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import cv2
import numpy as np

from segue.data.phantoms import noise
from segue.data.phantoms.noise import Bytes, Floats, Generator

FONT = cv2.FONT_HERSHEY_PLAIN


@dataclass(frozen=True)
class Site:
    """An instrument, in relative units: lengths are parts of half the frame's height."""

    size: tuple[int, int]  # rows, columns
    view: float  # tangent of the angle seen at half the height
    barrel: float  # how far the lens bends straight lines
    aperture: str  # "octagon" or "circle"
    extent: tuple[float, float]  # half height and half width of the aperture
    corner: float  # how much of an octagon's corner is cut
    shift: float  # the aperture's centre, to the right
    surround: int  # grey level outside the aperture
    exposure: float  # how brightly the automatic exposure aims
    gain: tuple[float, float, float]  # colour balance, red, green, blue
    saturation: float
    gamma: float
    blur: float  # pixels
    sharpen: float  # edge enhancement of the video processor
    grain: float  # sensor noise, parts of full scale
    fringe: float  # lateral chromatic error, pixels at the rim
    quality: int  # JPEG
    text: tuple[float, float]  # where the lines of text begin, parts of width and height
    lines: int
    box: float  # share of patients with the position guide's black box


SITES = {
    # A sharp, warm processor that fills the frame; the shaft's position guide hides the lower left corner.
    "north": Site(
        size=(256, 320), view=1.0, barrel=0.10, aperture="octagon", extent=(1.0, 1.2), corner=0.40, shift=0.05,
        surround=2, exposure=0.50, gain=(1.06, 0.98, 0.92), saturation=1.0, gamma=1.0, blur=0.0, sharpen=0.7,
        grain=0.010, fringe=0.0, quality=88, text=(0.01, 0.18), lines=6, box=0.6,
    ),
    # An older instrument: smaller picture within a dark grey surround, soft, dim, brownish, grainy.
    "south": Site(
        size=(240, 320), view=0.85, barrel=0.04, aperture="octagon", extent=(0.92, 1.08), corner=0.30, shift=0.08,
        surround=14, exposure=0.36, gain=(0.93, 1.02, 0.82), saturation=0.80, gamma=1.15, blur=0.9, sharpen=0.0,
        grain=0.026, fringe=0.6, quality=62, text=(0.01, 0.06), lines=0, box=0.0,
    ),
    # Wide angle, round, cool light, heavily compressed; everything looks smaller.
    "harbour": Site(
        size=(272, 336), view=1.30, barrel=0.24, aperture="circle", extent=(1.02, 1.02), corner=0.0, shift=0.2,
        surround=6, exposure=0.58, gain=(0.88, 0.97, 1.16), saturation=0.95, gamma=0.85, blur=0.4, sharpen=0.2,
        grain=0.014, fringe=1.2, quality=38, text=(0.01, 0.10), lines=8, box=0.0,
    ),
}  # fmt: skip


@functools.lru_cache(maxsize=8)
def rays(name: str, shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """Where each pixel looks (x, y), as tangents: the lens, without the camera's movement."""
    site = SITES[name]
    x, y = noise.mesh(shape)
    x = x - np.float32(site.shift)
    square = x * x + y * y
    bend = np.float32(site.view) * (1 + np.float32(site.barrel) * square) / np.float32(1 + site.barrel)
    return x * bend, y * bend


@functools.lru_cache(maxsize=8)
def opening(name: str) -> Bytes:
    """1 inside the aperture."""
    site = SITES[name]
    x, y = noise.mesh(site.size)
    x = np.abs(x - np.float32(site.shift))
    y = np.abs(y)
    high, wide = site.extent
    if site.aperture == "circle":
        inside = (x * x + y * y < high * wide) & (x < wide * 0.97)
    else:
        inside = (x < wide) & (y < high) & (x / wide + y / high < 2 - site.corner)
    return np.asarray(inside, np.uint8)


def develop(light: Floats, *, name: str, rng: Generator, box: float) -> tuple[Bytes, Bytes]:
    """Light (rows, columns, 3) to the recorded picture, uint8 RGB, and where it shows the scene (0/1)."""
    site = SITES[name]
    seen = opening(name)
    # Automatic exposure aims at a mean level, and misses it.
    level = float(light[::4, ::4, 1][seen[::4, ::4] > 0].mean())
    aim = site.exposure * rng.uniform(0.8, 1.25) / max(level, 1e-3)
    cast = np.array(site.gain) * rng.normal(1, 0.03, 3)
    # A film-like shoulder: what is too bright turns pale, not flat. Saturation mixes the channels in one product.
    mix = np.full((3, 3), (1 - site.saturation) / 3) + np.eye(3) * site.saturation
    picture = cv2.transform(light, (mix * -(cast * aim)).astype(np.float32))
    picture = 1 - cv2.exp(np.minimum(picture, 0, out=picture))
    if site.gamma != 1:
        cv2.pow(picture, site.gamma, dst=picture)
    if site.blur:
        picture = cv2.GaussianBlur(picture, (0, 0), site.blur * rng.uniform(0.6, 1.3))
    if rng.random() < 0.12:
        picture = cv2.filter2D(picture, -1, motion(rng))
    if site.sharpen:
        soft = cv2.blur(picture, (3, 3))
        picture = cv2.addWeighted(picture, 1 + site.sharpen, soft, -site.sharpen, 0)
    grain = rng.standard_normal(site.size, np.float32) * np.float32(site.grain)
    # Straight to 8 bits; the addition clips.
    frame = np.asarray(cv2.addWeighted(picture, 255, cv2.merge([grain] * 3), 255, 0, dtype=cv2.CV_8U), np.uint8)
    if site.fringe:
        frame = fringe(frame, site.fringe)
    seen = seen.copy()
    frame[seen == 0] = site.surround
    overlay(frame, seen, site, rng, box)
    return np.asarray(frame, np.uint8), seen


def motion(rng: Generator) -> Floats:
    """The kernel of a short straight movement during the exposure."""
    kernel = np.zeros((7, 7), np.float32)
    angle, reach = rng.uniform(0, math.pi), rng.uniform(1.2, 3.0)
    step = reach * math.cos(angle), reach * math.sin(angle)
    cv2.line(kernel, (round(3 - step[0]), round(3 - step[1])), (round(3 + step[0]), round(3 + step[1])), (1.0,))
    return np.asarray(kernel / kernel.sum(), np.float32)


def fringe(frame: Bytes, amount: float) -> Bytes:
    """Red a little larger than green, blue a little smaller, as behind a cheap lens."""
    rows, columns = frame.shape[:2]
    planes = list(cv2.split(frame))
    for channel, sign in ((0, 1), (2, -1)):
        scale = 1 + sign * 2 * amount / columns
        still = np.array([[scale, 0, (1 - scale) * columns / 2], [0, scale, (1 - scale) * rows / 2]], np.float32)
        planes[channel] = cv2.warpAffine(planes[channel], still, (columns, rows), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.merge(planes), np.uint8)


def overlay(frame: Bytes, seen: Bytes, site: Site, rng: Generator, box: float) -> None:
    """Box and text, drawn into the picture; what the box hides is not seen."""
    rows, columns = frame.shape[:2]
    if box < site.box:
        top, right = round(rows * 0.68), round(columns * (0.28 + 0.05 * (box / site.box)))
        frame[top:, :right] = 0
        seen[top:, :right] = 0
    left, top = site.text
    for line in range(site.lines):
        words = "".join(rng.choice(list("0123456789:/"), rng.integers(3, 9)))
        at = round(left * columns), round((top + 0.055 * line) * rows)
        cv2.putText(frame, words, at, FONT, rows / 480, (225, 225, 225), 1, cv2.LINE_AA)
