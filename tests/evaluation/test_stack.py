"""Volumes through a network that sees slices: on the volume's own grid, wherever its axes run, however it is cut."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.data.target import Target
from segue.data.volumes import files, nifti
from segue.data.volumes.grid import Grid
from segue.data.volumes.placement import Placement
from segue.data.volumes.recipe import Recipe
from segue.errors import BadInput
from segue.evaluation.predicting.decision import Decision, decide, filled, without_small
from segue.evaluation.predicting.folder import Written, predict_file, predict_files, predict_folder
from segue.evaluation.predicting.frame import Frame, Seen
from segue.evaluation.predicting.predict import predict_tagged
from segue.evaluation.predicting.stack import Stack
from tests.data.volumes.test_grid import SPACINGS, WAYS, affine
from tests.evaluation.fakes import POLYP, THREE, Array, mixed, red, shades, two

AS_IT_IS = Recipe(spacing=(0, 0, 0), window=(0, 1000), crop=False)


def frame(recipe: Recipe = AS_IT_IS, neighbours: int = 0, **given: Any) -> Frame:
    known: dict[str, Any] = {
        "size": (32, 32),
        "long_side": 1,
        "channels": 1 + 2 * neighbours,
        "dtype": "uint16",
        "tight": True,
    }
    return Frame(**{**known, **given}, volumes=Seen(recipe, neighbours))


def stack(voxels: npt.NDArray[Any]) -> Stack:
    shape = voxels.shape[:3]
    return Stack(voxels, Placement(shape, (0, 0, 0), shape, shape))


def volume(seed: int, shape: tuple[int, int, int] = (5, 21, 34)) -> npt.NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(0, 65536, (*shape, 1), dtype=np.uint16)


def found(
    predictor: Any, *given: Stack, target: Target = POLYP, batch: int = 8, **kind: Any
) -> list[npt.NDArray[np.float32]]:
    items = ((None, one) for one in given)
    said = predict_tagged(predictor, items, frame=frame(**kind), target=target, batch=batch)
    return [each.whole() for _, each in said if each is not None]


@pytest.mark.parametrize("tight", [True, False])
@pytest.mark.parametrize("shape", [(5, 21, 34), (1, 32, 32), (3, 70, 33), (2, 1, 1)])
def test_slices_come_back_to_the_voxel(shape: tuple[int, int, int], tight: bool) -> None:
    voxels = volume(1, shape)
    (maps,) = found(red, stack(voxels), tight=tight)
    assert maps.shape == (2, *shape)
    # Neither scaled nor shifted nor blurred; tiles are joined without a seam.
    assert np.abs(maps[1] - voxels[..., 0] / 65535).max() < 2e-5


def test_neighbours_are_seen_in_their_order() -> None:
    voxels = volume(2)
    for channel, at in ((0, [0, 0, 1, 2, 3]), (1, [0, 1, 2, 3, 4]), (2, [1, 2, 3, 4, 4])):
        seen = lambda images, channel=channel: red(images[..., channel:])  # noqa: E731
        (maps,) = found(seen, stack(voxels), neighbours=1)
        assert np.abs(maps[1] - voxels[at, ..., 0] / 65535).max() < 2e-5


@pytest.mark.parametrize("batch", [1, 3, 8, 50])
def test_what_a_volume_gets_does_not_hang_on_the_others(batch: int) -> None:
    several = [stack(volume(3)), stack(volume(4, (9, 40, 20))), stack(volume(5))]
    alone = [found(mixed, one)[0] for one in several]
    together = found(mixed, *several, batch=batch)
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


def test_three_classes_and_regions() -> None:
    voxels = volume(6)
    (maps,) = found(shades, stack(voxels), target=THREE)
    assert np.allclose(maps.sum(axis=0), 1, atol=1e-4)
    assert np.array_equal(decide(maps, THREE), maps.argmax(axis=0))
    regions = Target(("whole", "core"), exclusive=False)
    (maps,) = found(
        lambda images: np.stack([red(images)[:, 1], red(images)[:, 1] / 2], axis=1), stack(voxels), target=regions
    )
    assert np.abs(maps[1] - maps[0] / 2).max() < 2e-5


def test_outside_of_what_was_kept_is_background() -> None:
    voxels = volume(7, (2, 8, 8)) // 2 + 32768
    place = Placement((6, 20, 20), (2, 4, 4), (4, 20, 20), (2, 8, 8))
    (maps,) = found(red, Stack(voxels, place))
    assert maps.shape == (2, 6, 20, 20)
    assert (maps[1][place.box] > 0.49).all()
    outside = np.ones(place.native, bool)
    outside[place.box] = False
    assert (maps[0][outside] == 1).all()


def test_large_ones_are_decided_part_by_part() -> None:
    voxels = volume(8, (7, 20, 24))
    (said,) = [each for _, each in predict_tagged(red, [(None, stack(voxels))], frame=frame(), target=POLYP) if each]
    assert said.size == (7, 20, 24)
    decision = Decision(0.7, 0.001, True)
    wanted = decide(said.whole(), POLYP, decision)
    assert np.array_equal(said.decided(POLYP, decision), wanted)
    pieces = [part for one in said.parts() for part in np.array_split(one, 3, axis=1)]
    again = type(said)(said.size, lambda: iter(pieces))
    assert np.array_equal(again.decided(POLYP, decision), wanted)
    regions = Target(("whole", "core"), exclusive=False)
    assert np.array_equal(again.decided(regions, decision), decide(said.whole(), regions, decision))


def test_holes_and_crumbs_of_volumes() -> None:
    labels = np.zeros((9, 9, 9), np.uint8)
    labels[1:6, 1:8, 1:8] = 1
    labels[3, 4, 4] = 0  # enclosed on all sides
    labels[2, 4, 1] = 0  # open to the outside
    labels[6, 8, 8] = 1  # touches by a corner: one component
    labels[8, 0, 0] = 1  # by itself
    whole = filled(labels)
    assert whole[3, 4, 4] == 1
    assert whole[2, 4, 1] == 0
    assert (whole != labels).sum() == 1
    clean = without_small(labels, 3 / labels.size)
    assert (clean[8, 0, 0], clean[6, 8, 8]) == (0, 1)
    assert (clean != labels).sum() == 1
    # A hole between two classes is nobody's.
    labels[3, 4, 3] = 2
    assert filled(labels)[3, 4, 4] == 0


# Files


def ball(grid: Grid) -> npt.NDArray[np.float32]:
    """Bright within 9 mm of a place in the patient, off the middle: known by world coordinates alone."""
    places = np.moveaxis(np.indices(grid.shape), 0, -1) @ grid.matrix[:3, :3].T + grid.matrix[:3, 3]
    middle = np.array(grid.shape) / 2
    centre = grid.matrix[:3, :3] @ middle + grid.matrix[:3, 3]
    apart = np.linalg.norm(places - centre - (2.0, -3.0, 1.5), axis=-1)
    return (1000 * (apart < 9)).astype(np.float32)


def done(inputs: object, out: Path, predictor: Any = red, **given: Any) -> list[Written]:
    known: dict[str, Any] = {"frame": frame(), "target": POLYP, "progress": False}
    return list(predict_folder(predictor, inputs, out, **{**known, **given}))  # type: ignore[arg-type]


@settings(max_examples=48, deadline=None)
@given(st.sampled_from(WAYS), st.sampled_from(SPACINGS), st.tuples(*[st.floats(-0.6, 0.6)] * 3))
def test_a_mask_lies_over_its_image_by_world_coordinates(
    tmp_path_factory: pytest.TempPathFactory,
    way: Any,
    spacing: tuple[float, float, float],
    angles: tuple[float, float, float],
) -> None:
    folder = tmp_path_factory.mktemp("world")
    length = {side: max(4, round(28 / side)) for side in spacing}
    grid = Grid.of(tuple(length[side] for side in spacing), affine(way[0], way[1], spacing, angles))
    bright = ball(grid)
    nifti.write(folder / "in/scan.nii.gz", bright, grid)
    (one,) = done(folder / "in", folder / "out")
    assert one.error == ""
    mask = nifti.read(folder / "out/scan.nii.gz")
    assert mask.grid.farthest(grid) < 1e-3
    assert np.array_equal(mask.voxels, bright > 500)
    assert one.millilitres["polyp"] == pytest.approx((bright > 500).sum() * np.prod(spacing) / 1000, rel=1e-3)
    # Seen at another spacing it still lies there, give or take a voxel of that.
    coarse = frame(AS_IT_IS.model_copy(update={"spacing": (0.0, 1.2, 1.2)}))
    done(folder / "in", folder / "coarse", frame=coarse)
    again = nifti.read(folder / "coarse/scan.nii.gz").voxels > 0
    assert 2 * (again & (bright > 500)).sum() / (again.sum() + (bright > 500).sum()) > 0.8


def test_other_kinds_of_files(tmp_path: Path) -> None:
    grid = Grid.of((12, 10, 6), np.diag([1.0, 1.0, 3.0, 1.0]))
    nifti.write(tmp_path / "in/a.nii", ball(grid), grid)
    nifti.write(tmp_path / "in/deep/b.nii.gz", ball(grid), grid)
    nifti.write(tmp_path / "in/labels/a.nii.gz", ball(grid), grid)
    (tmp_path / "in/torn.nii.gz").write_bytes(b"\x1f\x8b no")
    (tmp_path / "in/photo.png").write_bytes(b"none of ours")
    said = done(tmp_path / "in", tmp_path / "out")
    assert [one.path.name for one in said if not one.error] == ["a.nii", "b.nii.gz"]
    assert [one.error.count("torn.nii.gz") for one in said if one.error] == [1]
    assert sorted(path.name for path in (tmp_path / "out").rglob("*.nii.gz")) == ["a.nii.gz", "b.nii.gz"]
    maps = predict_file(red, tmp_path / "in/a.nii", frame=frame(), target=POLYP)
    assert maps.shape == (2, *files.read(tmp_path / "in/a.nii").turned.shape)
    four = np.repeat(ball(grid)[..., None], 2, axis=3)
    from nibabel import Nifti1Image, save  # two channels in one file

    save(Nifti1Image(four, grid.matrix), tmp_path / "in/two.nii.gz")
    (wrong,) = predict_files(red, [tmp_path / "in/two.nii.gz"], frame=frame(), target=POLYP, progress=False)
    assert wrong.error.endswith("has 2 channels, the network sees 1")
    (right,) = predict_files(red, [tmp_path / "in/two.nii.gz"], frame=frame(channels=2), target=POLYP, progress=False)
    assert right.error == ""


def test_a_mask_is_no_image(tmp_path: Path) -> None:
    """Masks lie beside images, and a network finds something in them too."""
    labels = np.random.default_rng(0).integers(0, 3, (20, 30, 16)).astype(np.uint8)
    nifti.write(tmp_path / "labels.nii.gz", labels, Grid.of(labels.shape, np.eye(4)))
    (one,) = predict_files(red, [tmp_path / "labels.nii.gz"], frame=frame(), target=POLYP, progress=False)
    assert one.found is None
    assert "has only 3 different values, so it looks like a mask" in one.error


def test_the_channels_that_it_was_trained_on_are_taken(tmp_path: Path) -> None:
    """Out of one file, out of files with numbers, or out of one that has been cut down to them."""
    from nibabel import Nifti1Image, save

    grid = Grid.of((12, 10, 6), np.diag([1.0, 1.0, 3.0, 1.0]))
    bright, other = ball(grid), 1000 - ball(grid)
    (tmp_path / "in").mkdir()
    save(Nifti1Image(np.stack([other, bright], axis=-1), grid.matrix), tmp_path / "in/four.nii.gz")
    for number, voxels in enumerate((other, bright)):
        nifti.write(tmp_path / f"in/numbered_{number:04}.nii.gz", voxels, grid)
    nifti.write(tmp_path / "in/cut.nii.gz", bright, grid)
    second = frame(AS_IT_IS.model_copy(update={"channels": (1,)}))
    said = done(tmp_path / "in", tmp_path / "out", frame=second)
    assert sorted(one.masks[0].name for one in said) == ["cut.nii.gz", "four.nii.gz", "numbered.nii.gz"]
    assert all(np.array_equal(nifti.read(one.masks[0]).voxels, bright > 500) for one in said)
    # Who sees one channel and was never told of others takes a numbered file for what it is.
    alone = done(tmp_path / "in", tmp_path / "alone")
    assert sorted(one.masks[0].name for one in alone if not one.error) == [
        "cut.nii.gz",
        "numbered_0000.nii.gz",
        "numbered_0001.nii.gz",
    ]
    third = frame(AS_IT_IS.model_copy(update={"channels": (1, 2)}), channels=2)
    (wrong,) = predict_files(red, [tmp_path / "in/cut.nii.gz"], frame=third, target=POLYP, progress=False)
    assert wrong.error.endswith("has 1 channel, and number 3 of them is asked for")


def test_pictures_and_volumes_are_not_taken_for_each_other(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"whatever")
    with pytest.raises(BadInput, match="is no volume, and the network was trained on volumes"):
        predict_file(red, tmp_path / "photo.png", frame=frame(), target=POLYP)
    with pytest.raises(BadInput, match=r"holds no volumes \(\.nii"):
        done(tmp_path, tmp_path / "out")


def test_regions_are_files_of_their_own(tmp_path: Path) -> None:
    grid = Grid.of((12, 10, 6), np.diag([1.0, 1.0, 3.0, 1.0]))
    nifti.write(tmp_path / "in/a.nii.gz", ball(grid), grid)
    regions = Target(("whole", "inner core"), exclusive=False)

    def both(images: Array) -> npt.NDArray[np.float32]:
        return np.stack([two(images[..., 0] / 65535)[:, 1], 0 * images[..., 0]], axis=1).astype(np.float32)

    (one,) = done(tmp_path / "in", tmp_path / "out", both, target=regions)
    assert [path.name for path in one.masks] == ["a_whole.nii.gz", "a_inner-core.nii.gz"]
    assert np.array_equal(nifti.read(one.masks[0]).voxels, ball(grid) > 500)
    assert not nifti.read(one.masks[1]).voxels.any()


def test_a_frame_of_volumes_is_written_and_read() -> None:
    for recipe, neighbours in itertools.product((AS_IT_IS, Recipe(spacing=(0, 1.5, 1.5), n4=True)), (0, 2)):
        one = frame(recipe, neighbours, views=("flips",))
        assert Frame.from_json(one.as_json()) == one
    with pytest.raises(BadInput, match="cannot be understood"):
        Frame.from_json({**frame().as_json(), "volumes": {"recipe": {"spacing": [0, 1, 1]}}})
