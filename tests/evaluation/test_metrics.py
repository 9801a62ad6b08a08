from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segue.errors import BadInput
from segue.evaluation.judging import distances
from segue.evaluation.judging.metrics import METRICS, score
from segue.evaluation.lesions import components
from tests.evaluation import slow

# A tolerance or distance that lies between the grid's own distances, so that rounding decides nothing.
TOLERANCE = 2.03


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Any, Any, Any, tuple[float, ...] | None]:
    dimensions = draw(st.sampled_from((2, 2, 3)))
    most = 12 if dimensions == 2 else 6
    shape = tuple(draw(st.integers(1, most)) for _ in range(dimensions))
    density = draw(st.sampled_from((0.02, 0.3, 0.8)))

    def mask() -> Any:
        made = draw(arrays(np.uint8, shape, elements=st.integers(0, 99))) < 100 * density
        return made & draw(st.booleans()) if draw(st.integers(0, 9)) == 0 else made

    spacing = draw(st.sampled_from((None, (1.0, 1.0, 1.0), (0.7, 0.7, 0.7), (3.0, 0.5, 0.9))))
    return mask(), mask(), mask(), spacing and spacing[:dimensions]


@settings(max_examples=150, deadline=None)
@given(pairs(), st.booleans())
def test_equal_to_the_slow_way(made: Any, partly: bool) -> None:
    prediction, truth, counts, spacing = made
    counts = counts if partly else np.ones_like(truth)
    got = score(prediction, truth, counts=counts if partly else None, spacing=spacing, tolerance=TOLERANCE)
    if not counts.any():
        assert got.empty == "uncounted"
        assert math.isnan(got.dice)
        return
    wanted = slow.score(prediction & counts, truth & counts, spacing or (1.0,) * truth.ndim, TOLERANCE)
    for name, value in wanted.items():
        assert getattr(got, name) == pytest.approx(value, abs=1e-12), name
    assert got.counted_pixels == counts.sum()


def test_rings_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    # Large borders are searched ring by ring first; here every border is.
    numbers = np.random.default_rng(0)
    for shape, spacing in (((40, 30), (1.0, 1.0)), ((14, 12, 10), (2.5, 0.8, 0.8)), ((9, 30, 30), (1.0, 1.0, 1.0))):
        prediction, truth = (numbers.random(shape) < share for share in (0.05, 0.6))
        by_tree = distances.between(prediction, truth, spacing)
        monkeypatch.setattr(distances, "_FEW", 0)
        by_rings = distances.between(prediction, truth, spacing)
        monkeypatch.undo()
        np.testing.assert_allclose(by_rings.to_truth, by_tree.to_truth, rtol=1e-14)
        np.testing.assert_allclose(by_rings.to_prediction, by_tree.to_prediction, rtol=1e-14)


def test_hand_values() -> None:
    truth = np.zeros((10, 20), bool)
    truth[2:6, 3:7] = True  # 16 pixels, 12 of them border
    prediction = np.roll(truth, 1, axis=1)
    got = score(prediction, truth, spacing=(2.0, 0.5), tolerance=0.4)
    assert got.dice == 24 / 32
    assert got.iou == 12 / 20
    assert got.precision == got.sensitivity == 0.75
    assert got.thresholded_jaccard == 0.0  # 0.6 is below 0.65
    # Of each border's 12 pixels, all but the four of the outer column and two beside the inner one lie on the other's.
    assert got.nsd == pytest.approx(12 / 24)
    assert got.assd == pytest.approx(0.25)
    assert got.hd95 == 0.5
    assert (got.lesions, got.lesions_found, got.false_lesions) == (1, 1, 0)
    assert got.unit == "mm"
    assert score(truth, truth).unit == "px"


def test_hd95_is_the_larger_of_the_two_directions() -> None:
    truth = np.zeros((4, 300), bool)
    prediction = truth.copy()
    truth[1, :200], prediction[1, :220] = True, True
    # The prediction's border has 220 pixels, 20 of them beyond the truth: its own 95th percentile lies among these. Pooled,
    # 20 of 420 would be less than 5 %.
    assert score(prediction, truth).hd95 == pytest.approx(20 - 0.05 * 219)


@pytest.mark.parametrize(("found", "missed", "empty"), [(0, 0, "both"), (0, 1, "prediction"), (1, 0, "truth")])
def test_empty_masks(found: int, missed: int, empty: str) -> None:
    prediction, truth = np.full((30, 40), bool(found)), np.full((30, 40), bool(missed))
    got = score(prediction, truth, spacing=(2.0, 2.0))
    right = empty == "both"
    for name in ("dice", "iou", "precision", "sensitivity", "nsd", "thresholded_jaccard"):
        assert getattr(got, name) == (1.0 if right else 0.0)
    assert got.hd95 == got.assd == (0.0 if right else 100.0)  # the diagonal of 60 x 80 mm
    assert got.empty == empty
    assert got.present == bool(missed)
    assert str(got.found_where_none) == ("nan" if missed else str(float(found)))


def test_no_distance_exceeds_that_of_a_miss() -> None:
    prediction, truth = np.zeros((2, 7, 9), bool), np.zeros((2, 7, 9), bool)
    prediction[0, 0, 0] = truth[-1, -1, -1] = True
    far = score(prediction, truth, spacing=(5.0, 1.0, 1.0))
    miss = score(np.zeros_like(truth), truth, spacing=(5.0, 1.0, 1.0))
    assert far.hd95 < miss.hd95


def test_what_does_not_count_changes_nothing() -> None:
    numbers = np.random.default_rng(1)
    truth, prediction, counts = (numbers.random((25, 25)) < share for share in (0.4, 0.4, 0.8))
    first = score(prediction, truth, counts=counts)
    assert score(prediction ^ ~counts, truth ^ ~counts, counts=counts) == first
    assert score(prediction, truth) != first


def test_lesions_by_corner_and_by_a_tenth() -> None:
    truth, prediction = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    truth[0, 0] = truth[1, 1] = True  # one lesion, by a corner
    truth[10:20, 10:20] = True
    prediction[19, 11:20] = True  # 9 of 100: not found, yet the prediction lies in a lesion
    prediction[30:34, 30:34] = True  # false
    got = score(prediction, truth)
    assert (got.lesions, got.lesions_found, got.false_lesions) == (2, 0, 1)
    prediction[19, 10] = True
    assert score(prediction, truth).lesions_found == 1
    assert score(np.ones_like(truth), truth).false_lesions == 1  # 102 of 1,600 pixels: a flood finds nothing
    assert score(prediction, truth).lesion_sensitivity == 0.5


@pytest.mark.parametrize("shape", [(9, 8), (5, 6, 7)])
def test_components_are_those_of_the_slow_way(shape: tuple[int, ...]) -> None:
    for seed in range(60):
        mask = np.random.default_rng(seed).random(shape) < (0.03, 0.1, 0.3)[seed % 3]
        labels, number = components(mask)
        found = {frozenset(map(tuple, np.argwhere(labels == each).tolist())) for each in range(1, number + 1)}
        assert found == set(map(frozenset, slow.components(mask)))
        assert len(found) == number


def test_masks_of_numbers() -> None:
    truth = np.zeros((5, 5), np.uint8)
    truth[1:3] = 1
    assert score(truth, truth.astype(bool)).dice == 1.0
    with pytest.raises(BadInput, match="the prediction is not a mask of 0 and 1"):
        score(truth * 255, truth)
    with pytest.raises(BadInput, match="the prediction is not a mask"):
        score(truth * 0.7, truth)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"prediction": np.zeros((4, 5), bool)}, "4 x 5 against a truth of 5 x 5"),
        ({"spacing": (1.0,)}, "2 numbers above 0"),
        ({"spacing": (1.0, 0.0)}, "2 numbers above 0"),
        ({"tolerance": math.nan}, "a tolerance of nan"),
        ({"counts": np.zeros((4, 4), bool)}, "what counts is 4 x 4"),
    ],
)
def test_bad_input(changed: dict[str, Any], said: str) -> None:
    given_: dict[str, Any] = {"prediction": np.zeros((5, 5), bool), "truth": np.zeros((5, 5), bool)}
    with pytest.raises(BadInput, match=said):
        score(**given_ | changed)


def test_every_metric_is_a_number_of_scores() -> None:
    got = score(np.eye(4, dtype=bool), np.eye(4, dtype=bool))
    for name in METRICS:
        assert isinstance(float(getattr(got, name)), float)
