"""Pictures: the same cases as every arm sees them, and those on which the best arm is worst."""

from __future__ import annotations

from collections.abc import Sequence

from segue.report.page import Section, Swatch, Tile
from segue.report.study.story import Pictured, StudyStory


def fixed(section: Section, story: StudyStory) -> None:
    if not story.fixed:
        return
    few = (
        f" The best {len(story.fixed[0].shown)} arms; {story.unseen_arms} more are not shown."
        if story.unseen_arms
        else ""
    )
    section.text(
        "Which cases these are hangs on the masks alone and was so before anything was trained: spread over size, "
        "eccentricity (0 a circle, near 1 a line), solidity (the share of its convex hull that it fills) and the number of "
        f"parts. Of each arm the first repeat is shown.{few}"
    )
    _rows(section, story.fixed, story)


def worst(section: Section, story: StudyStory) -> None:
    if not story.worst:
        return
    section.text(
        "Where the first repeat of the best arm is worst, and what the others make of it. These were chosen by its result, so "
        "the others look better here than they are."
    )
    _rows(section, story.worst, story)


def _rows(section: Section, several: Sequence[Pictured], story: StudyStory) -> None:
    section.legend((Swatch(*colour), words) for colour, words in story.outlines)
    for one in several:
        section.heading(one.case, f"{one.place}; {one.why}")
        tiles = [Tile(((uri, f"{one.case}, {what}"),), f"{what}\n{told}") for what, uri, told in one.shown]
        section.pictures(tiles, large=one.volume)
