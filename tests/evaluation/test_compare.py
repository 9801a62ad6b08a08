from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from segue.errors import BadInput
from segue.evaluation.comparing import sentence
from segue.evaluation.comparing.compare import as_family, compare
from segue.evaluation.comparing.compared import Comparison, Difference
from segue.evaluation.judging.table import Row, Table
from segue.evaluation.statistics import addressed, holm
from tests.evaluation import made

DRAWS = 2000


def drawn(count: int, *, shift: float = 0.0, spread: float = 0.05, seed: int = 0) -> list[float]:
    """Dice of cases that are as hard for any model, and what this one makes of them."""
    hard = addressed(0).uniform(0.5, 0.8, count)
    return [float(value) for value in hard + shift + addressed(seed, "own").normal(0, spread, count)]


def of(values: Sequence[float], **more: Any) -> Table:
    return made.table(values, **more)


def only(found: Comparison) -> Difference:
    (difference,) = found.groups[0].differences
    return difference


def two(one: Table, other: Table, **more: Any) -> Difference:
    return only(compare({"old": one, "new": other}, draws=DRAWS, **more))


def test_more_than_luck() -> None:
    found = two(of(drawn(40)), of(drawn(40, shift=0.05, seed=1)))
    assert found.verdict == sentence.MORE
    assert found.better
    assert found.p == found.p_adjusted < 0.05
    assert found.interval[0] < found.difference < found.interval[1]
    assert found.sentence.startswith("new is better than old, more than luck: Dice 0.7")
    assert found.sentence.endswith("40 patients.")
    worse = two(of(drawn(40, shift=0.05, seed=1)), of(drawn(40)))
    assert worse.difference == pytest.approx(-found.difference)
    assert worse.sentence.startswith("new is worse than old, more than luck")


def test_where_nothing_is_found_there_is_nothing_to_compare() -> None:
    rng = np.random.default_rng(5)
    nothing, hardly = rng.uniform(0, 0.001, 30), rng.uniform(0.02, 0.04, 30)
    found = compare({"before": made.table(nothing.tolist()), "after": made.table(hardly.tolist())})
    assert "neither has found the structure, so there is nothing to compare" in found.sentences[0]
    assert found.groups[0].differences[0].verdict == sentence.NEITHER  # in the page's table and in JSON as in words
    assert "more than luck" not in found.sentences[0]


def test_a_difference_that_does_not_matter_says_so() -> None:
    found = two(of(drawn(60, spread=0.001)), of(drawn(60, spread=0.001, shift=0.003, seed=1)))
    assert (found.verdict, found.within_margin) == (sentence.MORE, True)
    assert "more than luck, yet by less than 0.01" in found.sentence


def test_not_more_than_luck_says_how_many_would_be_needed() -> None:
    found = two(of(drawn(20, spread=0.1)), of(drawn(20, spread=0.1, shift=0.01, seed=3)))
    assert found.verdict == sentence.NOT_MORE
    assert found.needed is not None
    assert found.needed > 20
    assert f"about {found.needed:,} patients would be needed to show a difference of" in found.sentence


def test_five_patients_are_too_few_whatever_they_say() -> None:
    found = two(of([0.1] * 5), of([0.9, 0.92, 0.94, 0.96, 0.98]))
    assert (found.verdict, found.smallest_p) == (sentence.TOO_SMALL, 0.0625)
    assert (
        "n too small: with 5 patients no difference can pass p < 0.05; about 6 patients would be needed"
        in found.sentence
    )
    enough = two(of([0.1] * 6), of([0.9, 0.92, 0.94, 0.96, 0.98, 0.99]))
    assert enough.verdict == sentence.MORE
    # Among three comparisons six are too few again.
    tables = {name: of([value] * 6) for name, value in (("a", 0.1), ("b", 0.5), ("c", 0.6), ("d", 0.7))}
    several = compare(tables, draws=DRAWS).groups[0].differences
    assert {each.verdict for each in several} == {sentence.TOO_SMALL}
    assert "with 6 patients no difference can pass p < 0.05 among 3 comparisons" in several[0].sentence
    assert two(of([0.1] * 6), of([0.5] * 6)).needed == 6
    assert several[0].needed == 7  # the least of which one direction has less than 0.05 / 3
    near = [[0.5 + 0.0001 * number * sign for number in range(1, 7)] for sign in (-1, 0, 1, 2)]
    alike = compare(dict(zip("abcd", map(of, near), strict=True)), draws=DRAWS).groups[0].differences[0]
    assert (alike.within_margin, alike.verdict) == (True, sentence.TOO_SMALL)
    alone = two(of([0.5]), of([0.6]))
    assert alone.verdict == sentence.TOO_SMALL
    assert "two patients at least are needed" in alone.sentence
    json.dumps(compare({"a": of([0.5]), "b": of([0.6])}).as_json(), allow_nan=False)


def test_few_that_differ_are_too_few_as_well() -> None:
    found = two(of([0.5] * 20), of([0.5] * 17 + [0.9, 0.8, 0.7]))
    assert found.verdict == sentence.TOO_SMALL
    assert "with 3 of 20 patients that differ no difference can pass" in found.sentence


def test_matches_within_the_margin() -> None:
    found = two(of(drawn(50, spread=0.01)), of(drawn(50, spread=0.01, seed=4)))
    assert found.verdict == sentence.MATCHES
    assert "new matches old within 0.01: Dice" in found.sentence
    assert "90 % interval" in found.sentence
    assert "95 %" not in found.sentence
    assert "(0.000, " in two(of([0.5, 0.6] * 10), of([0.5001, 0.59991] * 10)).sentence  # neither +0 nor -0
    tight = two(of(drawn(50, spread=0.01)), of(drawn(50, spread=0.01, seed=4)), margin=0.001)
    assert tight.verdict == sentence.NOT_MORE
    assert two(of(drawn(50)), of(drawn(50))).verdict == sentence.EQUAL


def test_matching_is_claimed_wrongly_once_in_twenty() -> None:
    # The truth lies on the margin: whoever says "matches" is wrong.
    claimed = 0
    for study in range(200):
        numbers = addressed(study, "margin")
        hard = numbers.uniform(0.4, 0.6, 25)
        other = hard + 0.02 + numbers.normal(0, 0.03, 25)
        found = only(compare({"a": of(list(hard)), "b": of(list(other))}, margin=0.02, draws=300))
        claimed += found.within_margin
    assert 0.01 <= claimed / 200 <= 0.1


def test_patients_weigh_once_however_many_cases() -> None:
    patients = ["a"] * 10 + [f"p{number}" for number in range(9)]
    old = of([0.5] * 19, patients=patients)
    new = of([0.9] * 10 + [0.5 + 0.001 * number for number in range(9)], patients=patients)
    found = two(old, new)
    assert (found.patients, found.cases, found.whom) == (10, 19, "patient")
    assert found.difference == pytest.approx((0.4 + 0.036) / 10)
    assert (found.higher, found.equal, found.lower) == (9, 1, 0)
    images = two(of([0.5] * 19, patients=[""] * 19), of([0.6] * 19, patients=[""] * 19))
    assert (images.patients, images.whom) == (19, "image")
    assert images.sentence.endswith("19 images of unknown patients.")


def test_where_no_patient_is_known_a_scene_weighs_once() -> None:
    """Thirty frames of one polyp are no thirty patients: what looks like more than luck is four scenes."""

    def frames(shift: float) -> Table:
        table = of([0.5 + shift] * 40, patients=[""] * 40)
        return Table.of(replace(row, group=str(number // 10)) for number, row in enumerate(table))

    found = two(frames(0.0), frames(0.05))
    assert (found.patients, found.cases, found.whom) == (4, 40, "scene")
    assert found.verdict == sentence.TOO_SMALL
    assert "4 scenes of unknown patients" in found.sentence
    told = compare({"old": frames(0.0), "new": frames(0.05)}, draws=DRAWS).notes
    assert any("copies and frames of one scene count once (4)" in note for note in told)


def test_the_order_of_rows_and_of_other_models_changes_nothing() -> None:
    one, other = of(drawn(40)), of(drawn(40, seed=2, shift=0.01))
    first = two(one, other)
    assert two(one, Table.of(reversed(other.rows))) == first
    beside = compare({"old": one, "more": of(drawn(40, seed=5)), "new": other}, draws=DRAWS).groups[0].differences[1]
    assert (beside.interval, beside.p) == (first.interval, first.p)
    assert two(one, other, seed=1).interval != first.interval


def test_holm_over_the_comparisons() -> None:
    tables = {"a": of(drawn(30)), "b": of(drawn(30, seed=1, shift=0.025)), "c": of(drawn(30, seed=2, shift=0.02))}
    found = compare(tables, draws=DRAWS).groups[0].differences
    assert [(each.side, each.reference) for each in found] == [("b", "a"), ("c", "a")]
    low, high = sorted(each.p for each in found)
    assert sorted(each.p_adjusted for each in found) == pytest.approx([2 * low, max(2 * low, high)])
    assert "after Holm over 2 comparisons" in found[0].sentence
    every = compare(tables, pairs="all", draws=DRAWS).groups[0].differences
    assert [(each.side, each.reference) for each in every] == [("b", "a"), ("c", "a"), ("c", "b")]
    other = compare(tables, reference="c", draws=DRAWS).groups[0].differences
    assert [(each.side, each.reference) for each in other] == [("a", "c"), ("b", "c")]


def test_several_runs_are_a_second_level() -> None:
    old = [of(drawn(40, spread=0.01, seed=seed, shift=shift)) for seed, shift in ((1, -0.06), (2, 0.0), (3, 0.06))]
    new = [of(drawn(40, spread=0.01, seed=seed, shift=shift)) for seed, shift in ((4, 0.0), (5, 0.05), (6, 0.1))]
    several = compare({"old": old, "new": new}, draws=DRAWS)
    found = only(several)
    # Averaged over runs every patient says the same; the runs do not.
    assert found.p_wilcoxon < 1e-6
    assert found.p > 0.2
    assert found.verdict == sentence.NOT_MORE
    assert found.needed is None
    assert "more runs of each would be needed" in found.sentence
    assert [model.runs for model in several.groups[0].models] == [3, 3]
    assert several.groups[0].models[0].run_deviation == pytest.approx(0.06, abs=0.01)
    told = {row[0]: row[several.columns.index("deviation of runs")] for row in several.cells()}
    mean = several.groups[0].models[0].mean
    assert told["old"] == f"{several.groups[0].models[0].run_deviation / mean:.1%}"
    single = two(old[0], new[0])
    assert single.verdict == sentence.MORE
    assert (single.interval[1] - single.interval[0]) * 5 < found.interval[1] - found.interval[0]
    assert any("One run of each" in note for note in compare({"old": old[0], "new": new[0]}, draws=DRAWS).notes)
    assert any("A single run of new" in note for note in compare({"old": old, "new": new[0]}, draws=DRAWS).notes)


def test_never_on_unequal_cases() -> None:
    one = of(drawn(12))
    with pytest.raises(BadInput, match=r"'new' lacks 7 of 12 cases that 'old' has: case005, .* and 2 more") as caught:
        compare({"old": one, "new": Table.of(one.rows[:5])})
    assert "very same cases" in (caught.value.hint or "")
    with pytest.raises(BadInput, match="'old' lacks 1 of 12 cases that run 2 of 'new' has: case011"):
        compare({"old": Table.of(one.rows[:11]), "new": [Table.of(one.rows[:11]), one]})
    cup = Table.of([*one.rows, *(replace(row, class_name="cup") for row in one.rows[:3])])
    with pytest.raises(BadInput, match="'old' lacks class 'cup' in 3 cases that 'new' has"):
        compare({"old": one, "new": cup})


def test_never_on_other_masks_or_patients() -> None:
    one = of(drawn(8))
    row = one.rows[3]
    other = Table.of([*one.rows[:3], replace(row, scores=made.present(0.5, truth_pixels=21)), *one.rows[4:]])
    with pytest.raises(BadInput, match="'case003': 'old' was scored on a mask of 20 pixels of 100, 'new' on one of 21"):
        compare({"old": one, "new": other})
    other = Table.of([replace(each, patient="x") for each in one.rows])
    with pytest.raises(BadInput, match="'case000' is of one patient in 'old' and of another in 'new'"):
        compare({"old": one, "new": other})


def test_cases_trained_with_are_refused() -> None:
    one = of(drawn(10))
    trained = Table.of([replace(row, seen="masks") if number < 4 else row for number, row in enumerate(one.rows)])
    said = r"'new': trained with the masks of 4 of 10 cases that are compared here: case000, case001"
    with pytest.raises(BadInput, match=said):
        compare({"old": one, "new": trained})
    left = compare({"old": one, "new": trained}, leave_out_trained=True)
    assert only(left).cases == 6
    assert any("4 cases left out" in note for note in left.notes)
    with pytest.raises(BadInput, match="all 10 cases"):
        compare({"old": one, "new": of(drawn(10), seen="masks")}, leave_out_trained=True)


def test_seen_images_stand_apart() -> None:
    one = of(drawn(30))
    new = of(drawn(30, shift=0.05, seed=1))
    adapted = Table.of([replace(row, seen="images") if number >= 20 else row for number, row in enumerate(new.rows)])
    found = compare({"old": one, "new": adapted}, draws=DRAWS)
    assert [(group.images_seen_by, group.cases) for group in found.groups] == [((), 20), (("new",), 10)]
    assert found.sentences[1].startswith("Images seen: new")
    assert not found.sentences[0].startswith("Images seen")
    assert found.groups[0].differences[0].who == tuple(f"/p{number:03d}" for number in range(20))
    assert any("Of 10 cases new had seen the images" in note for note in found.notes)
    assert {row[-3] for row in found.cells()} == {"", "new"}


def test_other_metrics() -> None:
    def distant(values: Sequence[float], **changes: Any) -> Table:
        return Table.of(
            replace(row, scores=replace(row.scores, hd95=value, **changes))
            for row, value in zip(of([0.5] * len(values)), values, strict=True)
        )

    near, far = (list(addressed(1).uniform(low, low + 2, 30)) for low in (3, 8))
    found = two(distant(far), distant(near), metric="hd95")
    assert found.difference < -4
    assert found.better
    assert "new is better than old, more than luck: HD95 4." in found.sentence
    assert " px against " in found.sentence
    assert found.margin == 1.0
    with pytest.raises(BadInput, match="HD95 is in mm for some cases and in px for others"):
        compare({"old": distant(far), "new": distant(near, unit="mm")}, metric="hd95")
    with pytest.raises(BadInput, match="tolerances from 1 to 2"):
        compare({"old": distant(far), "new": distant(near, tolerance=1.0)}, metric="nsd")
    with pytest.raises(BadInput, match="'case000' has no number for hd95"):
        compare({"old": distant(far), "new": distant([math.nan] * 30)}, metric="hd95")


def test_cases_without_the_structure_are_for_their_own_metric() -> None:
    def table(found: Sequence[bool]) -> Table:
        rows = [
            Row(f"n{number:02d}", "polyp", made.absent(found=each), f"q{number}") for number, each in enumerate(found)
        ]
        return Table.of([*of([0.5, 0.6, 0.7]), *rows])

    quiet, loud = table([False] * 10), table([True] * 8 + [False] * 2)
    found = two(quiet, loud, metric="found_where_none")
    assert (found.patients, found.difference, found.better) == (10, 0.8, False)
    assert two(quiet, loud).patients == 3
    assert two(quiet, loud, metric="false_lesions").patients == 13
    with pytest.raises(BadInput, match="no case is one that false positives where there is none is for"):
        compare({"old": of([0.5]), "new": of([0.6])}, metric="found_where_none")


def test_classes_are_averaged_or_chosen() -> None:
    def table(polyp: float, cup: float) -> Table:
        return Table.of([*of([polyp] * 8), *of([cup] * 8, name="cup")])

    found = two(table(0.5, 0.6), table(0.6, 0.9))
    assert found.difference == pytest.approx(0.2)
    assert (found.cases, found.patients) == (8, 8)
    assert two(table(0.5, 0.6), table(0.6, 0.9), class_name="polyp").difference == pytest.approx(0.1)
    once = [
        Table.of([*of([value] * 8, patients=["a"] * 8), *of([0.6], name="cup", patients=["a"])]) for value in (0.5, 0.7)
    ]
    assert two(*once).mean == pytest.approx((0.7 + 0.6) / 2)  # eight cases of one class, one of the other
    with pytest.raises(BadInput, match=r"no table has a class 'cop' \(did you mean cup"):
        compare({"old": table(0.5, 0.6), "new": table(0.6, 0.9)}, class_name="cop")


def test_both_tests() -> None:
    # One failure outweighs many small gains in the mean, and not in ranks.
    old = drawn(20, spread=0.0)
    new = [value + 0.01 + 0.0001 * number for number, value in enumerate(old)]
    new[0] = 0.0
    by_mean, by_rank = (two(of(old), of(new), test=test) for test in ("permutation", "wilcoxon"))
    assert by_mean.p > 0.5
    assert by_rank.p == by_rank.p_wilcoxon == by_mean.p_wilcoxon < 0.05
    assert by_mean.rank_biserial > 0.7
    assert by_rank.difference < 0
    assert by_rank.verdict != sentence.MORE  # ranks and mean disagree: the interval of the mean holds 0


def test_the_result_for_machines_and_for_tables() -> None:
    found = compare({"old": of(drawn(30)), "new": of(drawn(30, shift=0.05, seed=1))}, draws=DRAWS)
    plain = json.loads(json.dumps(found.as_json(), allow_nan=False))
    difference = plain["groups"][0]["differences"][0]
    assert difference["difference"] == only(found).difference
    assert len(difference["who"]) == len(difference["values"]) == 30
    assert plain["sentences"] == list(found.sentences)
    assert plain["groups"][0]["models"][0]["run_deviation"] is None
    assert np.mean(only(found).differences) == pytest.approx(only(found).difference)
    rows = found.cells()
    assert {len(row) for row in rows} == {len(found.columns)}
    assert [row[0] for row in rows] == ["old", "new"]
    assert rows[1][found.columns.index("verdict")] == sentence.MORE


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"metric": "dise"}, r"'dise' is no metric \(did you mean dice"),
        ({"metric": "DICE"}, r"'DICE' is no metric \(did you mean dice"),
        ({"reference": "nw"}, r"the reference 'nw' is none of the models \(did you mean new"),
        ({"margin": 0.0}, "a margin of 0"),
        ({"margin": math.nan}, "a margin of nan"),
        ({"test": "t"}, "'t' is no test"),
        ({"pairs": "most"}, "pairs are 'most'"),
    ],
)
def test_bad_input(changed: dict[str, Any], said: str) -> None:
    tables = {"old": of(drawn(8)), "new": of(drawn(8, seed=1))}
    with pytest.raises(BadInput, match=said):
        compare(tables, **changed)


def test_nothing_to_compare() -> None:
    table = of(drawn(8))
    with pytest.raises(BadInput, match="two models at least"):
        compare({"old": table})
    with pytest.raises(BadInput, match="'new' has no table"):
        compare({"old": table, "new": []})
    with pytest.raises(BadInput, match="the table of 'old' has no cases"):
        compare({"old": Table.of([]), "new": table})


# Runs that learnt from the same masks


MASKS = ("a", "b", "c")


def lucky(shift: float, seed: int) -> list[Table]:
    """Three runs, each from other masks, and which masks these are matters more than the model."""
    luck = (-0.2, 0.0, 0.15)
    return [
        of([value + more for value in drawn(30, shift=shift, spread=0.02, seed=seed + n)])
        for n, more in enumerate(luck)
    ]


def test_runs_of_the_same_masks_are_pairs() -> None:
    tables = {"old": lucky(0.0, 1), "new": lucky(0.05, 11)}
    apart = only(compare(tables, draws=DRAWS))
    matched = compare(tables, draws=DRAWS, learnt={"old": MASKS, "new": MASKS})
    assert (apart.verdict, only(matched).verdict) == (sentence.NOT_MORE, sentence.MORE)
    assert only(matched).difference == apart.difference
    assert only(matched).error < apart.error / 3
    assert "Runs that learnt from the same masks are compared as pairs." in matched.notes
    assert not any("as pairs" in note for note in compare(tables, draws=DRAWS).notes)


def test_in_whichever_order_they_are_given() -> None:
    old, new = lucky(0.0, 1), lucky(0.05, 11)
    straight = only(compare({"old": old, "new": new}, draws=DRAWS, learnt={"old": MASKS, "new": MASKS}))
    turned = {"old": old, "new": [new[2], new[0], new[1]]}
    learnt = {"old": MASKS, "new": ("c", "a", "b")}
    assert only(compare(turned, draws=DRAWS, learnt=learnt)).error == pytest.approx(straight.error)


@pytest.mark.parametrize(
    "learnt",
    [
        {"old": MASKS, "new": ("a", "b", "d")}, {"old": ("a", "a", "a"), "new": ("a", "a", "a")}, {"old": MASKS},
    ],
    ids=["others", "all the same", "nobody knows"],
)  # fmt: skip
def test_else_they_are_not(learnt: dict[str, tuple[str, ...]]) -> None:
    tables = {"old": lucky(0.0, 1), "new": lucky(0.05, 11)}
    assert only(compare(tables, draws=DRAWS, learnt=learnt)).error == only(compare(tables, draws=DRAWS)).error


def test_of_whose_runs_it_is_said_what_they_learnt_from() -> None:
    tables = {"old": lucky(0.0, 1), "new": lucky(0.05, 11)}
    with pytest.raises(BadInput, match="'new': it is said of 2 runs what they learnt from"):
        compare(tables, learnt={"new": MASKS[:2]})


def test_comparisons_of_one_question_are_adjusted_together() -> None:
    here = {"old": of(drawn(40)), "new": of(drawn(40, shift=0.03, seed=1))}
    there = {"old": of(drawn(40, seed=2)), "new": of(drawn(40, shift=0.01, seed=3))}
    apart = [compare(tables, draws=DRAWS, family=2) for tables in (here, there)]
    alone = [only(compare(tables, draws=DRAWS)) for tables in (here, there)]
    found = list(map(only, as_family(apart)))
    assert [one.p for one in found] == [one.p for one in alone]
    assert [one.p_adjusted for one in found] == holm([one.p for one in alone])
    assert found[0].p_adjusted == 2 * alone[0].p
    assert all("after Holm over 2 comparisons" in one.sentence for one in found)
    assert found[0].matching_level > alone[0].matching_level
    assert found[0].interval == alone[0].interval
