"""The page of a study: the answer first, then what it rests on, and nothing left out."""

from __future__ import annotations

from segue.report.page import Page, Section
from segue.report.study import axes, cases, costs, places, ranking, searching, sheets, training
from segue.report.study.story import StudyStory
from segue.words import count


def study_page(story: StudyStory) -> Page:
    page = Page(story.question, " ".join(filter(None, (story.answer, story.target))))
    page.section("What to mind").warnings(story.cautions)
    ranking.declared(page.section("What was declared", "before anything ran"), story)
    ranking.arms(page.section("All arms", f"{count(len(story.arms), 'arm')}, exploration"), story)
    axes.effects(page.section("What each axis did", "exploration"), story)
    axes.budgets(page.section("By masks"), story)
    places.gaps(page.section("Home and elsewhere"), story)
    places.foretelling(page.section("What foretells elsewhere", "exploration"), story)
    places.sizes(page.section("By size"), story)
    cases.fixed(page.section("The same cases", "chosen by their masks alone"), story)
    cases.worst(page.section("Worst cases", "of the best arm"), story)
    training.courses(page.section("Training"), story)
    searching.search(page.section("The search"), story)
    costs.costs(page.section("What it costs"), story)
    page.section("Failed", count(len(story.failed), "run")).table(("run", "why"), [list(one) for one in story.failed])
    _made_of(page.section("What it is made of", count(len(story.every), "run")), story)
    page.section("How to run it again").commands(*story.commands)
    return page


def _made_of(section: Section, story: StudyStory) -> None:
    section.facts((name, ", ".join(values)) for name, values in story.axes.items())
    section.facts([("repeats", story.repeats), ("not done", story.waiting), ("failed", len(story.failed))])
    told = sheets.runs(story)
    section.table(told.columns, told.rows, told.caption)
    if story.files:
        section.text("The tables of this page as files: " + ", ".join(f"`{name}`" for name in story.files) + ".")
