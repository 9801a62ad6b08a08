from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import ndimage

from segue.data.target import Target
from segue.errors import BadInput
from segue.evaluation.predicting.decision import Decision, decide, filled, masks, true_masks, without_small
from tests.evaluation.fakes import POLYP, THREE, Array, two

REGIONS = Target(("whole", "core"), exclusive=False)


def picture(text: str) -> Array:
    return np.array([[int(letter) for letter in line] for line in text.split()], np.uint8)


def test_a_threshold_for_one_class_and_for_regions_the_most_probable_of_several() -> None:
    probability = np.array([[0.2, 0.5, 0.7]], np.float32)
    maps = two(probability[None])[0]
    assert decide(maps, POLYP).tolist() == [[0, 1, 1]]
    assert decide(maps, POLYP, Decision(threshold=0.7)).tolist() == [[0, 0, 1]]
    assert decide(maps, REGIONS, Decision(threshold=0.4)).tolist() == [[[1, 1, 0]], [[0, 1, 1]]]
    several = np.array([[0.4, 0.3, 0.2], [0.35, 0.4, 0.3], [0.25, 0.3, 0.5]], np.float32)[:, None]
    # Two of three classes never reach a half, and a threshold has no say.
    assert decide(several, THREE, Decision(threshold=0.9)).tolist() == [[0, 1, 2]]


def test_holes_are_filled_by_the_class_around_them() -> None:
    before = picture("""
        000000000000
        011110222220
        010010200020
        010110201020
        011110222220
        000000000000
        110111000122
        001101000102
        110111000122
    """)
    after = picture("""
        000000000000
        011110222220
        011110200020
        011110201020
        011110222220
        000000000000
        110111000122
        001111000102
        110111000122
    """)
    # The hole between two classes stays, and so does what is open to the edge or to the outside.
    assert np.array_equal(filled(before), after)
    assert np.array_equal(before[2:4, 2:4], [[0, 0], [0, 1]])  # what was given is not touched
    island = picture("11111 10001 10101 10001 11111")
    assert filled(island).all()
    for unchanged in (np.zeros((4, 4), np.uint8), np.ones((3, 3), np.uint8), picture("101 101 111")):
        assert np.array_equal(filled(unchanged), unchanged)


def test_filling_is_as_scipy_has_it() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        labels = (ndimage.gaussian_filter(rng.normal(size=(40, 60)), 1.5) > 0.05).astype(np.uint8)
        # Scipy takes no pixel beside the edge for open; ours takes the edge of the image for the end of what is known.
        wanted = ndimage.binary_fill_holes(np.pad(labels, 1))[1:-1, 1:-1]
        assert np.array_equal(filled(labels), wanted)


def test_small_components_go_by_their_share_of_the_image() -> None:
    rng = np.random.default_rng(1)
    for smallest in (0.0005, 0.004, 0.02, 0.9):
        noise = ndimage.gaussian_filter(rng.normal(size=(50, 80)), 1.5)
        labels = (noise > 0.05).astype(np.uint8) + (noise > 0.2)
        wanted = labels.copy()
        for number in (1, 2):
            parts, count = ndimage.label(labels == number, np.ones((3, 3)))
            for part in range(1, count + 1):
                if (parts == part).sum() < smallest * labels.size:
                    wanted[parts == part] = 0
        given = labels.copy()
        assert np.array_equal(without_small(given, smallest), wanted)
        assert np.array_equal(given, labels)
    exactly = np.zeros((10, 10), np.uint8)
    exactly[0, :3] = 1
    assert without_small(exactly, 0.03).any()
    assert not without_small(exactly, 0.031).any()


def test_what_stands_among_a_class_is_not_its_small_component() -> None:
    labels = np.full((10, 20), 1, np.uint8)
    labels[:, 10:] = labels[5, 9] = 2
    assert np.array_equal(without_small(labels, 0.01), labels)


def test_all_of_it_in_one_decision() -> None:
    labels = picture("1110000 1010020 1110000 0000000")
    maps = np.stack([labels == channel for channel in range(3)]).astype(np.float32)
    found = decide(maps, THREE, Decision(fill=True, smallest=0.1))
    assert np.array_equal(found, picture("1110000 1110000 1110000 0000000"))
    regions = decide(maps[1:], REGIONS, Decision(fill=True, smallest=0.1))
    assert regions.shape == (2, 4, 7)
    assert regions.sum(axis=(1, 2)).tolist() == [9, 0]


def test_masks_by_class() -> None:
    labels = np.array([[0, 1, 2, 255]], np.uint8)
    assert {name: mask.tolist() for name, mask in masks(labels, THREE).items()} == {
        "ring": [[False, True, False, False]],
        "core": [[False, False, True, False]],
    }
    assert masks(labels, POLYP)["polyp"].tolist() == [[False, True, False, False]]
    both = masks(np.array([[[1, 0, 255]], [[0, 1, 255]]], np.uint8), REGIONS)
    assert [mask.tolist() for mask in both.values()] == [[[True, False, False]], [[False, True, False]]]


def test_a_decision_is_kept_as_json_and_refuses_nonsense() -> None:
    given = Decision(0.35, 0.001, True)
    assert Decision.from_json(json.loads(json.dumps(given.as_json()))) == given
    for wrong in ({"threshold": 0.0}, {"threshold": 1.0}, {"smallest": -0.1}, {"smallest": 50}, {"treshold": 0.5}):
        with pytest.raises(BadInput):
            Decision.from_json(wrong)


def test_a_truth_of_regions_comes_as_codes() -> None:
    found = true_masks(np.array([[0, 1, 3, 2, 255]], np.uint8), REGIONS)
    assert {name: mask.tolist() for name, mask in found.items()} == {
        "whole": [[False, True, True, False, False]],
        "core": [[False, False, True, True, False]],
    }
