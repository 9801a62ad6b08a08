"""What stands out of the colon's wall: polyps, and the knobs and stool that are mistaken for them.

All are one thing, a `Bump`, rendered by one function; only their numbers differ, and overlap. Frozen (see `colon`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from segue.data.phantoms import noise
from segue.data.phantoms.noise import Bytes, Floats, Generator

SMALLEST = 0.004  # share of the picture


@dataclass(frozen=True)
class Bump:
    """Something on the wall. Place and size are as seen (in tangents) from the scene's first position."""

    lesion: bool
    place: tuple[float, float]
    depth: float
    size: float
    height: float  # parts of its size
    power: float  # 0.5: a ball, 1: a gentle rise
    keep: float  # how far it leans with the wall, 1: lies flat on it
    squeeze: float
    turn: float
    edge: Floats
    lobes: tuple[tuple[float, float, float], ...]  # x, y, radius, in its own size
    tint: tuple[float, float, float]
    bare: float  # how far the wall's vessels stop at it
    rough: float


@dataclass
class Surface:
    """The half-size maps that a bump is rendered into."""

    near: Floats  # inverse depth
    tint: Floats  # (rows, columns, 3)
    bare: Floats
    rough: Floats
    lesion: Floats  # above 0 on a visible lesion, falling through 0 at its edge


def draw(rng: Generator, *, places: Floats) -> tuple[Bump, ...]:
    """The bumps of one scene, on the first of these places (x, y, depth)."""
    lesions = int(rng.choice([0, 1, 2], p=[0.24, 0.60, 0.16]))
    knobs = int(rng.choice([0, 1, 2], p=[0.4, 0.4, 0.2]))
    stool = int(rng.choice([0, 1, 3], p=[0.66, 0.2, 0.14]))
    kinds = [_knob] * knobs + [_stool] * stool + [_polyp] * lesions
    # Lesions take the best places and are drawn last, so that nothing hides them by chance.
    spots = places[: len(kinds)][::-1].tolist()
    return tuple(kind(rng, (x, y), depth) for kind, (x, y, depth) in zip(kinds, spots, strict=True))


def _polyp(rng: Generator, place: tuple[float, float], depth: float) -> Bump:
    kind = rng.choice(["sessile", "flat", "stalked"], p=[0.5, 0.32, 0.18])
    size = 0.16 * 3.5 ** float(rng.beta(1.2, 1.4))
    lobes = [(0.0, 0.0, 1.0)]
    if kind == "sessile":
        height, power, keep, rough = rng.uniform(0.5, 0.95), rng.uniform(0.5, 0.65), rng.uniform(0.1, 0.5), 0.08
        for _ in range(int(rng.choice([0, 1, 3], p=[0.5, 0.3, 0.2]))):
            angle = rng.uniform(0, 2 * math.pi)
            lobes.append((0.7 * math.cos(angle), 0.7 * math.sin(angle), rng.uniform(0.45, 0.75)))
    elif kind == "flat":
        height, power, keep, rough = rng.uniform(0.18, 0.4), rng.uniform(0.5, 0.8), rng.uniform(0.7, 1.0), 0.10
    else:
        height, power, keep, rough = rng.uniform(0.8, 1.1), 0.5, rng.uniform(0.0, 0.25), 0.05
        size *= 0.85
        angle, reach = rng.uniform(0, 2 * math.pi), 0.7
        for _ in range(3):  # the stalk: balls in a bent row
            reach, angle = reach + 0.26, angle + rng.normal(0, 0.12)
            lobes.append((reach * math.cos(angle), reach * math.sin(angle), 0.34))
    # Mostly redder than the wall, some paler, some of just its colour.
    redder, paler = rng.normal([[1.4, 0.0], [0.2, 1.2], [0.0, 0.0]][int(rng.choice(3, p=[0.6, 0.28, 0.12]))], 0.5)
    tint = 1 + 0.04 * redder + 0.12 * paler, 1 - 0.17 * redder + 0.18 * paler, 1 - 0.15 * redder + 0.14 * paler
    return Bump(
        lesion=True, place=place, depth=depth, size=size, height=height, power=power, keep=keep,
        squeeze=rng.uniform(0.6, 1.0), turn=rng.uniform(0, math.pi),
        edge=noise.contour(rng, rough=rng.uniform(0.02, 0.08) + (rough if kind == "flat" else 0), decay=1.2),
        lobes=tuple(lobes), tint=tint, bare=rng.uniform(0.7, 1.0), rough=rng.uniform(0.2, 1.0) * rough * 3,
    )  # fmt: skip


def _knob(rng: Generator, place: tuple[float, float], depth: float) -> Bump:
    """A fold's end or a bulge of the wall: a polyp's shape, the wall's colour and vessels."""
    return Bump(
        lesion=False, place=place, depth=depth, size=rng.uniform(0.12, 0.42), height=rng.uniform(0.2, 0.7),
        power=rng.uniform(0.7, 1.3), keep=rng.uniform(0.3, 0.9), squeeze=rng.uniform(0.3, 0.75),
        turn=rng.uniform(0, math.pi), edge=noise.contour(rng, rough=0.06), lobes=((0.0, 0.0, 1.0),),
        tint=tuple(1 + 0.05 * rng.normal(0, 1, 3)), bare=rng.uniform(0.0, 0.4), rough=0.0,
    )  # fmt: skip


def _stool(rng: Generator, place: tuple[float, float], depth: float) -> Bump:
    """Residue: yellow to brown, rough, often polyp-sized; the palest pass for an adenoma."""
    brown = rng.uniform(0.2, 1.0)
    return Bump(
        lesion=False, place=place, depth=depth, size=0.06 * 5 ** rng.uniform(0, 1), height=rng.uniform(0.2, 0.6),
        power=rng.uniform(0.5, 0.8), keep=rng.uniform(0.5, 1.0), squeeze=rng.uniform(0.45, 1.0),
        turn=rng.uniform(0, math.pi), edge=noise.contour(rng, rough=0.16, decay=0.7), lobes=((0.0, 0.0, 1.0),),
        tint=(1 - 0.25 * brown, 1.25 - 0.3 * brown, 0.75 - 0.45 * brown), bare=1.0, rough=rng.uniform(0.2, 0.6),
    )  # fmt: skip


def render(
    bump: Bump, surface: Surface, x: Floats, y: Floats, *, axis: tuple[float, float], advance: float, visible: Bytes
) -> None:
    """Lets a bump stand out of the surface, from a camera that has moved `advance` towards it.

    A lesion of which too little is visible is left out: nobody would have marked it.
    """
    zoom = bump.depth / max(bump.depth - advance, 0.3)
    centre = [a + (p - a) * zoom for a, p in zip(axis, bump.place, strict=True)]
    size = bump.size * zoom
    dx, dy = x - np.float32(centre[0]), y - np.float32(centre[1])
    box = np.maximum(np.abs(dx), np.abs(dy)) < size * 2.0
    rows, columns = np.flatnonzero(box.any(1)), np.flatnonzero(box.any(0))
    if len(rows) < 3 or len(columns) < 3:
        return
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    dx, dy = dx[window] / np.float32(size), dy[window] / np.float32(size)
    cos, sin = np.float32(math.cos(bump.turn)), np.float32(math.sin(bump.turn))
    across = np.asarray(dx * cos + dy * sin, np.float32)
    along = np.asarray((dy * cos - dx * sin) / np.float32(bump.squeeze), np.float32)
    rise = np.full(dx.shape, -9, np.float32)
    for lobe_x, lobe_y, radius in bump.lobes:
        distance, angle = noise.polar(across - np.float32(lobe_x), along - np.float32(lobe_y))
        np.maximum(rise, radius**2 - np.square(distance / bump.edge[noise.around(angle)]), out=rise)
    wall = 1 / surface.near[window]
    # Its foot: the wall where its centre is, so that it never floats.
    middle = np.unravel_index(np.argmin(dx * dx + dy * dy), dx.shape)
    foot = wall[middle] + np.float32(bump.keep) * (wall - wall[middle])
    top = foot - np.float32(bump.height * size) * wall[middle] * np.power(np.maximum(rise, 0), np.float32(bump.power))
    shows = np.minimum(rise, (wall - top) / wall * 8 + 0.02)  # what the wall hides is not there
    there = shows > 0
    if bump.lesion and np.count_nonzero(there & (visible[window] > 0)) < SMALLEST * visible.size:
        return
    np.copyto(surface.near[window], 1 / np.maximum(top, 0.12), where=there)
    soft = noise.ramp(shows, 0.0, 0.22)
    for channel in range(3):
        surface.tint[window][..., channel] *= 1 + soft * np.float32(bump.tint[channel] - 1)
    surface.bare[window] *= 1 - soft * np.float32(bump.bare)
    surface.rough[window] += soft * np.float32(bump.rough)
    # A later bump in front hides an earlier lesion.
    lesion = surface.lesion[window]
    lesion[...] = np.maximum(lesion, shows) if bump.lesion else np.where(there, -shows, lesion)
