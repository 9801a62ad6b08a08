"""A window slid over a volume: seamless, whatever the sizes, and back on the volume's grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from segue.data.target import Target
from segue.evaluation.predicting.frame import Frame, Seen
from segue.evaluation.predicting.predict import predict_tagged
from segue.evaluation.predicting.stack import Stack
from segue.variations.padding import Padding
from tests.evaluation.fakes import POLYP, Array
from tests.evaluation.test_stack import AS_IT_IS, stack, volume


def frame(patch: tuple[int, int, int], channels: int = 1, **given: Any) -> Frame:
    return Frame(patch[1:], 1, channels, "uint16", volumes=Seen(AS_IT_IS, 0, patch), **given)


def two(foreground: Array) -> npt.NDArray[np.float32]:
    found = foreground.astype(np.float32)
    return np.stack([1 - found, found], axis=1)


def bright(windows: Array) -> npt.NDArray[np.float32]:
    """(n, slice, row, column, channel): the first channel is the probability."""
    assert windows.ndim == 5
    return two(windows[..., 0] / 65535)


def maps(predictor: Any, one: Stack, patch: tuple[int, int, int], target: Target = POLYP, **given: Any) -> Any:
    ((_, said),) = predict_tagged(predictor, [(None, one)], frame=frame(patch, **given), target=target)
    assert said is not None
    return said.whole()


@pytest.mark.parametrize("patch", [(4, 16, 16), (8, 8, 40), (5, 21, 34), (9, 32, 48)])
@pytest.mark.parametrize("shape", [(5, 21, 34), (11, 40, 33), (1, 1, 1)])
def test_voxels_come_back(shape: tuple[int, int, int], patch: tuple[int, int, int]) -> None:
    voxels = volume(1, shape)
    found = maps(bright, stack(voxels), patch)
    assert found.shape == (2, *shape)
    assert np.abs(found[1] - voxels[..., 0] / 65535).max() < 3e-5


def test_the_middle_of_a_window_counts_most() -> None:
    def sure_in_the_middle(windows: Array) -> npt.NDArray[np.float32]:
        found = np.zeros(windows.shape[:4])
        found[:, 2:6, 4:12, 4:12] = 1
        return two(found)

    found = maps(sure_in_the_middle, stack(volume(2, (20, 40, 40))), (8, 16, 16))[1]
    inside = found[4:16, 8:32, 8:32]
    # A mean without weights is half along each axis, and an eighth in all.
    assert inside.min() > 0.2
    assert inside.mean() > 0.6


def test_windows_overlap_by_half() -> None:
    seen: list[int] = []

    def counting(windows: Array) -> npt.NDArray[np.float32]:
        seen.append(len(windows))
        return bright(windows)

    maps(counting, stack(volume(3, (8, 32, 32))), (8, 16, 16))
    assert sum(seen) == 9
    assert max(seen) <= 8  # batches


def test_padding_is_that_of_training() -> None:
    seen: list[Array] = []

    def spying(windows: Array) -> npt.NDArray[np.float32]:
        seen.append(windows)
        return bright(windows)

    maps(spying, stack(volume(4, (3, 10, 10))), (5, 12, 16), padding=Padding("ignore", (0.5,)))
    (window,) = seen[0]
    assert window.shape == (5, 12, 16, 1)
    assert (window[0] == 32768).all()
    assert (window[1:4, 1:11, 3:13] == volume(4, (3, 10, 10))).all()


def test_flips_are_undone() -> None:
    def across(windows: Array) -> npt.NDArray[np.float32]:
        place = (np.arange(windows.shape[3]) + 0.5) / windows.shape[3]
        return two(np.broadcast_to(place, windows.shape[:4]))

    one = stack(volume(5, (4, 16, 16)))
    assert maps(across, one, (4, 16, 16))[1].std() > 0.2
    # Seen from both sides what grows to the right is even.
    assert np.abs(maps(across, one, (4, 16, 16), views=("flips",))[1] - 0.5).max() < 1e-3
    assert np.abs(maps(bright, one, (4, 16, 16), views=("flips",)) - maps(bright, one, (4, 16, 16))).max() < 1e-4


def test_several_classes() -> None:
    def three(windows: Array) -> npt.NDArray[np.float32]:
        first = windows[..., 0] / 65535
        return np.stack([1 - first, first / 4, 3 * first / 4], axis=1).astype(np.float32)

    found = maps(three, stack(volume(6, (6, 20, 20))), (4, 16, 16), Target(("background", "a", "b")))
    assert np.abs(found.sum(axis=0) - 1).max() < 1e-3
    assert np.abs(found[2] - 3 * found[1]).max() < 1e-3


def test_it_is_written_and_read() -> None:
    one = frame((4, 16, 16))
    assert Frame.from_json(one.as_json()) == one
