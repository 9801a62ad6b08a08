"""The study's tables, as they stand on its page and in the files beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from segue.report.cells import Cell, Chance, Estimate, Percent, Signed
from segue.report.sheet import Sheet
from segue.report.study.story import Arm, Compared, SearchStory, StudyStory

_DIFFERENCE = ("difference", "95 % from", "to")


def sheets(story: StudyStory) -> dict[str, Sheet]:
    """By the file's name."""
    found = {"ranking": ranking(story), "runs": runs(story)}
    if story.declared:
        found["declared"] = declared(story.declared)
    if len(story.places) > 1:
        found["places"] = places(story)
    if story.effects:
        found["axes"] = axes(story)
    if story.courses:
        found["training"] = training(story)
    if story.search is not None:
        found["trials"] = trials(story.search)
    return found


def declared(several: Sequence[Compared]) -> Sheet:
    return Sheet(
        ("comparison", "place", "verdict", "first", "second", *_DIFFERENCE, "p after Holm"),
        [
            [
                one.told, one.place, one.verdict, one.mean, one.reference, *_difference(one.difference), Chance(one.p),
            ]
            for one in several
        ],
    )  # fmt: skip


def _difference(one: Estimate) -> list[Cell]:
    return [Signed(one.value), *(None if bound is None else Signed(bound) for bound in (one.low, one.high))]


def ranking(story: StudyStory) -> Sheet:
    letters = story.rivals.letters if story.rivals else {}
    kinds = {one.arm: one.values for one in story.every}
    return Sheet(
        ("", *story.axes, "runs", story.metric, "deviation of runs", "against the best", *["group"] * bool(letters)),
        [
            [
                number, *(kinds[one.name][axis] for axis in story.axes), one.runs, one.means[story.main],
                Percent(one.deviations[story.main]), one.best[story.main], *[letters.get(one.name, "")] * bool(letters),
            ]
            for number, one in enumerate(story.arms, 1)
        ],
        f"{story.where}: {story.metric}, {story.judged}",
    )  # fmt: skip


def places(story: StudyStory) -> Sheet:
    others = [place for place in story.places if place != story.home]
    there = len(others) < len(story.places)
    return Sheet(
        ("arm", *story.places, *[f"{others[0]} against home"] * there, *(f"deviation, {place}" for place in story.places)),
        [
            [
                one.name, *(one.means[place] for place in story.places), *[_lost(one)] * there,
                *(Percent(one.deviations[place]) for place in story.places),
            ]
            for one in story.arms
        ],
        f"{story.metric}, the mean over patients and runs; deviation of runs",
    )  # fmt: skip


def _lost(one: Arm) -> Cell:
    return Percent(one.lost.value) if one.lost else None


def axes(story: StudyStory) -> Sheet:
    return Sheet(
        ("axis", "value", story.metric, "against", "of that", *_DIFFERENCE, "pairs", "p after Holm"),
        [
            [
                one.axis, one.value, one.mean, one.reference, one.of_reference, *_difference(one.difference), one.pairs,
                Chance(one.p),
            ]
            for one in story.effects
        ],
        f"{story.where}: each value of an axis against its first one, over pairs of runs that are equal in all else",
    )  # fmt: skip


def training(story: StudyStory) -> Sheet:
    judged = any(one.best is not None for one in story.courses)
    fitted = any(one.fitted is not None for one in story.courses)
    return Sheet(
        (
            "arm", "epochs", "loss, first", "loss, last", "rose again",
            *(["best epoch", f"best {story.select}", "last"] if judged else []),
            *(["on training images", *["gap"] * judged] if fitted else []), "better still to come",
        ),
        [
            [
                one.name, one.epochs, one.first_loss, one.last_loss, f"{one.rising} of {one.runs}",
                *([one.best_epoch, one.best, one.last] if judged else []),
                *([one.fitted, *[one.gap] * judged] if fitted else []), f"{one.climbing} of {one.runs}",
            ]
            for one in story.courses
        ],
        "Means over an arm's runs",
    )  # fmt: skip


def runs(story: StudyStory) -> Sheet:
    """What a page has room for."""
    return Sheet(
        ("run", *story.axes, "repeat", "state", *story.places, "minutes"),
        [
            [
                one.name, *one.values.values(), one.repeat, one.state,
                *(one.means.get(place, {}).get(story.metric) for place in story.places),
                None if one.seconds is None else one.seconds / 60,
            ]
            for one in story.every
        ],
        f"{story.metric} of each run",
    )  # fmt: skip


def every_number(story: StudyStory) -> Sheet:
    """All that is known of each run, those that failed among them: for other programs."""
    known = list(_known(story))
    return Sheet(
        (
            "run", *story.axes, "repeat", "state", *(f"{place}: {metric}" for place, metric in known), "seconds",
            "parameters", "peak bytes", "why",
        ),
        [
            [
                one.name, *one.values.values(), one.repeat, one.state,
                *(one.means.get(place, {}).get(metric) for place, metric in known), one.seconds, one.parameters, one.peak,
                one.why,
            ]
            for one in story.every
        ],
    )  # fmt: skip


def _known(story: StudyStory) -> Iterator[tuple[str, str]]:
    found = dict.fromkeys((place, metric) for one in story.every for place in one.means for metric in one.means[place])
    for place in story.places:
        yield from (each for each in found if each[0] == place)


def trials(told: SearchStory) -> Sheet:
    """The best first, then those that did not come to their end."""
    names = list(dict.fromkeys(name for one in told.trials for name in one.drawn))
    return Sheet(
        ("trial", *names, told.select, "came to", "minutes", "parameters, M", "memory, GB", "state"),
        [
            [
                one.number, *(one.drawn.get(name, "") for name in names), one.score, Percent(one.at), one.minutes,
                one.parameters / 1e6 if one.parameters else None, one.peak / 1e9 if one.peak else None,
                f"{one.state}: {one.why}" if one.why else one.state,
            ]
            for one in sorted(told.trials, key=lambda one: (one.score is None, -(one.score or 0), one.number))
        ],
        "Each trial, the best first",
    )  # fmt: skip
