"""Test-time variations: the same image flipped and turned, each prediction turned back, and the mean of what is known.

Flips and quarter turns move whole pixels, so nothing is interpolated. A quarter turn of a canvas that is not square
leaves a part of it outside; there, only the other views speak.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.errors import BadInput, nearest
from segue.variations.drawn import Drawn
from segue.variations.padding import Padding

Maps = npt.NDArray[np.float32]

_TURN = np.array([[0.0, -1.0], [1.0, 0.0]])
_MIRROR = np.diag([-1.0, 1.0])
_ONE = np.eye(2)

VIEWS: dict[str, tuple[npt.NDArray[np.float64], ...]] = {
    "flips": (_ONE, _MIRROR, -_MIRROR, -_ONE),
    "rot90": (_ONE, _TURN, -_ONE, -_TURN),
}


def known_views(names: Sequence[str]) -> None:
    for name in names:
        if name not in VIEWS:
            raise BadInput(f"test-time variation {name!r}: {nearest(name, VIEWS)}")


def matrices(names: Sequence[str]) -> list[npt.NDArray[np.float64]]:
    """Every composition of the named views, each once, the image as it is first."""
    known_views(names)
    found = [_ONE]
    for name in names:
        for view in VIEWS[name]:
            found += [made for one in list(found) if not _among(made := view @ one, found)]
    return found


def _among(one: npt.NDArray[Any], several: Sequence[npt.NDArray[Any]]) -> bool:
    return any(np.array_equal(one, other) for other in several)


def drawn(matrix: npt.NDArray[np.float64], n: int, size: tuple[int, int]) -> Drawn:
    whole = np.eye(3)
    whole[:2, :2] = matrix
    return Drawn(n, size, {"matrix": np.repeat(whole[None], n, axis=0)})


def seen_through(
    predict: Callable[[npt.NDArray[Any]], Maps], images: npt.NDArray[Any], names: Sequence[str], padding: Padding
) -> Maps:
    """(n, height, width, channels) to (n, classes, height, width): the mean over the views, where they are valid."""
    first, *others = matrices(names)
    del first  # the image as it is
    if others and images.ndim == 5:
        return _volumes_seen_through(predict, images, names, padding)
    plain = predict(images)
    if not others:
        return plain
    n, _, height, width = plain.shape
    total = plain.astype(np.float64)  # the mean of equal values is then that very value
    count = np.ones((n, 1, height, width))
    for matrix in others:
        view = drawn(matrix, n, (height, width))
        back, valid = view.undo(predict(view.images(images, padding=padding)))
        total += np.where(valid[:, None], back, 0)
        count += valid[:, None]
    return (total / count).astype(np.float32)


def _volumes_seen_through(
    predict: Callable[[npt.NDArray[Any]], Maps], volumes: npt.NDArray[Any], names: Sequence[str], padding: Padding
) -> Maps:
    """(n, slice, row, column, channel): every slice moves as a picture would."""
    n, depth = volumes.shape[:2]

    def of_slices(slices: npt.NDArray[Any]) -> Maps:
        said = predict(slices.reshape(volumes.shape))
        return np.ascontiguousarray(said.swapaxes(1, 2)).reshape(n * depth, said.shape[1], *said.shape[3:])

    found = seen_through(of_slices, volumes.reshape(n * depth, *volumes.shape[2:]), names, padding)
    return np.ascontiguousarray(found.reshape(n, depth, *found.shape[1:]).swapaxes(1, 2))
