"""A patch of a volume is varied as a whole: every slice is warped as a picture of its own would be."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from segue.data.case import IGNORE
from segue.errors import BadInput
from segue.variations import opencv, parse, volume, warp
from segue.variations.address import Address
from segue.variations.padding import Padding

SIZE = (24, 32)


def patch(seed: int = 0, channels: int = 1) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0.1, 0.8, (3, 5, 6, channels))
    voxels = coarse.repeat(2, 0).repeat(8, 1).repeat(8, 2)
    return np.rint(voxels * 65535).astype(np.uint16), (voxels[..., 0] > 0.45).astype(np.uint8)


def drawn(text: str) -> Any:
    return parse(text).draw(SIZE, [Address(3, "test", 9, 4, "a")])


def done(text: str, voxels: Any, labels: Any, **given: Any) -> opencv.Rendered:
    return volume.render(drawn(text), 0, voxels, labels, (len(voxels), *SIZE), corner=(0, 8, 8), **given)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize(
    "text", ["none", "flips", "affine(rotate=40, scale=0.3)", "elastic", "affine + elastic + erase(p=1)"]
)
def test_geometry_is_that_of_each_slice(text: str, channels: int) -> None:
    voxels, labels = patch(channels=channels)
    found = done(text, voxels, labels)
    assert found.labels is not None
    assert found.image.shape == (6, *SIZE, channels)
    onto = warp.at_corner(SIZE, (8, 8))
    for number in range(6):
        one = opencv.render(drawn(text), 0, [voxels[number]], labels[number], SIZE, onto=onto)
        assert np.array_equal(found.labels[number], np.asarray(one.labels))
        assert np.array_equal(found.valid[number], one.valid)
        # To the accuracy of OpenCV's weights, which are coarser for less than four channels.
        assert np.abs(found.image[number].astype(int) - one.image).max() <= 65535 / 40


def test_nothing_is_the_identity() -> None:
    voxels, labels = patch(1)
    found = done("none", voxels, labels)
    assert np.array_equal(found.image, voxels[:, 8:32, 8:40])
    assert np.array_equal(np.asarray(found.labels), labels[:, 8:32, 8:40])
    assert found.valid.all()


def test_beyond_the_slices_is_padding() -> None:
    voxels, labels = patch(2)
    found = volume.render(drawn("none"), 0, voxels, labels, (6, *SIZE), Padding("ignore", (0.25,)), corner=(0, -4, 30))
    assert found.labels is not None
    there = np.zeros(SIZE, bool)
    there[4:, :18] = True
    assert np.array_equal(found.valid[3], there)
    assert (found.labels[:, ~there] == IGNORE).all()
    assert (np.abs(found.image[:, ~there].astype(int) - 65535 // 4) <= 1).all()


def test_noise_is_another_in_each_slice() -> None:
    voxels = np.full((4, 40, 48, 1), 30000, np.uint16)
    found = done("noise(strength=0.2)", voxels, None).image.astype(float) - 30000
    assert found.std() > 100
    together = np.corrcoef(found.reshape(4, -1))
    assert np.abs(together - np.eye(4)).max() < 0.2


def test_contrast_turns_about_the_whole_patch() -> None:
    voxels = np.zeros((4, 40, 48, 1), np.uint16)
    voxels[0], voxels[1], voxels[2:] = 10000, 30000, 20000
    for seed in range(20):
        change = parse("contrast(amount=0.5)").draw(SIZE, [Address(seed, "test", 9, 4, "a")])
        found = volume.render(change, 0, voxels, None, (4, *SIZE), corner=(0, 8, 8)).image.astype(int)
        spread = (found[1] - found[0]).mean() / 20000
        assert found.mean() == pytest.approx(20000, abs=3)
        if abs(spread - 1) > 0.2:
            return
    raise AssertionError("contrast changes nothing")


def test_blur_and_bias_stay_within_a_slice() -> None:
    voxels = np.zeros((5, 40, 48, 1), np.uint16)
    voxels[2, 20, 24] = 65535
    blurred = done("blur(sigma=0.05)", voxels, None).image
    assert blurred[2].max() < 60000
    assert not blurred[[0, 1, 3, 4]].any()
    field = done("bias", np.full((5, 40, 48, 1), 20000, np.uint16), None).image.astype(float)
    assert field[0].std() > 100
    assert all(np.array_equal(field[0], field[number]) for number in range(5))


def test_mixing_bodies_is_refused() -> None:
    two = parse("cutmix(p=1)").draw(SIZE, [Address(3, "test", 9, n, f"{n}") for n in (0, 1)])
    voxels, labels = patch()
    with pytest.raises(BadInput, match="cutmix is for pictures"):
        volume.render(two, 0, voxels, labels, (6, *SIZE), corner=(0, 0, 0))


# Out of the plane


def turned(text: str, voxels: Any, labels: Any, ratio: float = 1.0, corner: tuple[int, int, int] = (0, 8, 8)) -> Any:
    size = (len(voxels) - 2 * corner[0], *SIZE)
    return volume.render(drawn(text), 0, voxels, labels, size, corner=corner, ratio=ratio)


def test_a_reversed_patch_is_the_patch_from_its_other_end() -> None:
    voxels, labels = patch(3)
    found = turned("tilt(degrees=0, reverse=1)", voxels, labels)
    assert np.array_equal(found.image, voxels[::-1, 8:32, 8:40])
    assert np.array_equal(found.labels, labels[::-1, 8:32, 8:40])


def test_a_tilt_is_in_millimetres() -> None:
    """A plane that stands upright on the slices leans by the angle that was drawn, however thick these are."""
    for ratio in (1.0, 3.0):
        depth = round(30 / ratio)
        voxels = np.zeros((depth, 60, 60, 1), np.uint16)
        voxels[:, :, 30:] = 60_000
        change = parse("tilt(degrees=30)").draw((24, 24), [Address(5, "test", 0, 0, "a")])
        found = volume.render(change, 0, voxels, None, (depth, 24, 24), corner=(0, 18, 18), ratio=ratio).image[..., 0]
        edge = (found[:, 12] < 30_000).sum(axis=1)
        slope = np.polyfit(np.arange(depth)[2:-2] * ratio, edge[2:-2], 1)[0]
        turn = change.parts["turn"][0]
        # Along z at a fixed row, x' = turn[0, 0] x + turn[0, 2] z stays where the edge is.
        assert slope == pytest.approx(-turn[0, 2] / turn[0, 0], abs=0.06)
        assert abs(slope) > 0.05


def test_what_is_not_annotated_stays_in_the_picture() -> None:
    voxels, labels = patch(4)
    scribbles = np.where(np.random.default_rng(0).random(labels.shape) < 0.9, IGNORE, labels).astype(np.uint8)
    for text in ("none", "tilt(degrees=20)"):
        with_all, with_few = (turned(text, voxels, each) for each in (labels, scribbles))
        assert np.array_equal(with_all.image, with_few.image)
        assert np.array_equal(with_all.valid, with_few.valid)


def test_slices_beyond_the_volume_are_padding() -> None:
    voxels, labels = patch(5)
    labels[:2] = IGNORE
    for text in ("none", "tilt(degrees=5)"):
        found = volume.render(
            drawn(text), 0, voxels, labels, (6, *SIZE), Padding("ignore", (0.5,)), corner=(0, 8, 8), beyond=(2, 0)
        )
        invented = ~found.valid
        assert invented[0].mean() > 0.5
        assert invented[4].mean() < 0.3
        assert (np.asarray(found.labels)[invented] == IGNORE).all()
        assert (np.abs(found.image[invented].astype(int) - 32768) <= 1).all()


def test_pictures_do_not_lean() -> None:
    leaning = parse("tilt").draw(SIZE, [Address(3, "test", 9, 4, "a")])
    picture = np.zeros((1, *SIZE, 1), np.uint8)
    for how in (leaning.images, leaning.carry, leaning.undo):
        with pytest.raises(BadInput, match="tilt is for patches of volumes"):
            how(picture if how == leaning.images else picture[..., 0])
    with pytest.raises(BadInput, match="tilt is for patches of volumes"):
        opencv.render(leaning, 0, [picture[0]], None, SIZE)
