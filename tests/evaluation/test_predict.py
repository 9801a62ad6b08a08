from __future__ import annotations

import json
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from segue.data.target import Target
from segue.errors import BadInput, Failed
from segue.evaluation.predicting.decision import decide
from segue.evaluation.predicting.frame import Frame
from segue.evaluation.predicting.predict import Picture, ahead, picture_of, predict, predict_array
from segue.evaluation.predicting.views import matrices
from segue.variations.padding import Padding
from tests.evaluation.fakes import POLYP, THREE, Array, across, black, mixed, red, shades, smooth, two

CANVAS = Frame(size=(96, 96), long_side=128)
SIZES = [(96, 96), (50, 150), (150, 50), (301, 901), (903, 302), (97, 131), (333, 111), (64, 65), (31, 17), (700, 500)]


def spot(height: int, width: int) -> tuple[Array, tuple[float, float]]:
    """A soft bright spot, and where its middle is."""
    y, x = np.indices((height, width))
    middle, spread = (0.37 * height, 0.58 * width), 0.1 * min(height, width)
    bright = np.exp(-((y - middle[0]) ** 2 + (x - middle[1]) ** 2) / (2 * spread**2))
    return np.repeat((255 * bright).round().astype(np.uint8)[..., None], 3, axis=2), middle


def centre(map_: Array) -> tuple[float, float]:
    y, x = np.indices(map_.shape)
    return float((map_ * y).sum() / map_.sum()), float((map_ * x).sum() / map_.sum())


@pytest.mark.parametrize("canvas", [(96, 96), (64, 128), (101, 77)])
@pytest.mark.parametrize("size", SIZES)
def test_the_letterbox_is_undone_exactly(size: tuple[int, int], canvas: tuple[int, int]) -> None:
    image, _ = spot(*size)
    found = predict_array(red, image, frame=Frame(canvas, 128), target=POLYP)
    assert found.shape == (2, *size)
    assert found.dtype == np.float32
    before, after = centre(image[..., 0] / 255), centre(found[1])
    assert abs(before[0] - after[0]) < 0.2
    assert abs(before[1] - after[1]) < 0.2
    gentle = smooth(*size)
    back = predict_array(red, gentle, frame=Frame(canvas, 128), target=POLYP)[1]
    assert np.abs(back * 255 - gentle[..., 0]).max() < 12
    assert np.allclose(found.sum(axis=0), 1)


@pytest.mark.parametrize("padding", [Padding(), Padding("ignore", (0.0, 0.0, 0.0))])
@pytest.mark.parametrize("views", [(), ("flips",), ("rot90",)])
@pytest.mark.parametrize("size", [(50, 150), (151, 49), (97, 131), (31, 17)])
def test_padding_is_never_a_lesion(size: tuple[int, int], views: tuple[str, ...], padding: Padding) -> None:
    image = np.full((*size, 3), 200, np.uint8)
    for canvas in ((96, 96), (64, 128)):
        frame = Frame(canvas, 128, views=views, padding=padding)
        seen: list[Array] = []

        def spying(images: Array, seen: list[Array] = seen) -> Array:
            seen.append(images)
            return black(images)

        found = predict_array(spying, image, frame=frame, target=POLYP)
        assert (np.concatenate(seen) == 0).any()  # there was padding, and the predictor did call it a lesion
        assert not decide(found, POLYP).any()


def pictures(sizes: list[tuple[int, int]], frame: Frame = CANVAS) -> list[Picture]:
    return [picture_of(smooth(*size, seed=seed), frame) for seed, size in enumerate(sizes)]


@pytest.mark.parametrize("views", [(), ("flips",)])
@pytest.mark.parametrize("size", SIZES)
def test_a_tight_canvas_changes_nothing_for_one_that_looks_at_pixels(
    size: tuple[int, int], views: tuple[str, ...]
) -> None:
    image = smooth(*size)
    square = predict_array(red, image, frame=Frame((96, 96), 128, views=views), target=POLYP)
    tight = predict_array(red, image, frame=Frame((96, 96), 128, views=views, tight=True), target=POLYP)
    assert np.abs(square - tight).max() < 0.02  # half a pixel apart on the canvas


def test_batches_are_of_one_size_and_none_waits_long() -> None:
    frame, shapes, taken = Frame((96, 96), 128, tight=True), [], 0
    sizes = [(96, 40), *[(60, 96)] * 39, (96, 40)]

    def spying(images: Array) -> Array:
        shapes.append(images.shape[:3])
        return red(images)

    def each() -> Iterator[Picture]:
        nonlocal taken
        for seed, size in enumerate(sizes):
            taken += 1
            yield picture_of(smooth(*size, seed=seed), frame)

    found = predict(spying, each(), frame=frame, target=POLYP, batch=4)
    first = next(found)
    assert taken <= 4 * 4 + 1  # a rare size in front does not hold up the folder
    rest = list(found)
    assert [maps.shape[1:] for maps in (first, *rest)] == sizes
    alone = [next(predict(red, [picture_of(smooth(*size, seed=n), frame)], frame=frame, target=POLYP))
             for n, size in enumerate(sizes)]  # fmt: skip
    assert all(np.array_equal(one, other) for one, other in zip((first, *rest), alone, strict=True))
    assert {shape[1:] for shape in shapes} == {(96, 64), (64, 96)}
    assert [shape[0] for shape in shapes].count(4) == 9


def test_neither_batch_size_nor_order_changes_a_byte() -> None:
    given = pictures(SIZES)
    alone = [next(predict(mixed, [one], frame=CANVAS, target=POLYP)).tobytes() for one in given]
    for batch in (1, 3, 8, 64):
        together = predict(mixed, given, frame=CANVAS, target=POLYP, batch=batch)
        assert [maps.tobytes() for maps in together] == alone
    backwards = predict(mixed, given[::-1], frame=CANVAS, target=POLYP, batch=4)
    assert [maps.tobytes() for maps in backwards] == alone[::-1]


def test_batches_are_filled_across_images() -> None:
    sizes: list[int] = []

    def counting(images: Array) -> Array:
        sizes.append(len(images))
        return red(images)

    assert len(list(predict(counting, pictures(SIZES), frame=CANVAS, target=POLYP, batch=4))) == 10
    assert sizes == [4, 4, 2]


def test_pictures_are_taken_as_they_are_needed() -> None:
    taken = 0

    def endless() -> Iterator[Picture]:
        nonlocal taken
        while True:
            taken += 1
            yield picture_of(smooth(40, 60, seed=taken), CANVAS)

    found = predict(red, endless(), frame=CANVAS, target=POLYP, batch=4)
    for _ in range(9):
        next(found)
    assert taken <= 13


def test_reading_ahead_is_bounded_and_in_order() -> None:
    begun: list[int] = []

    def read(number: int) -> int:
        begun.append(number)
        return number

    results = ahead(read, range(1000), count=3)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert len(begun) <= 9
    results.close()  # type: ignore[attr-defined]  # a generator
    assert list(ahead(read, [5, 6, 7], count=10)) == [5, 6, 7]


@pytest.mark.parametrize("views", [("flips",), ("rot90",), ("flips", "rot90"), ("rot90", "flips")])
@pytest.mark.parametrize("canvas", [(96, 96), (64, 128)])
def test_views_change_nothing_for_one_that_is_equivariant(views: tuple[str, ...], canvas: tuple[int, int]) -> None:
    image = smooth(70, 133)
    plain = predict_array(red, image, frame=Frame(canvas, 128), target=POLYP)
    seen = predict_array(red, image, frame=Frame(canvas, 128, views=views), target=POLYP)
    assert np.array_equal(seen, plain)


def test_views_are_averaged_where_they_are_known() -> None:
    image = smooth(96, 96)
    flipped = predict_array(across, image, frame=Frame((96, 96), 128, views=("flips",)), target=POLYP)[1]
    assert np.allclose(flipped, 0.5, atol=1e-6)  # rising and falling
    plain = predict_array(across, image, frame=CANVAS, target=POLYP)[1]
    assert plain.max() - plain.min() > 0.9
    turned = predict_array(across, image, frame=Frame((96, 96), 128, views=("rot90",)), target=POLYP)[1]
    assert np.allclose(turned, 0.5, atol=1e-6)
    # Of a wide image on a wide canvas, a quarter turn shows the middle alone: at the ends two views speak, not four.
    frame = Frame((64, 128), 128, views=("rot90",))

    def bright(images: Array) -> Array:
        calls.append(images)
        return two(np.full(images.shape[:3], 1.0 if len(calls) in (2, 4) else 0.0))

    calls: list[Array] = []
    mean = predict_array(bright, smooth(64, 128), frame=frame, target=POLYP)[1]
    assert len(calls) == 4
    assert np.allclose(mean[:, 40:88], 0.5)
    assert np.allclose(mean[:, :30], 0)


def test_views_are_each_seen_once() -> None:
    assert [len(matrices(names)) for names in ((), ("flips",), ("rot90",), ("flips", "rot90"), ("flips", "flips"))] == [
        1, 4, 4, 8, 4,
    ]  # fmt: skip
    with pytest.raises(BadInput, match="test-time variation 'flip': did you mean flips"):
        Frame((64, 64), 64, views=("flip",))


def test_several_classes_and_regions() -> None:
    image = smooth(75, 140)
    maps = predict_array(shades, image, frame=CANVAS, target=THREE)
    assert maps.shape == (3, 75, 140)
    assert np.allclose(maps.sum(axis=0), 1, atol=1e-5)
    wanted = shades(image[None])[0].argmax(axis=0)
    assert (decide(maps, THREE) == wanted).mean() > 0.98
    assert set(np.unique(wanted)) == {0, 1, 2}
    regions = Target(("whole", "core"), exclusive=False)

    def nested(images: Array) -> Array:
        bright = red(images)[:, 1]
        return np.stack([np.minimum(1, bright + 0.3), bright], axis=1)

    labels = decide(predict_array(nested, image, frame=CANVAS, target=regions), regions)
    assert labels.shape == (2, 75, 140)
    assert ((image[..., 0] > 127.5) == labels[1]).mean() > 0.98
    assert ((image[..., 0] > 0.2 * 255) == labels[0]).mean() > 0.98


def test_sixteen_bits() -> None:
    image = smooth(75, 140)
    plain = predict_array(red, image, frame=CANVAS, target=POLYP)
    deep = Frame((96, 96), 128, dtype="uint16")
    # An 8-bit file before a network of 16 bits, and the other way round; a 16-bit file keeps its fine steps.
    assert np.abs(predict_array(red, image, frame=deep, target=POLYP) - plain).max() < 0.01
    assert np.array_equal(predict_array(red, image.astype(np.uint16) * 257, frame=CANVAS, target=POLYP), plain)
    steps = np.arange(0, 65536, 7).astype(np.uint16)[:, None]
    nearest = (steps[..., None] / 257).round().astype(np.uint8)
    assert np.array_equal(Frame((8, 8), 10**5, channels=1).levels(steps)[0], nearest)
    faint = np.linspace(20000, 20400, 96 * 96).reshape(96, 96, 1).astype(np.uint16)
    fine = predict_array(red, np.repeat(faint, 3, axis=2), frame=deep, target=POLYP)[1]
    assert len(np.unique(fine)) > 300
    assert len(np.unique(predict_array(red, faint, frame=CANVAS, target=POLYP)[1])) <= 3


def test_grey_and_colour() -> None:
    image = smooth(75, 140)
    grey = Frame((96, 96), 128, channels=1)
    lightness = (image @ np.array([0.299, 0.587, 0.114])).round()
    found = predict_array(red, image, frame=grey, target=POLYP)[1]
    assert np.abs(found * 255 - lightness).max() < 3
    one = image[..., 0]
    assert np.array_equal(
        predict_array(red, one, frame=CANVAS, target=POLYP),
        predict_array(red, np.repeat(one[..., None], 3, axis=2), frame=CANVAS, target=POLYP),
    )
    for channels in (2, 4):  # modalities side by side
        beside = np.repeat(image[..., :1] // 4, channels, axis=2)
        beside[..., -1] = image[..., 0]
        frame = Frame((96, 96), 128, channels=channels)
        last = predict_array(lambda images: red(images[..., -1:]), beside, frame=frame, target=POLYP)
        assert np.array_equal(last, predict_array(red, one, frame=CANVAS, target=POLYP))
        given = np.zeros((30, 30, channels), np.uint8)
        with pytest.raises(BadInput, match=f"has {channels} channels, the network sees 3"):
            predict_array(red, given, frame=CANVAS, target=POLYP)
    for wrong, told in (
        (np.zeros((8, 8, 3)), "float64"),
        (np.zeros((0, 8, 3), np.uint8), "shape"),
        (np.zeros(3, np.uint8), "shape"),
    ):
        with pytest.raises(BadInput, match=told):
            predict_array(red, wrong, frame=CANVAS, target=POLYP)


def test_levels_of_a_store_and_of_a_file_are_the_same() -> None:
    image = smooth(700, 500)
    levels = CANVAS.levels(image)
    assert max(levels[0].shape[:2]) == 128
    (found,) = predict(red, [Picture(levels, (700, 500))], frame=CANVAS, target=POLYP)
    assert found.tobytes() == predict_array(red, image, frame=CANVAS, target=POLYP).tobytes()


def test_a_model_of_other_classes_and_one_that_broke_are_told() -> None:
    image = smooth(40, 60)
    with pytest.raises(
        BadInput, match=r"maps of shape \(1, 2, 96, 96\), where \(1, 3, 96, 96\) .* background, ring, core"
    ):
        predict_array(red, image, frame=CANVAS, target=THREE)

    def broken(images: Array) -> Array:
        found = red(images)
        found[-1, 0, 5, 5] = np.nan
        return found

    with pytest.raises(Failed, match="not numbers, in a batch of first, second"):
        list(
            predict(
                broken, [picture_of(image, CANVAS, name) for name in ("first", "second")], frame=CANVAS, target=POLYP
            )
        )


def test_a_frame_is_kept_as_json() -> None:
    frame = Frame(
        (96, 128),
        384,
        channels=1,
        dtype="uint16",
        padding=Padding("ignore", (0.5,)),
        views=("flips",),
        tiles="fill",
        zoom=2,
    )
    assert Frame.from_json(json.loads(json.dumps(frame.as_json()))) == frame
    assert Frame.from_json({"size": [64, 64], "long_side": 100}) == Frame((64, 64), 100)
    for given, told in (
        ({"size": [64, 64], "long_side": 100, "veiws": []}, "run.json: unknown key 'veiws': did you mean views"),
        ({"size": [64, 64]}, "run.json: cannot be understood"),
        ({"size": 64, "long_side": 100}, "run.json: cannot be understood"),
        ({"size": [64, 0], "long_side": 100}, "sizes are whole numbers"),
        ({"size": [64, 64], "long_side": 100, "zoom": 0.5}, "a zoom is 1 or more"),
        ({"size": [64, 64], "long_side": 100, "tiles": "nevr"}, "tiles 'nevr': did you mean never"),
        ({"size": [64, 64], "long_side": 100, "dtype": "float32"}, "dtype 'float32'"),
    ):
        with pytest.raises(BadInput, match=told):
            Frame.from_json(given, where="run.json")


def test_padding_in_the_colour_that_the_network_sees_as_nothing() -> None:
    seen: list[Array] = []

    def spying(images: Array) -> Array:
        seen.append(images.copy())
        return red(images)

    image = np.full((32, 96, 3), 255, np.uint8)
    predict_array(spying, image, frame=Frame((96, 96), 96, padding=Padding("ignore", (0.2, 0.4, 0.6))), target=POLYP)
    assert seen[0][0, 2, 48].tolist() == [51, 102, 153]
    predict_array(spying, image, frame=Frame((96, 96), 96, padding=Padding("reflect")), target=POLYP)
    assert seen[1][0, 2, 48].tolist() == [255, 255, 255]


def test_detail_finer_than_the_canvas_does_not_alias() -> None:
    board = (np.indices((960, 960)).sum(axis=0) % 2 * 255).astype(np.uint8)
    found = predict_array(red, np.repeat(board[..., None], 3, axis=2), frame=Frame((96, 96), 480), target=POLYP)[1]
    assert np.abs(found - 0.5).max() < 0.02
    small = cv2.resize(smooth(24, 24), (24, 24))
    assert predict_array(red, small, frame=Frame((96, 96), 480), target=POLYP).shape == (2, 24, 24)
