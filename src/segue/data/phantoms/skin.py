"""Dermoscopy-like images of two sites.

A patient has one lesion, photographed a few times: nearer or farther, turned, with other hairs and reflections. Skin is
a colour with mottling, pores and freckles; a lesion is a warped outline, filled by pigments whose borders are smooth
fields, with a network, dots or globules. Some lesions hardly differ from their skin. Pictures are 4:3.

Frozen: as for `colon`. The constants were chosen by eye against public dermoscopic images; contrast, place and harmless
spots were set once, after a first run of the hardness benchmark. They must not be tuned to any method's results.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from segue.data.images import jpeg
from segue.data.phantoms import noise
from segue.data.phantoms.folder import Frame, Patients, numbers
from segue.data.phantoms.noise import Bytes, Floats, Generator

SIZE = (240, 320)
FRAMES = 3  # of one patient
SIDE = 256  # of the skin's and the lesion's texture
REACH = 1.5  # half of what the texture covers, in half heights


@dataclass(frozen=True)
class Site:
    """A dermatoscope: polarised light, or glass on gel."""

    gain: tuple[float, float, float]
    contrast: float
    vignette: float  # how dark the rim is
    tube: float  # share of pictures with the dermatoscope's black rim
    gel: float  # share with bubbles in the gel
    ruler: float
    patch: float  # share with a coloured calibration disc
    blur: float
    grain: float
    quality: int


SITES_ = {
    "polarised": Site(
        gain=(1.0, 0.97, 0.93), contrast=1.0, vignette=0.22, tube=0.05, gel=0.05, ruler=0.45, patch=0.12, blur=0.0,
        grain=0.010, quality=88,
    ),
    "immersion": Site(
        gain=(0.95, 0.95, 1.08), contrast=0.82, vignette=0.5, tube=0.4, gel=0.6, ruler=0.1, patch=0.0, blur=0.8,
        grain=0.018, quality=55,
    ),
}  # fmt: skip
SITES = tuple(SITES_)

TONES = np.array(  # of skin: pale, rosy, tan, greyish, brown, flushed
    [[0.89, 0.81, 0.76], [0.85, 0.72, 0.68], [0.83, 0.69, 0.57],
     [0.68, 0.59, 0.58], [0.55, 0.42, 0.35], [0.85, 0.56, 0.49]]
)  # fmt: skip
PIGMENTS = np.array(  # what is left of the skin's light: light brown, dark brown, black, red, blue-grey, pale scar
    [[0.80, 0.64, 0.50], [0.52, 0.37, 0.29], [0.27, 0.21, 0.21],
     [0.84, 0.54, 0.50], [0.60, 0.62, 0.70], [1.00, 0.97, 0.94]]
)  # fmt: skip


@dataclass(frozen=True)
class Patch:
    """One patient's skin with and without the lesion, seen from straight above (SIDE x SIDE)."""

    inside: Floats  # above 0 in the lesion; distances in half heights
    skin: tuple[Floats, ...]  # red, green, blue
    grown: tuple[Floats, ...]  # with the lesion
    hair: float


def patch(*, site: str, patient: int, seed: int) -> Patch:
    """Drawn from the patient's own address."""
    rng = noise.address(seed, "skin", site, patient)
    shape = (SIDE, SIDE)
    x, y = (part * np.float32(REACH) for part in noise.mesh(shape))
    size = 0.18 * 4.2 ** float(rng.beta(1.3, 1.6))
    place = rng.normal(0, 0.22, 2).astype(np.float32)
    turn, squeeze = rng.uniform(0, math.pi), rng.uniform(0.6, 1.0)
    # The outline: a contour, pushed about by fields of two sizes.
    wild = rng.uniform(0.02, 0.14)
    dx = x - place[0] + np.float32(wild * size) * noise.field(rng, shape, 9, octaves=4)
    dy = y - place[1] + np.float32(wild * size) * noise.field(rng, shape, 9, octaves=4)
    across = dx * np.float32(math.cos(turn)) + dy * np.float32(math.sin(turn))
    along = (dy * np.float32(math.cos(turn)) - dx * np.float32(math.sin(turn))) / np.float32(squeeze)
    radius, angle = noise.polar(across, along)
    outline = noise.contour(rng, rough=rng.uniform(0.04, 0.16), harmonics=7)
    inside = np.float32(size) - radius / outline[noise.around(angle)]
    strong = [rng.uniform(0.15, 0.4), rng.uniform(0.4, 0.75), rng.uniform(0.75, 1.0)][
        rng.choice(3, p=[0.4, 0.35, 0.25])
    ]
    edge = rng.uniform(0.02, 0.10)
    share = noise.ramp(inside, -edge, edge) * np.float32(strong)
    skin = _skin(rng)
    pigment = _pigment(rng, inside / np.float32(size))
    grown = [own * (1 - share * (1 - left)) for own, left in zip(skin, pigment, strict=True)]
    hair = float(rng.choice([0.0, 0.3, 1.0], p=[0.5, 0.3, 0.2])) * rng.uniform(0.5, 1)
    return Patch(inside, tuple(skin), tuple(grown), hair)


def _pigment(rng: Generator, depth: Floats) -> list[Floats]:
    """Two to four pigments, the first everywhere, the others in clouds; then network, dots or globules."""
    shape = depth.shape[0], depth.shape[1]
    order = [int(rng.choice(2, p=[0.65, 0.35])), *rng.choice(6, 3, p=[0.14, 0.38, 0.12, 0.14, 0.08, 0.14]).tolist()]
    colour = [np.full(shape, part, np.float32) for part in PIGMENTS[order[0]]]
    for pigment in order[1 : int(rng.integers(2, 5))]:
        # Mostly darker towards the middle.
        cloud = noise.field(rng, shape, rng.uniform(5, 11), octaves=4) + np.float32(rng.normal(0.6, 1.2)) * depth
        low = rng.uniform(-0.5, 1.2)
        share = noise.ramp(cloud, low, low + rng.uniform(0.6, 2.2)) * np.float32(rng.uniform(0.4, 1))
        colour = [part + share * (np.float32(new) - part) for part, new in zip(colour, PIGMENTS[pigment], strict=True)]
    pattern = rng.choice(["network", "globules", "plain"], p=[0.45, 0.25, 0.3])
    if pattern == "network":
        # Zero lines of a field: a net whose holes are one cell wide; it comes and goes.
        net = cv2.exp(-5 * np.square(noise.field(rng, shape, rng.uniform(60, 85))))
        net = net * noise.ramp(noise.field(rng, shape, 8), -0.8, 1.0) * np.float32(rng.uniform(0.15, 0.5))
        colour = [part * (1 - net) for part in colour]
    elif pattern == "globules":
        dots = noise.ramp(noise.field(rng, shape, rng.uniform(45, 80)), 0.7, 1.6) * np.float32(rng.uniform(0.2, 0.5))
        colour = [part * (1 - dots) for part in colour]
    return colour


def _skin(rng: Generator) -> list[Floats]:
    """Colour, mottling, pores, red blotches, freckles, moles."""
    shape = (SIDE, SIDE)
    tone = TONES[rng.choice(len(TONES), p=[0.25, 0.25, 0.2, 0.18, 0.07, 0.05])] * rng.normal(1, 0.03, 3)
    even = 1 + noise.field(rng, shape, 7, octaves=4) * np.float32(rng.uniform(0.008, 0.03))
    even += noise.field(rng, shape, 90) * np.float32(rng.uniform(0.004, 0.025))
    blush = noise.ramp(noise.field(rng, shape, 6, octaves=4), 0.4, 2.6) * np.float32(rng.uniform(0, 0.3))
    freckle = np.zeros(shape, np.float32)
    if rng.random() < 0.5:
        freckle = noise.ramp(noise.field(rng, shape, 30, octaves=2), 1.5, 3.0) * np.float32(rng.uniform(0.1, 0.6))
    freckle += _moles(rng)
    return [
        even * np.float32(part) * (1 - np.float32(red) * blush) * (1 - np.float32(brown) * freckle)
        for part, red, brown in zip(tone, (0.15, 0.9, 0.8), (0.5, 0.8, 1.0), strict=True)
    ]


def _moles(rng: Generator) -> Floats:
    """Small harmless spots (0 to 1) that are not the lesion in question, in two patients of five."""
    spots = np.zeros((SIDE, SIDE), np.uint8)
    if rng.random() < 0.4:
        for _ in range(int(rng.integers(1, 5))):
            axes = rng.uniform(5, 17, 2).astype(int).tolist()
            shade, turn = (float(rng.uniform(60, 190)),), float(rng.uniform(0, 180))
            cv2.ellipse(spots, _at(rng.uniform(0, SIDE, 2)), axes, turn, 0, 360, shade, -1)
        spots = np.asarray(cv2.blur(spots, (9, 9)), np.uint8)
    return spots * np.float32(1 / 255)


def look(seen: Patch, *, site: str, rng: Generator, lesions: bool = True) -> tuple[Bytes, Bytes]:
    """One picture and its mask (0/1). Without `lesions`: of the skin alone."""
    tool = SITES_[site]
    rows, columns = SIZE
    turn, zoom = rng.uniform(0, 360), rng.uniform(0.85, 1.25)
    # From texture to picture; outside the texture the skin goes on mirrored.
    still = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), turn, zoom * rows / SIDE * REACH)
    still[0, 2] += columns / 2 - SIDE / 2 + rng.normal(0, 10)
    still[1, 2] += rows / 2 - SIDE / 2 + rng.normal(0, 8)
    layers = cv2.merge([*(seen.grown if lesions else seen.skin), seen.inside])
    *planes, inside = cv2.split(cv2.warpAffine(layers, still, (columns, rows), borderMode=cv2.BORDER_REFLECT_101))
    x, y = noise.mesh(SIZE)
    fall = 1 - np.float32(tool.vignette * rng.uniform(0.3, 1)) * (x * x + y * y) * np.float32(0.36)
    fall *= 1 + np.float32(rng.normal(0, 0.05)) * x + np.float32(rng.normal(0, 0.05)) * y
    fall *= np.float32(rng.uniform(0.88, 1.06))
    shade = cv2.multiply(_hairs(rng, seen.hair), fall, scale=1 / 255, dtype=cv2.CV_32F) if seen.hair else fall
    gain = np.array(tool.gain) * rng.normal(1, 0.025, 3)
    picture = cv2.merge([plane * (shade * np.float32(g)) for plane, g in zip(planes, gain, strict=True)])
    frame = np.asarray(cv2.convertScaleAbs(picture, alpha=255), np.uint8)
    _things(frame, tool, rng)
    if tool.blur:
        frame = np.asarray(cv2.GaussianBlur(frame, (0, 0), tool.blur * rng.uniform(0.5, 1.4)), np.uint8)
    grain = rng.standard_normal(SIZE, np.float32) * np.float32(tool.grain * 255) + np.float32(150 * (1 - tool.contrast))
    frame = np.asarray(cv2.addWeighted(frame, tool.contrast, cv2.merge([grain] * 3), 1, 0, dtype=cv2.CV_8U), np.uint8)
    visible = np.ones(SIZE, np.uint8)
    if rng.random() < tool.tube:
        visible = (x * x + y * y < rng.uniform(1.15, 1.45) ** 2).astype(np.uint8)
        frame[visible == 0] = rng.integers(0, 30)
    return frame, (inside > 0).astype(np.uint8) & visible if lesions else visible * np.uint8(0)


def _hairs(rng: Generator, amount: float) -> Bytes:
    """What hairs let through (0..255): arcs across the picture, mostly in one direction."""
    rows, columns = SIZE
    through = np.full(SIZE, 255, np.uint8)
    main, spread = rng.uniform(0, math.pi), rng.uniform(0.2, 1.2)
    t = np.linspace(0, 1, 14)[:, None]
    for _ in range(int(rng.uniform(8, 34) * amount) + 1):
        middle, angle = rng.uniform(0, 1, 2) * [columns, rows], main + rng.normal(0, spread)
        half = np.array([math.cos(angle), math.sin(angle)]) * rng.uniform(25, 140)
        bow = np.array([-half[1], half[0]]) * rng.normal(0, 0.6)
        arc = (middle - half) * (1 - t) ** 2 + 2 * (middle + bow) * t * (1 - t) + (middle + half) * t**2
        shade, thick = (float(rng.uniform(40, 190)),), 2 if rng.random() < 0.12 else 1
        cv2.polylines(through, [(arc * 8).astype(np.int32)], False, shade, thick, cv2.LINE_AA, 3)
    return through


def _things(picture: Bytes, tool: Site, rng: Generator) -> None:
    """What lies on the skin or the glass: a ruler, a coloured disc, ink, gel bubbles."""
    rows, columns = SIZE
    if rng.random() < tool.ruler:
        _ruler(picture, rng)
    if rng.random() < tool.patch:
        colour = [(90, 190, 190), (215, 190, 65), (75, 115, 190), (65, 65, 75)][rng.integers(4)]
        side = [(0.5, 1.15), (0.5, -0.15), (-0.1, 0.4), (1.1, 0.6)][rng.integers(4)]
        at = round(columns * (side[0] + rng.normal(0, 0.05))), round(rows * (side[1] + rng.normal(0, 0.05)))
        cv2.circle(picture, at, int(rng.integers(45, 75)), colour, -1, cv2.LINE_AA)
    if rng.random() < 0.07:
        ink = (90, 70, 150)
        for _ in range(int(rng.integers(2, 6))):
            start = rng.uniform(0, 1, 2) * [columns, rows]
            end = start + rng.normal(0, 22, 2)
            cv2.line(picture, _at(start), _at(end), ink, int(rng.integers(2, 5)), cv2.LINE_AA)
    if rng.random() < tool.gel:
        for _ in range(int(rng.integers(3, 30))):
            at, radius = _at(rng.uniform(0, 1, 2) * [columns, rows]), int(2 + rng.exponential(4))
            cv2.circle(picture, at, radius, (155, 138, 138), 1, cv2.LINE_AA)
            cv2.ellipse(picture, at, (radius, radius), 225, -50, 50, (250, 250, 250), 1, cv2.LINE_AA)


def _ruler(picture: Bytes, rng: Generator) -> None:
    rows, columns = SIZE
    slope = rng.choice([0.0, rng.normal(0, 0.3)])
    along = np.array([math.cos(slope), math.sin(slope)])
    across = np.array([along[1], -along[0]])
    start = np.array([rng.uniform(0.05, 0.3) * columns, rng.uniform(0.78, 0.93) * rows])
    step, dark = rng.uniform(6, 9), (56, 44, 40)
    ticks = int(rng.integers(16, 27))
    cv2.line(picture, _at(start), _at(start + along * step * (ticks - 1)), dark, 1, cv2.LINE_AA)
    for tick in range(ticks):
        foot = start + along * step * tick
        cv2.line(picture, _at(foot), _at(foot + across * (9 if tick % 5 == 0 else 5)), dark, 1, cv2.LINE_AA)
    cv2.putText(picture, "MM", _at(start + np.array([2, 12])), cv2.FONT_HERSHEY_PLAIN, 0.6, dark, 1, cv2.LINE_AA)


def _at(point: npt.NDArray[np.float64]) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))


def frames(*, site: str, patients: Patients, seed: int, each: int = FRAMES) -> Iterator[Frame]:
    """All pictures of these patients of a site, patient by patient; each depends on its own address alone."""
    for patient in numbers(patients):
        seen = patch(site=site, patient=patient, seed=seed)
        for step in range(each):
            picture, mask = look(seen, site=site, rng=noise.address(seed, "skin", site, patient, step))
            packed = jpeg(picture, SITES_[site].quality)
            yield Frame(packed, mask, site, f"{site}-{patient:04d}", f"{step:02d}")
