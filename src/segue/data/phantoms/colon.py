"""Colonoscopy-like frames of three sites.

A patient is a scene: a bent tube with folds, a wall with vessels, and bumps on it (polyps, and things that look like
polyps). A frame is one look into it: an inverse-depth map is painted from the far folds to the near ones, the bumps
stand out of it, and one lamp beside the camera shades everything. So a polyp is told from a fold by its shape, by the
vessels that stop at its edge, and by a slightly different colour, as in life.

Frozen: the constants in `noise`, `bumps`, `endoscope` and here were chosen by eye against public colonoscopy frames;
the polyps' size and tint were then set once, after a first run of `benchmarks/phantom_hardness.py` (a plain U-Net):
few masks shall be too few, many shall help. Since then nothing moves: nothing here may be tuned to any method's
results, and a change would change every number that was ever measured on these frames.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from segue.data.images import jpeg
from segue.data.phantoms import bumps, endoscope, noise
from segue.data.phantoms.folder import Frame, Patients, numbers
from segue.data.phantoms.noise import STEPS, Bytes, Floats, Generator

SITES = tuple(endoscope.SITES)
FRAMES = 5  # of one patient
SIDE = 384  # of the wall's texture, once around the tube


@dataclass(frozen=True)
class Fold:
    """A ring that stands into the tube: depth, centre, and by angle the tube's edge, its own, and if it is there."""

    depth: float
    centre: tuple[float, float]
    tube: Floats
    lip: Floats
    there: Floats


@dataclass(frozen=True)
class Scene:
    """A patient's colon at one place."""

    axis: tuple[float, float]  # where the tube leads to
    folds: tuple[Fold, ...]  # far to near
    bumps: tuple[bumps.Bump, ...]
    wall: Bytes  # SIDE x SIDE x 3 or 4: patches, vessels, fine relief, foam if there is any
    colours: Floats  # of the wall, by patch level (256 x 3)
    vessels: float
    wet: float
    box: float  # which of the processor's overlays is on
    path: Floats  # the camera's slow movement (amplitude, speed, phase) x (advance, pan x, pan y, roll)


def scene(*, site: str, patient: int, seed: int) -> Scene:
    """The scene of one patient, drawn from its own address."""
    rng = noise.address(seed, "colon", site, patient)
    reach, toward = rng.uniform(0, 1.0) * rng.choice([1.0, 1.5], p=[0.7, 0.3]), rng.uniform(0, 2 * math.pi)
    axis = 1.15 * reach * math.cos(toward), reach * math.sin(toward)
    patches = noise.field(rng, (SIDE, SIDE), 5, octaves=3, wrap=True)
    vessels = noise.branches(rng, SIDE, roots=int(rng.integers(10, 24)), width=rng.uniform(1.0, 2.2))
    relief = noise.field(rng, (SIDE, SIDE), 120, wrap=True)
    layers = [_bytes(patches), cv2.blur(vessels, (2, 2)), _bytes(relief)]
    if rng.random() < 0.25:
        layers.append(_foam(rng))
    folds = _folds(rng, axis)
    return Scene(
        axis=axis,
        folds=folds,
        bumps=bumps.draw(rng, places=_places(rng, axis, folds)),
        wall=np.asarray(cv2.merge(layers), np.uint8),
        colours=_colours(rng),
        vessels=rng.uniform(0.15, 1.0),
        wet=rng.uniform(0, 1),
        box=rng.random(),
        path=np.stack(
            [rng.uniform(0.4, 1, 4) * [0.12, 0.16, 0.16, 0.3], rng.uniform(0.5, 1.3, 4), rng.uniform(0, 6, 4)]
        ).astype(np.float32),
    )


def _bytes(layer: Floats) -> Bytes:
    return np.asarray(np.clip(layer * 45 + 128, 0, 255), np.uint8)


def _foam(rng: Generator) -> Bytes:
    """Bubbles: a faint ring, an arc that is bright on one side, and the lamp's image."""
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    heart = rng.uniform(0, SIDE, (3, 2))
    for _ in range(int(rng.integers(10, 50))):
        x, y = (heart[rng.integers(3)] + rng.normal(0, SIDE / 14, 2)).astype(int).tolist()
        radius, turn = int(2 + min(rng.exponential(3.0), 9)), float(rng.uniform(0, 360))
        cv2.circle(canvas, (x, y), radius, (60,), 1, cv2.LINE_AA)
        cv2.ellipse(canvas, (x, y), (radius, radius), turn, 0, 120, (190,), 1, cv2.LINE_AA)
        cv2.circle(canvas, (x - radius // 3, y - radius // 3), radius // 6, (255,), -1, cv2.LINE_AA)
    return canvas


def _folds(rng: Generator, axis: tuple[float, float]) -> tuple[Fold, ...]:
    angles = np.arange(STEPS, dtype=np.float32) * np.float32(2 * math.pi / STEPS)
    triangle = rng.uniform(0, 0.09) * np.cos(3 * (angles - rng.uniform(0, 2 * math.pi)))  # the three taeniae
    bend, side, deepest = rng.uniform(0, 0.2), rng.uniform(0, 2 * math.pi), rng.uniform(0.12, 0.45)
    tube = (noise.contour(rng, rough=0.05, harmonics=5) + triangle).astype(np.float32)
    folds, depth = [], rng.uniform(0.5, 0.9)
    while depth < 6:
        # Folds are crescents: high on one side, nothing on another.
        ring = np.cos(angles - rng.uniform(0, 2 * math.pi)) * rng.uniform(0.2, 0.9)
        rise = deepest * rng.uniform(0.35, 1.0) * (noise.contour(rng, rough=0.3, harmonics=4) - 0.3 + ring)
        rise = np.clip(rise, 0, 0.6).astype(np.float32)
        away = bend * math.log(depth + 0.5) ** 2
        centre = axis[0] + away * math.cos(side), axis[1] + away * math.sin(side)
        folds.append(Fold(depth, centre, tube, tube * (1 - rise), noise.ramp(rise, 0, 0.12)))
        depth *= rng.uniform(1.25, 1.9)
    return tuple(reversed(folds))


def _places(rng: Generator, axis: tuple[float, float], folds: tuple[Fold, ...]) -> Floats:
    """Places on the wall (x, y, depth) for bumps: in view, apart from each other, not in the dark of the lumen."""
    reach = 0.8 * np.sqrt(rng.uniform(0.01, 1, (40, 1)))
    angle = rng.uniform(0, 2 * math.pi, (40, 1))
    x, y = (reach * np.cos(angle)).astype(np.float32), (reach * np.sin(angle)).astype(np.float32)
    near = _tube(axis, folds, x, y, advance=0.0)
    order = np.argsort(near[:, 0] < 0.5, kind="stable")  # the lit ones first, else in the order drawn
    return np.hstack([x, y, 1 / near])[order]


def _colours(rng: Generator) -> Floats:
    """The wall's colour by the level of its patches: mottled, here and there reddened or under yellow slime."""
    warm, dark, blue = rng.normal(0, 1, 3)
    base = np.array([0.80 + 0.03 * dark, 0.40 + 0.04 * warm + 0.03 * dark, 0.30 + 0.05 * warm + 0.03 * blue])
    level: Floats = (np.arange(256, dtype=np.float32) - np.float32(128))[:, None] / np.float32(45)
    table = np.clip(base, 0.08, 0.95) * (1 + level * [0.02, 0.07, 0.08])
    if rng.random() < 0.35:
        table = table * (1 - noise.ramp(level, 0.6, 1.6) * rng.uniform(0.2, 0.6) * [0.15, 0.7, 0.6])
    if rng.random() < 0.25:
        slime = noise.ramp(-level, rng.uniform(0.7, 1.5), 2.1) * rng.uniform(0.3, 0.9)
        table = table * (1 - slime) + slime * [0.8, 0.56, 0.16]
    return np.asarray(np.clip(table, 0.03, 1), np.float32, order="F")  # a channel's column at a time


def look(seen: Scene, *, site: str, step: int, rng: Generator, lesions: bool = True) -> tuple[Bytes, Bytes]:
    """Picture number `step` of a scene, and its mask (0/1). Without `lesions`: the same picture before they grew."""
    size, view = endoscope.SITES[site].size, endoscope.SITES[site].view
    amplitude, speed, phase = seen.path
    move = amplitude * np.sin(speed * step + phase) + rng.normal(0, 0.15, 4) * amplitude
    advance = float(move[0])
    half = _gaze(site, (size[0] // 2, size[1] // 2), move)
    near = _tube(seen.axis, seen.folds, *half, advance=advance)
    inside = endoscope.opening(site)[::2, ::2][: near.shape[0], : near.shape[1]]
    one = np.ones_like(near)
    surface = bumps.Surface(near, np.dstack([one, one, one]), one.copy(), one * 0.02, one * -1)
    for bump in seen.bumps:
        if lesions or not bump.lesion:
            bumps.render(bump, surface, *half, axis=seen.axis, advance=advance, visible=inside)
    light, facing = _shade(near, rng, pitch=2 * view / half[0].shape[0])

    # Up to full size: what is smooth was computed on a quarter of the pixels.
    wide = size[::-1]
    glow = cv2.merge([surface.near, surface.bare, surface.rough, surface.lesion])
    close, bare, rough, lesion = cv2.split(cv2.resize(glow, wide))
    tint = cv2.split(cv2.resize(surface.tint * light[:, :, None], wide))
    x, y = _gaze(site, size, move)
    radius, angle = noise.polar(x - np.float32(seen.axis[0]), y - np.float32(seen.axis[1]))
    # (angle, log radius) is conformal, so vessels keep their shape; a part of log depth breaks them at folds and bumps.
    scale = np.float32(SIDE / (2 * math.pi))
    along = np.float32(0.7) * cv2.log(radius + np.float32(0.02)) + np.float32(0.3) * cv2.log(close)
    along = (np.float32(0.7 * advance) - along) * scale
    wall = cv2.split(cv2.remap(seen.wall, angle * scale, along, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP))
    vein = cv2.multiply(bare, wall[1], scale=seen.vessels / 255, dtype=cv2.CV_32F)
    grit = 1 + cv2.multiply(rough, wall[2], scale=1 / 90, dtype=cv2.CV_32F) - np.float32(128 / 90) * rough
    # Nothing shines in the dark of the lumen.
    gloss = cv2.resize(facing - noise.ramp(-near, -0.6, -0.2), wide)
    shine = _glints(np.asarray(gloss, np.float32), seen.wet, rng)
    if len(wall) == 4:
        shine += cv2.multiply(close, wall[3], scale=0.006, dtype=cv2.CV_32F)
    lit = [
        tint[channel] * cv2.LUT(wall[0], seen.colours[:, channel]) * (grit - np.float32(dark) * vein) + shine
        for channel, dark in enumerate((0.22, 0.55, 0.45))
    ]
    picture, visible = endoscope.develop(cv2.merge(lit), name=site, rng=rng, box=seen.box)
    return picture, (lesion > 0).astype(np.uint8) & visible


def _gaze(site: str, shape: tuple[int, int], move: npt.NDArray[np.float64]) -> tuple[Floats, Floats]:
    """Each pixel's direction in the scene: the lens's rays, rolled and panned."""
    x, y = endoscope.rays(site, shape)
    cos, sin = np.float32(math.cos(move[3])), np.float32(math.sin(move[3]))
    return x * cos + y * sin - np.float32(move[1]), y * cos - x * sin - np.float32(move[2])


def _tube(axis: tuple[float, float], folds: tuple[Fold, ...], x: Floats, y: Floats, *, advance: float) -> Floats:
    """Inverse depth of wall and folds, painted far to near: a nearer fold covers what lies outside its lip."""
    near = np.full(x.shape, 0.12, np.float32)
    for fold in folds:
        depth = fold.depth - advance
        if depth < 0.3:
            continue
        zoom = fold.depth / depth
        centre = [a + (c - a) * zoom for a, c in zip(axis, fold.centre, strict=True)]
        radius, angle = noise.polar(x - np.float32(centre[0]), y - np.float32(centre[1]))
        at = noise.around(angle)
        beyond = radius * np.float32(depth) / fold.lip[at]
        # The face of the fold looks at the camera and turns away at its lip; then the wall comes nearer.
        face = (1 - 0.12 * cv2.exp(-9 * np.abs(beyond - 1))) * (fold.there[at] / np.float32(depth))
        wall = radius / fold.tube[at]
        np.copyto(near, np.sqrt(np.sqrt(np.square(np.square(wall)) + np.square(np.square(face)))), where=beyond > 1)
    return near


def _shade(near: Floats, rng: Generator, *, pitch: float) -> tuple[Floats, Floats]:
    """Light that comes back from each place, and how squarely it faces the lamp."""
    log = cv2.log(near)
    # The smaller of the two one-sided slopes: the jump from a fold to what lies behind it is no surface.
    rows = np.diff(log, axis=0, prepend=log[:1], append=log[-1:]) / np.float32(pitch)
    columns = np.diff(log, axis=1, prepend=log[:, :1], append=log[:, -1:]) / np.float32(pitch)
    down = np.where(np.abs(rows[1:]) < np.abs(rows[:-1]), rows[1:], rows[:-1])
    right = np.where(np.abs(columns[:, 1:]) < np.abs(columns[:, :-1]), columns[:, 1:], columns[:, :-1])
    lamp = rng.normal(0, 0.15, 2).astype(np.float32)
    facing = (1 + lamp[0] * right + lamp[1] * down) / np.sqrt(1 + right * right + down * down)
    facing = np.clip(facing, 0, 1.2)
    # Hollows see less of the scattered light: the depth map against its own blur.
    hollow = np.clip(log - cv2.blur(log, (15, 15)), -0.5, 0.35)
    light = (0.15 + 0.85 * facing) * np.power(near, np.float32(1.7)) * (1 + 1.2 * hollow)
    return np.asarray(cv2.blur(light, (3, 3)), np.float32), np.asarray(cv2.blur(facing, (3, 3)), np.float32)


def _glints(gloss: Floats, wet: float, rng: Generator) -> Floats:
    """Highlights: small and crisp, in clusters, where the wet wall faces the lamp."""
    shape = (gloss.shape[0], gloss.shape[1])
    ripple = noise.field(rng, shape, 60) + noise.field(rng, shape, 5)
    return np.asarray(np.clip((ripple + 4 * gloss - np.float32(7.6 - 1.2 * wet)) * 2, 0, 3), np.float32)


def frames(*, site: str, patients: Patients, seed: int, each: int = FRAMES) -> Iterator[Frame]:
    """All frames of these patients of a site, patient by patient.

    Frame k of patient p is the same whatever else is asked for.
    """
    for patient in numbers(patients):
        seen = scene(site=site, patient=patient, seed=seed)
        for step in range(each):
            rng = noise.address(seed, "colon", site, patient, step)
            picture, mask = look(seen, site=site, step=step, rng=rng)
            packed = jpeg(picture, endoscope.SITES[site].quality)
            yield Frame(packed, mask, site, f"{site}-{patient:04d}", f"{step:02d}")
