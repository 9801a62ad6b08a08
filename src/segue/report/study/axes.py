"""What each axis did over all else, and how much more masks bring."""

from __future__ import annotations

import math

from segue.report import curves, spreads
from segue.report.page import Estimate, Figure, Section
from segue.report.study import sheets
from segue.report.study.story import StudyStory
from segue.words import count

_ROWS = 24  # values that are drawn
_LINES = 8


def effects(section: Section, story: StudyStory) -> None:
    if not story.effects:
        return
    section.text(
        f"{story.where}: what a value of an axis changes against the first one, whatever stands beside it: pairs of runs that "
        "are equal in all else, and patients. Nothing of this was declared; it is adjusted for all of its rows together."
    )
    names = [one.value for one in story.effects]
    rows: dict[str, dict[str, Estimate]] = {}
    for one in story.effects[:_ROWS]:
        told = one.value if names.count(one.value) == 1 else f"{one.axis}: {one.value}"
        rows[told] = {"": one.difference}
    first = dict.fromkeys(f"{one.reference} ({one.axis})" for one in story.effects)
    words = (
        f"Differences of {story.metric} from the first value of the axis, {'; '.join(first)}, with intervals of 95 %; the "
        f"band is the margin of {story.margin:g}."
    )
    if len(story.effects) > _ROWS:
        words += f" The first {_ROWS} of {count(len(story.effects), 'value')}."
    drawn = spreads.intervals(rows, x=f"difference of {story.metric}", margin=story.margin)
    sheet = sheets.axes(story)
    section.figures([Figure(drawn, words, words)]).table(sheet.columns, sheet.rows)


def budgets(section: Section, story: StudyStory) -> None:
    drawn = []
    for place, lines in story.budgets.items():
        shown = dict(list(lines.items())[:_LINES])
        cut = f" The first {_LINES} of {len(lines)} ways to train." if len(lines) > _LINES else ""
        words = (
            f"On {place}: {story.metric} over images with masks to learn from; bars are intervals of 95 % over patients and "
            f"runs.{cut}"
        )
        limits = (0.0, 1.0 if story.overlap else math.inf)
        svg = curves.by_masks(shown, x="images with masks", y=f"{story.metric}, {place}", limits=limits)
        drawn.append(Figure(svg, words, words))
    section.figures(drawn)
