"""Coverage of made-up points, of which the answer is known; and what one ruler for all banks would get wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest

from segue.errors import BadInput
from segue.evaluation.stressing.coverage import Floats, Ruler, Space, measured, nearest, wilson


def cloud(n: int, seed: int, at: float = 0.0, d: int = 4) -> Floats:
    points = np.random.default_rng(seed).normal(size=(n, d))
    points[:, 0] += at
    return points


def with_copies(source: Floats, reach: float, draws: int = 3) -> Floats:
    """As a variation makes them that moves everything a little, and towards nothing."""
    rng = np.random.default_rng(9)
    return np.concatenate([source, *(source + reach * rng.normal(size=source.shape) for _ in range(draws))])


def test_points_on_a_line() -> None:
    bank = np.array([[0.0], [10.0]])
    held = np.array([[0.1 * number] for number in range(1, 20)])  # 19 of them, up to 1.9 from the bank
    site = np.array([[-1.8], [1.9], [2.0], [9.0], [13.0]])
    found = measured("plain", site, held, bank, patients=5)
    assert found.coverage.covered == 3
    assert found.coverage.share == 0.6
    assert found.nearest.tolist() == [0, 0, 0, 1, 1]
    assert found.distances == pytest.approx([1.8 / 1.9, 1, 2 / 1.9, 1 / 1.9, 3 / 1.9])
    assert found.coverage.middle == pytest.approx(1)
    assert found.coverage.reference == 0.95
    assert found.coverage.low < 0.6 < found.coverage.high


def test_nearest_is_what_a_loop_finds() -> None:
    points, bank = cloud(50, 1), cloud(70, 2)
    far, which = nearest(points, bank)
    slow = np.array([[math.dist(one, other) for other in bank] for one in points])
    assert far == pytest.approx(slow.min(axis=1))
    assert which.tolist() == slow.argmin(axis=1).tolist()
    assert nearest(bank[:3], bank)[0].tolist() == [0, 0, 0]


def test_home_itself_is_covered_as_luck_has_it() -> None:
    """95 % on average and within the band 95 times of 100, whatever the bank is."""
    for reach in (0.0, 0.5, 4.0):
        shares, inside = [], 0
        for seed in range(200):
            bank = with_copies(cloud(60, 3 * seed), reach)
            one = measured("", cloud(50, 3 * seed + 1), cloud(39, 3 * seed + 2), bank, 50).coverage
            shares.append(one.share)
            inside += one.luck[0] <= one.share <= one.luck[1]
        assert np.mean(shares) == pytest.approx(0.95, abs=0.015)
        assert inside >= 184


def test_a_bank_that_is_only_larger_covers_no_more() -> None:
    """And with the clean bank's ruler for all it would."""
    source, held, site = cloud(150, 1), cloud(100, 2), cloud(100, 3, at=1.5)
    plain = measured("plain", site, held, source, 100)
    larger = with_copies(source, 0.6, draws=10)
    fair = measured("larger", site, held, larger, 100)
    assert fair.coverage.share <= plain.coverage.share + 0.03
    ruler = Ruler.of(nearest(held, source)[0])
    broken = float((nearest(site, larger)[0] <= ruler.radius).mean())
    assert broken > plain.coverage.share + 0.1


def test_copies_that_go_there_cover_it() -> None:
    source, held, site = cloud(150, 1), cloud(100, 2), cloud(100, 3, at=6)
    assert measured("plain", site, held, source, 100).coverage.share < 0.05
    there, elsewhere = source.copy(), source.copy()
    there[:, 0] += 6
    elsewhere[:, 1] += 6
    assert measured("there", site, held, np.concatenate([source, there]), 100).coverage.share > 0.85
    assert measured("elsewhere", site, held, np.concatenate([source, elsewhere]), 100).coverage.share < 0.05


def test_a_step_counts_by_how_unusual_it_is_at_home() -> None:
    source = cloud(400, 1) * [100.0, 1.0, 0.01, 0.0]
    space = Space.of(source)
    assert space.places(source, "").std(axis=0) == pytest.approx(1, abs=0.01)
    assert space.places(source, "").shape[1] < 4


def test_few_held_back_images_have_a_lower_reference() -> None:
    ruler = Ruler.of(np.array([3.0, 1.0, 2.0]))
    assert (ruler.radius, ruler.reference) == (3.0, 0.75)
    assert Ruler.of(np.arange(1.0, 40.0)).radius == 38
    assert ruler.by_luck(10)[0] < 0.4


def test_intervals() -> None:
    low, high = wilson(0.5, 100)
    assert (low, high) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert wilson(1.0, 10) == pytest.approx((0.7225, 1.0), abs=1e-3)
    assert wilson(0.5, 10)[0] < low


def test_what_cannot_be_told() -> None:
    with pytest.raises(BadInput, match="1 of 2 images: of a single one no share can be told"):
        measured("", cloud(1, 0), cloud(9, 1), cloud(9, 2), 1)
    with pytest.raises(BadInput, match="1 of 2 images of the source held back"):
        Ruler.of(np.ones(1))
    with pytest.raises(BadInput, match="look the same"):
        Space.of(np.ones((5, 3)))
    lost = cloud(9, 2)
    lost[3, 1] = math.nan
    with pytest.raises(BadInput, match="south: what the network makes of 1 of 9 images are not finite numbers"):
        Space.of(cloud(9, 1)).places(lost, "south")
