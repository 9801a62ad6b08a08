"""From evidence to what is expected: on made-up cases, whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from segue.evaluation.auditing.estimate import expected
from segue.evaluation.auditing.evidence import BINS, Evidence, places
from segue.evaluation.auditing.fit import HOME, Fit, Known, Lessons, Margins, features, of_patients
from segue.evaluation.auditing.rivals import CONSTANT, rivals
from segue.evaluation.auditing.trial import AUDIT, aurc, earned, trial
from tests.evaluation.auditing.known import NOTHING, PLAIN, group, world


def off(known: list[Known], place: list[Known]) -> float:
    said = Fit.of(known).dices([one.evidence for one in place])
    return abs(float(said.mean()) - float(np.mean([one.dice for one in place])))


def test_evidence_that_tells_is_believed_at_a_place_that_nobody_knows() -> None:
    assert off(world(0.05), group("elsewhere", 0.4, 0.05)) < 0.03
    assert off(world(0.05), group("elsewhere", 0.85, 0.05)) < 0.03


def test_evidence_that_tells_nothing_gives_the_mean_of_what_is_known() -> None:
    known = world(3.0)
    said = Fit.of(known).dices([one.evidence for one in group("elsewhere", 0.4, 3.0)])
    assert abs(said.mean() - np.mean([one.dice for one in known])) < 0.05
    assert said.std() < 0.05


def test_where_nothing_is_found_nothing_is_right() -> None:
    fit = Fit.of(world(0.05))
    assert fit.dices([NOTHING, PLAIN])[0] == 0
    assert fit.dices([NOTHING, PLAIN])[1] > 0.5


def test_every_group_counts_alike() -> None:
    """A hundred more of one kind change nothing, if they are the same cases."""
    known = world(0.5)
    more = [replace(one, case=f"{one.case} again") for one in known if one.group == "blur 1"]
    some = [one.evidence for one in group("elsewhere", 0.6, 0.5)]
    assert np.allclose(Fit.of(known).dices(some), Fit.of([*known, *more]).dices(some), atol=1e-4)


def test_another_place_counts_as_much_as_home_with_all_that_was_made_of_it() -> None:
    """Evidence promises .2 too much there; half of that is learnt from one place, of two more."""
    known, here = world(0.1), group("here", 0.5, 0.1, off=0.2, count=300)
    alone = off(known, here)
    one = off([*known, *group("a", 0.5, 0.1, off=0.2)], here)
    two = off([*known, *group("a", 0.5, 0.1, off=0.2), *group("b", 0.5, 0.1, off=0.2)], here)
    assert alone > 0.1
    assert two < one < 0.7 * alone
    more = [replace(each, group=f"blur {number}") for number in range(5, 9) for each in group("blur 1", 0.7, 0.1)]
    assert off([*known, *more, *group("a", 0.5, 0.1, off=0.2)], here) == pytest.approx(one, abs=0.02)


def test_members_are_evidence_where_there_are_some() -> None:
    assert features([PLAIN]).shape == (1, 5)
    assert features([replace(PLAIN, members=0.7)]).shape == (1, 6)


def test_who_lacks_the_class_is_learnt_only_from_enough_of_them() -> None:
    known = world(0.05)
    absent = [
        replace(one, case=f"none {number}", present=False, dice=math.nan, evidence=NOTHING)
        for number, one in enumerate(known[:30])
    ]
    assert Fit.of([*known, *absent[:5]]).presence is None
    fit = Fit.of([*known, *absent])
    there = fit.there([NOTHING, PLAIN])
    assert there[0] < 0.3
    assert there[1] > 0.7


def test_a_family_is_left_out_whole() -> None:
    """What its cases say of themselves does not help them: with truths shuffled inside it, what is expected stays."""
    known = world(0.3)
    blurred = [one for one in known if one.family == "blur"]
    other = {one.case: replace(one, dice=1 - one.dice) for one in blurred}
    plain = next(one for one in Lessons(known).left_out if one.family == "blur")
    lied = next(one for one in Lessons([other.get(one.case, one) for one in known]).left_out if one.family == "blur")
    assert np.array_equal(plain.expected, lied.expected)
    assert not np.array_equal(plain.truth, lied.truth)


def test_each_family_is_left_out_once_for_the_interval_the_table_and_every_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fitted: list[int] = []
    plain = Fit.of

    def counted(known: Sequence[Known]) -> Fit:
        fitted.append(len(known))
        return plain(known)

    monkeypatch.setattr(Fit, "of", counted)
    known = world(0.2)
    lessons = Lessons(known)
    trial(lessons)
    for name in ("a", "b"):
        expected([(one.case, one.who, {"polyp": one.evidence}) for one in group(name, 0.5, 0.2)], {"polyp": lessons})
    families = {one.family for one in known}
    assert sorted(fitted) == sorted([len(known), *(len(lessons.without(one)) for one in families)])


def test_the_interval_of_cases_holds_as_often_as_it_says() -> None:
    known, place = world(0.15), group("elsewhere", 0.55, 0.15, count=400)
    said = expected(
        [(one.case, one.who, {"polyp": one.evidence}) for one in place], {"polyp": Lessons(known)}, level=0.9
    )
    inside = [case.low <= one.dice <= case.high for case, one in zip(said.cases, place, strict=True)]
    assert 0.83 < np.mean(inside) < 0.97
    (site,) = said.sites
    assert site.low <= np.mean([one.dice for one in place]) <= site.high
    assert site.low < site.dice < site.high


def test_places_of_another_kind_widen_the_interval() -> None:
    known = world(0.1)
    strange = [one for name, by in (("a", 0.25), ("b", -0.25)) for one in group(name, 0.6, 0.1, off=by)]
    narrow, wide = Margins.of(Lessons(known).left_out, 0.9), Margins.of(Lessons([*known, *strange]).left_out, 0.9)
    assert wide.of_groups > 2 * narrow.of_groups + 0.05


def test_a_patient_of_many_images_counts_as_one() -> None:
    assert of_patients(["a", "a", "a", "b"]).tolist() == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 2])
    known, place = world(0.05), group("elsewhere", 0.5, 0.05, count=40)
    low = [replace(one, who="one") for one in place if one.dice < 0.5]
    high = [one for one in place if one.dice >= 0.5]
    some = [(one.case, one.who, {"polyp": one.evidence}) for one in [*low, *high]]
    (by_patient,) = expected(some, {"polyp": Lessons(known)}).sites
    (by_case,) = expected([(case, case, said) for case, _, said in some], {"polyp": Lessons(known)}).sites
    assert by_patient.dice > by_case.dice + 0.05


# Beside others


def test_evidence_that_tells_beats_the_constant() -> None:
    found, held = trial(Lessons(world(0.05)))
    assert earned(found)
    assert next(one for one in found if one.name == AUDIT).r > 0.9
    assert [one.group for one in held] == ["blur 1", "blur 3", "noise 1", "noise 3", "jpeg 1", "jpeg 3"]


def test_evidence_that_misleads_does_not_get_to_speak() -> None:
    """All groups are as good, and evidence says of each something else."""
    names = [HOME, "blur 1", "noise 1", "jpeg 1", "motion 1"]
    known = [
        one
        for name, by in zip(names, (0, 0.3, -0.3, 0.25, -0.25), strict=True)
        for one in group(name, 0.6, 0.05, off=by)
    ]
    found, _ = trial(Lessons(known))
    assert not earned(found)
    by_name = {one.name: one for one in found}
    assert by_name[AUDIT].off > 0.1 > by_name[CONSTANT].off


def test_rivals_say_what_they_are_said_to_say() -> None:
    known = world(0.1)
    found = rivals(known)
    gap = [
        np.mean([one.dice for one in known if one.group == name]) for name in dict.fromkeys(one.group for one in known)
    ]
    assert found[CONSTANT]([PLAIN, NOTHING]).tolist() == pytest.approx([np.mean(gap[1:])] * 2)
    assert found["soft Dice"]([PLAIN]).tolist() == [PLAIN.soft]
    home = [one for one in known if one.group == HOME]
    assert found["DoC"]([PLAIN])[0] == pytest.approx(np.mean([one.dice for one in home]))
    assert "members" not in found
    assert rivals([replace(one, evidence=replace(one.evidence, members=0.4)) for one in known])["members"](
        [replace(PLAIN, members=0.4)]
    ).tolist() == [0.4]


def counted(sure: dict[int, int], rest: dict[int, int]) -> Evidence:
    rows = [tuple(by.get(place, 0) for place in range(BINS)) for by in (sure, rest)]
    return replace(PLAIN, sure=rows[0], rest=rows[1])


@pytest.mark.parametrize("way", ["ATC", "ATC by class"])
def test_thresholds_are_such_that_home_comes_out(way: str) -> None:
    """Of 100 found pixels 20 are wrong, and those are the least sure; of 900 others 9 are missed, likewise."""
    seen = counted({5: 20, 60: 80}, {5: 9, 63: 891})
    home = [Known(f"c{n}", f"p{n}", HOME, HOME, seen, True, 2 * 80 / (160 + 20 + 9), 0.2, 0.01) for n in range(5)]
    other = [replace(one, group="blur 1", family="blur") for one in home]
    estimate = rivals([*home, *other])[way]
    assert estimate([seen])[0] == pytest.approx(home[0].dice)
    assert estimate([counted({5: 60, 60: 40}, {5: 9, 63: 891})])[0] == pytest.approx(80 / (80 + 60 + 9))


def test_thresholds_by_class_differ_where_classes_do() -> None:
    """Found pixels that are surer than many others are wrong all the same; one threshold takes those others for missed."""
    seen = counted({50: 20, 60: 80}, {5: 9, 20: 20, 63: 871})
    home = [Known("c", "p", HOME, HOME, seen, True, 0.8, 0.2, 0.01), Known("d", "q", "blur 1", "blur", seen, True, 0.8)]
    assert rivals(home)["ATC by class"]([seen])[0] == pytest.approx(160 / 189)
    assert rivals(home)["ATC"]([seen])[0] == pytest.approx(200 / 229)


def test_risk_over_coverage() -> None:
    dice = np.array([0.9, 0.1, 0.5])
    assert aurc(np.array([3.0, 1.0, 2.0]), dice) == pytest.approx(np.mean([0.1, 0.3, 0.5]))
    assert aurc(np.array([1.0, 3.0, 2.0]), dice) == pytest.approx(np.mean([0.9, 0.7, 0.5]))
    assert aurc(np.zeros(3), dice) == pytest.approx(0.5)  # who trusts all alike


def test_bins_are_fine_where_a_network_is_sure() -> None:
    at = places(np.array([0.5, 0.9, 0.99, 0.999, 1.0]))
    assert at[0] == 0
    assert at[-1] == BINS - 1
    assert (np.diff(at) > 5).all()
