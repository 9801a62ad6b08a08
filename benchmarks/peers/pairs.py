"""Image and mask files that belong together, in the layouts of the public sets."""

from __future__ import annotations

import csv
from pathlib import Path

Pair = tuple[Path, Path]  # image, mask

# name: folder of images, folder of masks, what the mask's name has behind the image's
LAYOUTS = {
    "kvasir-seg": ("images", "masks", ""),
    "isic2018": ("ISIC2018_Task1-2_Training_Input", "ISIC2018_Task1_Training_GroundTruth", "_segmentation"),
    "cvc-clinicdb": ("Original", "Ground Truth", ""),
    "polypgen-C1": ("data_C1/images_C1", "data_C1/masks_C1", "_mask"),
    "polypgen-C3": ("data_C3/images_C3", "data_C3/masks_C3", "_mask"),
}
_IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"}


def pairs(images: Path, masks: Path, *, suffix: str = "") -> list[Pair]:
    """Each image with the mask of the same name (and `suffix`), whatever their endings; an image without one fails."""
    found = {file.stem: file for file in masks.iterdir() if file.suffix.lower() in _IMAGES}
    return [(file, found[file.stem + suffix]) for file in pictures(images)]


def pictures(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in _IMAGES)


def read(root: Path, layout: str = "kvasir-seg") -> dict[str, list[Pair]]:
    """The pairs of a set by part: those of `split.csv` (columns image, split), or all of them as `all`."""
    images, masks, suffix = LAYOUTS[layout]
    every = pairs(root / images, root / masks, suffix=suffix)
    table = root / "split.csv"
    if not table.exists():
        return {"all": every}
    with table.open(newline="", encoding="utf-8") as lines:
        part = {Path(row["image"]).stem: row["split"] for row in csv.DictReader(lines)}
    parts: dict[str, list[Pair]] = {}
    for pair in every:
        parts.setdefault(part[pair[0].stem], []).append(pair)
    return parts
