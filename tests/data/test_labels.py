"""Mask values: what is clear is understood, what is not is refused with its values, and nothing is lost on the way."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from segue.data import labels
from segue.data.case import IGNORE
from segue.data.labels import Labels, apply, classes_in, foreground_share, infer, parse, refused, summarise
from segue.errors import BadInput
from tests.hostile import Array, blob, colours, fractions, levels, smoothed


def _told(*masks: Array) -> tuple[Labels | None, labels.Classes, str, dict[str, str]]:
    summaries = {f"{number}.png": summarise(mask) for number, mask in enumerate(masks)}
    rule, classes, words = infer(summaries)
    return rule, classes, words, dict(refused(rule, summaries))


def _as_jpeg(pixels: Array, quality: int) -> Array:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


NOISY = "0 and 255: background and foreground; grey from JPEG or smoothed edges in 1 masks, cut at 127"


@pytest.mark.parametrize(
    ("masks", "words", "classes"),
    [
        ([blob()], "0 and 255: background and foreground", 2),
        ([blob(value=1)], "0 and 1: background and foreground", 2),
        ([blob(value=128)], "0 and 128: background and foreground", 2),
        ([blob().astype(np.uint16) * 257], "0 and 65535: background and foreground", 2),
        ([blob().astype(np.float32)], "0 and 255: background and foreground", 2),
        ([blob().astype(np.float32) / 255], "0 and 1: background and foreground", 2),
        ([blob() > 0], "0 and 1: background and foreground", 2),
        ([levels(1, 2, 3)], "class ids 0, 1, 2, 3", 4),
        ([levels(1, 5)], "class ids 0, 1, 5", 3),
        ([blob() * 0], "all masks are empty: 0 is background", 2),
        ([blob() * 0, blob(value=1)], "0 and 1: background and foreground", 2),
        ([smoothed()], NOISY, 2),
        ([_as_jpeg(blob(), 50)], NOISY, 2),
    ],
)  # fmt: skip
def test_what_is_clear_is_understood(masks: list[Array], words: str, classes: int) -> None:
    rule, names, told, bad = _told(*masks)
    assert (told, len(names), bad) == (words, classes, {})
    assert rule is not None
    for mask in masks:
        ids = apply(rule, mask)
        assert set(np.unique(ids)) <= set(names)
        assert classes_in(rule, summarise(mask)) == set(np.unique(ids))
        assert foreground_share(rule, summarise(mask)) == pytest.approx(float((ids > 0).mean()))


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        (levels(127, 255), "0: 1,420 px, 127: 250 px, 255: 250 px"),
        (levels(1, 255), "0: 1,420 px, 1: 250 px, 255: 250 px"),  # a class, and a border that does not count
        (levels(1, 2, 255), "0: 1,170 px"),
        (colours((255, 0, 0), (0, 255, 0)), "#000000"),
        (fractions(), "0: "),
        (np.full((9, 9), np.nan, np.float32), "nan: "),
        (np.full((9, 9), np.inf, np.float32), "inf: 81 px"),
        (np.full((9, 9), -1, np.int32), "-1: 81 px"),
        (np.arange(1920).reshape(40, 48).astype(np.uint16), "and 1914 more values"),
        (np.arange(256, dtype=np.uint8).repeat(9).reshape(48, 48), "and 250 more values"),
    ],
)
def test_what_is_not_clear_is_refused_with_its_values(mask: Array, told: str) -> None:
    rule, _, _, bad = _told(mask)
    assert rule is None
    assert told in bad["0.png"]
    assert "\n" not in bad["0.png"]


@pytest.mark.parametrize("mask", [levels(127, 255), levels(1, 255), colours((9, 200, 9), (200, 9, 9))])
def test_the_refusal_shows_how_to_say_it(mask: Array) -> None:
    """What the sentence proposes is taken, and explains the mask."""
    _, _, _, bad = _told(mask)
    proposed = bad["0.png"].partition("--labels ")[2].rstrip(")")
    rule, classes = parse(proposed)
    assert set(np.unique(apply(rule, mask))) == set(classes)


def test_a_mask_that_does_not_fit_the_others_is_refused_alone() -> None:
    rule, _, _, bad = _told(blob(0), blob(1), blob(2, value=1))
    assert rule is not None
    assert list(bad) == ["2.png"]
    with pytest.raises(BadInput, match=r"1: [0-9]+ px"):
        apply(rule, blob(2, value=1))  # not silently empty


def test_of_equally_many_kinds_the_same_is_taken_every_time() -> None:
    summaries = {"a": summarise(blob()), "b": summarise(blob(value=1))}
    turned = dict(reversed(list(summaries.items())))
    assert infer(summaries) == infer(turned)


def test_more_values_than_are_listed_are_not_taken_for_listed_ones() -> None:
    many = np.arange(40, dtype=np.uint8).repeat(40).reshape(40, 40)
    rule = Labels(how="values", values={value: value for value in range(32)})
    assert dict(refused(rule, {"a": summarise(many)}))


@pytest.mark.parametrize("quality", [30, 75, 95])
@pytest.mark.parametrize("seed", range(3))
def test_jpeg_moves_an_edge_by_a_pixel_at_most(quality: int, seed: int) -> None:
    mask = blob(seed, 120, 160)
    noisy = _as_jpeg(mask, quality)
    rule, _, _, bad = _told(noisy)
    assert rule is not None
    assert not bad
    wrong = (apply(rule, noisy) > 0) != (mask > 0)
    edge = cv2.dilate(mask, np.ones((3, 3))) != cv2.erode(mask, np.ones((3, 3)))
    assert not (wrong & ~edge).any()


def test_a_small_class_in_few_levels_is_not_taken_for_a_smoothed_edge() -> None:
    mask = blob(0, 400, 400)
    mask[10:13, 10:13] = 128  # one pixel of 160,000 is even inside
    assert _told(mask)[0] is None


def test_colours_of_a_jpeg_go_to_the_nearest_told() -> None:
    mask = colours((255, 0, 0), (0, 255, 0), (0, 0, 255))
    rule, classes = parse("#000000=background,#ff0000=polyp,#00ff00=tool,#0000ff=mirror")
    noisy = _as_jpeg(cv2.resize(mask, None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST), 90)
    ids = apply(rule, noisy)
    wanted = cv2.resize(apply(rule, mask), None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST)
    assert (ids == wanted).mean() > 0.97
    assert set(np.unique(ids)) == set(classes)


def test_a_solid_colour_that_was_not_told_is_refused_however_small() -> None:
    mask = np.zeros((500, 500, 3), np.uint8)
    mask[100:200, 100:200] = (255, 0, 0)
    mask[300:306, 300:306] = (0, 255, 0)  # 0.014 % of the pixels
    rule, _ = parse("#000000=background,#ff0000=polyp")
    with pytest.raises(BadInput, match="36 of its pixels are far from every known colour"):
        apply(rule, mask)


@pytest.mark.parametrize(
    ("rule", "mask", "says"),
    [
        ("0=background,255=polyp", levels(127, 255), "neither black nor white.*127: 250 px"),
        ("0=background,255=polyp", colours((9, 9, 200)), "holds colours"),
        ("0=background,1=polyp", fractions(), "stand for no class"),
        ("#000000=background,#ff0000=polyp", blob().astype(np.uint16) * 257, "holds uint16 numbers"),
        ("above 0=polyp", np.full((9, 9), np.nan, np.float32), "neither black nor white"),
    ],
)
def test_a_told_rule_that_does_not_fit(rule: str, mask: Array, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        apply(parse(rule)[0], mask)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("", "write VALUE=NAME"),
        (",", "write VALUE=NAME"),
        ("0", "write VALUE=NAME"),
        ("=polyp", "write VALUE=NAME"),
        ("1=", "write VALUE=NAME"),
        ("one=polyp", "'one' is neither a whole number nor a colour"),
        ("1.5=polyp", "is neither a whole number"),
        ("above=polyp", "is neither a whole number"),
        ("above x=polyp", "is neither a whole number"),
        ("#ff00=polyp", "is not a colour of the form"),
        ("#gggggg=polyp", "is not a colour of the form"),
        ("0=background,#ff0000=polyp", "is not a colour of the form"),
        ("1=polyp,1=tool", "1 stands twice"),
        ("#ff0000=a,#FF0000=b", "#ff0000 stands twice"),
        (",".join(f"{n}=c{n}" for n in range(300)), "301 classes are more than there can be"),
    ],
)
def test_words_that_say_nothing(words: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        parse(words)


def test_words() -> None:
    rule, classes = parse("255=tumour, 0=background ,127=stroma,7=ignore,8=tumour")
    assert classes == {0: "background", 1: "tumour", 2: "stroma"}
    assert rule.values == {255: 1, 0: 0, 127: 2, 7: IGNORE, 8: 1}
    raw = np.array([[0, 7, 8, 127, 255]], np.uint8)
    assert apply(rule, raw).tolist() == [[0, IGNORE, 1, 2, 1]]
    rule, classes = parse("above 100=polyp")
    assert apply(rule, np.array([[0, 100, 101, 255]], np.uint8)).tolist() == [[0, 0, 1, 1]]


@pytest.mark.parametrize("told", [{}, {"values": {1: 300}}, {"values": {1: -1}}, {"colours": {"red": 1}}])
def test_a_rule_that_cannot_be_applied_is_no_rule(told: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"missing|go from 0 to 255|not a colour"):
        Labels(how="colours" if "colours" in told else "values", **told)


_MASKS = arrays.arrays(
    st.sampled_from([np.uint8, np.uint16, np.int32, np.float32, np.bool_]),
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
)


@settings(max_examples=150, deadline=None)
@given(_MASKS)
def test_any_mask_is_understood_or_told(mask: Array) -> None:
    """What the scan accepts, preparing accepts too, and with the same foreground."""
    summary = summarise(mask)
    rule, classes, _ = infer({"a": summary})
    bad = dict(refused(rule, {"a": summary}))
    if rule is None or bad:
        assert bad["a"]
        assert "\n" not in bad["a"]
        return
    ids = apply(rule, mask)
    assert set(np.unique(ids)) <= set(classes)
    assert foreground_share(rule, summary) == pytest.approx(float((ids != 0).mean()))


@settings(max_examples=100, deadline=None)
@given(st.data(), st.dictionaries(st.integers(0, 65535), st.integers(0, IGNORE), min_size=1, max_size=9))
def test_values_become_their_classes_and_nothing_else(data: st.DataObject, values: dict[int, int]) -> None:
    raw = data.draw(arrays.arrays(np.uint16, (4, 5), elements=st.sampled_from(sorted(values))))
    ids = apply(Labels(how="values", values=values), raw)
    assert all(ids[at] == values[int(raw[at])] for at in np.ndindex(raw.shape))


def _smooth(mask: Array) -> Array:
    return cv2.GaussianBlur(cv2.resize(mask, None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST), (5, 5), 0)


@pytest.mark.parametrize("change", [lambda mask: mask, _smooth, lambda mask: _as_jpeg(mask, 80)])
def test_a_mask_with_two_lesions_keeps_both(change: Callable[[Array], Array]) -> None:
    mask = np.maximum(blob(0, 120, 160), np.roll(blob(0, 120, 160), 70, axis=1))
    rule, _, _, bad = _told(change(mask))
    assert rule is not None
    assert not bad
    count, _ = cv2.connectedComponents(apply(rule, change(mask)))
    assert count == 3


def test_naming_black_and_white_keeps_jpeg_masks() -> None:
    rule, classes = parse("0=background,255=polyp")
    assert (rule.how, classes) == ("threshold", {0: "background", 1: "polyp"})
    assert apply(rule, np.array([[0, 3, 140, 252, 255]], np.uint8), checked=True).tolist() == [[0, 0, 1, 1, 1]]
