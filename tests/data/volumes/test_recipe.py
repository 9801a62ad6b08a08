"""From a volume to the numbers that a network sees, and back onto its own grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from segue.config import validate
from segue.data.volumes.grid import Grid
from segue.data.volumes.placement import Placement
from segue.data.volumes.recipe import HEADROOM, Recipe, ready
from segue.data.volumes.resample import resized
from segue.data.volumes.volume import Volume
from segue.errors import BadInput

AS_IT_IS = Recipe(spacing=(0, 0, 0))
WHOLE = 65535
sides = st.integers(1, 14)
shapes = st.tuples(sides, sides, sides)


def volume(voxels: npt.NDArray[Any], spacing: tuple[float, float, float] = (3.0, 0.9, 0.8)) -> Volume:
    """Given as (slice, row, column): a file whose axes run as they do inside."""
    slices, rows, columns = spacing
    grid = Grid.of(voxels.shape[::-1], np.diag([-columns, -rows, slices, 1.0]))
    found = Volume(np.ascontiguousarray(voxels.T), grid)
    assert np.array_equal(found.turned, voxels)
    return found


@st.composite
def placements(draw: st.DrawFn) -> Placement:
    native = draw(shapes)
    start = tuple(draw(st.integers(0, side - 1)) for side in native)
    stop = tuple(draw(st.integers(first + 1, side)) for first, side in zip(start, native, strict=True))
    return Placement(native, start, stop, draw(shapes))  # type: ignore[arg-type]


@settings(max_examples=150, deadline=None)
@given(placements(), st.integers(0, 999), st.integers(1, 4000))
def test_parts_together_are_the_whole(place: Placement, seed: int, most: int) -> None:
    maps = np.random.default_rng(seed).random((2, *place.stored)).astype(np.float32)
    parts = list(place.parts_back(maps, (0.25, 0.75), most=most))
    found = np.concatenate(parts, axis=1)
    assert found.shape == (2, *place.native)
    inside = tuple(last - first for first, last in zip(place.start, place.stop, strict=True))
    for number, beyond in enumerate((0.25, 0.75)):
        wanted = np.full(place.native, beyond, np.float32)
        wanted[place.box] = resized(maps[number], inside)  # type: ignore[arg-type]
        assert np.allclose(found[number], wanted, atol=1e-5)


@settings(max_examples=150, deadline=None)
@given(placements(), st.integers(0, 999))
def test_labels_go_there_and_back(place: Placement, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ids = np.zeros(place.native, np.uint8)
    ids[place.box] = rng.integers(0, 3, ids[place.box].shape)
    stored = place.labels(ids)
    assert stored.shape == place.stored
    assert set(np.unique(stored)) <= set(np.unique(ids))
    if stored.size >= 2:  # a voxel for each class
        assert set(np.unique(ids)) - {0} <= set(np.unique(stored))
    back = place.labels_back(stored)
    assert back.shape == place.native
    if tuple(last - first for first, last in zip(place.start, place.stop, strict=True)) == place.stored:
        assert np.array_equal(back, ids)


def test_back_and_forth_is_the_identity_up_to_a_voxel() -> None:
    z, y, x = np.indices((12, 40, 36))
    ball = ((z - 5) / 4) ** 2 + ((y - 18) / 11) ** 2 + ((x - 20) / 9) ** 2 < 1
    place = Placement((12, 40, 36), (0, 0, 0), (12, 40, 36), (8, 31, 44))
    back = place.labels_back(place.labels(ball.astype(np.uint8))) > 0
    around = np.ones((3, 5, 3), bool)  # a stored voxel and what it reaches over
    assert not (back & ~ndimage.binary_dilation(ball, around)).any()
    assert not (ndimage.binary_erosion(ball, around) & ~back).any()


def test_mr_is_scaled_by_its_percentiles() -> None:
    rng = np.random.default_rng(0)
    voxels = rng.normal(500, 100, (12, 40, 44))
    voxels[5, 20, 20] = 20_000  # one voxel that outshines the rest must not darken it
    made = ready([volume(voxels)], AS_IT_IS)
    low, high = np.percentile(voxels, (1, 99))
    assert made.voxels.dtype == np.uint16
    assert made.voxels.shape == (12, 40, 44, 1)
    wanted = np.clip((voxels - low) / (high - low) / HEADROOM, 0, 1)
    assert np.abs(made.voxels[..., 0] / WHOLE - wanted).max() < 1e-3
    assert made.voxels[5, 20, 20, 0] == WHOLE
    # Another gain and offset of the scanner is another volume of the same numbers.
    again = ready([volume(voxels * 3.7 - 90)], AS_IT_IS)
    assert np.abs(again.voxels.astype(int) - made.voxels).max() <= 1


def test_ct_is_scaled_by_its_window() -> None:
    voxels = np.array([-1024, -200, 50, 300, 3000], np.int16)[None, None].repeat(4, 1).repeat(2, 0)
    made = ready([volume(voxels)], Recipe(spacing=(0, 0, 0), window=(-200, 300), crop=False))
    assert made.voxels[0, 0, :, 0].tolist() == [0, 0, WHOLE // 2 + 1, WHOLE, WHOLE]
    assert made.scale == ((-200.0, 300.0),)


def test_rims_are_left_away_and_come_back() -> None:
    voxels = np.zeros((6, 9, 10), np.int16)
    voxels[1:4, 2:8, 3:9] = np.random.default_rng(1).integers(1, 900, (3, 6, 6))
    place = ready([volume(voxels)], AS_IT_IS).placement
    assert (place.start, place.stop, place.stored) == ((1, 2, 3), (4, 8, 9), (3, 6, 6))
    # What is masked is never cut off.
    keep = np.zeros(voxels.shape, bool)
    keep[5, 0, 3] = True
    kept = ready([volume(voxels)], AS_IT_IS, keep=keep).placement
    assert (kept.start, kept.stop) == ((1, 0, 3), (6, 8, 9))
    uncut = ready([volume(voxels)], AS_IT_IS.model_copy(update={"crop": False})).placement
    assert uncut.stored == voxels.shape
    # A second channel that is there where the first is not.
    other = np.zeros_like(voxels)
    other[0] = 5
    assert ready([volume(voxels), volume(other)], AS_IT_IS).placement.start == (0, 0, 0)
    # Corners of different values: it reaches into them, and there is no rim.
    voxels[0, 0, 0] = 7
    assert ready([volume(voxels)], AS_IT_IS).placement.stored == voxels.shape
    assert ready([volume(np.zeros((3, 4, 5)))], AS_IT_IS).placement.stored == (3, 4, 5)


def test_of_ct_the_air_is_a_rim() -> None:
    voxels = np.random.default_rng(2).normal(-1000, 20, (4, 20, 20))
    voxels[:, 5:12, 6:15] = 40
    place = ready([volume(voxels)], Recipe(spacing=(0, 0, 0), window=(-300, 300))).placement
    assert (place.start, place.stop) == ((0, 5, 6), (4, 12, 15))


def test_the_spacing_is_as_asked_where_it_can_be() -> None:
    voxels = np.random.default_rng(3).random((5, 30, 40))
    made = ready([volume(voxels, (8.0, 1.5, 1.5))], Recipe(spacing=(0, 1.0, 1.0)))
    assert made.placement.stored == (5, 45, 60)
    assert made.spacing == pytest.approx((8.0, 1.0, 1.0))
    thin = ready([volume(voxels[:1], (8.0, 1.5, 1.5))], Recipe(spacing=(30.0, 1.5, 1.5)))
    assert thin.placement.stored == (1, 30, 40)


def test_the_field_is_taken_out_only_where_asked() -> None:
    seen: list[tuple[int, tuple[float, float, float]]] = []

    def brighter(channel: int, voxels: npt.NDArray[np.float32], spacing: tuple[float, float, float]) -> Any:
        seen.append((channel, spacing))
        return voxels * np.linspace(1, 2, voxels.shape[2], dtype=np.float32)

    voxels = np.random.default_rng(4).uniform(50, 60, (3, 8, 10))
    plain = ready([volume(voxels), volume(voxels)], AS_IT_IS, corrected=brighter)
    assert not seen
    done = ready([volume(voxels), volume(voxels)], Recipe(spacing=(0, 0, 0), n4=True), corrected=brighter)
    assert [channel for channel, _ in seen] == [0, 1]
    assert seen[0][1] == pytest.approx((3.0, 0.9, 0.8))
    assert not np.array_equal(plain.voxels, done.voxels)


def test_each_modality_has_its_part_of_a_recipe() -> None:
    both = Recipe(spacing=(0, 1, 1), n4=True, window=(-100, 200))
    assert (both.of("CT").n4, both.of("CT").window) == (False, (-100, 200))
    assert (both.of("MR").n4, both.of("MR").window) == (True, None)
    assert both.of("") == both


def test_recipes_of_several_datasets_are_joined() -> None:
    mr, ct = Recipe(spacing=(0, 1, 1), n4=True), Recipe(spacing=(0, 1, 1), window=(0, 100))
    both = mr.joined(ct)
    assert both is not None
    assert (both.n4, both.window, both.mixed) == (True, (0, 100), True)
    assert both == ct.joined(mr)
    assert both.of("MR") == mr.of("MR")
    assert both.of("CT") == ct.of("CT")
    with pytest.raises(BadInput, match="is it CT or something else"):
        both.of("")
    assert mr.joined(mr) == mr
    assert mr.of("") == mr
    for other in (
        mr.model_copy(update={"spacing": (0, 1, 2)}),
        mr.model_copy(update={"n4": False}),
        mr.model_copy(update={"channels": (1,)}),
        mr.model_copy(update={"crop": False}),
    ):
        assert mr.joined(other) is None
    assert ct.joined(ct.model_copy(update={"window": (0, 50)})) is None


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"spacing": (1, 1, 1), "window": (50, 50)}, "lower to a higher"),
        ({"spacing": (1, -1, 1)}, "a length in millimetres"),
        ({"spacing": (1, 1)}, "spacing"),
    ],
)
def test_a_recipe_without_sense(given: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        validate(Recipe, given, where="a recipe")
