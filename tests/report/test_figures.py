"""Drawings: the same bytes each time, readable on light and dark, and outlines where the mask ends."""

from __future__ import annotations

import base64
import math
import re
import sys
from collections.abc import Callable
from functools import cache
from subprocess import run

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from segue.report import curves, figures, spreads
from segue.report.drawing import short_names
from segue.report.page import Estimate

LONG = "a hospital with a very long name indeed & sons"
STEPS = [40 * number for number in range(1, 501)]
DRAWINGS: dict[str, Callable[[], str]] = {
    "histogram": lambda: figures.histogram([0, 1, 2], {"red": [1, 2], LONG: [2, 1]}, x="x", y="y"),
    "bars": lambda: figures.bars({"0": 3, "5 or more": 1}, x="x", y="y"),
    "scatter": lambda: figures.scatter([(10, 20, 5), (30, 20, 1)], x="x", y="y"),
    "groups": lambda: figures.groups({LONG: [1, 2, 3], "none": []}, x="x", cuts=[2]),
    "losses": lambda: curves.losses([40, 80], {"loss": [1, 0.5], LONG: [2, math.nan]}, [1e-3, 1e-6], best=80),
    "losses without rates": lambda: curves.losses([40, 80], {"loss": [1, 0.5]}),
    "by masks": lambda: curves.by_masks(
        {"supervised": {1: (0.4, 0.1), 35: (0.8, 0.0)}, LONG: {1: (0.6, 0.1)}}, x="patients with masks", y="Dice"
    ),
    "followed": lambda: curves.followed(
        [40, 80], {"Dice of the worst class": [0.4, 0.7], "pixels followed": [math.nan, 0.6]}, [math.nan, 2]
    ),
    "followed without a shift": lambda: curves.followed([40, 80], {"Dice of the worst class": [0.4, 0.7]}),
    "one epoch": lambda: curves.losses([40], {"loss": [1]}, [1e-3], best=40),
    "500 epochs": lambda: curves.scores(STEPS, {"Dice": [step / 20_000 for step in STEPS]}, y="y", best=20_000),
    "scores": lambda: curves.scores([40, 80], {"Dice": [0.5, 0.6], LONG: [0.4, 0.5]}, y="validation", best=80),
    "together": lambda: curves.together({"fold-0": ([40, 80], [0.5, 0.6]), LONG: ([40], [0.3])}, y="y"),
    "thresholds": lambda: curves.thresholds([0.3, 0.5], {"Dice": [0.7, 0.8]}, y="y", chosen=0.5),
    "finder": lambda: curves.finder([1e-6, 1e-3, 1.0], [1.0, 0.5, 2.0], proposal=3e-4),
    "intervals": lambda: spreads.intervals({LONG: {LONG: Estimate(0.1, 0.0, 0.2), "b": Estimate(0.2)}, "c": {}}, x="x"),
    "intervals of differences": lambda: spreads.intervals({"a": {"": Estimate(-0.1, -0.2, 0.1)}}, x="x", margin=0.05),
    "differences": lambda: spreads.differences([0.2, -0.1, 0.0], y="y", margin=0.05, limits=(-0.2, 0.3)),
    "no differences": lambda: spreads.differences([0.0, 0.0], y="y"),
}


@cache
def first(name: str) -> str:
    return DRAWINGS[name]()


@pytest.fixture(params=DRAWINGS)
def drawn(request: pytest.FixtureRequest) -> str:
    return first(request.param)


@pytest.mark.parametrize("name", DRAWINGS)
def test_same_numbers_same_bytes(name: str) -> None:
    assert DRAWINGS[name]() == first(name)


def test_other_numbers_other_bytes() -> None:
    assert figures.bars({"a": 1, "b": 2}, x="x", y="y") != figures.bars({"a": 1, "b": 3}, x="x", y="y")


def test_nothing_has_a_colour_that_the_page_cannot_change(drawn: str) -> None:
    assert "var(--ink)" in drawn
    assert re.findall(r"(?:fill|stroke): (?!none|var\()[^;\"]+", drawn) == []


def test_drawings_hold_no_dates_links_or_sheets(drawn: str) -> None:
    assert "http" not in drawn
    assert "<metadata" not in drawn
    assert "<style" not in drawn
    assert not re.search(r"20\d\d-\d\d-\d\d", drawn)


def test_text_lies_inside_the_drawing(drawn: str) -> None:
    """A letter is half as wide as the font is high, as in wide fonts."""
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawn)
    assert box is not None
    width, height = map(float, box.groups())
    texts = re.findall(
        r'<text style="([^"]*)" x="([\d.-]+)" y="([\d.-]+)" transform="rotate\((-?\d+)[^>]*>([^<]*)<', drawn
    )
    assert len(texts) >= 4
    for style, x, y, turned, words in texts:
        size = re.search(r"([\d.]+)px", style)
        assert size is not None
        long = len(words.replace("&amp;", "&")) * 0.5 * float(size[1])
        before = {"middle": 0.5, "end": 1.0}.get((re.search(r"text-anchor: (\w+)", style) or ["", "start"])[1], 0.0)
        start, end = (-before * long, (1 - before) * long)
        if int(turned) == -90:
            assert float(y) - end >= 0
            assert float(y) - start <= height
        else:
            assert float(x) + start >= -1, words
            assert float(x) + end <= width + 1, words
            assert 0 < float(y) < height


def test_names_are_words_and_not_formulas() -> None:
    drawn = figures.groups({"$x^2$ <b>": [1.0]}, x="北京")
    assert "$x^2$ &lt;b&gt;" in drawn
    assert "北京" in drawn


def test_boxes_and_points_say_the_numbers() -> None:
    """One group of 0, 50 and 100 on an axis from 0: the median's line stands in the middle between the outer points."""
    drawn = figures.groups({"a": [0.0, 50.0, 100.0]}, x="x")
    points = sorted(
        float(x) for x in re.findall(r'<use href="#\w+" x="([\d.]+)" y="[\d.]+" style="fill: var\(--c0\)', drawn)
    )
    median = re.search(r'<path d="M ([\d.]+) [\d.]+ \nL \1 [\d.]+ \n" [^>]*stroke-width: 2.4', drawn)
    assert median is not None
    assert len(points) == 3
    assert float(median[1]) == pytest.approx((points[0] + points[2]) / 2, abs=0.01)


def test_matplotlib_waits_until_something_is_drawn() -> None:
    code = "import sys, segue.report.figures; sys.exit('matplotlib' in sys.modules)"
    assert run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("grey", [False, True])
def test_contours_lie_on_the_border_of_the_mask(grey: bool) -> None:
    image = np.full((80, 100) if grey else (80, 100, 3), 120, np.uint8)
    mask = np.zeros((80, 100), np.uint8)
    mask[20:50, 30:70] = 1
    mask[60:70, 10:20] = 2
    drawn = figures.contours(image, mask)
    assert drawn.shape == (80, 100, 3)
    changed = (drawn != 120).any(axis=2)
    edge = _border(mask)
    near = cv2.dilate(edge.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    assert not (changed & ~near).any(), "drawn where no border is"
    assert changed[edge].all(), "a border is not drawn"
    assert tuple(drawn[20, 50]) != tuple(drawn[60, 15]), "two classes have one colour"
    assert (image == 120).all(), "the picture itself was drawn on"


def test_without_a_mask_no_contour() -> None:
    image = np.random.default_rng(0).integers(0, 255, (20, 20, 3), np.uint8)
    assert np.array_equal(figures.contours(image, np.zeros((20, 20), np.uint8)), image)


def _border(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Pixels of a class that touch a pixel of none."""
    inside = cv2.erode((mask > 0).astype(np.uint8), np.ones((3, 3), np.uint8))
    edge: npt.NDArray[np.bool_] = np.logical_and(mask > 0, inside == 0)
    return edge


def test_pictures_come_back_in_their_colours() -> None:
    image = np.zeros((16, 16, 3), np.uint8)
    image[:] = (200, 100, 30)
    kind, _, data = figures.jpeg(image).partition(";base64,")
    assert kind == "data:image/jpeg"
    back = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert back is not None
    assert np.abs(back.astype(int) - image).max() <= 12
    assert figures.jpeg(image[..., 0]).startswith("data:image/")


def across(drawn: str, style: str) -> list[float]:
    """x of the markers of a colour."""
    return [
        float(x)
        for x in re.findall(rf'<use href="#\w+" x="([\d.]+)" y="[\d.]+" style="fill: {re.escape(style)}', drawn)
    ]


def test_the_best_epoch_is_marked_where_it_is() -> None:
    """Three epochs, the second the best: the dotted line runs through the second point of both panels."""
    drawn = curves.losses([40, 80, 120], {"loss": [3, 2, 1]}, [1e-3, 1e-3, 1e-3], best=80)
    marks = [
        float(x) for x in re.findall(r'<path d="M ([\d.]+) [\d.]+ \nL \1 [\d.]+ \n" [^>]*stroke-dasharray: 2.2', drawn)
    ]
    points = across(drawn, "var(--c0)")
    assert len(points) == 3
    assert len(marks) == 2
    assert marks == pytest.approx([points[1]] * 2, abs=0.01)
    assert "best epoch" in drawn
    assert "best epoch" not in curves.losses([40, 80, 120], {"loss": [3, 2, 1]})


def test_many_epochs_are_a_line_and_few_are_points() -> None:
    few, many = (curves.scores(STEPS[:number], {"Dice": [0.5] * number}, y="y") for number in (40, 41))
    assert len(across(few, "var(--c0)")) == 40
    assert across(many, "var(--c0)") == []


def test_the_rate_of_the_run_stands_on_a_logarithmic_axis() -> None:
    drawn = curves.finder([1e-6, 1e-4, 1e-2], [1.0, 0.5, 2.0], proposal=1e-4)
    points = across(drawn, "var(--c0)")
    assert points[1] - points[0] == pytest.approx(points[2] - points[1], abs=0.1)
    assert "1e-06" in drawn
    assert "mathdefault" not in drawn


def test_an_interval_reaches_from_low_to_high() -> None:
    rows = {"a": {"": Estimate(0.5, 0.25, 0.75)}, "b": {"": Estimate(0.25)}, "c": {"": Estimate(0.75)}}
    drawn = spreads.intervals(rows, x="x", limits=(0, 1))
    points = across(drawn, "var(--c0)")
    lines = re.findall(
        r'<path d="M ([\d.]+) ([\d.]+) \nL ([\d.]+) \2 \n" [^>]*stroke: var\(--c0\); stroke-width: 2.2', drawn
    )
    assert len(lines) == 1
    assert [float(lines[0][0]), float(lines[0][2])] == pytest.approx([points[1], points[2]], abs=0.01)
    assert points[0] == pytest.approx((points[1] + points[2]) / 2, abs=0.01)


def test_the_margin_is_a_band_around_nothing() -> None:
    """From -0.1 to 0.1, on an axis where points stand at both."""
    rows = {"a": {"": Estimate(-0.1)}, "b": {"": Estimate(0.1)}, "c": {"": Estimate(0.4)}}
    drawn = spreads.intervals(rows, x="x", margin=0.1)
    band = re.search(r'<path d="M ([\d.]+) [^"]*?L ([\d.]+) [^"]*z\n" [^>]*fill: var\(--line\); opacity: 0.8', drawn)
    assert band is not None
    left, right, _ = across(drawn, "var(--c0)")
    corners = sorted(set(re.findall(r"[ML] ([\d.]+) ", band[0])), key=float)
    assert [float(corners[0]), float(corners[-1])] == pytest.approx([left, right], abs=0.01)
    assert "fill: var(--line); opacity: 0.8" not in spreads.intervals(rows, x="x")


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_losses_come_first_and_in_the_colour_of_losses(higher_is_better: bool) -> None:
    drawn = spreads.differences([0.3, -0.1, 0.2], y="y", higher_is_better=higher_is_better)
    bars = re.findall(r'<path d="M ([\d.]+) [^"]*" [^>]*style="fill: var\(--(c[01])\)"', drawn)
    assert [hue for _, hue in sorted(bars, key=lambda bar: float(bar[0]))] == (
        ["c1", "c0", "c0"] if higher_is_better else ["c1", "c1", "c0"]
    )


def test_long_names_stay_apart() -> None:
    names = [f"{LONG} {end}" for end in ("north", "south")]
    assert len(set(short_names(names))) == 2
    assert [name[-5:] for name in short_names(names)] == ["north", "south"]
    same = [f"{'x' * 30}{middle}{'x' * 30}" for middle in "abc"]
    assert len(set(short_names(same))) == 3
    assert all(len(name) <= 27 for name in short_names([*names, *same, "short"]))
    assert short_names(["short", "a b\n c"]) == ["short", "a b c"]
