"""The page of a run: what was trained on what, how good it is at home and elsewhere, and how to get it again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from segue.report import run_results, run_training
from segue.report.page import Cell, Estimate, Page
from segue.report.run_warnings import warnings
from segue.report.story import Epoch, Evaluated, RunStory
from segue.words import count, short, some

_NAMED = 3  # classes or sets that a sentence can hold


def run_page(story: RunStory) -> Page:
    page = Page(story.name, lead(story))
    _glance(page, story)
    found = list(warnings(story))
    page.section("What to mind", count(len(found), "warning")).warnings(found)
    run_results.sections(page, story)
    run_training.sections(page, story)
    return page


def lead(story: RunStory) -> str:
    """What was trained on what, and how good it is, in a few sentences."""
    return " ".join([_trained(story), *(_judged(story) if story.sets else _validated(story))])


def _trained(story: RunStory) -> str:
    names = _and([one.name for one in story.datasets])
    on = f" on {count(story.trained_on, story.what)} of {names}" if story.trained_on and names else ""
    what = f" to find {_and(story.classes)}" if story.classes else ""
    who = f": {story.network}" if story.network else ""
    if not story.finished:
        of = f" of {story.steps:,}" if story.steps else ""
        return f"Being trained{on}{what}{who}; {story.done:,}{of} steps are done so far."
    steps = f" for {count(story.done, 'step')}" if story.done else ""
    if story.adapted:
        return f"{story.adapted}{steps}{what}{who}."
    if story.members:
        return f"{count(len(story.members), 'network')} that predict together, each trained{steps}{on} in turns{what}{who}."
    return f"Trained{steps}{on}{what}{who}."


def _validated(story: RunStory) -> Iterator[str]:
    best = best_epoch(story)
    if best is not None and story.select in best.scores:
        so_far = "" if story.finished else " so far"
        yield f"Best {story.select} of validation{so_far}: {best.scores[story.select]:.3f}, after epoch {best.number}."


def _judged(story: RunStory) -> Iterator[str]:
    parts = {
        "test": f"on test {story.what}s of its own dataset",
        "validation": f"on the validation {story.what}s that chose its epoch",
        "out-of-fold": f"each {story.what} judged by the network that had not learnt from it",
    }
    home, away = ([one for one in sets if one.strange] for sets in (story.home, story.elsewhere))
    for one in home[:_NAMED]:
        yield f"At home, {parts.get(one.part, 'on its own dataset')} ({short(one.name)}): {_of_set(one)}."
    if away:
        shown = "; ".join(f"{short(one.name)}: {_of_set(one)}" for one in away[:_NAMED])
        more = f"; {count(len(away) - _NAMED, 'more set')} below" if len(away) > _NAMED else ""
        yield f"Elsewhere, on {story.what}s that it never saw: {shown}{more}."
    for one in away[:_NAMED]:
        yield from (f"{sentence[0].upper()}{sentence[1:]}" for sentence in one.gaps)
    if any(result.dice.low is not None for one in (*home, *away) for result in one.strange):
        yield "(In brackets: 95\N{NO-BREAK SPACE}% intervals.)"


def _of_set(one: Evaluated) -> str:
    results = one.strange
    shown = [
        f"Dice{f' of {short(result.name)}' * (len(results) > 1)} {in_words(result.dice)}" for result in results[:_NAMED]
    ]
    if len(results) > _NAMED:
        shown.append(f"{len(results) - _NAMED} more below")
    first = results[0]
    of = count(first.patients, "patient") if first.patients_known else count(first.present, "image")
    return f"{', '.join(shown)}, from {of}"


def in_words(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def _and(names: Sequence[str]) -> str:
    return " and ".join(map(short, names)) if len(names) == 2 else some(names)


def best_epoch(story: RunStory) -> Epoch | None:
    return next((epoch for epoch in story.epochs if epoch.number == story.best), None)


def _glance(page: Page, story: RunStory) -> None:
    validation = sum(part.images for part in story.parts if part.part == "validation")
    best = best_epoch(story)
    facts: Sequence[tuple[str, Cell]] = [
        (f"Training {story.what}s", story.trained_on or ""),
        (f"Validation {story.what}s", validation if story.parts else ""),
        ("Parameters", f"{story.parameters / 1e6:.1f} million" if story.parameters else ""),
        ("Method", story.method),
        ("Steps", story.done or ""),
        ("Looks at images", story.looks or ""),
        ("Best epoch", f"{best.number} of {len(story.epochs)}" if best and best.scores else ""),
        ("Networks that predict together", len(story.members) or ""),
        ("Classes", ", ".join(map(short, story.classes))),
        ("Network", story.network),
        ("Started from", story.started_from),
    ]
    page.section("At a glance").facts([(name, value) for name, value in facts if value != ""])
