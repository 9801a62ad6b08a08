from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from segue.evaluation import statistics
from segue.evaluation.statistics import addressed

ZERO = addressed(0)


def by_all_signs(values: list[float], told: Callable[[list[float]], float]) -> float:
    """The share of sign patterns whose statistic is at least as extreme."""
    observed = abs(told(values))
    patterns = list(itertools.product((-1, 1), repeat=len(values)))
    extreme = sum(
        abs(told([sign * value for sign, value in zip(signs, values, strict=True)])) >= observed - 1e-9
        for signs in patterns
    )
    return extreme / len(patterns)


def signed_ranks(values: list[float]) -> float:
    kept = [value for value in values if value]
    size = [abs(value) for value in kept]
    ranks = [(sum(a < b for a in size) + 1 + sum(a <= b for a in size)) / 2 for b in size]
    return sum(math.copysign(rank, value) for rank, value in zip(ranks, kept, strict=True))


@pytest.mark.parametrize("count", range(1, 11))
def test_exact_tests_count_every_sign_pattern(count: int) -> None:
    numbers = addressed(1, str(count))
    for drawn in (numbers.normal(0.4, 1, count), numbers.integers(-3, 5, count) / 10):  # with ties, and with zeros
        values = [float(value) for value in drawn]
        assert statistics.permutation(values, ZERO) == pytest.approx(by_all_signs(values, math.fsum))
        assert statistics.wilcoxon(values) == pytest.approx(by_all_signs(values, signed_ranks))


def test_wilcoxon_as_in_scipy_where_there_are_no_ties() -> None:
    numbers = addressed(2)
    for count in (8, 40, 200):
        values = numbers.normal(0.1, 1, count)
        assert statistics.wilcoxon(values) == pytest.approx(stats.wilcoxon(values, method="exact").pvalue, rel=1e-9)
    many = numbers.normal(0.05, 1, 900)
    assert statistics.wilcoxon(many) == pytest.approx(
        stats.wilcoxon(many, method="approx", correction=True).pvalue, rel=1e-6
    )


def test_drawn_permutations_are_near_the_exact_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    values = addressed(3).normal(0.45, 1, 24)
    exact = statistics.permutation(values, ZERO)
    monkeypatch.setattr(statistics, "_ALL_UP_TO", 0)
    drawn = statistics.permutation(values, addressed(4))
    assert exact != drawn
    assert drawn == pytest.approx(exact, abs=4 * math.sqrt(exact / 20_000))


def test_smallest_p_is_what_the_tests_can_reach() -> None:
    for count in range(1, 13):
        values = np.linspace(0.1, 0.2, count)
        assert statistics.permutation(values, ZERO) == pytest.approx(statistics.smallest_p(count))
        assert statistics.wilcoxon(values) == pytest.approx(statistics.smallest_p(count, "wilcoxon"))
    assert statistics.smallest_p(5) == 0.0625
    assert statistics.smallest_p(6) < 0.05
    assert statistics.permutation(np.full(50, 0.1), ZERO) == statistics.smallest_p(50)


def test_no_difference_at_all() -> None:
    for values in ([], [0.0], [0.0] * 40, [1e-15, -1e-16]):
        assert statistics.permutation(values, ZERO) == statistics.wilcoxon(values) == 1.0
        assert statistics.rank_biserial(values) == 0.0


def test_holm() -> None:
    assert statistics.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert statistics.holm([0.5, 0.9]) == [1.0, 1.0]
    assert statistics.holm([]) == []


def test_effect_sizes() -> None:
    assert statistics.rank_biserial([1.0, 2.0, 3.0]) == 1.0
    assert statistics.rank_biserial([1.0, -2.0, 3.0, 0.0]) == pytest.approx((1 - 2 + 3) / 6)
    assert statistics.standardised([1.0, 2.0, 3.0]) == pytest.approx(2.0)
    assert math.isnan(statistics.standardised([1.0]))
    assert statistics.standardised([0.1, 0.1]) == math.inf


def test_numbers_depend_on_their_address_alone() -> None:
    values = addressed(5).normal(0, 1, 60)
    first = statistics.permutation(values, addressed(0, "a"))
    addressed(0, "b").normal(size=100)
    assert statistics.permutation(values, addressed(0, "a")) == first
    assert addressed(0, "a").random() != addressed(0, "b").random()
    assert addressed(0, "a", "b").random() != addressed(0, "ab").random()
    assert addressed(0, "a").random() != addressed(1, "a").random()


def rejected(p: Callable[[Any, np.random.Generator], float], patients: int, studies: int, shift: float = 0.0) -> float:
    numbers = addressed(6, str(patients), str(shift))
    return float(np.mean([p(numbers.standard_t(3, patients) + shift, numbers) < 0.05 for _ in range(studies)]))


@pytest.mark.parametrize("patients", [12, 22])
def test_both_tests_err_in_a_twentieth_of_studies_without_a_difference(patients: int) -> None:
    # Two standard errors of a share of .05 over 1,000 studies are .014.
    assert rejected(statistics.permutation, patients, 1000) == pytest.approx(0.05, abs=0.018)
    assert rejected(lambda values, _: statistics.wilcoxon(values), patients, 1000) == pytest.approx(0.05, abs=0.018)


def test_drawn_permutations_err_as_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "_PERMUTATIONS", 1000)
    assert rejected(statistics.permutation, 40, 1000) == pytest.approx(0.05, abs=0.018)


@pytest.mark.parametrize("patients", [4, 10, 40])
def test_the_interval_holds_the_truth_19_times_of_20(patients: int) -> None:
    numbers = addressed(7, str(patients))
    held = 0
    for _ in range(800):
        low, high = statistics.spread_of_mean(numbers.normal(0.3, 1, patients), numbers, draws=600).interval()
        held += low <= 0.3 <= high
    assert held / 800 == pytest.approx(0.95, abs=0.025)


def runs(numbers: np.random.Generator, count: int, patients: int, of_run: float, of_each: float) -> Any:
    return numbers.normal(0, of_run, (count, 1)) + numbers.normal(0, of_each, (count, patients))


@pytest.mark.parametrize(("count", "of_run"), [(3, 0.0), (3, 1.0), (5, 0.4)])
def test_the_interval_holds_another_draw_of_runs_too(count: int, of_run: float) -> None:
    # Patients alone would hold it in a quarter of these studies, where runs vary as much as patients do.
    numbers = addressed(8, str(count), str(of_run))
    held = passed = alone = 0
    for _ in range(500):
        hard = numbers.normal(0, 0.7, 30)
        one, other = hard + runs(numbers, count, 30, of_run, 0.5), runs(numbers, count, 30, of_run, 0.5)
        spread = statistics.spread_of_difference(one, other, numbers, draws=500)
        low, high = spread.interval()
        held += low <= 0 <= high
        passed += spread.p < 0.05
        low, high = statistics.spread_of_mean(one.mean(axis=0) - other.mean(axis=0), numbers, draws=500).interval()
        alone += low <= 0 <= high
    assert 0.925 <= held / 500 <= 0.985
    assert passed / 500 <= 0.075
    if of_run == 1.0:
        assert alone / 500 < 0.5


def test_the_spread_of_runs_is_not_that_of_patients() -> None:
    numbers = addressed(9)
    quiet = [statistics.run_variance(runs(numbers, 4, 20, 0.0, 1.0)) for _ in range(300)]
    loud = [statistics.run_variance(runs(numbers, 4, 20, 0.5, 1.0)) for _ in range(300)]
    assert np.mean(quiet) < 0.01
    assert np.mean(loud) == pytest.approx(0.25 / 4, rel=0.15)
    assert statistics.run_variance(np.ones((1, 5))) == 0.0


def test_the_standard_error_is_that_of_the_draws() -> None:
    numbers = addressed(10)
    spread = statistics.spread_of_difference(runs(numbers, 3, 12, 0.6, 0.3), runs(numbers, 4, 12, 0.6, 0.3), numbers)
    assert spread.draws.std() == pytest.approx(spread.error, rel=0.05)
    assert len(spread.draws) == statistics.DRAWS


def test_what_runs_share_is_in_no_interval_of_matched_ones() -> None:
    """Both models learnt from the same few masks, run by run, and which these were matters most."""
    numbers = addressed(11)
    held = passed = narrower = 0
    for _ in range(300):
        hard, luck = numbers.normal(0, 0.7, 30), numbers.normal(0, 1.0, (3, 1))
        one, other = (hard + luck + runs(numbers, 3, 30, 0.2, 0.5) for _ in range(2))
        spread = statistics.spread_of_difference(one, other, numbers, matched=True, draws=500)
        apart = statistics.spread_of_difference(one, other, numbers, draws=500)
        low, high = spread.interval()
        held += low <= 0 <= high
        passed += spread.p < 0.05
        narrower += spread.error < apart.error
    assert 0.9 <= held / 300 <= 0.99
    assert passed / 300 <= 0.075
    assert narrower / 300 > 0.95


def test_one_patient_tells_nothing() -> None:
    spread = statistics.spread_of_mean([0.5], ZERO)
    assert spread.estimate == 0.5
    assert all(map(math.isnan, spread.interval()))
    assert math.isnan(statistics.spread_of_mean([], ZERO).estimate)


def test_as_many_as_are_needed_show_it_four_times_of_five(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "_PERMUTATIONS", 1000)
    count = statistics.needed(0.5, 1.0)
    assert count == 34  # as any table of power says
    numbers = addressed(11)
    shown = [statistics.permutation(numbers.normal(0.5, 1, 34), numbers) < 0.05 for _ in range(800)]
    assert np.mean(shown) == pytest.approx(0.8, abs=0.05)


def test_needed_at_its_ends() -> None:
    assert statistics.needed(5.0, 1.0) == 6  # fewer can never pass
    assert statistics.needed(5.0, 1.0, alpha=0.05 / 10) == 9
    assert statistics.needed(0.0, 1.0) is None
    assert statistics.needed(0.5, 1.0, of_runs=0.1) is None  # runs alone spread more than the difference
    more = statistics.needed(0.5, 1.0, of_runs=0.01)
    assert more is not None
    assert more > 34
