from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.data.volumes.resample import Shape, fitting, resized, resized_labels, typical

sides = st.integers(1, 23)
shapes = st.tuples(sides, sides, sides)


def ramp(shape: Shape) -> npt.NDArray[np.float64]:
    """In each voxel where its middle lies, as a share of the whole, added up over the axes."""
    axes = [(np.arange(side) + 0.5) / side for side in shape]
    return axes[0][:, None, None] + 2 * axes[1][:, None] + 4 * axes[2]


def test_the_shape_that_fits() -> None:
    assert fitting((10, 256, 216), (10.0, 1.5625, 1.5625), (10.0, 1.25, 1.25)) == (10, 320, 270)
    assert fitting((3, 4, 5), (1, 1, 1), (100, 1, 2)) == (1, 4, 2)


@settings(max_examples=100, deadline=None)
@given(shapes, shapes)
def test_places_stay_and_means_stay(have: Shape, want: Shape) -> None:
    assert np.allclose(resized(np.full(have, 3.5), want), 3.5, atol=1e-5)
    found = resized(ramp(have), want)
    assert found.shape == want
    assert found.dtype == np.float32
    # Nothing moves: but for half a voxel at the borders, where linear interpolation has nobody beyond.
    apart = np.abs(found - ramp(want))
    slack = sum(weight * 0.5 / side for weight, side in zip((1, 2, 4), have, strict=True))
    assert apart.max() <= slack + 1e-5
    if all(one % other == 0 for one, other in zip(have, want, strict=True)):
        blocks = ramp(have).reshape(*(n for w, h in zip(want, have, strict=True) for n in (w, h // w)))
        assert np.allclose(found, blocks.mean(axis=(1, 3, 5)), atol=1e-5)


def test_channels_ride_along() -> None:
    both = np.stack([ramp((5, 6, 7)), -ramp((5, 6, 7))], axis=-1)
    found = resized(both, (3, 9, 7))
    assert found.shape == (3, 9, 7, 2)
    assert np.allclose(found[..., 0], resized(ramp((5, 6, 7)), (3, 9, 7)), atol=1e-6)
    assert np.allclose(found[..., 1], -found[..., 0])


def test_shrinking_does_not_alias() -> None:
    stripes = np.tile([0.0, 1.0], 32)[None, None].repeat(4, axis=1).repeat(4, axis=0)
    assert np.abs(resized(stripes, (4, 4, 13)) - 0.5).max() < 0.1  # where picking gives 0.5


@settings(max_examples=100, deadline=None)
@given(shapes, shapes, st.integers(0, 999))
def test_labels_keep_their_set_and_come_back(have: Shape, want: Shape, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ids = np.zeros(have, np.uint8)
    ids[have[0] // 2 :, have[1] // 3 :] = 1
    for number in (2, 3, 255):
        ids[tuple(rng.integers(0, side) for side in have)] = number
    small = resized_labels(ids, want)
    assert small.shape == want
    classes = set(np.unique(ids))
    if np.prod(want) > 60:
        assert set(np.unique(small)) <= classes
    larger = tuple(max(h, 3 * h) for h in have)
    there = resized_labels(ids, larger)  # type: ignore[arg-type]
    assert np.array_equal(resized_labels(there, have), ids)  # three for one, and the middle one back
    assert set(np.unique(there)) == classes


def test_a_single_voxel_survives() -> None:
    ids = np.zeros((20, 64, 64), np.uint8)
    ids[13, 31, 45] = 7
    small = resized_labels(ids, (20, 16, 16))
    assert np.argwhere(small == 7).tolist() == [[13, 7, 11]]


@pytest.mark.parametrize(
    ("given_", "wanted"), [([1.5625, 1.3672, 1.5625], 1.5625), ([10.0], 10.0), ([0.39063, 0.4, 0.7], 0.4)]
)
def test_a_typical_spacing(given_: list[float], wanted: float) -> None:
    assert typical(given_) == wanted
