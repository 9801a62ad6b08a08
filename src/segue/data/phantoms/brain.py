"""Brain MR (FLAIR-like) of two scanners: skull, cortex, white matter, ventricles, a few small bright lesions (label 1).

A third of the patients have none. Lesions lie in the white matter, mostly by the ventricles; the ventricles' rims
and the cortex are nearly as bright, and small.

Frozen: as for `colon`; chosen by eye.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from segue.data.phantoms import noise
from segue.data.phantoms.folder import AXIAL, Patients, Volume, numbers
from segue.data.phantoms.noise import Bytes, Floats, Generator

SHAPE = (28, 96, 80)
SPACING = (5.0, 2.0, 2.0)


@dataclass(frozen=True)
class Scanner:
    """Brightness of the tissues, and what the coil and the sequence do to them."""

    grey: float
    white: float
    fluid: float
    fat: float
    lesion: float
    noise: float
    blur: float
    bias: float
    scale: float


SITES_ = {
    "alpha": Scanner(
        grey=0.66, white=0.52, fluid=0.12, fat=0.95, lesion=1.0, noise=0.025, blur=0.4, bias=0.15, scale=800.0
    ),
    "beta": Scanner(
        grey=0.62, white=0.50, fluid=0.25, fat=0.70, lesion=0.84, noise=0.04, blur=0.7, bias=0.28, scale=255.0
    ),
}
SITES = tuple(SITES_)


def head(*, site: str, patient: int, seed: int) -> tuple[Floats, Bytes]:
    """The volume and its labels, (z, y, x)."""
    rng = noise.address(seed, "brain", site, patient)
    tool = SITES_[site]
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in SHAPE), indexing="ij")
    x, y, z = x / np.float32(rng.normal(0.92, 0.02)), y / np.float32(rng.normal(0.93, 0.02)), z / np.float32(1.15)
    x = x + np.float32(rng.normal(0, 0.03))
    # Distance from the middle, 1 at the brain's surface; both halves bend alike but for a little.
    wave = noise.volume(rng, SHAPE, (3, 3, 3)) * np.float32(0.014)
    reach = np.sqrt(x * x + y * y + z * z) / np.float32(0.84) + wave
    # The cortex: its inner border runs in and out (gyri), furrows with fluid where a field crosses zero.
    folds = noise.volume(rng, SHAPE, (9, 17, 15))
    furrow = cv2.exp((-10 * folds * folds).reshape(SHAPE[0], -1)).reshape(SHAPE) * noise.ramp(reach, 0.78, 0.95)
    grey = noise.ramp(reach + np.float32(0.05) * folds, 0.80, 0.88)
    wide = np.float32(rng.uniform(0.75, 1.5))
    horn = np.abs(x) - np.float32(0.13) - np.float32(0.10) * np.abs(y) + np.float32(0.06) * wave
    room = np.sqrt((horn / (0.085 * wide)) ** 2 + (y / 0.46) ** 2 + ((z - np.float32(0.12)) / 0.32) ** 2) + 2 * wave
    fluid = noise.ramp(-room, -1.15, -0.9)
    gap = noise.ramp(-np.abs(x), -0.035, -0.01) * noise.ramp(reach, 0.55, 0.75)  # between the halves
    core = np.sqrt(((np.abs(x) - 0.24) / 0.1) ** 2 + ((y + 0.02) / 0.24) ** 2 + (z / 0.25) ** 2)
    nuclei = noise.ramp(-core, -1.2, -0.8)

    tissue = tool.white + (tool.grey - tool.white) * np.maximum(grey, 0.8 * nuclei)
    tissue = tissue * (1 + np.float32(0.03) * noise.volume(rng, SHAPE, (6, 12, 12)))
    tissue = tissue + 0.12 * noise.ramp(-np.abs(room - np.float32(1.12)), -0.12, 0)  # the ventricles' bright rim
    lesions = _lesions(rng, (z, y, x), white=(1 - grey) * (1 - fluid) * (reach < 0.95), room=room)
    tissue = tissue + (tool.lesion * rng.uniform(0.85, 1.0) - tissue) * noise.ramp(lesions, -0.25, 0.35)
    tissue = tissue + (tool.fluid - tissue) * np.maximum(np.maximum(fluid, gap), 0.75 * furrow)
    # From the inside out: brain, fluid, bone, fat and skin, air.
    image = np.where(reach < 1.0, tissue, tool.fluid).astype(np.float32)
    for start, value in ((1.04, 0.06), (1.10, tool.fat), (1.19, 0.02)):
        image += (np.float32(value) - image) * noise.ramp(reach + wave, start, start + 0.03)

    # What fluid was painted over is not lesion.
    labels = ((lesions > 0) & (reach < 1) & (np.maximum(fluid, gap) < 0.5)).astype(np.uint8)
    image = np.stack([cv2.GaussianBlur(plane, (0, 0), tool.blur) for plane in image])
    image *= np.exp(np.float32(tool.bias * 0.5) * noise.volume(rng, SHAPE, (1, 2, 2)))
    real = image + rng.standard_normal(SHAPE, np.float32) * np.float32(tool.noise)
    other = rng.standard_normal(SHAPE, np.float32) * np.float32(tool.noise)
    return np.sqrt(real * real + other * other) * np.float32(tool.scale * rng.normal(1, 0.1)), labels


def _lesions(rng: Generator, at: tuple[Floats, Floats, Floats], *, white: Floats, room: Floats) -> Floats:
    """Above 0 inside a lesion, below outside: uneven balls at places in the white matter."""
    field = np.full(SHAPE, -9, np.float32)
    if rng.random() < 0.33:
        return field
    likely = (white > 0.8) * np.where(room < 2.2, 1.0, 0.15) * (np.abs(at[0]) < 0.65)
    chance = likely.ravel() / likely.sum()
    uneven = noise.volume(rng, SHAPE, (9, 24, 20)) * np.float32(0.3)
    for index in rng.choice(chance.size, int(rng.integers(1, 8)), replace=False, p=chance):
        z, y, x = np.unravel_index(index, SHAPE)
        size = rng.uniform(
            [5.0, 3.0, 3.0], [11.0, 9.0, 9.0]
        )  # half axes in millimetres; thick slices need a little more
        distance = np.zeros(SHAPE, np.float32)
        for axis, (middle, half) in enumerate(zip((z, y, x), size, strict=True)):
            line = ((np.arange(SHAPE[axis], dtype=np.float32) - middle) * np.float32(SPACING[axis] / half)) ** 2
            distance += line.reshape([-1 if axis == other else 1 for other in range(3)])
        np.maximum(field, 1 + uneven - np.sqrt(distance), out=field)
    return field


def volumes(*, site: str, patients: Patients, seed: int) -> Iterator[Volume]:
    """One volume of each of these patients of a site; each depends on its own address alone."""
    for patient in numbers(patients):
        image, labels = head(site=site, patient=patient, seed=seed)
        yield Volume(image.astype(np.float32), labels, SPACING, AXIAL, site, f"{site}-{patient:04d}", "0")
