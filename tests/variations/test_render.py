"""A case of the store onto the canvas, and back."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from segue.data.case import IGNORE
from segue.data.geometry import Fit, pyramid
from segue.errors import BadInput
from segue.variations import Address, Drawn, Padding, opencv, parse
from segue.variations.opencv import Rendered, render, restore

Bytes = npt.NDArray[np.uint8]


def noise(height: int, width: int, channels: int = 3) -> Bytes:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels)).astype(np.uint8)


def levels(image: Bytes) -> list[Bytes]:
    height, width = image.shape[:2]
    return pyramid(image, Fit.capped(height, width, max(height, width)))


def still(size: tuple[int, int]) -> Drawn:
    return Drawn.identity(1, size)


def turned(degrees: float, size: tuple[int, int], zoom: float = 1.0) -> Drawn:
    angle = np.radians(degrees)
    matrix = np.eye(3)
    matrix[:2, :2] = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / zoom
    return Drawn(1, size, {"matrix": matrix[None]})


def test_the_identity_is_the_letterbox() -> None:
    image, labels = noise(30, 40), noise(30, 40, 1)[..., 0] % 3
    same = render(still((30, 40)), 0, [image], labels, (30, 40))
    assert np.array_equal(same.image, image)
    assert same.labels is not None
    assert np.array_equal(same.labels, labels)
    assert same.valid.all()
    assert not np.shares_memory(same.image, image)
    boxed = render(still((40, 40)), 0, [image], labels, (40, 40))
    assert np.array_equal(boxed.image[5:35], image)
    assert not boxed.image[:5].any()
    assert not boxed.image[35:].any()
    assert boxed.labels is not None
    assert np.array_equal(boxed.labels[5:35], labels)
    assert (boxed.labels[:5] == IGNORE).all()
    assert (boxed.labels[35:] == IGNORE).all()
    assert np.array_equal(
        boxed.valid, np.arange(40)[:, None] // 5 % 7 < np.array([[6]]) if False else boxed.labels != IGNORE
    )


def test_half_the_size_is_the_mean_of_its_pixels() -> None:
    """A sign that the two grids share their corners and not their first pixels' centres."""
    ramp = np.repeat(np.arange(0, 240, 4, dtype=np.uint8)[None], 60, 0)[..., None]
    done = render(still((30, 30)), 0, [ramp], ramp[..., 0] // 8, (30, 30))
    assert np.array_equal(done.image[:, :, 0], ramp[:30, ::2, 0] + 2)
    assert done.labels is not None
    assert np.abs(done.labels[0].astype(int) - np.arange(30)).max() <= 1


@pytest.mark.parametrize("padding", [Padding(), Padding("reflect"), Padding("ignore", colour=(0.2, 0.4, 0.6))])
def test_padding(padding: Padding) -> None:
    image = noise(20, 40)
    labels = np.ones((20, 40), np.uint8)
    for drawn in (
        still((40, 40)),
        turned(30, (40, 40), 0.8),
        parse("colour + noise").draw((40, 40), [Address(0, "", 0, 0, "")]),
    ):
        done = render(drawn, 0, [image], labels, (40, 40), padding)
        invented = ~done.valid
        assert invented.any()
        assert done.labels is not None
        assert np.array_equal(done.labels == IGNORE, invented)
        if padding.mode == "constant":
            assert not done.image[invented].any()
        elif padding.mode == "ignore":
            assert (done.image[invented] == (51, 102, 153)).all()
        else:
            assert len(np.unique(done.image[invented])) > 100
    if padding.mirrored:
        boxed = render(still((40, 40)), 0, [image], labels, (40, 40), padding).image
        assert np.array_equal(boxed[:10], image[:10][::-1])


def test_padding_is_the_same_colour_for_one_channel() -> None:
    done = render(still((40, 40)), 0, [noise(20, 40, 1)], None, (40, 40), Padding("ignore", colour=(0.2, 0.4, 0.6)))
    assert (done.image[~done.valid] == 102).all()


def test_wrong_paddings_are_refused() -> None:
    with pytest.raises(BadInput, match="did you mean reflect"):
        Padding("reflct")
    with pytest.raises(BadInput, match="needs a colour"):
        Padding("ignore")
    with pytest.raises(BadInput, match="takes no colour"):
        Padding("constant", colour=(0.5,))


@pytest.mark.parametrize("side", [384, 256, 170, 128, 96, 60, 30])
@pytest.mark.parametrize("with_pyramid", [True, False])
def test_shrinking_does_not_alias(side: int, with_pyramid: bool) -> None:
    """A texture keeps about the contrast that a mean over areas leaves it, never more."""
    image = noise(512, 512)
    given = levels(image) if with_pyramid else [image]
    done = render(still((side, side)), 0, given, None, (side, side)).image
    area = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    assert 0.55 < done.std() / area.std() < 1.25
    every = ((np.arange(side) + 0.5) * (512 / side) - 0.5).astype(np.float32)
    naive = cv2.remap(image, *np.meshgrid(every, every), cv2.INTER_LINEAR)
    if side <= 128:
        assert naive.std() > 2 * done.std()  # what would be without the pyramid


def test_a_zoom_reads_a_finer_level_and_a_wide_view_a_coarser_one() -> None:
    image = noise(512, 512)
    pyramid_ = levels(image)
    marked = [np.full_like(level, place * 10) for place, level in enumerate(pyramid_)]
    read = {
        zoom: int(render(turned(0, (128, 128), zoom), 0, marked, None, (128, 128)).image[64, 64, 0]) // 10
        for zoom in (0.6, 1, 2, 4, 8)
    }
    sizes = [512 / 128 / zoom / 1.5 ** read[zoom] for zoom in (0.6, 1, 2, 4)]
    assert all(0.98 <= each <= 1.52 for each in sizes)
    assert read[8] == 0


def test_image_and_labels_are_read_at_the_same_places_whatever_the_level() -> None:
    """Columns as an image (shrunk through the pyramid) and as labels (read at full size)."""
    columns = np.repeat(np.arange(250, dtype=np.uint8)[None], 250, 0)
    for degrees, zoom, side in ((0, 1, 100), (20, 1, 100), (-35, 1.3, 64), (70, 0.9, 128), (10, 3, 80)):
        shifts = []
        for rising in (columns, 249 - columns):  # rounding in the pyramid has a side, and is no shift
            image = np.repeat(rising[..., None], 3, -1)
            done = render(turned(degrees, (side, side), zoom), 0, levels(image), rising, (side, side))
            assert done.labels is not None
            inner = done.valid & (done.labels > 6) & (done.labels < 243)
            apart = done.image[..., 0].astype(int)[inner] - done.labels[inner]
            assert np.abs(apart).max() <= 2
            shifts.append(apart.mean())
        assert abs(shifts[0] - shifts[1]) / 2 < 0.05


def test_it_writes_where_it_is_told() -> None:
    image, labels = noise(50, 70), noise(50, 70, 1)[..., 0] % 2
    drawn = turned(20, (48, 64))
    alone = render(drawn, 0, [image], labels, (48, 64))
    out = Rendered(np.zeros((48, 64, 3), np.uint8), np.zeros((48, 64), np.uint8), np.zeros((48, 64), np.bool_))
    assert render(drawn, 0, [image], labels, (48, 64), out=out) is out
    assert alone.labels is not None
    assert out.labels is not None
    assert np.array_equal(out.image, alone.image)
    assert np.array_equal(out.labels, alone.labels)
    assert np.array_equal(out.valid, alone.valid)


@pytest.mark.parametrize("text", ["none", "flips", "rot90", "affine", "strong", "highlights", "erase"])
def test_a_stores_arrays_are_read_only_and_stay_so(text: str) -> None:
    image, labels = noise(40, 40), noise(40, 40, 1)[..., 0] % 2
    image.setflags(write=False)
    labels.setflags(write=False)
    before = image.copy()
    key = [Address(0, "", 0, place, "") for place in range(8)]
    drawn = parse(text).draw((40, 40), key)
    for index in range(8):
        done = render(drawn, index, [image], labels, (40, 40))
        assert not np.shares_memory(done.image, image)
        assert done.image.flags.writeable
    assert np.array_equal(image, before)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_any_channels_of_any_depth(channels: int, dtype: Any) -> None:
    image: npt.NDArray[Any] = noise(60, 50, channels).astype(dtype) * dtype(1 if dtype is np.uint8 else 257)
    for text in ("rot90", "affine", "elastic", "strong(severity=0.5)", "perspective + equalise + shadow + motion_blur"):
        drawn = parse(text).draw((40, 40), [Address(0, "", 0, place, "") for place in range(3)])
        for index in range(3):
            done = render(drawn, index, [image], None, (40, 40))
            assert done.image.shape == (40, 40, channels)
            assert done.image.dtype == dtype
            assert done.labels is None
    drawn = turned(20, (40, 40))
    wide = render(drawn, 0, [image], None, (40, 40)).image
    for channel in range(channels):
        alone = render(drawn, 0, [np.ascontiguousarray(image[..., channel : channel + 1])], None, (40, 40)).image
        assert np.abs(wide[..., channel].astype(int) - alone[..., 0]).max() <= (1 if dtype is np.uint8 else 257)


def test_labels_that_are_ignored_are_not_invented() -> None:
    labels = np.zeros((30, 30), np.uint8)
    labels[:10] = IGNORE
    done = render(turned(0, (30, 30), 1.5), 0, [noise(30, 30)], labels, (30, 30))
    assert done.valid.all()
    assert done.labels is not None
    assert (done.labels == IGNORE).any()
    done = render(turned(45, (30, 30)), 0, [noise(30, 30)], labels, (30, 30))
    unlabelled = render(turned(45, (30, 30)), 0, [noise(30, 30)], None, (30, 30))
    assert not done.valid.all()
    assert np.array_equal(done.valid, unlabelled.valid)
    assert done.labels is not None
    assert (done.labels[done.valid] == IGNORE).any()


# Back


@pytest.mark.parametrize("source", [(64, 64), (100, 160), (37, 91), (500, 333), (20, 20), (1, 50)])
def test_restoring_undoes_the_letterbox(source: tuple[int, int]) -> None:
    """Each place of the source says where it is, on the canvas, and again on the source's grid."""
    size = (64, 80)
    rows, columns = np.mgrid[: source[0], : source[1]].astype(np.float32) + 0.5
    image = np.dstack([rows / source[0], columns / source[1]]).astype(np.float32)
    canvas = render(still(size), 0, [image], None, size)
    canvas.image[~canvas.valid] = 100.0  # what a network says about padding
    back = restore(canvas.image, source)
    assert back.shape == (*source, 2)
    assert back.dtype == np.float32
    # A canvas pixel of a small canvas spans many of the source: one at the very edge is all that is lost.
    scale = min(size[0] / source[0], size[1] / source[1])
    for axis in (0, 1):
        assert np.abs(back[..., axis] - image[..., axis]).max() * source[axis] <= max(1, 1 / scale) + 0.05
    inner = np.s_[source[0] // 4 : -(source[0] // 4) or None, source[1] // 4 : -(source[1] // 4) or None]
    assert np.abs(back[inner] - image[inner]).max() * max(source) < 0.1 * max(1, 1 / scale) + 0.05


def test_restoring_keeps_bytes_apart_from_nothing() -> None:
    maps = noise(32, 32, 5).astype(np.float32)
    assert np.array_equal(restore(maps, (32, 32)), maps)
    assert restore(maps, (16, 16)).mean() == pytest.approx(maps.mean(), rel=0.02)
    assert restore(maps, (200, 200)).shape == (200, 200, 5)


def test_shrinking_maps_on_the_way_back_does_not_alias() -> None:
    maps = noise(256, 256, 2).astype(np.float32)
    area = cv2.resize(maps, (64, 64), interpolation=cv2.INTER_AREA)
    assert restore(maps, (64, 64)).std() == pytest.approx(area.std(), rel=0.35)


# Wrong things


def test_wrong_forms_are_told() -> None:
    drawn = still((32, 48))
    with pytest.raises(BadInput, match="32 x 48, not for the form of 32 x 32"):
        drawn.carry(np.zeros((1, 32, 32), np.uint8))
    with pytest.raises(BadInput, match="channels"):
        drawn.images(np.zeros((2, 32, 48, 3), np.uint8))
    with pytest.raises(BadInput, match="float64"):
        drawn.images(np.zeros((1, 32, 48, 3)))
    with pytest.raises(BadInput, match="maps have the shape"):
        drawn.carry(np.zeros((2, 32, 48), np.uint8))
    assert opencv.carry(drawn, np.zeros((1, 16, 24), np.uint8))[0].shape == (1, 16, 24)
