"""Drawings: the same bytes each time, readable on light and dark, and outlines where the mask ends."""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Callable
from subprocess import run

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from segue.report import figures

LONG = "a hospital with a very long name indeed & sons"
DRAWINGS: dict[str, Callable[[], str]] = {
    "histogram": lambda: figures.histogram([0, 1, 2], {"red": [1, 2], LONG: [2, 1]}, x="x", y="y"),
    "bars": lambda: figures.bars({"0": 3, "5 or more": 1}, x="x", y="y"),
    "scatter": lambda: figures.scatter([(10, 20, 5), (30, 20, 1)], x="x", y="y"),
    "groups": lambda: figures.groups({LONG: [1, 2, 3], "none": []}, x="x", cuts=[2]),
}


@pytest.fixture(params=DRAWINGS)
def draw(request: pytest.FixtureRequest) -> Callable[[], str]:
    return DRAWINGS[request.param]


def test_same_numbers_same_bytes(draw: Callable[[], str]) -> None:
    assert draw() == draw()


def test_other_numbers_other_bytes() -> None:
    assert figures.bars({"a": 1, "b": 2}, x="x", y="y") != figures.bars({"a": 1, "b": 3}, x="x", y="y")


def test_nothing_has_a_colour_that_the_page_cannot_change(draw: Callable[[], str]) -> None:
    drawn = draw()
    assert "var(--ink)" in drawn
    assert re.findall(r"(?:fill|stroke): (?!none|var\()[^;\"]+", drawn) == []


def test_drawings_hold_no_dates_links_or_sheets(draw: Callable[[], str]) -> None:
    drawn = draw()
    assert "http" not in drawn
    assert "<metadata" not in drawn
    assert "<style" not in drawn
    assert not re.search(r"20\d\d-\d\d-\d\d", drawn)


def test_text_lies_inside_the_drawing(draw: Callable[[], str]) -> None:
    """A letter is half as wide as the font is high, as in wide fonts."""
    drawn = draw()
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


@pytest.mark.parametrize(("to", "loss"), [(figures.png, 0), (figures.jpeg, 12)])
def test_pictures_come_back_in_their_colours(to: Callable[[figures.Bytes], str], loss: int) -> None:
    image = np.zeros((16, 16, 3), np.uint8)
    image[:] = (200, 100, 30)
    kind, _, data = to(image).partition(";base64,")
    assert kind == f"data:image/{to.__name__}"
    back = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert back is not None
    assert np.abs(back.astype(int) - image).max() <= loss
    assert to(image[..., 0]).startswith("data:image/")
