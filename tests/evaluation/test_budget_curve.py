"""What more masks would bring: on made numbers, whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from segue.errors import BadInput
from segue.evaluation.comparing.budget_curve import BEYOND, BudgetCurve, fit, half_width, patients_for

A, B, C = 0.9, 0.5, 0.6


def truth(count: int) -> float:
    return float(A - B * count**-C)


def study(
    seed: int, budgets: Sequence[int] = (1, 3, 7, 15), *, runs: int = 2, patients: int = 20, noise: float = 1.0
) -> dict[int, npt.NDArray[np.float64]]:
    """Patients are easy or hard at every budget, and a little more so at one; runs differ by their luck."""
    numbers = np.random.default_rng(seed)
    easy = numbers.normal(0, 0.1 * noise, patients)
    return {
        count: truth(count)
        + easy
        + numbers.normal(0, 0.05 * noise, (runs, patients))
        + numbers.normal(0, 0.02 * noise, (runs, 1))
        for count in budgets
    }


@cache
def curves() -> list[BudgetCurve]:
    return [fit(study(seed)) for seed in range(60)]


def test_without_noise_the_curve_is_found_again() -> None:
    curve = fit(study(0, noise=1e-6))
    for count in (1, 2, 7, 30, 60):
        assert curve.at(count).value == pytest.approx(truth(count), abs=0.005)
    assert curve.gain(15, 30).value == pytest.approx(truth(30) - truth(15), abs=0.005)


def test_what_is_expected_lies_in_its_interval() -> None:
    for curve in curves():
        for found in (curve.at(25), curve.gain(15, 25)):
            assert 0 <= found.low <= found.value <= found.high <= 1


@pytest.mark.parametrize("count", [7, 25])
def test_the_interval_holds_the_truth_about_as_often_as_it_says(count: int) -> None:
    held = sum(found.low <= truth(count) <= found.high for found in (curve.at(count) for curve in curves()))
    assert 52 <= held <= 60  # of 60; 95 % are 57


def test_the_interval_of_the_gain_does_too() -> None:
    gains = [curve.gain(15, 25) for curve in curves()]
    held = sum(found.low <= truth(25) - truth(15) <= found.high for found in gains)
    assert 52 <= held <= 60
    # The luck of the test patients is in both ends of it, so it is better known than either.
    assert np.mean([found.high - found.low for found in gains]) < np.mean(
        [curve.at(25).high - curve.at(25).low for curve in curves()]
    )


def test_it_never_falls_and_never_passes_one() -> None:
    for curve in curves():
        values = [curve.at(count).value for count in range(1, 61)]
        assert (np.diff(values) >= 0).all()
        assert max(values) <= 1
    falling = fit({1: [[0.9, 0.8]], 2: [[0.8, 0.7]], 4: [[0.5, 0.4]]})
    assert falling.at(1).value == falling.at(16).value


def test_the_same_numbers_give_the_same_curve_in_any_order() -> None:
    given = study(3)
    one, other = fit(given), fit(dict(reversed(given.items())))
    assert one.at(20) == other.at(20)


def test_the_luck_of_runs_widens_it() -> None:
    few = study(1, runs=3)
    lucky = {count: table + np.array([[-0.1], [0.0], [0.1]]) for count, table in few.items()}
    assert fit(few).repeated
    assert not fit(study(1, runs=1)).repeated
    one, other = fit(few).gain(15, 25), fit(lucky).gain(15, 25)
    assert other.high - other.low > 1.5 * (one.high - one.low)


def test_what_cannot_be_said_is_refused() -> None:
    with pytest.raises(BadInput, match="needs 3 different label budgets, and there are 2"):
        fit(study(0, (1, 3)))
    with pytest.raises(BadInput, match="a single test patient"):
        fit(study(0, patients=1))
    with pytest.raises(BadInput, match="same test patients"):
        fit({1: [[0.1, 0.2]], 2: [[0.1, 0.2]], 3: [[0.1, 0.2, 0.3]]})
    curve = fit(study(0))
    assert curve.at(BEYOND * 15).value > curve.at(15).value
    for refused in (lambda: curve.at(BEYOND * 15 + 1), lambda: curve.gain(15, BEYOND * 15 + 1)):
        with pytest.raises(BadInput, match="the largest budget learnt from is 15, and 61 are more than 4 times"):
            refused()


def test_patients_of_a_test_and_its_interval() -> None:
    assert half_width(1, 0.2) == np.inf
    assert half_width(10, 0.2) == pytest.approx(0.143, abs=0.001)  # Student's t of 9
    needed = patients_for(0.05, 0.2)
    assert half_width(needed, 0.2) <= 0.05 < half_width(needed - 2, 0.2)
    assert 60 < needed < 70
