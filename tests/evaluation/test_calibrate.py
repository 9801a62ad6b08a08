"""Temperatures are found where they are known, and what probabilities are worth is what a count by hand says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from segue.data.target import Target
from segue.evaluation.judging.calibrate import BINS, Calibration, Pixels, Reliability, reliability, temperature_of

LESION = Target(("background", "lesion"))
ORGANS = Target(("background", "one", "other"))


def said(temperature: float, many: int = 200_000) -> Pixels:
    """Of a network whose logits are so many times too large."""
    numbers = np.random.default_rng(0)
    honest = numbers.normal(-1, 2, many)
    return Pixels(np.clip(honest * temperature, -12, 12), numbers.random(many) < special.expit(honest))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_found_and_mends_it(temperature: float) -> None:
    given = said(temperature)
    found = temperature_of(given)
    assert found == pytest.approx(temperature, rel=0.04)
    before, after = Reliability.of(given), Reliability.of(given, found)
    assert after.error < 0.01
    assert after.doubt < 0.02
    assert temperature == 1 or before.error > 5 * after.error


def test_errors_are_what_a_count_by_hand_says() -> None:
    logits = special.logit(np.array([0.1, 0.1, 0.1, 0.7, 0.7]))
    found = Reliability.of(Pixels(logits, np.array([True, False, False, True, True])))
    assert [(round(one.said, 3), round(one.true, 3), one.pixels) for one in found.bins] == [
        (0.1, 0.333, 3),
        (0.7, 1.0, 2),
    ]
    assert found.error == pytest.approx((3 * (1 / 3 - 0.1) + 2 * 0.3) / 5)
    assert found.in_doubt == 1
    assert found.doubt == found.error
    sure = Reliability.of(Pixels(np.array([-10.0, 10.0]), np.array([False, True])))
    assert sure.in_doubt == 0
    assert np.isnan(sure.doubt)
    assert len(Reliability.of(said(1.0)).bins) == BINS


def test_a_class_is_mended_by_its_own_and_sums_stay() -> None:
    maps = np.random.default_rng(0).dirichlet((1, 1, 1), (4, 5)).transpose(2, 0, 1).astype(np.float32)
    same = Calibration({"one": 1.0, "other": 1.0}, 1).mended(maps, ORGANS)
    assert np.allclose(same, maps, atol=1e-5)
    cooler = Calibration({"one": 3.0, "other": 1.0}, 1).mended(maps, ORGANS)
    assert np.allclose(cooler.sum(0), 1, atol=1e-5)
    assert not np.allclose(cooler, maps, atol=1e-3)


def test_what_is_decided_at_a_half_stays() -> None:
    lesion = np.random.default_rng(1).random((6, 7)).astype(np.float32)
    maps = np.stack([1 - lesion, lesion])
    mended = Calibration({"lesion": 2.5}, 1).mended(maps, LESION)
    assert ((mended[1] > 0.5) == (lesion > 0.5)).all()
    assert (np.abs(mended[1] - 0.5) <= np.abs(lesion - 0.5) + 1e-6).all()
    assert np.allclose(mended.sum(0), 1, atol=1e-5)


def test_of_other_cases_at_temperatures_of_these() -> None:
    found = reliability({"lesion": said(2.0)}, {"lesion": 2.0}, 7)
    assert found.cases == 7
    assert found.after["lesion"].error < 0.01 < found.before["lesion"].error
    (told,) = found.told
    assert told.startswith("lesion: too sure (temperature 2.00)")
    assert Calibration({"lesion": 0.5}, 1, found.before, found.after).told[0].startswith("lesion: not sure enough")
    assert found.as_json()["before"]["lesion"]["error"] == found.before["lesion"].error
