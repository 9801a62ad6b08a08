from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from segue.data.target import Target
from segue.errors import BadInput
from segue.evaluation.judging.judge import judge
from segue.evaluation.judging.subject import subjects
from segue.evaluation.judging.table import Row, Table
from segue.evaluation.predicting.decision import Decision
from segue.evaluation.predicting.frame import Frame
from segue.evaluation.showing.overlays import PREDICTION, TRUTH, legend, overlay
from segue.evaluation.showing.shown import overlays, picked
from segue.report.palette import class_colour, paler
from tests.evaluation import fakes, made
from tests.evaluation.fakes import POLYP, THREE, Array, red

# What a colour of linear light is to those who lack one kind of cone (Machado and others, 2009).
SIGHT = {
    "normal": np.eye(3),
    "protan": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "deutan": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    "tritan": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
}  # fmt: skip


def is_(picture: Array, colour: tuple[int, int, int], within: int = 60) -> Array:
    return np.asarray(np.abs(picture.astype(int) - colour).max(axis=-1) < within)


def square(height: int, width: int, top: int, left: int, side: int, value: int = 1) -> Array:
    labels = np.zeros((height, width), np.uint8)
    labels[top : top + side, left : left + side] = value
    return labels


def test_truth_and_prediction_are_told_apart_by_everyone() -> None:
    skin, mucosa, black, white = (190, 140, 110), (170, 70, 60), (0, 0, 0), (255, 255, 255)
    for matrix in SIGHT.values():
        linear = {
            colour: np.clip(matrix @ (np.array(colour) / 255) ** 2.2, 0, 1)
            for colour in (TRUTH, PREDICTION, skin, mucosa, black, white)
        }
        seen = {colour: 255 * value ** (1 / 2.2) for colour, value in linear.items()}
        for one, other in combinations((TRUTH, PREDICTION), 2):
            assert np.linalg.norm(seen[one] - seen[other]) > 60
        for line in (TRUTH, PREDICTION):
            for ground in (skin, mucosa):
                assert np.linalg.norm(seen[line] - seen[ground]) > 60


def test_lines_run_where_the_masks_end() -> None:
    image = np.full((100, 120, 3), 90, np.uint8)
    truth, guess = square(100, 120, 20, 10, 40), square(100, 120, 30, 70, 40)
    picture = overlay(image, truth, guess, POLYP, long_side=None)
    assert picture.shape == (100, 120, 3)
    assert picture.dtype == np.uint8
    rows, columns = np.nonzero(is_(picture, TRUTH))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == pytest.approx((20, 59, 10, 49), abs=1)
    rows, columns = np.nonzero(is_(picture, PREDICTION))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == pytest.approx((30, 69, 70, 109), abs=1)
    assert np.array_equal(picture[40, 30], image[40, 30])  # inside it is as it was
    # The truth is a solid line, the prediction a dashed one.
    along = is_(picture, TRUTH)[25:55, 10]
    assert along.all()
    dashes = is_(picture, PREDICTION)[35:65, 70]
    assert 0.3 < dashes.mean() < 0.8
    assert np.abs(np.diff(dashes.astype(int))).sum() >= 4
    assert np.array_equal(image, np.full((100, 120, 3), 90, np.uint8))
    # Where both run, both are seen.
    both = overlay(image, truth, truth, POLYP, long_side=None)
    assert is_(both, TRUTH).sum() > 50
    assert is_(both, PREDICTION).sum() > 50


@pytest.mark.parametrize("size", [(60, 80), (1000, 1500), (301, 100)])
def test_a_picture_has_the_size_that_is_asked_for(size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 90, np.uint8)
    labels = square(*size, size[0] // 4, size[1] // 4, min(size) // 3)
    picture = overlay(image, labels, np.zeros_like(labels), POLYP)
    assert max(picture.shape[:2]) == 480
    assert picture.shape[0] / picture.shape[1] == pytest.approx(size[0] / size[1], rel=0.01)
    scale = 480 / max(size)
    rows, columns = np.nonzero(is_(picture, TRUTH))
    assert rows.min() == pytest.approx(size[0] // 4 * scale, abs=scale + 2)
    assert columns.max() == pytest.approx((size[1] // 4 + min(size) // 3) * scale, abs=scale + 2)
    assert overlay(image, labels, labels, POLYP, long_side=None).shape == image.shape


def test_what_does_not_count_is_dimmed_and_hatched() -> None:
    image = np.full((100, 120, 3), 200, np.uint8)
    truth = square(100, 120, 60, 60, 20)
    truth[:30] = 255
    nothing = np.zeros_like(truth)
    picture = overlay(image, truth, nothing, POLYP, long_side=None)
    assert picture[:28].mean() < 110
    assert len(np.unique(picture[5, :, 0])) == 2
    assert (picture[32:50] == 200).all()
    assert np.array_equal(overlay(image, nothing, nothing, POLYP, long_side=None), image)


def test_any_image_any_classes() -> None:
    labels = square(40, 60, 5, 5, 20) + square(40, 60, 10, 10, 8)
    for image in (
        np.full((40, 60), 100, np.uint8),
        np.full((40, 60, 1), 25800, np.uint16),
        np.full((40, 60, 2), 100, np.uint8),
        np.full((40, 60, 3), 25800, np.uint16),
        np.full((40, 60, 4), 100, np.uint8),
    ):
        picture = overlay(image, labels, labels, THREE, long_side=120)
        assert picture.shape == (80, 120, 3)
        assert picture[75, 115].tolist() == [100] * 3
    inner = (slice(16, 44), slice(16, 44))  # within the outer line
    inside = is_(overlay(image, labels, np.zeros_like(labels), THREE, long_side=120), class_colour(1))[inner]
    assert inside.sum() > 50
    regions = Target(("whole", "core"), exclusive=False)
    overlay(np.zeros((40, 60, 3), np.uint8), None, np.stack([labels > 0, labels > 1]).view(np.uint8), regions)
    with pytest.raises(BadInput, match="on an image of 60 x 40"):
        overlay(np.zeros((40, 60, 3), np.uint8), labels.T, labels, POLYP)


def test_each_of_several_classes_has_a_colour_and_the_legend_says_whose() -> None:
    image, nothing = np.zeros((90, 120, 3), np.uint8), np.zeros((90, 120), np.uint8)
    truth, guess = square(90, 120, 10, 10, 30, 1), square(90, 120, 50, 70, 30, 2)
    picture = overlay(image, truth, guess, THREE, long_side=None)
    assert is_(picture, class_colour(0), 20)[:, :60].any()
    assert is_(picture, paler(class_colour(1)), 20)[:, 60:].any()
    assert not is_(picture, TRUTH, 20).any()
    said = {words: colour for colour, words in legend(THREE)}
    assert (said["ring"], said["core"]) == (class_colour(0), class_colour(1))
    assert [words for _, words in legend(POLYP)] == ["as annotated (solid)", "as predicted (broken)"]
    assert is_(overlay(image, truth, nothing, POLYP, long_side=None), legend(POLYP)[0][0]).any()


def test_neighbouring_classes_are_told_apart_by_everyone() -> None:
    for matrix in SIGHT.values():
        colours = [matrix @ (np.array(class_colour(place)) / 255) ** 2.2 for place in range(6)]
        seen = [255 * np.clip(colour, 0, 1) ** (1 / 2.2) for colour in colours]
        assert all(np.linalg.norm(one - other) > 80 for one, other in combinations(seen, 2))


def test_a_single_pixel_is_drawn() -> None:
    dot = square(50, 50, 20, 20, 1)
    nothing = np.zeros_like(dot)
    image = np.zeros((50, 50, 3), np.uint8)
    assert is_(overlay(image, dot, nothing, POLYP), TRUTH).any()
    assert is_(overlay(image, nothing, dot, POLYP), PREDICTION).any()


def test_the_cases_to_show() -> None:
    table = made.table([0.1, 0.2, 0.5, 0.55, 0.6, 0.8, 0.9, 0.95, math.nan])
    found = picked(table, 2)
    assert list(found) == ["worst", "median", "best"]
    assert [[round(value, 3) for _, value in cases] for cases in found.values()] == [
        [0.1, 0.2],
        [0.55, 0.6],
        [0.95, 0.9],
    ]
    assert found["worst"][0][0] == "case000"
    # One patient is shown once, however many of the worst are of that one.
    same = made.table([0.1, 0.2, 0.3, 0.5, 0.8, 0.9], patients=["a", "a", "b", "c", "d", "d"])
    found = picked(same, 2)
    assert list(found.values()) == [[("case000", 0.1)], [("case002", 0.3)], [("case005", 0.9)]]
    whose = {row.case: row.patient for row in same}
    shown = [whose[case] for cases in found.values() for case, _ in cases]
    assert len(shown) == len(set(shown)) == 3
    two = picked(made.table([0.3, 0.7]), 3)
    assert [len(cases) for cases in two.values()] == [1, 0, 1]
    assert picked(Table(()), 2) == {"worst": [], "median": [], "best": []}


def test_a_case_of_several_classes_has_their_mean_and_nothing_to_see_is_not_shown() -> None:
    rows = [Row("a", "ring", made.present(0.2)), Row("a", "core", made.present(0.8)), Row("b", "ring", made.absent())]
    rows += [Row("c", "ring", made.absent(found=True))]
    found = picked(Table.of(rows), 1)
    assert found == {"worst": [("c", 0.0)], "median": [], "best": [("a", pytest.approx(0.5))]}


def test_from_a_table_to_pictures(tmp_path: Path) -> None:
    dataset = fakes.dataset(tmp_path)
    chosen, frame, decision = subjects(dataset, POLYP), Frame((64, 64), 100), Decision(threshold=0.47)
    table = judge(red, chosen, frame=frame, target=POLYP, decision=decision).table
    names = [case for cases in picked(table, 1).values() for case, _ in cases]
    shown = [subject for subject in chosen if subject.case.case in names]
    found = list(overlays(red, shown, frame=frame, target=POLYP, decision=decision, long_side=160))
    assert [subject for subject, _ in found] == shown
    for subject, picture in found:
        assert max(picture.shape[:2]) == 160
        assert is_(picture, TRUTH).any() == bool((subject.truth() == 1).any())
    (tmp_path / "raw" / "images" / "0.png").unlink()
    with pytest.raises(BadInput, match=r"c0: .*0\.png"):
        list(overlays(red, chosen[:1], frame=frame, target=POLYP))
