"""The page of a study: nothing of it is clipped, and what comes from outside stays text."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest

from segue.report.page import Estimate
from segue.report.story import Stratum
from segue.report.study.costs import front
from segue.report.study.page import study_page
from segue.report.study.sheets import sheets
from segue.report.study.story import (
    Arm,
    Compared,
    Course,
    Effect,
    Foretold,
    Pictured,
    Ran,
    Rivals,
    StudyStory,
)
from tests.report.made import picture
from tests.report.test_page import HOSTILE, Reader, outside
from tests.report.test_run_page import titles

NAMES = ["a", "b", "c", HOSTILE]


def arm(name: str, mean: float, minutes: float, parameters: int = 1000) -> Arm:
    return Arm(
        name=name, runs=3, means={"home": 0.9, "there": mean}, deviations={"home": 0.01, "there": 0.1},
        best={"there": "the best"}, minutes=minutes, parameters=parameters, peak=1e9, images=[mean, mean / 2],
        lost=Estimate(mean / 0.9 - 1, -3.0, 0.2),
    )  # fmt: skip


def story(**given: object) -> StudyStory:
    course = Course(
        name="a", looks=[4, 8, 12], loss=([1, 0.5, 0.2], [0.9, 0.4, 0.1], [1.1, 0.6, 0.3]), scores=None, first_loss=1,
        last_loss=0.2, best_epoch=None, epochs=3, best=None, last=None, fitted=0.9, gap=None, climbing=1, rising=0, runs=3,
    )  # fmt: skip
    judged = replace(course, name=HOSTILE, scores=([0.1, 0.2, 0.3],) * 3, best_epoch=3.0, best=0.3, last=0.3, gap=0.6)
    effect = Effect(
        axis="training", value="b", reference="a", mean=0.6, of_reference=0.5, difference=Estimate(0.1, 0.05, 0.15),
        pairs=6, p=0.01, verdict="better, more than luck",
    )  # fmt: skip
    shown = Pictured(case=HOSTILE, place="there", why="small", shown=[(name, picture(1), "Dice 0.5") for name in NAMES])
    made = StudyStory(
        question=HOSTILE, answer="Yes.", target="", metric="Dice", higher_is_better=True, overlap=True, margin=0.01,
        home="home", main="there", where="At there", judged="20 cases of 10 patients", places=["home", "there"],
        axes={"training": NAMES},
        declared=[
            Compared(
                told="b against a", place="there", main=True, difference=Estimate(0.1, 0.05, 0.15), mean=0.6, reference=0.5,
                verdict="better", p=0.01, sentence=HOSTILE,
            )
        ],
        arms=[arm(name, 0.8 - 0.1 * number, 4.0 - number) for number, name in enumerate(NAMES)],
        failed=[(HOSTILE, HOSTILE)], waiting=0, repeats=3, cautions=[],
        every=[
            Ran(name=f"run-{name}", arm=name, values={"training": name}, repeat=0, state="failed", why=HOSTILE)
            for name in NAMES
        ],
        commands=["segue study report FILE"],
        rivals=Rivals(NAMES, {("a", "b"): 0.0001, ("a", "c"): 0.03, ("b", "c"): 1.0}, {"a": "a", "b": "b", "c": "b"}, 30),
        effects=[effect, replace(effect, axis=HOSTILE)],
        budgets={"there": {HOSTILE: {4: (0.5, 0.9), 16: (0.7, 0.05)}, "other": {4: (0.4, 0.1), 16: (0.6, 0.1)}}},
        courses=[course, judged], select="Dice",
        sizes={"polyp": [Stratum(told=told, results=dict.fromkeys(NAMES, (Estimate(0.5, 0.4, 0.6), 7))) for told in "xyz"]},
        fixed=[shown], worst=[shown], outlines=[((0, 190, 255), "as annotated")], unseen_arms=26,
        foretold=Foretold(
            {"steadiness at home": [(0.1, 0.5), (0.2, 0.6)], "Dice at home": [(0.9, 0.5)]},
            {"steadiness at home": Estimate(0.7, 0.2, 0.9)},
        ),
        files=["tables/ranking.csv"],
    )  # fmt: skip
    return replace(made, **given)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def page() -> str:
    return study_page(story()).html()


def test_the_answer_comes_first_and_every_section_is_there(page: str) -> None:
    assert titles(page) == [
        "What was declared", "All arms", "What each axis did", "By masks", "Home and elsewhere", "What foretells elsewhere",
        "By size", "The same cases", "Worst cases", "Training", "What it costs", "Failed", "What it is made of",
        "How to run it again",
    ]  # fmt: skip
    text = unescape(page)
    assert "+0.70 (+0.20 to +0.90)" in text
    assert "too few runs to tell" in text
    assert "The best 4 arms; 26 more are not shown." in text
    assert "the best 4 of 30 arms" in text
    assert "1 of 3" in text


def test_what_was_not_asked_has_no_section() -> None:
    bare = story(
        declared=[],
        rivals=None,
        effects=(),
        budgets={},
        courses=(),
        sizes={},
        fixed=(),
        worst=(),
        foretold=None,
        failed=[],
    )
    assert titles(study_page(bare).html()) == [
        "All arms", "Home and elsewhere", "What it costs", "What it is made of", "How to run it again",
    ]  # fmt: skip


def test_names_stay_text_and_nothing_is_fetched(page: str) -> None:
    reader = Reader(page)
    assert not reader.named("script")
    assert all((image["src"] or "").startswith("data:image/") for image in reader.named("img"))
    assert len(reader.named("img")) == 8
    assert outside(page) == []


def test_every_table_scrolls_when_it_is_too_wide(page: str) -> None:
    assert page.count("<table>") == len(re.findall(r'<div class="scroll" [^>]*><table>', page)) > 8


def test_a_gap_loses_no_more_than_all(page: str) -> None:
    assert (
        min(float(tick.replace("\N{MINUS SIGN}", "-")) for tick in re.findall(r">(\N{MINUS SIGN}\d+)</text>", page))
        >= -125
    )


def test_the_front_is_what_nothing_beats_in_both() -> None:
    several = [
        arm("good", 0.9, 9),
        arm("as good, slower", 0.9, 10),
        arm("quick", 0.5, 1),
        arm("worse and slower", 0.4, 2),
    ]
    assert front(story(arms=several), lambda one: one.minutes) == {"good", "quick"}
    lower = story(arms=several, higher_is_better=False)
    assert front(lower, lambda one: one.minutes) == {"quick", "worse and slower"}
    equal = [arm("one", 0.9, 9), arm("other", 0.9, 9)]
    assert front(story(arms=equal), lambda one: one.minutes) == {"one", "other"}


def test_tables_in_files_are_those_of_the_page(page: str) -> None:
    shown = {tuple(row) for row in Reader(page).rows}
    for sheet in sheets(story()).values():
        lines = sheet.markdown().splitlines()[2 : 2 + len(sheet.rows)]
        assert len(lines) == len(sheet.rows) > 0
        assert tuple(sheet.columns) in shown
