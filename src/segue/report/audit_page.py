"""The page of an audit: what is expected of a place without masks, how far such words have held, and whom not to trust."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from segue.report import figures, spreads
from segue.report.page import Bar, Cell, Estimate, Figure, Page, Percent, Section, Tile
from segue.words import count, short

_BINS = 20


@dataclass(frozen=True, kw_only=True)
class OfClass:
    name: str
    expected: Estimate
    home: float
    found: float  # share of images in which it is found
    there: float  # expected share that have it; not a number: all are taken to
    false_positives: float  # not a number: not known
    dices: tuple[float, ...]  # that are expected, of each case
    home_dices: tuple[float, ...]  # true ones, at home
    ways: tuple[Way, ...]  # the audit and its rivals
    places: tuple[Way, ...]  # the same, over other places with masks
    held: tuple[tuple[str, float, float], ...]  # group, expected, true


@dataclass(frozen=True)
class Way:
    name: str
    off: float
    worst: float
    bias: float
    of_cases: float
    r: float
    aurc: float


@dataclass(frozen=True)
class Shown:
    picture: str  # a data URI
    case: str
    told: str


@dataclass(frozen=True, kw_only=True)
class AuditStory:
    run: str
    place: str
    images: int
    told: tuple[str, ...]
    known: bool
    cautions: tuple[tuple[str, str], ...]
    classes: tuple[OfClass, ...]
    differs: tuple[tuple[str, float, str], ...]  # trait, steps, words
    strangers: float
    distance: float
    least: tuple[Shown, ...]
    most: tuple[Shown, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    views: str = ""  # the variation
    commands: Sequence[str] = field(default_factory=tuple)


def audit_page(story: AuditStory) -> Page:
    lead = f"{story.run} at {story.place}: {count(story.images, 'image')}. " + " ".join(story.told)
    page = Page(f"Audit of {short(story.place)}", lead)
    page.section("What to mind").warnings(story.cautions)
    _expected(page.section("What is expected there"), story)
    _differs(page.section("What is different there"), story)
    _pictures(page, story)
    _held(page.section("How far such words have held"), story)
    page.section("Not read").table(["case", "why"], [list(row) for row in story.left_out])
    if story.commands:
        page.section("What to do next").commands(*story.commands)
    return page


def _expected(section: Section, story: AuditStory) -> None:
    if not story.known:
        section.text("These numbers are not to be relied on: see above.")
    rows: list[list[Cell]] = [
        [
            short(one.name), Bar(one.expected), f"{one.home:.3f}", Percent(one.found),
            "all are taken to" if math.isnan(one.there) else f"{one.there:.0%}",
            "not known" if math.isnan(one.false_positives) else f"{one.false_positives:.0%}",
        ]
        for one in story.classes
    ]  # fmt: skip
    section.table(
        ["class", "expected Dice, where it is there", "at home", "found in", "have it", "found where none"], rows
    )
    drawn = []
    for one in story.classes:
        edges = [place / _BINS for place in range(_BINS + 1)]
        series = {story.place: _shares(one.dices), "home, as it is": _shares(one.home_dices)}
        words = f"{short(one.name)}: expected Dice of each image there, beside the true one of each at home."
        drawn.append(Figure(figures.histogram(edges, series, x="Dice", y="share of images"), words, words))
    section.figures(drawn)


def _shares(values: Sequence[float]) -> list[float]:
    counts = [0] * _BINS
    for value in values:
        counts[min(_BINS - 1, int(value * _BINS))] += 1
    return [number / max(1, len(values)) for number in counts]


def _differs(section: Section, story: AuditStory) -> None:
    section.text(
        "Each image's looks, and where something is found in it, in spreads of those at home; 0 is as at home. On average "
        f"images lie {story.distance:.1f} times as far from home as usual; {story.strangers:.0%} look like none of which "
        "anything is known (home, its copies that were spoilt, other places with masks)."
    )
    section.table(
        ["trait", "difference", "in words"], [[name, round(steps, 2), words] for name, steps, words in story.differs]
    )


def _pictures(page: Page, story: AuditStory) -> None:
    for title, shown in (("Whom to trust least", story.least), ("Whom to trust most", story.most)):
        page.section(title, "with what is found").pictures(
            Tile(((one.picture, f"{one.case}, with what is found"),), f"{short(one.case)}\n{one.told}") for one in shown
        )


def _held(section: Section, story: AuditStory) -> None:
    section.text(
        "Validation images at home were spoilt in many ways, and painted or shown larger and smaller where that was asked "
        "for; each way was left out once, and what the others taught was asked of it. Off is the distance of the expected "
        "mean Dice to the true one, over all these groups. Of single cases, r is the correlation with the true Dice, and "
        "risk is one minus Dice among the most trusted, the mean over how many are trusted. The audit may speak only where "
        "it beats the constant, which takes every place for the mean of those that are known. Each image was varied by "
        f"`{story.views}`."
    )
    for one in story.classes:
        if len(story.classes) > 1:
            section.heading(short(one.name))
        _ways(section, one.ways, "copies of validation, each kind left out once")
        if one.places:
            _ways(section, one.places, "other places, each left out once")
        rows = {group: {"expected": Estimate(said), "true": Estimate(true)} for group, said, true in one.held}
        if rows:
            words = f"{short(one.name)}: mean Dice of groups that were left out, as expected and as it was."
            section.figures([Figure(spreads.intervals(rows, x="mean Dice", limits=(0, 1)), words, words)])


def _ways(section: Section, ways: Sequence[Way], caption: str) -> None:
    rows: list[list[Cell]] = [[one.name, one.off, one.worst, one.bias, one.of_cases, one.r, one.aurc] for one in ways]
    section.table(["way", "off", "at worst", "bias", "off, of a case", "r", "risk"], rows, caption)
