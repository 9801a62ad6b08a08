"""A study's search: what was tried, what came of it, and what was luck."""

from __future__ import annotations

from segue.report import figures
from segue.report.page import Figure, Section
from segue.report.study import sheets
from segue.report.study.story import SearchStory, StudyStory
from segue.words import count


def search(section: Section, story: StudyStory) -> None:
    told = story.search
    if told is None:
        return
    section.text(_counted(told), *_luck(told))
    done = [(one.number, one.score) for one in told.trials if one.score is not None]
    if len(done) > 1:
        best = [max(score for number, score in done if number <= last) for last, _ in done]
        words = f"{told.select} on validation at home, by trial; the line is the best so far."
        drawn = figures.climb(done, best, x="trial", y=f"validation {told.select}")
        section.figures([Figure(drawn, words, words)])
    found = sheets.trials(told)
    section.table(found.columns, found.rows, found.caption)


def _counted(told: SearchStory) -> str:
    states = [one.state for one in told.trials]
    rest = [(states.count("pruned"), "given up, behind the others"), (states.count("over"), "over a limit")]
    rest.append((states.count("failed"), "failed"))
    parts = ", ".join(f"{number:,} {what}" for number, what in rest if number)
    which = f": {parts}" if parts else ""
    open_ = "" if told.ended else " It has not ended."
    return (
        f"{count(len(told.trials), 'trial')} of {told.wanted:,}, from {told.begin} on{which}. Chosen by validation at home, "
        f"with a seed that no repeat has; nothing that judges the study was looked at.{open_}"
    )


def _luck(told: SearchStory) -> list[str]:
    """The best of many was also the luckiest: what it has on other seeds says by how much."""
    if told.best is None or told.again is None:
        return []
    trial, score = told.best
    begun = "" if told.begun is None else f"; {told.begin}, where it began, has {told.begun:.3f} on the same seeds"
    return [
        f"Trial {trial} was the best, with a {told.select} of {score:.3f} on validation. Trained again on "
        f"{count(told.fresh, 'fresh seed')} it has {told.again:.3f} there{begun}. The best of many trials was also the "
        f"luckiest, so what a search shows is never what it is worth; what is said of {told.called} on this page rests on "
        "the fresh seeds alone."
    ]
