"""Each photometric stage by hand, in both executors."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch

from segue.variations import Drawn, Padding, bank, tables
from segue.variations.colour import LUMA, colour
from segue.variations.parts import CURVE

SIZE = (48, 64)
ONE = np.ones(1)


def picture(channels: int = 3) -> npt.NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    small = rng.integers(20, 230, (1, 6, 8, channels)).astype(np.uint8)
    large = np.stack([cv2.resize(each, SIZE[::-1], interpolation=cv2.INTER_CUBIC) for each in small])
    return large.reshape(1, *SIZE, channels)


def tensor(image: npt.NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(image).permute(0, 3, 1, 2).float() / 255


def both(parts: dict[str, Any], image: npt.NDArray[np.uint8], **more: Any) -> list[npt.NDArray[np.float64]]:
    """What each executor makes of it, in levels of 0..255."""
    drawn = Drawn(len(image), SIZE, {name: np.asarray(part, np.float64) for name, part in parts.items()})
    arrays = drawn.images(image, **more).astype(np.float64)
    floats = drawn.images(image.astype(np.float32) / 255, **more) * 255.0
    tensors = drawn.images(tensor(image), **more).permute(0, 2, 3, 1).numpy() * 255.0
    return [arrays, floats, tensors]


def near(found: list[npt.NDArray[np.float64]], expected: npt.NDArray[Any], bytes_: float = 1.0) -> None:
    for each, tolerance in zip(found, (bytes_, 0.02, 0.02), strict=True):
        assert np.abs(each - np.clip(expected, 0, 255)).max() <= tolerance


def test_brightness_is_a_factor() -> None:
    image = picture()
    near(both({"colour": colour(1.3 * ONE, ONE, ONE, 0 * ONE)}, image), image * 1.3)
    near(both({"colour": colour(0.5 * ONE, ONE, ONE, 0 * ONE)}, picture(1)), picture(1) * 0.5)


def test_contrast_turns_about_the_mean_of_each_channel() -> None:
    image = picture()
    mean = image.mean((1, 2), keepdims=True)
    near(both({"colour": colour(ONE, 0.5 * ONE, ONE, 0 * ONE)}, image), (image - mean) * 0.5 + mean)
    grey = picture(1)
    near(both({"colour": colour(ONE, 0.5 * ONE, ONE, 0 * ONE)}, grey), (grey - grey.mean()) * 0.5 + grey.mean())


def test_the_mean_is_of_what_is_not_invented() -> None:
    image = picture()
    shrunk = np.eye(3)[None] * np.array([2, 2, 1])[:, None]  # half the size: three quarters invented
    less = {"matrix": shrunk, "colour": colour(ONE, 0.5 * ONE, ONE, 0 * ONE)}
    plain = both({"matrix": shrunk}, image)
    for found, before in zip(both(less, image), plain, strict=True):
        inner = np.s_[:, 13:35, 17:47]
        valid = np.s_[:, 12:36, 16:48]
        mean = before[valid].mean((1, 2), keepdims=True)
        assert np.abs(found[inner] - ((before - mean) * 0.5 + mean)[inner]).max() < 1.6
        assert not found[0, 0].any()


def test_no_saturation_is_grey_and_a_whole_turn_of_hue_is_none() -> None:
    image = picture()
    grey = np.repeat((image @ LUMA)[..., None], 3, axis=-1)
    for found, tolerance in zip(
        both({"colour": colour(ONE, ONE, 0 * ONE, 0 * ONE)}, image), (1.2, 0.4, 0.4), strict=True
    ):
        assert np.abs(found - grey).max() <= tolerance
    assert np.allclose(
        colour(ONE, ONE, ONE, 2 * np.pi * ONE),
        Drawn(1, SIZE, {"colour": colour(ONE, ONE, ONE, 0 * ONE)}).parts["colour"],
    )
    third = colour(ONE, ONE, ONE, 2 * np.pi / 3 * ONE)[0, :, :3]
    assert np.allclose(third @ third @ third, np.eye(3), atol=1e-9)
    assert np.allclose(third @ np.ones(3), 1, atol=0.02)  # white stays


def test_grey_pictures_have_no_hue_to_turn() -> None:
    grey = picture(1)
    near(both({"colour": colour(ONE, ONE, 0.3 * ONE, 1.0 * ONE)}, grey), grey, 1.5)


def test_a_curve_is_looked_up() -> None:
    image = picture()
    knots = np.linspace(0, 1, CURVE)
    near(both({"curve": knots[None] ** 2}, image), (image / 255.0) ** 2 * 255, 1.0)
    near(both({"curve": 1 - knots[None]}, image), 255.0 - image)
    again = Drawn(1, SIZE, {"curve": knots[None] ** 2}).then(Drawn(1, SIZE, {"curve": 1 - knots[None]}))
    assert np.allclose(again.parts["curve"], 1 - knots**2)


def test_equalising_evens_the_histogram_and_its_slope_is_limited() -> None:
    dark = (picture() // 4).astype(np.uint8)
    spread = [found.max() - found.min() for found in both({"equalise": [[1.0, 16.0]]}, dark)]
    assert min(spread) > 200
    limited = both({"equalise": [[1.0, 1.5]]}, dark)
    for found in limited:
        assert found.max() - found.min() < 1.6 * (dark.max() - dark.min()) + 3
        order = np.argsort(dark.ravel(), kind="stable")
        assert (np.diff(found.ravel()[order]) >= -1e-3).all()  # no two greys change places
    half = both({"equalise": [[0.5, 16.0]]}, dark)[1]
    full = both({"equalise": [[1.0, 16.0]]}, dark)[1]
    assert np.abs(half - (full + dark) / 2).max() < 0.01


def test_light_is_a_factor_of_its_own_at_each_place() -> None:
    image = picture()
    field = np.full((1, 5, 5), np.log(0.6))
    near(both({"light": field}, image), image * 0.6)
    from segue.variations import spline

    slope = np.broadcast_to(spline.knots(2)[None], (1, 5, 5)).copy() * 0.5
    across = np.exp(0.5 * ((np.arange(SIZE[1]) + 0.5) / SIZE[1] * 2 - 1))
    near(both({"light": slope}, image), image * across[None, None, :, None])


def test_a_highlight_is_white_in_its_middle_and_nothing_far_away() -> None:
    image = picture()
    found = both({"glints": [[[0.0, 0.0, 0.3, 0.15, 0.0, 1.0], [0.5, 0.5, 0.2, 0.2, 0.0, 0.0]]]}, image)
    for each in found:
        assert (each[0, 23:25, 31:33] == 255).all()
        assert (each[0, 24, 38] == 255).all()  # 0.22 of 0.3 along its long axis
        assert np.abs(each[0, 32] - image[0, 32]).max() < 0.02  # 0.27 of 0.15 along its short one
        assert np.abs(each[0, :, 50:] - image[0, :, 50:]).max() < 0.02


def test_blur_is_a_gaussian() -> None:
    image = picture()
    sigma = 2.0
    expected = cv2.GaussianBlur(image[0].astype(np.float64), (13, 13), sigma, borderType=cv2.BORDER_REPLICATE)
    near(both({"blur": [[sigma / 32]]}, image), expected[None])


def test_a_stroke_smears_along_itself() -> None:
    image = np.zeros((1, *SIZE, 3), np.uint8)
    image[0, 24, 32] = 255
    for found in both({"motion": [[[12 / 32, 0.0]]]}, image):
        row = found[0, 24, :, 0]
        assert row.sum() == pytest.approx(255, abs=14)
        assert np.count_nonzero(row > 5) == 13
        assert np.abs(found[0, 22]).max() < 1e-6
    assert np.allclose(tables.stroke(0, 8), tables.stroke(8, 0).T)
    assert tables.stroke(5, 3).sum() == pytest.approx(1)
    assert np.allclose(tables.stroke(5, 3), tables.stroke(5, 3)[::-1, ::-1], atol=1e-6)  # it moves nothing


def test_sharpening_adds_the_difference_to_the_blurred() -> None:
    image = picture()
    taps = tables.gaussian(1.5).astype(np.float64)
    smooth = cv2.sepFilter2D(image[0].astype(np.float64), -1, taps, taps, borderType=cv2.BORDER_REPLICATE)
    near(both({"sharpen": [[0.8, 1.5 / 32]]}, image), (image + 0.8 * (image - smooth[None])), 1.4)


def test_noise_has_its_strength_and_is_the_same_in_both() -> None:
    image = np.full((1, *SIZE, 3), 128, np.uint8)
    found = both({"noise": [[0.05, 0.3]]}, image)
    for each in found:
        assert (each - 128).std() == pytest.approx(0.05 * 255, rel=0.05)
        assert abs((each - 128).mean()) < 0.5
    assert np.abs(found[0] - found[2]).max() <= 0.51
    other = both({"noise": [[0.05, 0.7]]}, image)[1]
    assert abs(np.corrcoef(found[1].ravel(), other.ravel())[0, 1]) < 0.05


def test_the_bank_goes_round() -> None:
    place = 1 - 10 / bank.BANK
    round_ = bank.stretch(place, 30)
    assert np.array_equal(round_[:10], bank.bank()[-10:])
    assert np.array_equal(round_[10:], bank.bank()[:20])
    assert len(bank.stretch(0.5, bank.BANK + 5)) == bank.BANK + 5
    assert np.array_equal(bank.stretch(0.0, 2 * bank.BANK)[: bank.BANK], bank.bank())
    assert abs(bank.bank().mean()) < 0.005
    assert bank.bank().std() == pytest.approx(1, abs=0.005)
    assert not bank.bank().flags.writeable


@pytest.mark.parametrize("quality", [10, 30, 60, 90])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_a_jpeg_is_that_of_the_common_library(quality: int, channels: int) -> None:
    rough = np.random.default_rng(1).integers(-9, 10, (1, *SIZE, channels))  # else whole rows of blocks lie on one tie
    image = (picture(channels) + rough).clip(0, 255).astype(np.uint8)
    if channels == 3:
        packed = cv2.imencode(".jpg", np.ascontiguousarray(image[0, :, :, ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])[
            1
        ]
        expected = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))[:, :, ::-1]
    else:
        planes = [
            cv2.imencode(".jpg", np.ascontiguousarray(image[0, :, :, each]), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            for each in range(channels)
        ]
        expected = np.dstack([np.asarray(cv2.imdecode(each, cv2.IMREAD_GRAYSCALE)) for each in planes])
    arrays, floats, tensors = both({"jpeg": [[100 - quality]]}, image)
    assert np.array_equal(arrays[0], expected)
    assert np.abs(floats[0] - expected).max() < 0.01
    assert np.abs(tensors[0] - expected).mean() < 1.5  # a coefficient on a tie moves a block, and here are few blocks
    assert np.abs(arrays - image).mean() > np.abs(tensors[0] - expected).mean()


def test_a_jpeg_lets_gradients_pass() -> None:
    x = tensor(picture()).requires_grad_()
    Drawn(1, SIZE, {"jpeg": np.array([[70.0]])}).images(x).sum().backward()
    assert x.grad is not None
    assert x.grad.mean() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("keeps", [True, False])
def test_erasing_takes_the_box_and_its_labels_or_not(keeps: bool) -> None:
    image = picture()
    box = [[[0.0, 0.0, 0.25, 0.125, 0.2, 0.4, 0.6, 1.0, 0.0 if keeps else 1.0]]]
    inside = np.zeros(SIZE, np.bool_)
    inside[20:28, 24:40] = True  # 8 and 4 pixels to each side of the middle
    for found in both({"erase": box}, image):
        assert np.abs(found[0][inside] - [51, 102, 153]).max() < 0.01
        assert np.abs(found[0][~inside] - image[0][~inside]).max() < 0.01
    drawn = Drawn(1, SIZE, {"erase": np.array(box)})
    labels = np.ones((1, *SIZE), np.uint8)
    for maps in (labels, torch.from_numpy(labels)):
        found, valid = (np.asarray(each) for each in drawn.carry(maps))
        assert np.array_equal(valid[0], ~inside if not keeps else np.ones(SIZE, np.bool_))
        assert np.array_equal(found[0], np.where(valid[0], 1, 255))
        undone, known = (np.asarray(each) for each in drawn.undo(maps))
        assert np.array_equal(known, valid)
        assert np.array_equal(undone, found)


def test_padding_is_put_last() -> None:
    """No stage may change it, or training would show another padding than prediction does."""
    image = picture()
    moved = np.eye(3)[None].copy()
    moved[0, 0, 2] = 1.0
    every = {
        "matrix": moved, "colour": colour(1.5 * ONE, ONE, ONE, ONE), "curve": 1 - np.linspace(0, 1, CURVE)[None],
        "noise": [[0.1, 0.1]], "blur": [[0.05]], "jpeg": [[80]], "erase": [[[0.8, 0, 0.5, 0.5, 1, 1, 1, 1, 1]]],
    }  # fmt: skip
    for found in both(every, image):
        assert not found[:, :, 33:].any()
    for found in both(every, image, padding=Padding("ignore", colour=(0.2, 0.4, 0.6))):
        assert np.abs(found[:, :, 33:] - [51, 102, 153]).max() < 0.01


def test_stages_are_done_in_their_order() -> None:
    """Colour before curve, whatever a chain says: inverted after it was darkened."""
    image = picture()
    parts = {"curve": 1 - np.linspace(0, 1, CURVE)[None], "colour": colour(0.5 * ONE, ONE, ONE, 0 * ONE)}
    near(both(parts, image), 255 - image * 0.5, 1.1)


def test_only_rows_that_ask_are_touched() -> None:
    image = np.repeat(picture(), 3, axis=0)
    found = both({"noise": [[0.0, 0.1], [0.2, 0.1], [0.0, 0.3]], "jpeg": [[0], [0], [50]]}, image)
    for each in found:
        assert np.abs(each[0] - image[0]).max() < 0.01
        assert np.abs(each[1] - image[1]).mean() > 10
        assert 0.1 < np.abs(each[2] - image[2]).mean() < 10
