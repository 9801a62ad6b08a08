"""What a study file says, and what it becomes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from segue.errors import BadInput
from segue.experiment.settings import PretrainSettings
from segue.studies.plan import plan
from segue.studies.study import Study, read
from segue.studies.table import rows

POOL = Path("runs")
TWO = {"two views": {"method": "two-view", "variation": "natural"}, "change": {"method": "consistency"}}


def study(**given: Any) -> Study:
    usual = {"question": "Which?", "data": "datasets/a", "repeats": 2, "axes": {"training": TWO}}
    return Study.model_validate({**usual, **given})


def test_each_with_each_and_all_repeats() -> None:
    found = plan(
        study(axes={"training": TWO, "loop.rate": [0.001, 0.01]}, fixed={"network": {"encoder": "resnet34"}}), POOL
    )
    assert [(one.arm, one.repeat) for one in found.entries[:3]] == [
        ("two views, 0.001", 0), ("two views, 0.001", 1), ("two views, 0.01", 0),
    ]  # fmt: skip
    assert len(found.entries) == len(found.names) == 8
    first, second = (one.settings for one in found.entries[:2])
    assert (first.method, first.variation, first.loop.rate, first.network.encoder) == (
        "two-view",
        "natural",
        0.001,
        "resnet34",
    )
    assert (first.loop.seed, second.loop.seed) == (0, 1)
    assert first.draw is None


def test_a_budget_draws_other_patients_in_each_repeat_and_the_same_for_every_arm() -> None:
    found = plan(study(axes={"training": TWO, "labels": ["1", "all"]}), POOL)
    draws = {(one.arm, one.repeat): one.settings.draw for one in found.entries}
    assert draws["two views, 1", 1] == draws["change, 1", 1] == 1
    assert draws["two views, all", 1] is None


def test_the_same_settings_are_the_same_run_whichever_study_asks() -> None:
    one = plan(study(), POOL)
    other = plan(study(question="Another?", axes={"how": {"x": TWO["change"]}, "size": [64]}), POOL)
    grown = plan(study(repeats=3, axes={"training": {**TWO, "none": None}}), POOL)
    names = {entry.name for entry in one.entries}
    assert names < {entry.name for entry in grown.entries}
    assert not names & {entry.name for entry in other.entries}


def test_what_several_begin_from_is_trained_once() -> None:
    start = {
        "scratch": None,
        "own": {"pretrain": {"method": "contrast", "looks": 100}},
        "universal": {"pretrain.data": ["datasets/a", "datasets/b"], "pretrain.looks": 100},
    }
    found = plan(
        study(axes={"start": start, "labels": ["1", "3"]}, fixed={"network.encoder": "resnet34", "size": 64}), POOL
    )
    assert len(found.entries) == 12
    assert len(found.before) == 2
    own, universal = found.before.values()
    assert isinstance(own, PretrainSettings)
    assert (own.data, own.network.encoder, own.size) == (("datasets/a",), "resnet34", 64)
    assert universal.data == ("datasets/a", "datasets/b")
    assert {entry.settings.init for entry in found.entries} == {"", *(str(POOL / name) for name in found.before)}
    assert found.data == ["datasets/a", "datasets/b"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"axes": {"encoder": ["resnet18"]}}, "encoder"),
        ({"axes": {"network.encodr": ["resnet18"]}}, "network.encoder"),
        ({"axes": {"training": {"x": {"loop.rate": "fast"}}}}, "training: x: key 'loop.rate'"),
        ({"fixed": {"method": "semi"}}, "method: is set twice, by fixed and by training: two views"),
        (
            {"fixed": {"network": {"encoder": "a"}}, "axes": {"network": {"b": {"network.encoder": "b"}}}},
            "is set twice",
        ),
        ({"fixed": {"loop.seed": 3}}, "loop.seed: is what repeats differ by"),
        ({"axes": {"repeats": [1, 2]}}, "cannot be an axis"),
        ({"axes": {"loop.rate": [0.1, 0.10]}}, "0.1 twice"),
        ({"axes": {"loop.rate": 0.1}}, "must be a list"),
        ({"axes": {"loop.rate": []}}, "no values"),
        ({"fixed": {"init": "a"}, "axes": {"start": {"own": {"pretrain": {"looks": 5}}}}}, "only one of them"),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_place(given: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput) as error:
        plan(study(**given), POOL)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("compare", "told"),
    [
        ("change against two view", "did you mean two views"),
        ("change", "is not of the form"),
        ("change against 0.1", "not of one axis"),
        ("change against change", "with itself"),
    ],
)
def test_a_comparison_is_of_two_values_of_one_axis(compare: str, told: str) -> None:
    axes = {"training": TWO, "loop.rate": [0.1]}
    (declared,) = plan(study(axes=axes, compare=["change against two views"]), POOL).declared
    assert (declared.axis, declared.side, declared.reference) == ("training", "change", "two views")
    with pytest.raises(BadInput, match=told):
        plan(study(axes=axes, compare=[compare]), POOL)


def test_a_spreadsheet_is_a_table_too(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for line in (
        ["name", "lr", "size", "attention", "comment", None], ["first", 0.001, "[64, 96]", "scse", "mine", None],
        ["second", 1e-5, 128, None, 3.5, None], [None] * 6,
    ):  # fmt: skip
        book.active.append(line)
    book.save(tmp_path / "rows.xlsx")
    before = (tmp_path / "rows.xlsx").read_bytes()
    columns = {"lr": "loop.rate", "attention": "network.attention", "comment": ""}
    found = rows(tmp_path / "rows.xlsx", columns)
    assert found.values == {
        "first": {("loop", "rate"): 0.001, ("size",): [64, 96], ("network", "attention"): "scse"},
        "second": {("loop", "rate"): 1e-5, ("size",): 128},
    }
    assert (tmp_path / "rows.xlsx").read_bytes() == before
    (tmp_path / "torn.xlsx").write_bytes(before[:400])
    with pytest.raises(BadInput, match=r"torn\.xlsx: is not a spreadsheet that can be read"):
        rows(tmp_path / "torn.xlsx", {})
    with pytest.raises(BadInput, match=r"gone\.xlsx: there is no such file"):
        rows(tmp_path / "gone.xlsx", {})


def test_rows_of_a_table_are_runs(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text('name,lr,loop.batch,size,comment\nfirst,0.001,4,"[64, 96]",slow\n,0.01,,128,\n')
    before = table.read_bytes()
    declared = {"compare": ["row 3 against first"]}
    found = plan(study(axes={}, table=str(table), columns={"lr": "loop.rate", "comment": ""}, **declared), POOL)
    assert found.declared[0].axis == "row"
    one, _, other, _ = found.entries
    assert (one.arm, other.arm) == ("first", "row 3")
    assert (one.settings.loop.rate, one.settings.loop.batch, one.settings.size) == (0.001, 4, (64, 96))
    assert (other.settings.loop.batch, other.settings.size) == ("auto", 128)
    assert table.read_bytes() == before
    for text, told in (
        ("lr\nfast\n", "row: row 2: key 'loop.rate'"),
        ("lr,btach\n0.1,4\n", "unknown key 'btach'"),
        ("lr,loop.rate\n0.1,0.2\n", "row 2: loop.rate has two columns"),
        ("rate\n1\n", "has no column 'lr'"),
        ("name,lr\na,1\na,2\n", "row 3: 'a' is the name of another row"),
    ):
        table.write_text(text)
        with pytest.raises(BadInput) as error:
            plan(study(axes={}, table=str(table), columns={"lr": "loop.rate"}), POOL)
        assert told in str(error.value)


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "which.yaml"
    file.write_text("question: Which?\ndata: a\n")
    with pytest.raises(BadInput, match="nothing to compare"):
        read(file)
    file.write_text("question: Which?\ndata: a\naxes: {labels: [1, 3]}\nrepeat: 2\n")
    with pytest.raises(BadInput, match="did you mean repeats"):
        read(file)


def test_what_else_cannot_be_meant(tmp_path: Path) -> None:
    file = tmp_path / "which.yaml"
    begin = "question: Which?\ndata: a\naxes: {training: {plain: {variation: none}}}\n"
    for more, told in (
        ("elsewhere: [b, a]\n", "elsewhere: a is what is learnt from"),
        ("target: {at_least: 85}\n", r"Dice lies from 0 to 1, and 85 does not \(0.85\?\)"),
    ):
        file.write_text(begin + more)
        with pytest.raises(BadInput, match=told):
            read(file)
    for name, told in (("loop.rte", "unknown key 'loop.rte': did you mean loop.rate"), ("size", "key 'size'")):
        search = {"begin": "plain", "space": {name: {"from": -2, "to": -1}}}
        with pytest.raises(BadInput, match=told):
            plan(study(axes={"training": {"plain": {"variation": "none"}}}, search=search), POOL)


def test_ten_thousand_runs_are_planned_in_seconds() -> None:
    rates = [round(1e-5 * number, 5) for number in range(1, 2001)]
    began = time.process_time()
    found = plan(study(axes={"loop.rate": rates}, repeats=5), POOL)
    assert len(found.names) == 10_000
    assert time.process_time() - began < 15  # 5 on a machine of its own: benchmarks/study_speed.py
