"""The part of a run's page that says how predictions hold up: varied, by several members, as probabilities, and spoilt."""

from __future__ import annotations

from segue.report import curves
from segue.report.page import Cell, Figure, Page
from segue.report.story import RunStory
from segue.words import count, short

_SPOILT = 6  # figures of corruptions


def stress(page: Page, story: RunStory) -> None:
    _steadiness(page, story)
    _disagreeing(page, story)
    _calibration(page, story)
    _spoilt(page, story)


def _steadiness(page: Page, story: RunStory) -> None:
    several = len(story.scored) > 1
    rows: list[list[Cell]] = [
        [
            short(one.name), *[short(steady.name)] * several, steady.variation, steady.cases, steady.unsteady,
            steady.inconsistency, steady.rank,
        ]
        for one in story.ordered
        for steady in one.steady
    ]  # fmt: skip
    if rows:
        page.section("How steady predictions are").text(
            "Each image is varied anew, always alike. Unsteady needs no mask: of what is found in the varied image, or was "
            "found and carried to where it is shown, the share that is not both. Inconsistency is SIS as published: the share "
            "of masks and predictions in which the prediction changed otherwise than the mask, place by place. A rank "
            "correlation of unsteadiness with Dice near −1 means that it tells the bad cases where there are no "
            "masks; near 0, that it does not."
        ).table(
            [
                "set",
                *["class"] * several,
                "variation",
                "cases",
                "unsteady",
                "inconsistency",
                "rank correlation with Dice",
            ],
            rows,
        )


def _disagreeing(page: Page, story: RunStory) -> None:
    several = len(story.scored) > 1
    rows: list[list[Cell]] = [
        [short(one.name), *[short(each.name)] * several, each.members, each.cases, each.disagreement, each.rank]
        for one in story.ordered
        for each in one.disagreeing
    ]
    if rows:
        page.section("Where members disagree").text(
            "Without a mask: of what two members find, the share that only one of them finds, the mean over all pairs. A "
            "rank correlation with Dice near −1 means that it tells the bad cases where there are no masks; near 0, that it "
            "does not."
        ).table(["set", *["class"] * several, "members", "cases", "disagreement", "rank correlation with Dice"], rows)


def _spoilt(page: Page, story: RunStory) -> None:
    drawn, rows, several = [], list[list[Cell]](), len(story.scored) > 1
    for one in story.ordered:
        for name in dict.fromkeys(each.name for each in one.spoilt):
            own = [each for each in one.spoilt if each.name == name]
            levels = sorted(own[0].dice)
            series = {each.corruption: [each.dice[level] for level in levels] for each in own}
            rows += [[short(one.name), *[short(name)] * several, kind, *values] for kind, values in series.items()]
            whom = "patients" if all(each.patients_known for each in one.results) else "scenes or images"
            words = (
                f"{short(one.name)}: Dice of {short(name)} under {count(len(own), 'corruption')}, means over {whom}."
            )
            drawn.append(Figure(curves.spoilt(levels, series, y=f"Dice of {short(name)}"), words, words))
    if drawn:
        heads = ["as it is", *(f"level {level}" for level in levels[1:])]
        page.section("When images are spoilt").text(
            "The same cases, spoilt as they were stored, a little more at each level. Nothing moves, and what a black box "
            "hides is still to be found. Cases that have the structure, and that training has not seen."
        ).figures(drawn[:_SPOILT]).table(["set", *["class"] * several, "corruption", *heads], rows)


def _calibration(page: Page, story: RunStory) -> None:
    several = len(story.scored) > 1
    drawn, rows = [], list[list[Cell]]()
    for one in story.ordered:
        for each in one.calibrated:
            rows.append([
                short(one.name), *[short(each.name)] * several, each.temperature, each.before, each.after, each.in_doubt,
                each.doubt_before, each.doubt_after,
            ])  # fmt: skip
            words = (
                f"{short(one.name)}: of pixels of which so much was said of {short(each.name)}, the share that is so."
            )
            series = {"as it is": each.curve_before, "after the temperature": each.curve_after}
            drawn.append(Figure(curves.reliability(series), words, words))
    if rows:
        page.section("What probabilities are worth").text(
            "A temperature, found on validation, divides logits: above 1 the network was too sure. Off is the expected "
            "calibration error, the mean distance of what is said from what is so; nearly all pixels are background and said "
            "to be, so that those in doubt (.05 to .95) stand apart. What is decided at .5 stays as it is."
        ).table(
            [
                "set", *["class"] * several, "temperature", "off", "off after", "in doubt", "off, in doubt",
                "off after, in doubt",
            ],
            rows,
        ).figures(drawn)  # fmt: skip
