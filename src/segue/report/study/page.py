"""The page of a study: the answer first, then what it rests on, and nothing left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from segue.report import figures, spreads
from segue.report.page import Cell, Estimate, Figure, Page, Percent, Section
from segue.report.signs import chance, interval, signed
from segue.words import count, short

_BOXES = 24  # arms whose images are drawn


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Declared before anything ran."""

    told: str  # X against Y
    place: str
    main: bool  # one of those that answer; else a single place by itself
    difference: Estimate
    mean: float
    reference: float
    verdict: str
    p: float  # after Holm
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Arm:
    name: str
    runs: int
    means: Mapping[str, float]  # by place
    deviations: Mapping[str, float]  # of runs, as a share of the mean, by place
    best: Mapping[str, str]  # by place: best, level with it, or worse
    minutes: float  # of training, on average
    parameters: int
    peak: float  # bytes
    images: Sequence[float]  # at the main place: of each the mean over runs


@dataclass(frozen=True, kw_only=True)
class StudyStory:
    question: str
    answer: str
    target: str
    metric: str
    margin: float
    home: str
    main: str  # the place that the answer is about
    where: str  # that is, in words
    places: Sequence[str]
    axes: Mapping[str, Sequence[str]]
    declared: Sequence[Compared]
    arms: Sequence[Arm]  # the best first, at the main place
    failed: Sequence[tuple[str, str]]  # what it was, why
    waiting: int
    runs: int
    repeats: int
    cautions: Sequence[tuple[str, str]]
    every: Sequence[tuple[str, str, int]]  # run, arm, repeat
    commands: Sequence[str]


def study_page(story: StudyStory) -> Page:
    page = Page(story.question, " ".join(filter(None, (story.answer, story.target))))
    page.section("What to mind").warnings(story.cautions)
    _declared(page.section("What was declared", "before anything ran"), story)
    _ranking(page.section("All arms", f"{count(len(story.arms), 'arm')}, exploration"), story)
    _places(page.section("Home and elsewhere"), story)
    _costs(page.section("What it costs"), story)
    page.section("Failed", count(len(story.failed), "run")).table(("run", "why"), [list(one) for one in story.failed])
    _made_of(page.section("What it is made of", count(story.runs, "run")), story)
    page.section("How to run it again").commands(*story.commands)
    return page


def _declared(section: Section, story: StudyStory) -> None:
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
        section.heading(caption).figures([Figure(drawn, words, words)])
        section.table(
            ("comparison", "place", "verdict", "first", "second", "difference", "p after Holm"),
            [
                [one.told, one.place, one.verdict, one.mean, one.reference, _told(one.difference), chance(one.p)]
                for one in some
            ],
        )
        section.text(*(f"{one.place}: {one.sentence}" for one in some))


def _told(difference: Estimate) -> str:
    around = interval(difference)
    return signed(difference.value) + (f" ({around})" if around else "")


def _ranking(section: Section, story: StudyStory) -> None:
    if len(story.arms) > 1:
        section.text(
            f"{story.where}: the best {story.metric} first. Each is held against the best, adjusted for all of them; one "
            "that is level cannot be told from it by so many patients and runs. The best of many was also the luckiest: "
            "on fresh seeds it would come out a little lower."
        )
    axes = list(story.axes)
    section.table(
        ("arm", "runs", story.metric, "deviation of runs", "against the best"),
        [
            [one.name, one.runs, one.means[story.main], Percent(one.deviations[story.main]), one.best[story.main]]
            for one in story.arms
        ],
        caption=f"An arm is a value of {', '.join(axes)}" if len(axes) > 1 else "",
    )
    shown = story.arms[:_BOXES]
    words = f"{story.where}: {story.metric} of each image, the mean over an arm's runs" + (
        f"; the best {_BOXES} of {len(story.arms)} arms." if len(story.arms) > _BOXES else "."
    )
    drawn = figures.groups({one.name: one.images for one in shown}, x=story.metric, limits=(0, 1))
    section.figures([Figure(drawn, words, words)])


def _places(section: Section, story: StudyStory) -> None:
    if len(story.places) < 2:
        return
    others = [place for place in story.places if place != story.home]
    section.table(
        ("arm", *story.places, f"{others[0]}, of home"),
        [
            [
                one.name,
                *(one.means[place] for place in story.places),
                _share(one.means[others[0]], one.means[story.home]),
            ]
            for one in story.arms
        ],
        caption=f"{story.metric}, the mean over patients and runs",
    )
    section.table(
        ("arm", *story.places),
        [[one.name, *(Percent(one.deviations[place]) for place in story.places)] for one in story.arms],
        caption="How far runs of one arm lie apart, as a share of their mean: alike at home and apart elsewhere, and training "
        "has not settled what counts there",
    )


def _share(one: float, other: float) -> Cell:
    return Percent(one / other) if other else None


def _costs(section: Section, story: StudyStory) -> None:
    front = {one.name for one in _front(story)}
    section.text("On the front lies what nothing else beats in both: as good in less time, or better in as much.")
    section.table(
        ("arm", story.metric, "minutes", "parameters, M", "memory, GB", "on the front"),
        [
            [
                one.name, one.means[story.main], one.minutes, one.parameters / 1e6, one.peak / 1e9,
                "yes" if one.name in front else "",
            ]
            for one in story.arms
        ],
    )  # fmt: skip
    if len(story.arms) > 2:
        points = [(one.minutes, one.means[story.main], 1) for one in story.arms]
        words = f"{story.where}: {story.metric} over minutes of training; a point is an arm."
        section.figures([Figure(figures.scatter(points, x="minutes", y=story.metric), words, words)])


def _front(story: StudyStory) -> Iterator[Arm]:
    for one in story.arms:
        mean, minutes = one.means[story.main], one.minutes
        if not any(
            other.means[story.main] >= mean and other.minutes <= minutes
            and (other.means[story.main] > mean or other.minutes < minutes)
            for other in story.arms
        ):  # fmt: skip
            yield one


def _made_of(section: Section, story: StudyStory) -> None:
    section.facts((name, ", ".join(values)) for name, values in story.axes.items())
    section.facts([("repeats", story.repeats), ("not done", story.waiting), ("failed", len(story.failed))])
    section.table(("run", "arm", "repeat"), [[run, short(arm), repeat] for run, arm, repeat in story.every])
