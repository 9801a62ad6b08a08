"""The page of a comparison: one sentence first, and numbers, bands and bars that say the same."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest

from segue.report.comparison_page import comparison_page
from segue.report.comparison_story import ComparisonStory, Group, Learnt, Lost, Pair, Side
from segue.report.page import Estimate
from tests.report.made import picture
from tests.report.test_page import HOSTILE, Reader, outside
from tests.report.test_run_page import titles

MINUS = "\N{MINUS SIGN}"


def pair(side: str = "ours", reference: str = "baseline", *, value: float = 0.031) -> Pair:
    return Pair(
        side=side, reference=reference, difference=Estimate(value, value - 0.04, value + 0.02), p=0.0123, p_adjusted=0.0246,
        p_wilcoxon=0.0004, rank_biserial=0.5, standardised=-0.25, verdict="more than luck",
        sentence=f"{side} is better than {reference}.", differences=(0.1, -0.05, 0.2, 0.0, 0.03),
        side_loses=(Lost(case="n_7", name="polyp", value=0.2, other=0.9),),
        reference_loses=(Lost(case="n_8", name="polyp", value=0.1, other=0.8, picture=picture(1)),),
    )  # fmt: skip


def group(name: str = "north-test", *pairs: Pair, seen_by: str = "", unit: str = "") -> Group:
    sides = (
        Side(name="baseline", mean=0.8, runs=3, deviation=0.012, others={"IoU": 0.71, "HD95": 12.5}),
        Side(name="ours", mean=0.831, others={"IoU": 0.75, "HD95": 9.5}),
        Side(name="third", mean=0.5),
    )
    found = pairs or (pair(),)
    return Group(set=name, seen_by=seen_by, unit=unit, cases=60, patients=5, sides=sides, pairs=found)


def story(
    *groups: Group, higher_is_better: bool = True, notes: tuple[str, ...] = ("One run of each.",)
) -> ComparisonStory:
    return ComparisonStory(
        title="baseline and ours", metric="Dice", higher_is_better=higher_is_better, margin=0.01,
        groups=groups or (group(),), notes=notes, outlines=(((0, 190, 255), "as annotated"),),
        commands=("segue compare a b",),
    )  # fmt: skip


@pytest.fixture(scope="module")
def page() -> str:
    return comparison_page(story()).html()


def test_the_sentence_comes_first(page: str) -> None:
    assert "<header><h1>baseline and ours</h1>\n<p>ours is better than baseline.</p></header>" in page
    assert titles(page) == [
        "What to mind", "Differences", "Patient by patient", "Where each loses most", "All measures", "How this was done",
    ]  # fmt: skip
    assert "One run of each." in page


def test_the_table_says_every_number_of_a_pair(page: str) -> None:
    assert Reader(page).rows[1] == [
        "oursagainst baseline", "more than luck", "0.831against 0.800", f"+0.031{MINUS}0.009 to +0.051",
        "0.025before 0.012, Wilcoxon <\N{NO-BREAK SPACE}0.001", f"+0.50standardised {MINUS}0.25",
    ]  # fmt: skip


def test_gains_and_losses_are_counted_in_the_right_direction(page: str) -> None:
    assert "ours beside baseline: better in 3 patients, worse in 1, equal in 1." in page
    lower = comparison_page(story(higher_is_better=False)).html()
    assert "ours beside baseline: better in 1 patient, worse in 3, equal in 1." in lower
    assert "more than 0 is better" in page
    assert "less than 0 is better" in lower


def test_each_side_has_the_cases_in_which_it_is_behind(page: str) -> None:
    shown = [row for row in Reader(page).rows if row and row[0] in ("n_7", "n_8")]
    assert shown == [["n_7", "0.200", "0.900", f"{MINUS}0.700"], ["n_8", "0.100", "0.800", f"{MINUS}0.700"]]
    assert (
        page.index("ours behind baseline") < page.index("n_7") < page.index("baseline behind ours") < page.index("n_8")
    )
    assert [image["src"] for image in Reader(page).named("img")] == [picture(1)]
    assert page.count("as annotated") == 1, "a legend where there are pictures"


def test_all_measures_of_all_sides_are_there(page: str) -> None:
    shown = [row for row in Reader(page).rows if row and row[0] in ("baseline", "ours", "third", "model")]
    assert shown[-4:] == [
        ["model", "runs", "Dice", "spread of runs", "IoU", "HD95"],
        ["baseline", "3", "0.800", "0.0121.5% of the mean", "0.710", "12.5"],
        ["ours", "1", "0.831", "–", "0.750", "9.5"],
        ["third", "1", "0.500", "–", "–", "–"],
    ]


def test_images_seen_in_training_are_apart_and_not_in_the_lead() -> None:
    apart = group("north-test", replace(pair(), sentence="They were seen."), seen_by="ours")
    page = comparison_page(story(group(), apart)).html()
    assert "<p>ours is better than baseline. 1 more comparison below.</p></header>" in page
    assert titles(page)[1:3] == ["Differences", "Images seen in training"]
    assert page.index("<h2>Images seen in training") < page.index("They were seen.")
    assert "images seen by ours" in page
    only = comparison_page(story(apart)).html()
    assert "Differences" not in titles(only), "nothing is strange"


def test_several_sets_stand_on_one_axis_and_are_named() -> None:
    page = comparison_page(story(group("home"), group("away", pair(), pair("third", value=-0.2)))).html()
    assert "<p>home: ours is better than baseline. away: ours is better than baseline. 1 more comparison below." in page
    drawings = [tag for tag in Reader(page).named("svg") if "Mean difference" in (tag["aria-label"] or "")]
    assert len(drawings) == 1
    assert f"third at away: {MINUS}0.200 {MINUS}0.240 to {MINUS}0.180" in (drawings[0]["aria-label"] or "")
    assert ">home</text>" in page
    assert ["home5 patients, 60 cases", "oursagainst baseline"] in [row[:2] for row in Reader(page).rows]


def test_distances_are_told_in_their_unit_and_units_do_not_share_an_axis() -> None:
    page = comparison_page(story(group("a", unit="mm"), group("b", unit="px"))).html()
    drawings = [tag for tag in Reader(page).named("svg") if "Mean difference" in (tag["aria-label"] or "")]
    assert len(drawings) == 2
    assert ["ours at a" in (one["aria-label"] or "") for one in drawings] == [True, False]
    assert ["ours at b" in (one["aria-label"] or "") for one in drawings] == [False, True]
    assert "difference in Dice, mm" in page
    assert "0.83\N{NO-BREAK SPACE}mmagainst 0.80" in [row[3] for row in Reader(page).rows if row[0].startswith("a5")]


def test_differences_of_pairs_share_an_axis() -> None:
    wide = replace(pair("third"), differences=(0.9, -0.4))
    page = comparison_page(story(group("x", pair(), wide))).html()
    drawn = re.findall(r'<svg role="img" aria-label="(?:ours|third) beside.*?</svg>', page, re.DOTALL)
    ticks = [re.findall(r">([−\d.]+)</text>", one) for one in drawn]
    assert len(ticks) == 2
    assert "0.8" in ticks[0]
    assert [tick for tick in ticks[0] if "." in tick] == [tick for tick in ticks[1] if "." in tick]


def test_nothing_compared_and_nothing_seen() -> None:
    assert titles(comparison_page(ComparisonStory(title="t", metric="Dice", margin=0.01, groups=())).html()) == [
        "How this was done"
    ]


def test_hostile_names_stay_text_and_nothing_is_fetched(page: str) -> None:
    lost = Lost(case=HOSTILE, name=HOSTILE, value=0.1, other=0.2, picture=picture(0))
    evil = replace(
        pair(HOSTILE, HOSTILE + "2"), verdict=HOSTILE, sentence=HOSTILE, side_loses=(lost,), reference_loses=(lost,)
    )
    sides = (Side(name=HOSTILE, mean=0.1, others={HOSTILE: 1.0}),)
    bad = replace(group(HOSTILE, evil, unit=HOSTILE), sides=sides, whom="image")
    told = replace(
        story(bad, replace(bad, seen_by=HOSTILE), notes=(HOSTILE,)), title=HOSTILE, metric=HOSTILE, commands=(HOSTILE,)
    )
    made = comparison_page(told).html()
    assert not Reader(made).named("script")
    assert {image["src"] for image in Reader(made).named("img")} == {picture(0)}
    assert outside(made) == []
    assert outside(page) == []
    assert sum("alert(" in text for text in Reader(made).text) > 20


def test_the_same_story_is_the_same_page(page: str) -> None:
    assert comparison_page(story()).html() == page


def test_what_more_masks_brought_is_a_figure() -> None:
    learnt = {
        "baseline": Learnt(way="supervised", masks=1), "ours": Learnt(way="semi", masks=1),
        "third": Learnt(way="supervised", masks=20),
    }  # fmt: skip
    html = comparison_page(replace(story(), learnt=learnt)).html()
    assert "By masks" in titles(html)
    assert (
        "by patients with masks that were learnt from: supervised: 0.800 from 1, 0.500 from 20; semi: 0.831 from 1."
        in html
    )
    images = {name: replace(one, patients=False) for name, one in learnt.items()}
    assert "by images with masks" in comparison_page(replace(story(), learnt=images)).html()


def test_where_no_patient_is_known_none_is_spoken_of() -> None:
    html = unescape(comparison_page(story(replace(group(), whom="scene"))).html())
    assert "Scene by scene" in titles(html)
    assert "Scenes are what is resampled: a scene's cases are averaged first." in html
    assert "patient" not in html.replace("This page names no patients", "")


def test_sides_that_were_trained_alike_from_as_many_masks_are_one_point() -> None:
    learnt = {
        name: Learnt(way="supervised", masks=masks) for name, masks in (("baseline", 1), ("ours", 20), ("third", 1))
    }
    html = comparison_page(replace(story(), learnt=learnt)).html()
    assert "supervised: 0.650 from 1, 0.831 from 20." in html


def test_of_one_budget_there_is_no_such_figure() -> None:
    learnt = {name: Learnt(way=name, masks=3) for name in ("baseline", "ours", "third")}
    assert "By masks" not in titles(comparison_page(replace(story(), learnt=learnt)).html())


def test_a_case_behind_in_two_classes_is_shown_once() -> None:
    lost = tuple(Lost(case="n_8", name=name, value=0.1, other=0.8, picture=picture(1)) for name in ("polyp", "vessel"))
    html = comparison_page(story(group("x", replace(pair(), reference_loses=lost)))).html()
    assert html.count("n_8, with outlines") == 1
    assert html.count(">vessel<") == 1
