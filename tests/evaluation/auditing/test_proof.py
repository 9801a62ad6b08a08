"""What some masks prove: intervals that hold whatever the audit is worth, shown by drawing again and again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from segue.data.case import Case
from segue.evaluation.auditing.proof import Proof, drawn, prove

Floats = npt.NDArray[np.float64]
IMAGES = 200


def place(worth: float, seed: int = 0) -> tuple[Floats, Floats]:
    """True Dice, skewed as it is, and what an audit of such a worth expects, with a bias of its own."""
    numbers = np.random.default_rng(seed)
    true = numbers.beta(1.2, 0.6, IMAGES)
    return true, np.clip(0.2 + 0.7 * (worth * true + (1 - worth) * numbers.permutation(true)), 0, 1)


def often(
    true: Floats, said: Floats, masks: int, share: Floats | None = None, draws: int = 500
) -> tuple[float, list[Proof]]:
    numbers, ones = np.random.default_rng(1), np.ones(IMAGES)
    share = ones / IMAGES if share is None else share
    proofs = []
    for _ in range(draws):
        where = numbers.choice(IMAGES, masks, replace=False)
        proofs.append(prove("polyp", where.tolist(), true[where], np.ones(masks, np.bool_), said, ones, share))
    mean = float(share @ true / share.sum())
    return float(np.mean([one.low <= mean <= one.high for one in proofs])), proofs


@pytest.mark.parametrize("worth", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("masks", [12, 30])
def test_the_interval_holds_whatever_the_audit_is_worth(worth: float, masks: int) -> None:
    holds, _ = often(*place(worth), masks)
    assert 0.92 < holds < 0.985


def test_a_good_audit_makes_it_narrower_and_a_bad_one_hardly_wider() -> None:
    for worth, most in ((0.95, 0.6), (0.0, 1.1)):
        _, proofs = often(*place(worth), 20, draws=100)
        width = np.mean([one.high - one.low for one in proofs])
        alone = np.mean([one.alone[2] - one.alone[1] for one in proofs])
        assert width < most * alone
    assert np.mean([one.weight for one in often(*place(0.95), 20, draws=50)[1]]) > 0.7


def test_patients_of_many_images_count_as_one() -> None:
    true, said = place(0.5)
    share = np.repeat([1 / 150, 1 / 50], [150, 50])
    true[150:] *= 0.5
    holds, proofs = often(true, said, 30, share)
    assert holds > 0.9  # few are heavy
    assert abs(np.mean([one.dice for one in proofs]) - share @ true / share.sum()) < 0.01


def test_images_that_lack_the_class_are_no_failures() -> None:
    true, said = place(0.8)
    numbers = np.random.default_rng(3)
    present = numbers.random(IMAGES) < 0.6
    there = np.where(present, 0.8, 0.3)
    holds = []
    for _ in range(300):
        where = numbers.choice(IMAGES, 30, replace=False)
        dice = np.where(present, true, np.nan)
        one = prove("polyp", where.tolist(), dice[where], present[where], said, there, np.ones(IMAGES))
        holds.append(one.low <= true[present].mean() <= one.high)
    assert 0.9 < np.mean(holds) < 0.99


def test_all_masked_is_known() -> None:
    true, said = place(0.5)
    one = prove("polyp", range(IMAGES), true, np.ones(IMAGES, np.bool_), said, np.ones(IMAGES), np.ones(IMAGES))
    assert one.low == pytest.approx(one.high) == pytest.approx(true.mean())
    assert one.more == 0


def test_so_many_more_are_enough() -> None:
    true, said = place(0.9)
    numbers, ones = np.random.default_rng(0), np.ones(IMAGES)

    def with_(masks: int) -> Proof:
        where = numbers.choice(IMAGES, masks, replace=False)
        return prove("polyp", where.tolist(), true[where], np.ones(masks, np.bool_), said, ones, ones)

    asked = int(np.median([20 + with_(20).more for _ in range(40)]))
    widths = [one.high - one.low for one in (with_(asked) for _ in range(40))]
    assert 0.03 < np.median(widths) < 0.05  # to within .02 on either side


def test_the_drawing_is_always_the_same_and_fewer_are_the_first() -> None:
    cases = [Case(f"c{number}", (f"images/{number}.jpg",)) for number in range(50)]
    assert drawn(cases, 20, "south") == drawn(cases[::-1], 20, "south")
    assert drawn(cases, 20, "south")[:5] == drawn(cases, 5, "south")
    assert drawn(cases, 20, "south") != drawn(cases, 20, "north")
    assert len(set(drawn(cases, 50, "south"))) == 50


def test_other_names_for_the_same_images_draw_the_same_images() -> None:
    cases = [Case(f"c{number}", (f"images/{number}.jpg",)) for number in range(50)]
    turned = {case.case: case.with_(case=f"d{50 - number}") for number, case in enumerate(cases)}
    assert drawn(turned.values(), 20, "south") == [turned[name].case for name in drawn(cases, 20, "south")]


def test_it_says_what_the_mean_is_over() -> None:
    (true, said), ones, some = place(0.5), np.ones(IMAGES), range(6)
    told = {
        whom: prove("polyp", some, true[some], np.ones(6, np.bool_), said, ones, ones, whom).told
        for whom in ("patient", "scene", "image")
    }
    assert "over the patients of the 200 images" in told["patient"]
    assert "over the scenes of the 200 images" in told["scene"]
    assert "over the 200 images" in told["image"]
