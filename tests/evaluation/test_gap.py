"""Home against elsewhere: the sentence says what is there, and says it as often as it should."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from segue.evaluation.judging.gap import gaps
from segue.evaluation.judging.table import Table
from tests.evaluation import made


def test_a_drop_is_told_with_its_size() -> None:
    rng = np.random.default_rng(0)
    home, there = rng.normal(0.8, 0.05, 40).tolist(), rng.normal(0.6, 0.05, 30).tolist()
    (told,) = gaps(made.table(home), made.table(there), of_home="north-test", of_there="south")
    assert told.startswith("south against north-test: Dice is lower by 0.183 (95 % interval of the difference -0.2")
    assert told.endswith("): more than luck.")
    (back,) = gaps(made.table(there), made.table(home), of_home="south", of_there="north")
    assert "Dice is higher by 0.183" in back


def test_of_equals_it_is_luck_as_often_as_it_should() -> None:
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(200):
        home, there = (rng.beta(4, 2, size).tolist() for size in (12, 40))
        (told,) = gaps(made.table(home), made.table(there), of_home="a", of_there="b")
        wrong += "not more than luck" not in told
    assert wrong <= 18  # 5 % of 200, and three standard deviations


def test_one_patient_says_nothing_and_what_was_seen_does_not_count() -> None:
    assert gaps(made.table([0.5]), made.table([0.5, 0.6]), of_home="a", of_there="b") == ()
    seen = Table.of(replace(row, seen="masks") for row in made.table([0.9, 0.8]))
    assert gaps(made.table([0.5, 0.6]), seen, of_home="a", of_there="b") == ()
