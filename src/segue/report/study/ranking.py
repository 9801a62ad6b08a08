"""What was declared, and all arms in their order: who is better, and who cannot be told from whom."""

from __future__ import annotations

from segue.report import figures, matrix, spreads
from segue.report.page import Estimate, Figure, Section
from segue.report.study import sheets
from segue.report.study.story import StudyStory

_BOXES = 24  # arms whose images are drawn


def declared(section: Section, story: StudyStory) -> None:
    if not story.declared:
        return
    section.text(
        f"A difference is of {story.metric}: the first less the second, over pairs of runs that differ in nothing else and "
        f"over patients. The band around 0 is the margin of {story.margin:g}, within which two match. What answers is "
        "adjusted together (Holm), and so are single places among themselves."
    )
    for main, caption in ((True, "What answers the question"), (False, "Each place by itself")):
        some = [one for one in story.declared if one.main == main]
        if not some:
            continue
        rows: dict[str, dict[str, Estimate]] = {}
        for one in some:
            rows.setdefault(one.told, {})[one.place] = one.difference
        words = f"{caption}: differences with intervals of 95 %."
        drawn = spreads.intervals(rows, x=f"difference of {story.metric}", margin=story.margin)
        told = sheets.declared(some)
        section.heading(caption).figures([Figure(drawn, words, words)]).table(told.columns, told.rows)
        section.text(*(f"{one.place}: {one.sentence}" for one in some))


def arms(section: Section, story: StudyStory) -> None:
    if len(story.arms) > 1:
        section.text(
            f"{story.where}: the best {story.metric} first. Each is held against the best, adjusted for all of them; one "
            "that is level cannot be told from it by so many patients and runs. The best of many was also the luckiest: "
            "on fresh seeds it would come out a little lower. Means and tests are of the same cases, which no run has seen."
        )
    told = sheets.ranking(story)
    section.table(told.columns, told.rows, told.caption)
    shown = story.arms[:_BOXES]
    words = f"{story.where}: {story.metric} of each image, the mean over an arm's runs" + (
        f"; the best {_BOXES} of {len(story.arms)} arms." if len(story.arms) > _BOXES else "."
    )
    limits = (0, 1) if story.overlap else (0, None)
    drawn = figures.groups({one.name: one.images for one in shown}, x=story.metric, limits=limits)
    section.figures([Figure(drawn, words, words), *_rivals(story)])


def _rivals(story: StudyStory) -> list[Figure]:
    rivals = story.rivals
    if rivals is None:
        return []
    few = f"the best {len(rivals.names)} of {rivals.of} arms, " if len(rivals.names) < rivals.of else ""
    words = (
        f"{story.where}: {few}each against each: p after Holm over all {len(rivals.p)} pairs. Dark: more than luck. Numbers "
        "are places in the table; arms that share a letter of its column group cannot be told apart."
    )
    if len(rivals.names) < rivals.of:
        words += " The others stand against the best alone."
    numbers = {name: f"{place}" for place, name in enumerate(rivals.names, 1)}
    p = {(numbers[one], numbers[other]): value for (one, other), value in rivals.p.items()}
    return [Figure(matrix.chances(list(numbers.values()), p), words, words)]
