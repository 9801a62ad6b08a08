"""One volume looked at: read once, everything measured that the card, the table and the leak search need."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segue.data import labels as rules
from segue.data.case import Case
from segue.data.copies.fingerprint import digest, thumbnail
from segue.data.labels import Labels
from segue.data.volumes import dicom, files, pictures
from segue.data.volumes.grid import Grid
from segue.data.volumes.recipe import DTYPE
from segue.data.volumes.volume import Volume, as_labels
from segue.errors import BadInput, named

APART = 0.1  # of the smallest spacing: by so much the corners of an image and its mask may differ


def look(root: Path, case: Case, told: Labels | None) -> dict[str, Any]:
    channels = read_channels(root, case.images)
    first = channels[0]
    shape, spacing = first.turned.shape, first.grid.turned().spacing
    seen, small = digest_of(channels)
    found: dict[str, Any] = {
        "depth": shape[0], "height": shape[1], "width": shape[2], "spacing": [*spacing[1:], spacing[0]],
        "channels": len(channels), "dtype": DTYPE, "digest": seen, "thumbnail": small.tobytes(),
        "doubts": sorted({doubt for path in case.images for doubt in files.doubts(root / path, first.grid)}),
    }  # fmt: skip
    if (root / case.images[0]).is_dir():
        found |= dicom.about(root / case.images[0])
    if case.mask:
        raw = read_mask(root, case, first.grid)
        flat = raw.reshape(-1, raw.shape[-1])
        with named(case.mask):
            found |= rules.measured(told, flat)
    return found


def digest_of(channels: Sequence[Volume]) -> tuple[str, npt.NDArray[np.uint8]]:
    """And the thumbnail: of the slice in the middle."""
    small = thumbnail(_as_bytes(channels[0].turned[channels[0].turned.shape[0] // 2]))
    # As numbers of one kind, in one order: the same volume in another format has the same digest.
    voxels = np.stack([one.turned for one in channels], axis=-1).astype(np.float32)
    return digest(voxels, small), small


def read_channels(root: Path, paths: Sequence[str]) -> list[Volume]:
    """Each file of a case, and each of a file's fourth axis; all of one grid."""
    found: list[Volume] = []
    for path in paths:
        several = files.channels(root / path)
        found += [files.read(root / path, channel=number if several > 1 else None) for number in range(several)]
        _same_grid(paths[0], found[0].grid, path, found[-1].grid)
    return found


def read_mask(root: Path, case: Case, image: Grid) -> npt.NDArray[np.uint16]:
    """(slice, row, column) of the raw values, on the image's own grid."""
    where = root / case.mask
    if not where.is_dir():
        return read_mask_on(where, image, case.images[0], name=case.mask)
    with named(case.mask):
        mask = pictures.read(where, root / case.images[0])
        return np.ascontiguousarray(image.turn.apply(as_labels(mask.voxels)))


def read_mask_on(path: Path, image: Grid, of: str, *, name: str = "") -> npt.NDArray[np.uint16]:
    """(slice, row, column) of a file that must lie on the grid of the image `of`; called `name` where that is given."""
    mask, called = files.read(path), name or str(path)
    _same_grid(of, image, called, mask.grid)
    with named(called):
        return np.ascontiguousarray(image.turn.apply(as_labels(mask.voxels)))


def _same_grid(one: str, ours: Grid, other: str, theirs: Grid) -> None:
    if ours.shape != theirs.shape:
        raise BadInput(f"{other}: is of shape {_size(theirs)}, but {one} is {_size(ours)}")
    apart = ours.farthest(theirs)
    if apart > APART * min(ours.spacing):
        raise BadInput(
            f"{other}: lies up to {apart:.3g} mm beside {one}, of the same shape "
            f"({theirs.orientation} and {ours.orientation})",
            hint="Copy the affine of the image into the mask, if its voxels do belong to the image's.",
        )


def _size(grid: Grid) -> str:
    return " x ".join(map(str, grid.shape))


def _as_bytes(plane: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """For a thumbnail: without the few voxels that outshine the rest."""
    low, high = np.percentile(plane, (1, 99))
    seen = (plane.astype(np.float32) - low) * (255 / max(float(high - low), 1e-6))
    small = cv2.resize(seen, (max(plane.shape[1], 8), max(plane.shape[0], 8)), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(small, 0, 255).round(), np.uint8)
