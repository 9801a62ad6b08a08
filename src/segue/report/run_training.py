"""The part of a run's page that says how it came about: curves, data, settings, environment, commands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from segue.report import curves
from segue.report.page import Cell, Figure, Noted, Page
from segue.report.story import DEFAULT, Epoch, RunStory
from segue.words import count, short


def sections(page: Page, story: RunStory) -> None:
    _curves(page, story)
    _choices(page, story)
    _data(page, story)
    _settings(page, story)
    _environment(page, story)
    _commands(page, story)


def _curves(page: Page, story: RunStory) -> None:
    epochs = story.epochs
    if story.members:
        _members(page, story)
    if not epochs:
        return
    steps = [epoch.step for epoch in epochs]
    best = next((epoch for epoch in epochs if epoch.number == story.best and epoch.scores), None)
    marked = best.step if best else None
    drawn = []
    losses = {name: [epoch.losses.get(name, math.nan) for epoch in epochs] for name in _names(epochs, "losses")}
    if losses:
        rates = [epoch.rate for epoch in epochs if epoch.rate is not None]
        whole = len(rates) == len(steps)
        svg = curves.losses(steps, losses, rates if whole else (), best=marked)
        # A part may begin late, as what follows images without masks does.
        known = {name: [value for value in line if not math.isnan(value)] for name, line in losses.items()}
        told = "; ".join(
            f"{short(name)} " + (f"from {line[0]:.3f} to {line[-1]:.3f}" if len(line) > 1 else f"{line[0]:.3f}")
            for name, line in known.items()
            if line
        )
        words = f"On training {story.what}s, mean of each epoch: {told}."
        drawn.append(Figure(svg, words, words + " Below it the learning rate." * whole))
    drawn += _followed(epochs) + _alone(epochs) + _agreeing(epochs)
    names = _names(epochs, "scores")
    if names:
        scores = {name: [epoch.scores.get(name, math.nan) for epoch in epochs] for name in names}
        words = "Validation after each epoch, on whole cases."
        if best and story.select in best.scores:
            words += f" The best {story.select} is {best.scores[story.select]:.3f}, after epoch {best.number}."
        drawn.append(Figure(curves.scores(steps, scores, y=_only(names, "validation"), best=marked), words, words))
    page.section("Training", count(len(epochs), "epoch")).figures(drawn)


def _followed(epochs: Sequence[Epoch]) -> list[Figure]:
    """Of a training beside images without masks: whether they were worth following, and how far they were followed."""
    known = [epoch for epoch in epochs if epoch.fitted is not None]
    if not known:
        return []
    fitted, sure, shifts = ([_or_gap(getattr(one, what)) for one in known] for what in ("fitted", "sure", "shift"))
    words = f"Images without masks: in the end the class of the masks that was fitted worst had a Dice of {fitted[-1]:.2f}, "
    if math.isnan(sure[-1]):
        words += "and nothing was followed."
    else:
        words += f"and {sure[-1]:.0%} of the pixels without one had a target sure enough to be followed."
    if not math.isnan(shifts[-1]):
        words += (
            f" Targets' logits are shifted by up to {shifts[-1]:.1f}, so that there is as much of each class as in the masks: "
            "0 where the network finds as much by itself, 8 where it does not find it at all."
        )
    shares = {"Dice of the worst class": fitted} | ({} if math.isnan(sure[-1]) else {"pixels followed": sure})
    steps = [one.step for one in known]
    return [Figure(curves.followed(steps, shares, () if math.isnan(shifts[-1]) else shifts), words, words)]


def _alone(epochs: Sequence[Epoch]) -> list[Figure]:
    """Of images of another hospital without any other: how much was followed, and whether it still finds as much."""
    known = [epoch for epoch in epochs if epoch.kept is not None]
    if not known:
        return []
    sure, kept = ([_or_gap(getattr(one, what)) for one in known] for what in ("sure", "kept"))
    words = (
        f"In the end {sure[-1]:.0%} of the pixels had a target sure enough to be followed, and {kept[-1]:.2f} times as much "
        "was found as by the network that it began from: far from 1, it has left what it knew."
    )
    steps = [one.step for one in known]
    return [Figure(curves.scores(steps, {"pixels followed": sure, "found": kept}, y="share"), words, words)]


def _agreeing(epochs: Sequence[Epoch]) -> list[Figure]:
    """Of a training that asks for consistency: how near the predictions are from which the change is measured."""
    known = [(epoch.step, epoch.agreement) for epoch in epochs if epoch.agreement is not None]
    if not known:
        return []
    steps, values = zip(*known, strict=True)
    words = (
        f"The prediction on training images, not varied, overlaps their masks to an IoU of {values[-1]:.2f} in the end: where "
        "the mix is adaptive or strict, that is how much the change counts against the masks."
    )
    return [Figure(curves.scores(steps, {"IoU": values}, y="IoU in training"), words, words)]


def _or_gap(value: float | None) -> float:
    return math.nan if value is None else value


def _names(epochs: Sequence[Epoch], what: Literal["losses", "scores"]) -> list[str]:
    return list(dict.fromkeys(name for epoch in epochs for name in getattr(epoch, what)))


def _members(page: Page, story: RunStory) -> None:
    section = page.section("Training", count(len(story.members), "network"))
    rows: list[tuple[Cell, ...]] = []
    lines: dict[str, tuple[list[float], list[float]]] = {}
    for member in story.members:
        judged = [epoch for epoch in member.epochs if story.select in epoch.scores]
        best = next((epoch for epoch in judged if epoch.number == member.best), None)
        rows.append((
            short(member.name), len(member.epochs), best.number if best else None,
            best.scores[story.select] if best else None,
        ))  # fmt: skip
        if judged:
            lines[member.name] = [epoch.step for epoch in judged], [epoch.scores[story.select] for epoch in judged]
    if lines:
        words = f"{story.select} of validation after each epoch; each network has its own validation cases."
        section.figures([Figure(curves.together(lines, y=f"validation {story.select}"), words, words)])
    section.table(("network", "epochs", "best epoch", f"validation {story.select}"), rows)


def _only(names: list[str], otherwise: str) -> str:
    return f"{otherwise} {names[0]}" if len(names) == 1 else otherwise


def _choices(page: Page, story: RunStory) -> None:
    drawn = []
    if story.thresholds is not None:
        names, tried = list(story.thresholds.scores), story.thresholds.tried
        svg = curves.thresholds(
            tried, story.thresholds.scores, y=_only(names, "validation"), chosen=story.thresholds.chosen
        )
        words = f"Validation for each of {len(tried)} thresholds; {story.thresholds.chosen:g} was chosen."
        drawn.append(Figure(svg, words, words))
    if story.finder:
        rates, losses = zip(*story.finder, strict=True)
        words = "The loss while the learning rate rose from step to step, on a network that was then thrown away."
        if story.rate is not None:
            words += f" This run took {story.rate:g}."
        drawn.append(Figure(curves.finder(rates, losses, proposal=story.rate), words, words))
    page.section("Chosen by trial").figures(drawn)


def _data(page: Page, story: RunStory) -> None:
    section = page.section("Data", count(len(story.datasets), "dataset"))
    if story.parts:
        sites = any(part.sites for part in story.parts)
        columns = [
            "dataset",
            "part",
            f"{story.what}s",
            "known patients",
            f"{story.what}s without a known patient",
            *["sites"] * sites,
        ]
        rows: list[list[Cell]] = [
            [short(part.dataset), part.part, part.images, part.patients, part.unknown, *[part.sites] * sites]
            for part in story.parts
        ]
        beside = " and, without their masks, images" if any(part.part == "images" for part in story.parts) else ""
        section.text(f"Only train and validation{beside} took part in the training.").table(columns, rows)
    section.table(
        ("dataset", "split", "how it was made", "its hash"),
        [(Noted(short(one.name), one.folder), one.split, one.how, one.hash) for one in story.datasets],
    )


def _settings(page: Page, story: RunStory) -> None:
    own = [(one.key, one.value, one.origin) for one in story.settings if one.origin != DEFAULT]
    section = page.section("Settings", f"{len(own)} not by default" if own else "")
    section.table(("setting", "value", "where it is from"), own)
    if story.settings:
        section.heading("All settings").listing(f"{one.key}: {one.value}" for one in story.settings)


def _environment(page: Page, story: RunStory) -> None:
    page.section("Made with").facts([(name, value) for name, value in story.environment.items() if value])


def _commands(page: Page, story: RunStory) -> None:
    lines = list(story.commands)
    if story.next:
        lines += [*[""] * bool(lines), "# next", *story.next]
    if lines:
        page.section("How to do it again").commands(*lines).text(
            "The same resolved settings on the same kind of processor give the same weights, byte for byte. This page "
            "names no patients, but cases by their files' names, and it may hold pictures: who may not see the images "
            "may not see the page."
        )
