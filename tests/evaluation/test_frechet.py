"""How far sets of images are from each other: against the textbook, and what few images do to it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy import linalg

from segue.errors import BadInput
from segue.evaluation.frechet import Directions, distances, frechet, halvings

Floats = npt.NDArray[np.float64]


def rows(n: int, d: int, seed: int) -> Floats:
    """Of a normal distribution that is no ball."""
    numbers = np.random.default_rng(seed)
    return numbers.normal(size=(n, d)) @ np.random.default_rng(0).normal(size=(d, d)) + numbers.normal(size=d)


def slow(one: Floats, other: Floats) -> float:
    """As it is written in papers."""
    a, b = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    root = linalg.sqrtm(a @ b).real
    return float(((one.mean(0) - other.mean(0)) ** 2).sum() + np.trace(a + b - 2 * root))


@pytest.mark.parametrize(("n", "m"), [(200, 200), (40, 90), (9, 300)])
def test_it_is_the_distance_of_the_textbook(n: int, m: int) -> None:
    one, other = rows(n, 6, 1), rows(m, 6, 2)
    assert frechet(one, other) == pytest.approx(slow(one, other), rel=1e-6)
    assert frechet(one, other) == pytest.approx(frechet(other, one), rel=1e-9)
    assert frechet(one, one) == pytest.approx(0, abs=1e-9)


def test_of_one_number_it_is_known_in_closed_form() -> None:
    one, other = np.array([[0.0], [2.0], [4.0]]), np.array([[10.0], [11.0], [12.0]])
    assert frechet(one, other) == pytest.approx((11 - 2) ** 2 + (2 - 1) ** 2)


def test_with_fewer_images_than_numbers_it_is_still_that() -> None:
    one, other = rows(12, 30, 1), rows(15, 30, 2)
    a, b = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    values = np.linalg.eigvals(a @ b).real.clip(0)
    found = ((one.mean(0) - other.mean(0)) ** 2).sum() + np.trace(a + b) - 2 * np.sqrt(values).sum()
    assert frechet(one, other) == pytest.approx(found, rel=1e-5)


def spread(n: int, seed: int, width: int = 400) -> Floats:
    return np.random.default_rng(seed).normal(size=(n, width)) / (1 + np.arange(width) / 100)


def units(n: int) -> list[str]:
    return [f"case {number}" for number in range(n)]


def test_what_always_paints_the_same_is_not_nearer_than_what_is_real() -> None:
    """Which the plain distance of few images says it is."""
    real, same = spread(80, 1), np.zeros((80, 400)) + spread(80, 2).mean(0)
    assert frechet(real[:40], same[40:] + 1e-9 * spread(40, 3)) < frechet(real[:40], real[40:])
    found = distances(real, {"same": same, "other": spread(80, 4)}, units(80), [spread(300, 5)])
    assert found.fills["same"] > 2 * found.real
    assert found.fills["other"] == pytest.approx(found.real, rel=0.25)
    assert (found.directions, found.half) == (4, 40)


def test_a_worse_fill_is_farther() -> None:
    real = spread(200, 1)
    noise = spread(200, 2)
    fills = {f"{amount:g}": real * (1 - amount) + amount * (noise.mean(0) + 1.0) for amount in (0.0, 0.2, 0.5, 1.0)}
    found = distances(real, fills, units(200), [spread(300, 3), *fills.values()])
    far = list(found.fills.values())
    assert found.real == pytest.approx(far[0], rel=1e-9)  # not filled at all, it is as far as real ones: not nearer
    assert far == sorted(far)
    assert found.way("0", "1") == pytest.approx(0, abs=1e-9)
    assert found.way("1", "1") == 1
    assert 0 < found.way("0.2", "1") < found.way("0.5", "1") < 1
    assert math.isnan(found.way("0.5", "0"))
    assert found.as_json()["fills"] == dict(found.fills)


def test_a_direction_that_only_a_fill_has_is_found_aside() -> None:
    """Grain, say, which no real image has in that place."""
    real = spread(200, 1)
    real[:, -1] = 0
    odd, aside = real.copy(), spread(200, 2)
    aside[:, -1] = 0
    odd[:, -1] = np.random.default_rng(3).normal(size=200) * 3
    without = distances(real, {"odd": odd}, units(200), [aside])
    beside = distances(real, {"odd": odd}, units(200), [aside, odd])
    assert without.fills["odd"] == pytest.approx(without.real, rel=1e-3)
    assert beside.fills["odd"] > beside.real + 3


def test_windows_of_one_image_stay_together() -> None:
    names = [name for name in "abcdefg" for _ in range(3)]
    halves = halvings(names)
    assert all(np.array_equal(first, first.reshape(7, 3)[:, :1].repeat(3, 1).ravel()) for first in halves)
    assert all(first.sum() == 9 for first in halves)
    assert len({first.tobytes() for first in halves}) > 10
    assert all(np.array_equal(one, other) for one, other in zip(halves, halvings(names), strict=True))


def test_directions_are_few_and_the_longest() -> None:
    given = np.random.default_rng(0).normal(size=(500, 6)) * [5, 3, 1, 0.01, 0.01, 0.01]
    assert Directions.of([given], 10).rows.shape == (6, 3)
    found = Directions.of([given[:250], given[250:]], 2)
    assert np.abs(found.rows[:2]).max(0) == pytest.approx([1, 1], abs=0.05)


def test_what_cannot_be_told_is_said() -> None:
    with pytest.raises(BadInput, match="all of one image"):
        halvings(["a", "a"])
    with pytest.raises(BadInput, match="has no spread"):
        frechet(spread(1, 0), spread(5, 1))
    with pytest.raises(BadInput, match="it has collapsed"):
        Directions.of([np.ones((5, 3))], 2)
    with pytest.raises(BadInput, match="not finite"):
        Directions.of([np.full((5, 3), np.nan)], 2)
