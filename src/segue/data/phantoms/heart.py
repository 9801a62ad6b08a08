"""Short-axis cardiac MR of two scanners, at end diastole (ED) and end systole (ES).

Labels as in the ACDC challenge: 1 right ventricle, 2 myocardium, 3 left ventricle. Slices run from the base (z = 0) to
the apex: the left ventricle shrinks, the right one ends before it, so a slice's height in the stack says what is in it.
In systole the blood pools are smaller, the wall is thicker, and the valve plane has come down (the first slice may show
the atria only, which nobody labels). Hearts are normal, dilated or thick-walled.

Frozen: as for `colon`; chosen by eye against public cine MR.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from segue.data.phantoms import noise
from segue.data.phantoms.folder import Axes, Patients, Volume, numbers
from segue.data.phantoms.noise import Bytes, Floats, Generator

TIMES = ("ED", "ES")
SIDE = 128
RV, MYO, LV = 1, 2, 3


@dataclass(frozen=True)
class Scanner:
    """Brightness of the tissues, and what the coil and the sequence do to them."""

    blood: float
    muscle: float
    fat: float
    liver: float
    lung: float
    noise: float
    blur: float  # pixels
    bias: float
    scale: float  # of the stored numbers
    pixel: float  # millimetres
    slice: float


SITES_ = {
    "alpha": Scanner(
        blood=0.85, muscle=0.27, fat=1.05, liver=0.40, lung=0.05, noise=0.025, blur=0.45, bias=0.20, scale=900.0,
        pixel=1.5625, slice=10.0,
    ),
    "beta": Scanner(
        blood=0.66, muscle=0.36, fat=0.78, liver=0.50, lung=0.10, noise=0.05, blur=0.95, bias=0.34, scale=340.0,
        pixel=1.3672, slice=8.0,
    ),
}  # fmt: skip
SITES = tuple(SITES_)


@dataclass(frozen=True)
class Anatomy:
    """One patient, in millimetres; tables run over the angle."""

    slices: int
    centre: tuple[float, float]
    lean: tuple[float, float]  # how far the long axis drifts per slice
    radius: float  # of the left ventricle at the base, ED
    wall: float
    squeeze: float  # what systole leaves of the radius
    drop: bool  # the valve plane passes the first slice in systole
    outline: Floats
    right: float  # how far the right ventricle bulges
    side: float  # where it lies, as an angle
    end: float  # where it ends along the axis, 0 base, 1 apex
    papillary: tuple[float, float]
    body: Floats
    dome: tuple[float, float, float]  # of the diaphragm: height, slope, rise per slice
    texture: Floats  # two planes of abdominal organs
    shifts: Floats  # breath-holds that did not match, a pair per slice


def anatomy(*, site: str, patient: int, seed: int) -> Anatomy:
    """Drawn from the patient's own address."""
    rng = noise.address(seed, "heart", site, patient)
    kind = rng.choice(["normal", "dilated", "thick"], p=[0.5, 0.25, 0.25])
    radius = {"normal": 25.0, "dilated": 33.0, "thick": 21.0}[kind] * rng.normal(1, 0.07)
    slices = int(rng.integers(6, 15))
    return Anatomy(
        slices=slices,
        centre=(rng.normal(6, 6), rng.normal(0, 6)),
        lean=(rng.normal(0.5, 0.5), rng.normal(0.3, 0.5)),
        radius=radius,
        wall={"normal": 8.5, "dilated": 7.5, "thick": 14.0}[kind] * rng.normal(1, 0.07),
        squeeze={"normal": 0.70, "dilated": 0.87, "thick": 0.58}[kind] + rng.normal(0, 0.03),
        drop=bool(rng.random() < 0.4),
        outline=noise.contour(rng, rough=0.04, harmonics=5),
        right=rng.uniform(0.85, 1.25) * 26,
        side=math.pi + rng.normal(0.1, 0.25),
        end=rng.uniform(0.68, 0.86),
        papillary=(rng.uniform(0, 2 * math.pi), rng.uniform(0.4, 1)),
        body=noise.contour(rng, rough=0.045, harmonics=4) * np.float32(rng.uniform(88, 102)),
        dome=(rng.uniform(18, 40), rng.normal(0.15, 0.25), rng.uniform(-2.5, -0.5)),
        texture=np.stack([noise.field(rng, (SIDE, SIDE), 9, octaves=3) for _ in range(2)]),
        shifts=rng.normal(0, 1.0, (slices, 2)).astype(np.float32),
    )


def scan(patient: Anatomy, *, site: str, time: str, rng: Generator) -> tuple[Floats, Bytes]:
    """The volume of one time point and its labels, (z, y, x)."""
    tool = SITES_[site]
    tint = rng.normal(1, 0.05, 4)
    planes, labels = [], []
    for index in range(patient.slices):
        plane, label = _slice(patient, tool, index, systole=time == "ES", tint=tint)
        planes.append(cv2.GaussianBlur(plane, (0, 0), tool.blur * rng.uniform(0.9, 1.1)))
        labels.append(label)
    image = np.stack(planes)
    # The coil's field, smooth in all directions; then noise in two channels, of which the magnitude is stored.
    image *= np.exp(np.float32(tool.bias * 0.5) * noise.volume(rng, image.shape, (1, 2, 2)))
    real = image + rng.standard_normal(image.shape, np.float32) * np.float32(tool.noise)
    other = rng.standard_normal(image.shape, np.float32) * np.float32(tool.noise)
    return np.sqrt(real * real + other * other) * np.float32(tool.scale * rng.normal(1, 0.1)), np.stack(labels)


def _slice(
    patient: Anatomy, tool: Scanner, index: int, *, systole: bool, tint: npt.NDArray[np.float64]
) -> tuple[Floats, Bytes]:
    """One plane without noise, and its labels. Edges are blended over a pixel: the partial volume."""
    x, y = (part * np.float32(SIDE / 2 * tool.pixel) for part in noise.mesh((SIDE, SIDE)))
    blood, muscle, fat, liver = np.array([tool.blood, tool.muscle, tool.fat, tool.liver]) * tint
    plane = _torso(patient, tool, x, y, index, muscle=muscle, fat=fat, liver=liver)

    along = index / (patient.slices - 1)
    lost = systole and patient.drop  # the first slice lies above the valves now
    shape = math.sqrt(max(0.05, 1 - (0.93 * along) ** 2.4))
    squeeze = patient.squeeze if systole else 1.0
    inner = patient.radius * shape * squeeze
    # The wall keeps its volume: what the pool loses, it gains, most of it inwards.
    outer = math.sqrt((patient.radius + patient.wall) ** 2 * (1 - 0.5 * (1 - squeeze**2) * 0.5)) * (0.25 + 0.75 * shape)
    outer = max(outer, inner + 0.6 * patient.wall)
    dx = x - np.float32(patient.centre[0] + patient.lean[0] * index) - patient.shifts[index, 0]
    dy = y - np.float32(patient.centre[1] + patient.lean[1] * index) - patient.shifts[index, 1]
    radius, angle = noise.polar(dx, dy)
    radius = radius / patient.outline[noise.around(angle)]
    soft = tool.pixel * 0.6

    # The right ventricle: a wide, lower ball beside the left one, of which the left one's outside is cut away.
    size = patient.right * math.sqrt(max(0.0, 1 - (along / patient.end) ** 2.2)) * (0.55 + 0.45 * squeeze)
    away = outer + 0.18 * size
    rx, ry = dx - np.float32(away * math.cos(patient.side)), dy - np.float32(away * math.sin(patient.side))
    cos, sin = math.cos(patient.side), math.sin(patient.side)
    right = np.hypot((rx * cos + ry * sin) / np.float32(0.8), (ry * cos - rx * sin) / np.float32(1.25))
    shell = np.minimum(right - np.float32(size + 3.5), radius - np.float32(outer + 3))
    plane = _paint(plane, shell, (0.75 * fat + 0.25 * muscle), soft * 2)  # fat in the sac, thin
    if size > 4:
        plane = _paint(plane, right - np.float32(size + 1.8), muscle, soft)
        plane = _paint(plane, right - np.float32(size), blood * 0.93, soft)
    if index == 0 and lost:
        # Atria and the root of the aorta: bright, round, unlabelled.
        root = np.hypot(dx + 12, dy + 14) - np.float32(13)
        for ball, part in ((radius - np.float32(0.75 * outer), 0.95), (root, 1.0)):
            plane = _paint(_paint(plane, ball - np.float32(2), muscle, soft), ball, blood * part, soft)
        return plane, np.zeros((SIDE, SIDE), np.uint8)
    plane = _paint(plane, radius - np.float32(outer), muscle, soft)
    plane = _paint(plane, radius - np.float32(inner), blood, soft)
    for turn, part in ((0.0, 1.0), (2.1, 0.8)):
        at, reach = patient.papillary[0] + turn, 0.72 * inner
        spot = np.hypot(dx - np.float32(reach * math.cos(at)), dy - np.float32(reach * math.sin(at)))
        if 0.2 < along < 0.8:
            size_of = np.float32(0.23 * inner * part * patient.papillary[1])
            plane = _paint(plane, spot - size_of, muscle * 1.2, soft * 1.5)
    label = np.where((right < size) & (size > 4), np.uint8(RV), np.uint8(0))
    label[radius < outer] = MYO
    label[radius < inner] = LV
    return plane, label


def _torso(
    patient: Anatomy, tool: Scanner, x: Floats, y: Floats, index: int, *, muscle: float, fat: float, liver: float
) -> Floats:
    """Chest wall, lungs, diaphragm and what lies under it."""
    radius, angle = noise.polar(x, y * np.float32(1.12))
    chest = radius - patient.body[noise.around(angle)]
    mix = math.cos(0.15 * index), math.sin(0.15 * index)
    texture = np.float32(mix[0]) * patient.texture[0] + np.float32(mix[1]) * patient.texture[1]
    plane = np.full(x.shape, 0.02, np.float32)
    plane = _paint(plane, chest, fat, 2)
    plane = _paint(plane, chest + np.float32(9) + 3 * texture, muscle, 2)
    vessels = np.float32(tool.lung) * (1 + 3 * noise.ramp(patient.texture[1], 1.3, 2.2))
    plane = _paint(plane, chest + np.float32(17), vessels, 2)
    height, slope, rise = patient.dome
    under = np.float32(height + rise * index) + np.float32(slope) * x - np.float32(0.004) * x * x - y
    organs = np.float32(liver) * (1 + 0.22 * texture) + np.float32(0.5 * fat) * noise.ramp(texture, 1.0, 1.6)
    plane = _paint(plane, np.maximum(under, chest + np.float32(14)), organs, 2)
    aorta = np.hypot(x - np.float32(30), y - np.float32(46)) - np.float32(9)
    return _paint(_paint(plane, aorta - np.float32(1.5), muscle, 1), aorta, tool.blood, 1)


def _paint(plane: Floats, outside: Floats, value: Floats | float, soft: float) -> Floats:
    """`value` where the distance `outside` is below 0, blended over `soft` millimetres."""
    share = noise.ramp(-outside, -soft, soft)
    return np.asarray(plane + share * (np.asarray(value, np.float32) - plane), np.float32)


def _short_axis() -> Axes:
    """From base to apex, which points left, to the front and to the feet; rows to the feet, columns to the back, as nearly as
    these stand upright on it."""
    along = np.array([-0.75, 0.5, -0.43])
    along /= np.linalg.norm(along)
    down = np.array([0.0, 0.0, -1.0]) - along * -along[2]
    down /= np.linalg.norm(down)
    across = np.cross(along, down)
    across *= -np.sign(across[1])
    z, y, x = (tuple(float(part) for part in axis) for axis in (along, down, across))
    return z, y, x  # type: ignore[return-value]  # three each


SHORT_AXIS = _short_axis()


def volumes(*, site: str, patients: Patients, seed: int) -> Iterator[Volume]:
    """ED and ES of these patients of a site; each volume depends on its own address alone."""
    tool = SITES_[site]
    for patient in numbers(patients):
        who = anatomy(site=site, patient=patient, seed=seed)
        for step, time in enumerate(TIMES):
            image, labels = scan(who, site=site, time=time, rng=noise.address(seed, "heart", site, patient, step))
            spacing = (tool.slice, tool.pixel, tool.pixel)
            yield Volume(image.astype(np.float32), labels, spacing, SHORT_AXIS, site, f"{site}-{patient:04d}", time)
