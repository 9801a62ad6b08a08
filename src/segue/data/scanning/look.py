"""One case looked at: its files decoded once, everything measured that the card, the table and the leak search need.

Runs in the workers of the scan, so what comes back is small.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segue.data import images, labels
from segue.data.case import Case
from segue.data.copies.fingerprint import fingerprint
from segue.data.labels import Labels
from segue.data.tree import VOLUMES, suffix
from segue.data.volumes import look as volumes
from segue.errors import BadInput, named


@dataclass(frozen=True)
class Task:
    case: Case
    root: Path
    labels: Labels | None  # told beforehand; None: the mask is summarised, and a rule found for all


def look(task: Task) -> dict[str, Any]:
    case = task.case
    if any(suffix(path) in VOLUMES or (task.root / path).is_dir() for path in case.images):
        return volumes.look(task.root, case, task.labels)
    planes, headers = [], []
    for path in case.images:
        data, header = images.load(task.root / path)
        planes.append(images.decode(task.root / path, data, header))
        headers.append(header)
    upright = [images.upright(plane, header) for plane, header in zip(planes, headers, strict=True)]
    first = upright[0]
    for plane, path in zip(upright, case.images, strict=True):
        if plane.shape[:2] != first.shape[:2]:
            raise BadInput(f"{path}: is {_size(plane)}, but {case.images[0]} is {_size(first)}")
    joined = first
    if len(upright) > 1:
        joined = np.concatenate([plane.reshape(*plane.shape[:2], -1) for plane in upright], axis=2)
    digest, thumbnail = fingerprint(joined)
    found: dict[str, Any] = {
        "height": first.shape[0],
        "width": first.shape[1],
        "channels": sum(plane.shape[2] if plane.ndim == 3 else 1 for plane in upright),
        "dtype": "uint16" if any(plane.dtype == np.uint16 for plane in upright) else "uint8",
        "digest": digest,
        "thumbnail": thumbnail.tobytes(),
    }
    if case.mask:
        data, header = images.load(task.root / case.mask)
        raw = images.decode_mask(task.root / case.mask, data, header)
        if header.orientation != 1:
            raise BadInput(f"{case.mask}: EXIF turns the mask (orientation {header.orientation}); save it upright")
        _same_grid(case, raw, first, planes[0], headers[0])
        with named(case.mask):
            found |= labels.measured(task.labels, raw)
    return found


def _same_grid(case: Case, raw: Any, upright: images.Pixels, stored: images.Pixels, header: images.Header) -> None:
    if raw.shape[:2] == upright.shape[:2] and header.orientation == 1:
        return
    if header.orientation != 1 and sorted(raw.shape[:2]) == sorted(stored.shape[:2]):
        # Annotation tools differ in whether they apply EXIF; where the size cannot tell, neither can we.
        turned = raw.shape[:2] == upright.shape[:2] != stored.shape[:2]
        if not turned:
            raise BadInput(
                f"{case.images[0]}: EXIF turns it (orientation {header.orientation}), and its mask may lie on the pixels "
                "before or after that; save it upright"
            )
        return
    raise BadInput(f"{case.mask}: is {_size(raw)}, but its image {case.images[0]} is {_size(upright)}")


def _size(pixels: Any) -> str:
    return f"{pixels.shape[1]} x {pixels.shape[0]}"
