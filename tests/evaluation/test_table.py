from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segue.data.case import Case
from segue.errors import BadInput
from segue.evaluation.judging.metrics import METRICS, score
from segue.evaluation.judging.summary import chosen_by, summarise
from segue.evaluation.judging.table import COLUMNS, Row, Table
from tests.evaluation import made


def scored(seed: int, shape: tuple[int, ...] = (20, 20)) -> Row:
    numbers = np.random.default_rng(seed)
    prediction, truth = numbers.random(shape) < 0.3, numbers.random(shape) < 0.3
    case = Case(
        f"=case, {seed}",
        ("i.png",),
        patient=f"p{seed // 2}",
        site="a",
        modality="wl",
        extra={"sex": "f", "dice": "odd"},
    )
    return Row.of(case, "polyp", score(prediction, truth, spacing=(0.3, 0.7)), seen="images")


def test_write_and_read_give_the_same_table(tmp_path: Path) -> None:
    empty = made.absent(found=True)
    table = Table.of(
        [
            *(scored(seed) for seed in range(5)),
            Row("none", "polyp", empty),
            Row("unjudged", "polyp", made.uncounted(), columns={"case.dice": "x", "case.what": "y"}),
        ]
    )
    table.write(tmp_path / "cases.csv")
    again = Table.read(tmp_path / "cases.csv")
    assert again.rows[:-1] == table.rows[:-1]
    last = again.rows[-1]  # not a number equals nothing
    assert (last.columns, last.scores.empty) == ({"case.dice": "x", "case.what": "y"}, "uncounted")
    assert math.isnan(last.scores.dice)
    assert "'=case" in (tmp_path / "cases.csv").read_text()  # no cell starts a formula
    assert again.rows[0].column("dice") == "odd"


def test_bad_tables(tmp_path: Path) -> None:
    path = tmp_path / "cases.csv"
    table = made.table([0.5, 0.7])
    table.write(path)
    good = path.read_text()
    for wrong, said in (
        (good.replace(",0.5,", ",1.5,", 1), "row 2 cannot be understood .dice is '1.5'"),
        (good.replace(",0.5,", ",,", 1), "row 2"),
        (good.replace(",0.5,", ",nan,", 1), "row 2"),
        (good.replace("case001", "case000"), "case 'case000' stands twice in the table for class 'polyp'"),
        (good.replace("hd95", "hd"), "column 'hd95' is missing"),
        (good.replace("px", "parsec", 1), "parsec"),
        (good.replace("polyp,,", "polyp,half,", 1), "seen is 'half'"),
    ):
        assert wrong != good
        path.write_text(wrong)
        with pytest.raises(BadInput, match=said):
            Table.read(path)
    assert COLUMNS[0] == "case"


def test_the_mean_is_over_patients() -> None:
    table = made.table([0.4, 0.6, 0.8, 1.0], patients=["a", "a", "a", "b"])
    (summary,) = summarise(table)
    assert summary.means["dice"] == pytest.approx((0.6 + 1.0) / 2)
    assert (summary.cases, summary.patients, summary.patients_known) == (4, 2, True)
    assert summary.failed_dice == pytest.approx(1 / 6)
    unknown = made.table([0.4, 0.6, 0.8, 1.0], patients=["", "", "", ""])
    (summary,) = summarise(unknown)
    assert summary.means["dice"] == pytest.approx(0.7)
    assert (summary.patients, summary.patients_known) == (4, False)


def test_patients_of_two_sites_are_two() -> None:
    one = made.table([0.5], patients=["1"]).rows[0]
    table = Table.of([replace(one, site="a"), replace(one, case="other", site="b")])
    assert summarise(table)[0].patients == 2


def test_present_and_absent_stand_apart() -> None:
    rows = [
        *made.table([0.4, 0.8]),
        Row("n1", "polyp", made.absent(), patient="x"),
        Row("n2", "polyp", made.absent(found=True), patient="x"),
        Row("n3", "polyp", made.absent(found=True), patient="y"),
        Row("m", "polyp", replace(made.present(0.0), empty="prediction", predicted_pixels=0), patient="z"),
        Row("u", "polyp", made.uncounted(), patient="z"),
    ]
    (summary,) = summarise(rows)
    assert summary.means["dice"] == pytest.approx(0.4)
    assert summary.means["found_where_none"] == pytest.approx((0.5 + 1) / 2)
    assert (summary.present, summary.absent, summary.both_empty, summary.missed, summary.uncounted) == (3, 3, 1, 1, 1)
    assert summary.cases == 6
    assert summary.failed_dice == pytest.approx(2 / 3)
    # To choose by, one number: misses and false alarms both lower it.
    assert chosen_by(rows) == pytest.approx((0.4 + 0.8 + 0.5 + 0.0 + 0.0) / 5)
    assert summary.as_json()["means"]["dice"] == pytest.approx(0.4)


def test_intervals_of_the_means() -> None:
    rows = made.table([float(value) for value in np.linspace(0.6, 1.0, 30)]).rows
    (summary,) = summarise(rows, intervals=METRICS)
    low, high = summary.intervals["dice"]
    assert summary.means["dice"] == pytest.approx(0.8)
    assert low < 0.8 < high
    error = np.std([row.scores.dice for row in rows], ddof=1) / math.sqrt(30)
    assert high - low == pytest.approx(2 * 2.045 * error, rel=0.05)  # Student's t of 29
    odd = made.table([0.1, 0.2, 0.4, 0.5, 0.55, 0.9, 0.95]).rows
    assert summarise(reversed(odd), intervals=METRICS)[0].intervals == summarise(odd, intervals=METRICS)[0].intervals
    assert summarise(rows[:1], intervals=METRICS)[0].as_json()["intervals"]["dice"] == [None, None]
    most = summarise(made.table([0.9, 1.0, 1.0]), intervals=METRICS)[0].intervals["dice"][1]
    assert most == 1.0  # no Dice is above it
    assert summarise(rows)[0].intervals == {}


def test_nothing_to_average_is_not_a_number() -> None:
    (summary,) = summarise([Row("n1", "polyp", made.absent())])
    assert math.isnan(summary.means["dice"])
    assert summary.as_json()["means"]["dice"] is None
    assert summary.as_json()["failed_dice"] is None
    assert summarise([]) == ()
    assert math.isnan(chosen_by([]))


def test_classes_and_what_was_seen_stand_apart() -> None:
    rows = [*made.table([0.2]), *made.table([0.6], name="cup")]
    rows += [replace(row, case="seen", seen="images") for row in made.table([0.9])]
    found = {(each.class_name, each.seen): each.means["dice"] for each in summarise(rows)}
    assert found == {("polyp", ""): 0.2, ("cup", ""): 0.6, ("polyp", "images"): 0.9}
    assert chosen_by([*made.table([0.2]), *made.table([0.6], name="cup")]) == pytest.approx(0.4)
