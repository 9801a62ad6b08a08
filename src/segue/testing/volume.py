"""Whether a variation of volumes keeps its promise: as `variation.py`, with a direction more."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.data.case import IGNORE
from segue.testing.demand import demand
from segue.variations import Address, Drawn, Variation, volume

_SIZE = (10, 24, 28)
_AROUND = (6, 14, 14)
_RATIO = 2.5
_COUNT = 6


def check_volume_variation(variation: Variation) -> None:
    """Raises AssertionError with a sentence that says which promise is broken."""
    key = [Address(0, "check", 1, position, f"case {position}") for position in range(_COUNT)]
    plane = _SIZE[1:]
    drawn = variation.draw(plane, key)
    name = variation.name
    again = Drawn.from_json(json.loads(json.dumps(drawn.as_json())))
    demand(variation.draw(plane, key) == drawn == again, f"{name} is not replayed from its address or from JSON")
    other = variation.draw(plane, [Address(1, "check", 1, position, "case") for position in range(_COUNT)])
    demand(other != drawn, f"{name} draws the same for every seed")
    for size, few in ((plane, key[:2]), (plane, key[2:])):
        demand(variation.draw(size, few) == drawn[[key.index(each) for each in few]], f"{name} hangs on its neighbours")
    still = variation.scaled(0).draw(plane, key)
    moved = 0
    for index in range(_COUNT):
        voxels, labels = _body(index)
        before = voxels.copy(), labels.copy()
        plain, done = (_done(each, index, voxels, labels) for each in (still, drawn))
        inside = tuple(slice(start, start + side) for start, side in zip(_AROUND, _SIZE, strict=True))
        demand(np.array_equal(plain.image, voxels[inside]), f"{name} at severity 0 changes voxels")
        demand(np.array_equal(plain.labels, labels[inside]), f"{name} at severity 0 changes labels")
        demand(
            np.array_equal(before[0], voxels) and np.array_equal(before[1], labels), f"{name} changes what it is given"
        )
        demand(
            done.image.dtype == voxels.dtype and done.image.shape == (*_SIZE, 1), f"{name} changes the kind of voxels"
        )
        beside = _done(Drawn.join([drawn[index], still[index]]), 1, voxels, labels)
        demand(
            np.array_equal(plain.image, beside.image), f"{name} changes a patch that stands beside one that it changes"
        )
        moved += int((np.asarray(done.labels) != plain.labels).sum())
        _check_together(name, done)
    demand(moved > 0, f"{name} moves nothing")


def _body(seed: int) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8]]:
    """Something that no turn brings onto itself, bright where it is labelled."""
    shape = tuple(side + 2 * around for side, around in zip(_SIZE, _AROUND, strict=True))
    z, y, x = (np.arange(side) - (side - 1) / 2 for side in shape)
    z, y = z[:, None, None] * _RATIO, y[:, None]
    shift = np.random.default_rng(seed).uniform(-3, 3, 3)
    arm = (np.abs(z - shift[0]) < 9) & (np.abs(y - shift[1]) < 4) & (np.abs(x - 2 - shift[2]) < 10)
    leg = (np.abs(z - 9 - shift[0]) < 6) & (np.abs(y - 5 - shift[1]) < 6) & (np.abs(x - 8 - shift[2]) < 4)
    labels = (arm | leg).astype(np.uint8)
    return np.where(labels > 0, 50_000, 10_000).astype(np.uint16)[..., None], labels


def _done(drawn: Drawn, index: int, voxels: Any, labels: Any) -> Any:
    return volume.render(drawn, index, voxels, labels, _SIZE, corner=_AROUND, ratio=_RATIO)


def _check_together(name: str, done: Any) -> None:
    """The bright voxels and the labels have gone the same way: they differ along borders alone."""
    labels, image = np.asarray(done.labels), done.image[..., 0]
    counted = labels != IGNORE
    demand(counted.mean() > 0.5, f"{name} invents most of a patch, though there was more around it")
    wrong = counted & ((image > 30_000) != (labels == 1))
    demand(wrong.sum() <= 0.02 * max(1, (labels == 1).sum()), f"{name}: image and mask go different ways")
