"""Small datasets made without a scan, for tests that start at the table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segue.data.case import Case
from segue.data.dataset import Card, Dataset

Picture = npt.NDArray[Any]


def cases(
    patients: int, frames: int = 1, *, sites: tuple[str, ...] = ("",), labelled: float = 1.0, sizes: bool = True
) -> list[Case]:
    made = []
    for number in range(patients):
        site = sites[number % len(sites)]
        for frame in range(frames):
            has = (number * frames + frame) % 100 < labelled * 100
            made.append(
                Case(
                    case=f"p{number:03d}-{frame}",
                    images=(f"p{number:03d}-{frame}.png",),
                    mask=f"m/p{number:03d}-{frame}.png" if has else "",
                    patient=f"p{number:03d}",
                    site=site,
                    height=40,
                    width=60,
                    foreground=(0.01 + 0.3 * ((number * 7) % 10) / 10 if sizes else 0.1) if has else None,
                )
            )
    return made


def dataset(folder: Path, table: list[Case], *, patients_from: str = "made") -> Dataset:
    folder.mkdir(parents=True, exist_ok=True)
    made = Dataset(
        folder, Card(name="made", root=str(folder), layout="folders", patients_from=patients_from), tuple(table)
    )
    made.save()
    return made


def scene(seed: int, height: int = 120, width: int = 160) -> Picture:
    """A picture with detail at every scale, unlike any other seed's."""
    rng = np.random.default_rng(seed)
    layers = [
        cv2.resize(rng.uniform(-1, 1, (n, n, 3)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        * amount
        for n, amount in ((3, 60), (7, 40), (17, 30), (41, 20))
    ]
    return np.clip(128 + sum(layers), 0, 255).astype(np.uint8)


def blob_mask(seed: int, height: int = 120, width: int = 160) -> Picture:
    rng = np.random.default_rng([seed, 1])
    mask = np.zeros((height, width), np.uint8)
    centre = (int(rng.integers(width // 4, 3 * width // 4)), int(rng.integers(height // 4, 3 * height // 4)))
    cv2.ellipse(mask, centre, (width // 8, height // 6), float(rng.uniform(0, 180)), 0, 360, 255, -1)
    return mask


def folder_of_images(folder: Path, count: int, *, masks: bool = True, seed: int = 0) -> Path:
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    for number in range(count):
        cv2.imwrite(str(folder / "images" / f"{number:03d}.png"), scene(seed + number))
        if masks:
            cv2.imwrite(str(folder / "masks" / f"{number:03d}.png"), blob_mask(seed + number))
    return folder


def read(path: Path) -> Picture:
    picture = cv2.imread(str(path))
    assert picture is not None
    return picture
