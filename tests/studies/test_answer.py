"""What a study says, of runs that were never trained: tables of numbers whose truth is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from segue.errors import BadInput
from segue.evaluation.comparing import sentence
from segue.evaluation.judging.table import Table
from segue.evaluation.statistics import addressed, holm
from segue.studies.answer import Answer, answer
from segue.studies.book import Fate
from segue.studies.evidence import ELSEWHERE, Evidence
from segue.studies.plan import Entry, plan
from segue.studies.study import Study, read
from tests.evaluation.made import table

AXES: dict[str, Any] = {
    "training": {"two views": {"method": "two-view"}, "change": {"method": "consistency"}},
    "network": {"small": {"network.encoder": "resnet18"}, "large": {"network.encoder": "resnet34"}},
}
PLACES = {"north-test": 40, "south": 30, "west": 20}
Gain = Callable[[Entry, str], float]


def evidence(pool: Path, gain: Gain, *, lost: Sequence[str] = (), left: Sequence[str] = (), **given: Any) -> Evidence:
    """Each case is as hard for every run; a run has luck of its own, and what `gain` says."""
    usual = {"question": "Which?", "data": "north", "elsewhere": ["south", "west"], "axes": AXES, "repeats": 4}
    found = plan(Study.model_validate({**usual, **given}), pool)
    fates: dict[str, Fate] = {}
    for entry in found.entries:
        if _called(entry) in left:
            continue
        if _called(entry) in lost:
            fates[entry.name] = Fate({}, error="it was lost")
            continue
        for place, cases in PLACES.items():
            hard = addressed(0, place).uniform(0.5, 0.8, cases)
            luck = addressed(1, place, _called(entry))
            values = hard + gain(entry, place) + luck.normal(0, 0.04, cases) + luck.normal(0, 0.004)
            table(values.tolist()).write(pool / entry.name / "evaluation" / place / "cases.csv")
        fates[entry.name] = Fate({"sets": {place: {} for place in PLACES}, "home": "north-test", "seconds": 1.0})
    return Evidence.of(found, fates, pool)


def _called(entry: Entry) -> str:
    return f"{entry.arm} {entry.repeat}"


def elsewhere_only(entry: Entry, place: str) -> float:
    """What is trained by change is better by .04 at other places, and not at home; a large network is better by .1."""
    large = 0.1 * (entry.values.get("network") == "large")
    return large + 0.04 * (entry.values["training"] == "change" and place != "north-test")


def test_a_search_that_came_back_to_where_it_began_says_so(tmp_path: Path) -> None:
    search = {"begin": "two views", "space": {"loop.rate": [0.001, 0.01]}, "trials": 2}
    axes = {"training": AXES["training"]}
    usual = {"question": "Which?", "data": "north", "elsewhere": ["south", "west"], "axes": axes, "repeats": 4}
    asked = Study.model_validate(
        {**usual, "search": search, "compare": ["searched against two views", "change against two views"]}
    )
    found = plan(asked, tmp_path, {("loop", "rate"): 0.001})
    fates = {}
    for name in found.names:
        for place, cases in PLACES.items():
            values = addressed(0, place, name).uniform(0.4, 0.9, cases)
            table(values.tolist()).write(tmp_path / name / "evaluation" / place / "cases.csv")
        fates[name] = Fate({"sets": {place: {} for place in PLACES}, "home": "north-test", "seconds": 1.0})
    told = answer(Evidence.of(found, fates, tmp_path)).sentence
    assert told.startswith(
        "The search has found nothing better than two views, where it began: these are the same runs. And"
    )
    assert "change against two views: " in told
    twins = {"training": {"one": {"method": "two-view"}, "other": {"method": "two-view"}}}
    plain = answer(
        evidence(tmp_path / "plain", lambda entry, place: 0.0, axes=twins, compare=["one against other"])
    ).sentence
    assert "search" not in plain
    assert "are equal in every one" in plain


@pytest.fixture
def told(tmp_path: Path) -> Answer:
    return answer(evidence(tmp_path, elsewhere_only, compare=["change against two views", "large against small"]))


def test_the_first_sentence_answers_what_was_declared_first(told: Answer) -> None:
    assert told.sentence.startswith(
        "Elsewhere (south, west together): change is better than two views, more than luck: Dice 0."
    )
    assert "50 patients; 8 pairs of runs. And large against small: more than luck (+0.1" in told.sentence


def test_all_that_was_declared_is_one_family(told: Answer) -> None:
    main = [one for one in told.declared if one.place in ("north-test", ELSEWHERE)]
    assert [(one.declared.side, one.place) for one in main] == [
        ("change", "north-test"), ("change", ELSEWHERE), ("large", "north-test"), ("large", ELSEWHERE),
    ]  # fmt: skip
    assert [one.found.p_adjusted for one in main] == pytest.approx(holm([one.found.p for one in main]))
    assert {one.found.comparisons for one in main} == {4}
    assert [one.place for one in told.declared if one not in main] == ["south", "west", "south", "west"]


def test_the_truth_is_found(told: Answer) -> None:
    by = {(one.declared.side, one.place): one.found for one in told.declared}
    assert by["change", ELSEWHERE].difference == pytest.approx(0.04, abs=0.01)
    assert by["change", "north-test"].verdict != sentence.MORE
    assert by["large", ELSEWHERE].difference == pytest.approx(0.1, abs=0.01)
    assert by["large", "north-test"].verdict == sentence.MORE


def test_pairs_of_equal_runs_are_compared_as_such(told: Answer) -> None:
    """Networks differ far more than trainings do: without pairs nothing would be seen."""
    one = next(each.found for each in told.declared if (each.declared.side, each.place) == ("change", ELSEWHERE))
    low, high = one.interval
    assert high - low < 0.04


def test_what_has_failed_or_is_not_done_is_told_and_its_pairs_are_left_out(tmp_path: Path) -> None:
    given = evidence(
        tmp_path, elsewhere_only, compare=["change against two views"], lost=["change, small 1"], left=["two views, large 2"],
    )  # fmt: skip
    found = answer(given)
    assert {(one.pairs, one.lost) for one in found.declared} == {(6, 2)}
    assert found.sentence.endswith("Of 16 runs 1 failed and 1 not done.")


def test_without_a_declaration_it_is_exploration(tmp_path: Path) -> None:
    found = answer(evidence(tmp_path, elsewhere_only))
    assert not found.declared
    assert found.sentence.startswith("Elsewhere (south, west together): change, large has the best Dice")
    assert "exploration" in found.sentence
    order = [one.arm for one in found.rankings[ELSEWHERE]]
    assert order[0] == "change, large"
    assert order[-1] == "two views, small"
    level = {one.arm: one.level for one in found.rankings[ELSEWHERE]}
    assert level["change, large"]
    assert not level["two views, small"]
    assert all(one.runs == 4 and 0 < one.deviation < 0.1 for one in found.rankings[ELSEWHERE])


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    said = [
        answer(evidence(tmp_path / f"{number}", lambda *_: 0.0, repeats=3 + number, compare=["change against two views"]))
        for number in range(3)
    ]  # fmt: skip
    verdicts = [one.found.verdict for each in said for one in each.declared]
    assert verdicts.count(sentence.MORE) <= 1


@pytest.mark.parametrize(("least", "told"), [(0.7, "is reached by"), (0.99, "is missed: ")])
def test_a_target_is_reached_or_missed(least: float, told: str, tmp_path: Path) -> None:
    found = answer(evidence(tmp_path, elsewhere_only, target={"at_least": least}))
    assert found.reached is not None
    assert f"a Dice of {least:g} on north-test, {told}" in found.reached.sentence


def test_a_target_of_a_distance_is_reached_from_above(tmp_path: Path) -> None:
    """Every distance of these tables is 0."""
    found = answer(evidence(tmp_path, elsewhere_only, target={"metric": "hd95", "at_most": 3})).reached
    assert found is not None
    assert found.state == "reached"
    assert "an HD95 of at most 3 on north-test, is reached by" in found.sentence
    found = answer(evidence(tmp_path, elsewhere_only, metric="hd95", target={"at_most": -1})).reached
    assert found is not None
    assert found.state == "missed"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"target": {"metric": "hd95", "at_least": 10}}, "HD95 is better when it is lower"),
        ({"metric": "assd", "target": {"at_least": 10}}, "ASSD is better when it is lower"),
        ({"target": {"at_most": 0.5}}, "Dice is better when it is higher"),
        ({"target": {"metric": "loss", "at_least": 0.5}}, "the training's loss is better when it is lower"),
        ({"target": {"metric": "loss", "at_most": 0.5, "on": "south"}}, "is that of training, and not of 'south'"),
        ({"target": {}}, "at_least says what Dice is to reach"),
        ({"target": {"at_least": 0.5, "at_most": 0.6}}, "at_least says what Dice is to reach"),
    ],
)
def test_a_target_stands_on_the_side_where_its_metric_is_good(given: dict[str, Any], told: str, tmp_path: Path) -> None:
    file = tmp_path / "which.yaml"
    file.write_text(yaml.safe_dump({"question": "Which?", "data": "north", "axes": AXES, **given}))
    with pytest.raises(BadInput, match=told):
        read(file)


def test_a_target_of_the_loss_is_that_of_the_last_epoch(tmp_path: Path) -> None:
    given = evidence(tmp_path, elsewhere_only, target={"metric": "loss", "at_most": 0.4})
    for number, one in enumerate(given.done):
        lines = [{"epoch": 1, "loss": 0.1}, {"epoch": 2, "loss": 0.3 + 0.2 * (number // 4)}]
        (one.folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = answer(given).reached
    assert found is not None
    assert found.sentence == f"The target, a loss of at most 0.4 in training, is reached by {given.done[0].entry.arm}."


def test_what_any_run_has_seen_counts_in_no_mean(tmp_path: Path) -> None:
    """One run has seen the half of south that is easy; the other half decides for all."""
    given = evidence(tmp_path, elsewhere_only)
    before = answer(given).rankings["south"]
    for one in given.done:
        where = one.folder / "evaluation" / "south" / "cases.csv"
        rows = Table.read(where)
        looked = "images" if one is given.done[0] else ""
        Table.of(
            replace(row, seen=looked, scores=replace(row.scores, dice=1.0)) if number < 15 else row
            for number, row in enumerate(rows)
        ).write(where)
    fresh = Evidence.of(given.plan, {one.entry.name: one.fate for one in given.done}, tmp_path)
    assert len(fresh.seen("south")) == 15
    assert not fresh.seen("west")
    after = answer(fresh).rankings["south"]
    assert {one.arm for one in after} == {one.arm for one in before}
    assert all(one.mean < 0.9 for one in after)
    held = [(each.against_best, each.mean) for each in after if each.against_best is not None]
    assert len(held) == 3
    for found, mean in held:
        assert found.mean == pytest.approx(mean)
        assert found.patients == 15


def test_a_target_is_of_a_place_that_judges(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no run was judged on 'suoth': did you mean south"):
        answer(evidence(tmp_path, elsewhere_only, target={"at_least": 0.7, "on": "suoth"}))


def test_two_places_may_have_cases_of_one_name(tmp_path: Path) -> None:
    found = evidence(tmp_path, elsewhere_only)
    (whole,) = found.tables(found.done[:1], ELSEWHERE)
    assert len(whole) == PLACES["south"] + PLACES["west"]
    assert len({row.who for row in whole}) == len(whole)
    assert np.isfinite([row.scores.dice for row in whole]).all()


def test_before_anything_is_done_nothing_can_be_said(tmp_path: Path) -> None:
    found = plan(Study.model_validate({"question": "?", "data": "a", "axes": AXES}), tmp_path)
    with pytest.raises(BadInput, match="none of the study's runs is done"):
        Evidence.of(found, {}, tmp_path)


def test_a_margin_is_the_metrics_own_where_none_is_said(tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = [{}, {"metric": "hd95"}, {"margin": 0.05}]
    margins = [
        answer(evidence(tmp_path / f"{number}", elsewhere_only, compare=["change against two views"], repeats=2, **given))
        .declared[0].found.margin
        for number, given in enumerate(asked)
    ]  # fmt: skip
    assert margins == [0.01, 1.0, 0.05]
