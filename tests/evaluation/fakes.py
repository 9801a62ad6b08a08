"""Predictors in NumPy, and a small dataset with everything that a judge may meet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

import segue
from segue.data.dataset import Dataset
from segue.data.target import Target
from tests.data import made

Array = npt.NDArray[Any]

POLYP = Target(("background", "polyp"))
THREE = Target(("background", "ring", "core"))


def two(probability: Array) -> npt.NDArray[np.float32]:
    """(n, height, width) to (n, 2, height, width)."""
    found = probability.astype(np.float32)
    return np.stack([1 - found, found], axis=1)


def red(images: Array) -> npt.NDArray[np.float32]:
    """The red channel is the probability: the image comes back."""
    return two(images[..., 0].astype(np.float32) / np.iinfo(images.dtype).max)


def black(images: Array) -> npt.NDArray[np.float32]:
    """A lesion wherever there is nothing: all of the padding."""
    return two((images.max(axis=-1) == 0).astype(np.float32))


def across(images: Array) -> npt.NDArray[np.float32]:
    """Rises from left to right, whatever is in the image."""
    n, height, width = images.shape[:3]
    return two(np.broadcast_to((np.arange(width) + 0.5) / width, (n, height, width)))


def mixed(images: Array) -> npt.NDArray[np.float32]:
    """Depends on the pixel and on its place in the canvas."""
    return two((red(images)[:, 1] + across(images)[:, 1]) / 2)


def shades(images: Array) -> npt.NDArray[np.float32]:
    """Three classes, by how bright the red channel is."""
    bright = images[..., 0].astype(np.float32) / np.iinfo(images.dtype).max
    rising = np.stack([1 - bright, 1 - np.abs(2 * bright - 1), bright], axis=1)
    return np.asarray(rising / rising.sum(axis=1, keepdims=True), np.float32)


def smooth(height: int, width: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """An image without any fine detail."""
    coarse = np.random.default_rng(seed).uniform(0.1, 0.9, (4, 4, 3)).astype(np.float32)
    whole = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(255 * whole, 0, 255).astype(np.uint8)


def dataset(folder: Path, *, sizes: tuple[tuple[int, int], ...] = ((120, 160), (90, 90), (61, 150))) -> Dataset:
    """Bright lesions on scenes of several sizes, two images of each patient; the last has no lesion, and the second a part
    that does not count."""
    rows = ["image,mask,case,patient,site,sex"]
    for kind in ("images", "masks"):
        (folder / "raw" / kind).mkdir(parents=True)
    for number in range(8):
        height, width = sizes[number % len(sizes)]
        image, mask = made.scene(number, height, width) // 2, made.blob_mask(number, height, width)
        mask[: height // 10, : width // 10] = 127 if number == 1 else 0
        if number == 7:
            mask[:] = 0
        image[mask == 255] += 110
        cv2.imwrite(str(folder / "raw" / "images" / f"{number}.png"), image[..., ::-1])
        cv2.imwrite(str(folder / "raw" / "masks" / f"{number}.png"), mask)
        rows.append(
            f"images/{number}.png,masks/{number}.png,c{number},p{number // 2},s{number // 4},{'fm'[number // 4]}"
        )
    (folder / "raw" / "manifest.csv").write_text("\n".join(rows) + "\n")
    found = segue.scan(folder / "raw", folder / "set", workers=0, labels="0=background,127=ignore,255=polyp").dataset
    assert found is not None
    return found
