"""A volume is turned by whole axes: each voxel keeps its place in the patient, and comes back."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.data.volumes.grid import Grid
from segue.errors import BadInput

WAYS = [
    (order, signs) for order in itertools.permutations(range(3)) for signs in itertools.product((1, -1), repeat=3)
]  # fmt: skip
SPACINGS = [(1.0, 1.0, 1.0), (0.7, 0.7, 5.0), (0.7, 5.0, 0.7), (5.0, 0.7, 0.7), (0.5, 0.6, 0.7)]
SHAPE = (4, 5, 6)


def affine(
    order: tuple[int, ...], signs: tuple[int, ...], spacing: tuple[float, ...], angles: tuple[float, ...] = (0, 0, 0)
) -> npt.NDArray[Any]:
    """Axis a of the file runs along axis order[a] of the world, then everything is turned a little."""
    matrix = np.eye(4)
    matrix[:3, :3] = 0
    for axis, (world, sign, length) in enumerate(zip(order, signs, spacing, strict=True)):
        matrix[world, axis] = sign * length
    for axis, angle in enumerate(angles):
        turn = np.eye(4)
        one, other = [place for place in range(3) if place != axis]
        turn[[one, one, other, other], [one, other, one, other]] = (
            np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle),
        )  # fmt: skip
        matrix = turn @ matrix
    matrix[:3, 3] = (-90.5, 12.25, 44)
    return matrix


def places(grid: Grid) -> npt.NDArray[Any]:
    """Of every voxel, (i, j, k, 3) in millimetres."""
    voxels = np.stack(np.meshgrid(*map(np.arange, grid.shape), np.ones(1), indexing="ij"), axis=-1)[:, :, :, 0]
    return (voxels @ grid.matrix.T)[..., :3]


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize(("order", "signs"), WAYS)
def test_every_voxel_keeps_its_place_and_comes_back(
    order: tuple[int, ...], signs: tuple[int, ...], spacing: tuple[float, ...]
) -> None:
    for angles in ((0, 0, 0), (0.2, -0.15, 0.3)):
        grid = Grid.of(SHAPE, affine(order, signs, spacing, angles))
        voxels = np.arange(np.prod(SHAPE)).reshape(SHAPE)
        turned = grid.turn.apply(voxels)
        assert turned.shape == grid.turned().shape
        assert np.array_equal(grid.turn.undo(turned), voxels)
        assert np.allclose(places(grid.turned()), grid.turn.apply(places(grid)))
        assert np.allclose(sorted(grid.turned().spacing), sorted(spacing))
        again = grid.turned()
        assert again.turn.order == (0, 1, 2)
        assert again.turn.flipped == (False, False, False)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize(("order", "signs"), WAYS)
def test_slices_lie_as_a_radiologist_looks_at_them(
    order: tuple[int, ...], signs: tuple[int, ...], spacing: tuple[float, ...]
) -> None:
    grid = Grid.of(SHAPE, affine(order, signs, spacing)).turned()
    towards = {
        2: ((0, 0, 1), (0, -1, 0), (-1, 0, 0)),  # to the head, to the back, to the left
        1: ((0, -1, 0), (0, 0, -1), (-1, 0, 0)),
        0: ((-1, 0, 0), (0, 0, -1), (0, -1, 0)),
    }
    thick = max(spacing) == 5.0
    slices = order[spacing.index(5.0)] if thick else 2
    for axis, direction in enumerate(towards[slices]):
        column = grid.matrix[:3, axis]
        assert np.allclose(column / np.linalg.norm(column), direction)
    assert not thick or grid.spacing[0] == pytest.approx(5.0)


@settings(max_examples=200, deadline=None)
@given(st.tuples(*[st.floats(-0.7, 0.7)] * 3), st.sampled_from(WAYS), st.sampled_from(SPACINGS))
def test_any_oblique_grid(
    angles: tuple[float, ...], way: tuple[tuple[int, ...], tuple[int, ...]], spacing: tuple[float, ...]
) -> None:
    grid = Grid.of(SHAPE, affine(*way, spacing, angles))
    assert not grid.sheared
    assert sorted(grid.along) == [0, 1, 2]
    voxels = np.arange(np.prod(SHAPE) * 2).reshape(*SHAPE, 2)
    assert np.array_equal(grid.turn.undo(grid.turn.apply(voxels)), voxels)
    assert np.allclose(places(grid.turned()), grid.turn.apply(places(grid)))


def test_names() -> None:
    assert Grid.of(SHAPE, np.eye(4)).orientation == "RAS"
    assert Grid.of(SHAPE, np.diag([-1, -1, 1, 1])).orientation == "LPS"
    assert Grid.of(SHAPE, affine((2, 0, 1), (1, -1, 1), (1, 1, 1))).orientation == "SLA"
    assert Grid.of(SHAPE, np.diag([-1, 1, 1, 1])).left_handed
    assert not Grid.of(SHAPE, np.eye(4)).left_handed


def test_a_tilted_gantry_is_sheared() -> None:
    tilted = np.eye(4)
    tilted[1, 2] = np.tan(np.deg2rad(12))
    assert Grid.of(SHAPE, tilted).sheared


def test_how_far_two_grids_are_apart() -> None:
    one, other = np.eye(4), np.eye(4)
    other[0, 3] = 0.5
    assert Grid.of(SHAPE, one).farthest(Grid.of(SHAPE, other)) == pytest.approx(0.5)
    turned = affine((0, 1, 2), (1, 1, 1), (1, 1, 1), (0, 0, 0.01))
    turned[:3, 3] = 0
    assert Grid.of(SHAPE, one).farthest(Grid.of(SHAPE, turned)) == pytest.approx(0.01 * 5, rel=0.01)  # |(3, 4)| * angle


@pytest.mark.parametrize(
    ("shape", "given", "says"),
    [
        (SHAPE, np.diag([1, 0, 1, 1]), "no size along axis j"),
        (SHAPE, np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "into one plane"),
        (SHAPE, np.full((4, 4), np.nan), "not a 4x4 matrix of numbers"),
        (SHAPE, np.eye(3), "not a 4x4 matrix"),
        ((4, 0, 6), np.eye(4), "shape 4x0x6 is none"),
        ((4, 5), np.eye(4), "shape 4x5 is none"),
    ],
)  # fmt: skip
def test_what_is_no_grid_is_refused(shape: tuple[int, ...], given: npt.NDArray[Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        Grid.of(shape, given)
