"""A comparison's story: what came out, and the cases in which a side is behind, of the group that they belong to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from segue.errors import BadInput
from segue.evaluation.comparing.compare import compare
from segue.evaluation.judging.table import Row, Table
from segue.experiment.comparison import comparison_story
from segue.report.comparison_page import comparison_page
from tests.report.folder import rows


def table(
    change: Callable[[int, Row], float], *, seen: Callable[[int], str] = lambda number: "", cases: int = 24
) -> Table:
    """Of cases whose Dice is what `change` makes of it."""
    return Table.of(
        replace(row, scores=replace(row.scores, dice=change(number, row), empty=""), seen=seen(number))
        for number, row in enumerate(rows(["polyp"], cases=cases))
    )


BASE = table(lambda number, row: 0.5)
BETTER = table(lambda number, row: 0.5 + (number - 4) / 100)


def test_the_story_says_what_the_comparison_says() -> None:
    tables = {"base": BASE, "better": BETTER}
    found = compare(tables)
    told = comparison_story({"x": found}, {"x": tables}, commands=["segue compare a b"])
    (difference,), (group,) = found.groups[0].differences, told.groups
    (pair,) = group.pairs
    assert told.title == "base and better"
    assert (told.metric, told.margin, told.higher_is_better) == ("Dice", 0.01, True)
    assert (group.set, group.unit, group.cases, group.patients) == ("x", "", 24, 12)
    assert (pair.difference.value, pair.difference.low, pair.difference.high) == (
        difference.difference,
        *difference.interval,
    )
    assert (pair.p_adjusted, pair.sentence) == (difference.p_adjusted, difference.sentence)
    assert (difference.verdict, pair.verdict) == ("more than luck", "better, more than luck")
    of_patients = np.reshape([(number - 4) / 100 for number in range(24)], (12, 2)).mean(axis=1)
    assert sorted(pair.differences) == pytest.approx(of_patients.tolist())
    assert group.sides[1].mean == pytest.approx(0.5 + (11.5 - 4) / 100)
    assert "Dice" not in group.sides[0].others
    assert "IoU" in group.sides[0].others
    assert difference.sentence in comparison_page(told).html().replace("&lt;", "<")


def test_each_side_loses_where_it_is_behind_the_worst_first() -> None:
    tables = {"base": BASE, "better": BETTER}
    (pair,) = comparison_story({"x": compare(tables)}, {"x": tables}).groups[0].pairs
    assert [lost.case for lost in pair.side_loses] == [f"case_{number:03}" for number in range(4)], "the fifth is equal"
    assert [lost.case for lost in pair.reference_loses] == [f"case_{number:03}" for number in range(23, 18, -1)]
    assert pair.side_loses[0].value == pytest.approx(0.46)
    assert pair.side_loses[0].other == 0.5


def test_where_less_is_better_the_greater_loses() -> None:
    far = Table.of(
        replace(row, scores=replace(row.scores, hd95=90.0 if number == 3 else 1.0)) for number, row in enumerate(BASE)
    )
    near = Table.of(replace(row, scores=replace(row.scores, hd95=2.0)) for row in BASE)
    tables = {"near": near, "far": far}
    told = comparison_story({"x": compare(tables, metric="hd95")}, {"x": tables})
    (pair,) = told.groups[0].pairs
    assert [lost.case for lost in pair.side_loses] == ["case_003"]
    assert len(pair.reference_loses) == 5
    assert told.groups[0].unit == "px"
    assert not told.higher_is_better


def test_runs_are_averaged_before_a_case_is_lost() -> None:
    up_and_down = [table(lambda number, row: 0.9 if number == 2 else 0.4), table(lambda number, row: 0.3)]
    tables: dict[str, Table | list[Table]] = {"base": BASE, "runs": up_and_down}
    (pair,) = comparison_story({"x": compare(tables)}, {"x": tables}).groups[0].pairs
    assert [lost.case for lost in pair.reference_loses] == ["case_002"]
    assert pair.reference_loses[0].other == pytest.approx(0.6)


def test_lost_cases_stay_in_the_group_that_they_belong_to() -> None:
    seen = table(lambda number, row: 0.1 + number / 100, seen=lambda number: "images" if number < 8 else "")
    tables = {"base": BASE, "seen": seen}
    strange, apart = comparison_story({"x": compare(tables)}, {"x": tables}).groups
    assert (strange.seen_by, apart.seen_by) == ("", "seen")
    assert [lost.case for lost in strange.pairs[0].side_loses] == [f"case_{number:03}" for number in range(8, 13)]
    assert [lost.case for lost in apart.pairs[0].side_loses] == [f"case_{number:03}" for number in range(5)]


def test_what_was_trained_on_is_in_no_group() -> None:
    learnt = table(lambda number, row: 0.1, seen=lambda number: "masks" if number < 20 else "")
    tables = {"base": BASE, "learnt": learnt}
    (group,) = comparison_story({"x": compare(tables, leave_out_trained=True)}, {"x": tables}).groups
    assert [lost.case for lost in group.pairs[0].side_loses] == [f"case_{number:03}" for number in range(20, 24)]


def test_notes_of_some_sets_say_of_which() -> None:
    nameless = Table.of(replace(row, patient="") for row in BASE)
    sets = {"x": {"base": BASE, "better": BETTER}, "y": {"base": nameless, "better": nameless}}
    told = comparison_story({name: compare(tables) for name, tables in sets.items()}, sets)
    assert any(note.startswith("y: No patient is known") for note in told.notes)
    assert sum(note.startswith("One run of each") for note in told.notes) == 1


def test_one_page_has_one_metric() -> None:
    tables = {"base": BASE, "better": BETTER}
    with pytest.raises(BadInput, match="one metric"):
        comparison_story({"x": compare(tables), "y": compare(tables, metric="iou")}, {"x": tables, "y": tables})
    with pytest.raises(BadInput, match="one metric"):
        comparison_story({}, {})
