from __future__ import annotations

import itertools

import numpy as np
import pytest

from segue.evaluation.predicting.decision import decide
from segue.evaluation.predicting.frame import Frame
from segue.evaluation.predicting.predict import predict_array
from segue.evaluation.predicting.tiles import OVERLAP, Blend, Tiling, tiling
from tests.data import made
from tests.evaluation.fakes import POLYP, THREE, Array, black, red, shades, smooth, two


def frame(tiles: str = "auto", zoom: float = 1.0, size: tuple[int, int] = (64, 64), long_side: int = 600) -> Frame:
    return Frame(size, long_side, tiles=tiles, zoom=zoom)


@pytest.mark.parametrize(
    ("stored", "given", "canvas", "count"),
    [
        # Whole images are what most networks are trained on.
        ((480, 640), frame(), (64, 64), 1),
        ((480, 640), frame("never", zoom=4), (64, 64), 1),
        ((60, 600), frame(), (64, 64), 1),
        # Trained on crops: at their scale, but never larger than the stored pixels.
        ((480, 640), frame(zoom=2), (96, 128), 6),
        ((480, 640), frame(zoom=4), (192, 256), 5 * 4),
        ((96, 128), frame(zoom=4), (96, 128), 6),
        ((64, 64), frame(zoom=4), (64, 64), 1),
        ((40, 60), frame(zoom=4), (64, 64), 1),
        ((70, 75), frame(zoom=4), (64, 64), 1),  # not worth it
        ((480, 640), Frame((48, 64), 640, zoom=3), (144, 192), 16),
        # Long ones, where asked.
        ((100, 600), frame("fill"), (64, 384), 8),
        ((600, 100), frame("fill"), (384, 64), 8),
        ((300, 600), frame("fill"), (64, 64), 1),  # half of the canvas is used
        ((20, 600), frame("fill"), (64, 600), 13),  # never larger than the stored pixels
    ],
)  # fmt: skip
def test_the_rule(stored: tuple[int, int], given: Frame, canvas: tuple[int, int], count: int) -> None:
    plan = tiling(stored, given)
    assert (plan.canvas, len(plan), plan.tile) == (canvas, count, given.size)
    for starts, length, side in ((plan.tops, plan.canvas[0], plan.tile[0]), (plan.lefts, plan.canvas[1], plan.tile[1])):
        assert (starts[0], starts[-1] + side) == (0, length)
        assert all(side * OVERLAP <= one + side - other + 1 < side for one, other in itertools.pairwise(starts))


@pytest.mark.parametrize(
    ("stored", "size", "canvas"),
    [
        ((480, 640), (128, 128), (96, 128)),
        ((640, 480), (128, 128), (128, 96)),
        ((480, 640), (256, 256), (192, 256)),
        ((481, 640), (256, 256), (192, 256)),  # on the canvas it has 192 rows
        ((484, 640), (256, 256), (224, 256)),
        ((360, 640), (256, 256), (160, 256)),
        ((20, 600), (128, 128), (32, 128)),
        ((500, 500), (101, 77), (96, 77)),
        ((77, 101), (77, 101), (77, 101)),
    ],
)  # fmt: skip
def test_a_tight_canvas_has_no_rows_of_padding_to_spare(
    stored: tuple[int, int], size: tuple[int, int], canvas: tuple[int, int]
) -> None:
    tight = Frame(size, 640, tight=True)
    assert (tiling(stored, tight).canvas, tiling(stored, tight).tile) == (canvas, canvas)
    assert tiling(stored, Frame(size, 640)).canvas == size
    # A quarter turn needs the room.
    assert tiling(stored, Frame(size, 640, tight=True, views=("rot90",))).canvas == size
    assert Frame.from_json(tight.as_json()) == tight


@pytest.mark.parametrize("given", [frame(zoom=2.7), frame(zoom=8), frame("fill")])
@pytest.mark.parametrize("size", [(301, 477), (477, 301), (90, 599), (640, 101)])
@pytest.mark.parametrize(("predictor", "target"), [(red, POLYP), (shades, THREE)])
def test_tiled_and_whole_are_the_same_for_one_that_looks_at_pixels(size, given, predictor, target) -> None:  # type: ignore[no-untyped-def]
    image = made.scene(3, *size)
    calls: list[int] = []

    def counting(images: Array) -> Array:
        calls.append(len(images))
        return predictor(images)

    tiled = predict_array(counting, image, frame=given, target=target)
    plan = tiling(given.fit(size).stored, given)
    assert sum(calls) == len(plan)
    whole = predict_array(predictor, image, frame=frame("never", size=plan.canvas), target=target)
    assert np.array_equal(tiled, whole)


def test_weights_are_one_together_and_fall_towards_the_seams() -> None:
    plan = tiling((480, 640), frame(zoom=4))
    blend = Blend(plan)
    done = [blend.add(number, np.full((1, 64, 64), 1, np.float32)) for number in range(len(plan))]
    assert done == [False] * (len(plan) - 1) + [True]
    assert np.array_equal(blend.maps, np.ones((1, 192, 256), np.float32))
    one = Blend(plan)
    one.add(0, np.ones((1, 64, 64), np.float32))
    share = one.maps[0]
    assert (share[:30, :30] == 1).all()  # whole at the image's own corner
    assert share[20, 63] < 0.05
    assert (np.diff(share[20, 40:64]) <= 0).all()


def test_tiles_that_disagree_leave_no_seam() -> None:
    def moody(images: Array) -> Array:
        """One number for all of a tile."""
        return two(np.ones(images.shape[:3]) * images[..., 0].mean(axis=(1, 2))[:, None, None] / 255)

    image = made.scene(5, 480, 640)
    blended = predict_array(moody, image, frame=frame(zoom=4, long_side=640), target=POLYP)[1]
    assert blended.max() - blended.min() > 0.1
    steps = max(np.abs(np.diff(blended, axis=axis)).max() for axis in (0, 1))
    assert steps < 0.02  # cut hard, tiles differ by a tenth or more


def test_tiles_know_of_padding() -> None:
    image = np.full((90, 599, 3), 200, np.uint8)
    for given in (frame("fill", size=(64, 96)), frame(zoom=6, size=(128, 64))):
        plan = tiling(given.fit((90, 599)).stored, given)
        assert len(plan) > 1
        assert not decide(predict_array(black, image, frame=given, target=POLYP), POLYP).any()


def test_an_image_of_many_tiles_among_others() -> None:
    from segue.evaluation.predicting.predict import picture_of, predict

    given = frame(zoom=8)
    several = [picture_of(smooth(*size, seed=size[0]), given) for size in ((480, 640), (30, 40), (300, 500))]
    alone = [next(predict(red, [one], frame=given, target=POLYP)) for one in several]
    for batch in (1, 7, 100):
        together = list(predict(red, several, frame=given, target=POLYP, batch=batch))
        assert all(np.array_equal(one, other) for one, other in zip(together, alone, strict=True))


def test_a_plan_of_one_is_left_alone() -> None:
    maps = np.random.default_rng(0).random((2, 8, 8), np.float32)
    blend = Blend(Tiling((8, 8), (8, 8), (0,), (0,)))
    assert blend.add(0, maps)
    assert blend.maps is maps
