"""What the page of an audit is told."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from segue.evaluation.auditing.estimate import LEVEL, Case
from segue.evaluation.auditing.fit import HOME
from segue.evaluation.auditing.trial import AUDIT, Judged
from segue.evaluation.judging.subject import Subject
from segue.evaluation.showing.shown import overlays
from segue.experiment.auditing.audited import Audit
from segue.experiment.auditing.worth import Eyes, Worth
from segue.experiment.report import passes
from segue.report import figures
from segue.report.audit_page import AuditStory, OfClass, Shown, Way
from segue.report.page import Estimate
from segue.report.run_warnings import hardly
from segue.words import count

_SHOWN = 8  # pictures of those trusted least, and half as many of those trusted most


def story(eyes: Eyes, known: Worth, done: Audit, subjects: Sequence[Subject], vary: str) -> AuditStory:
    verdict, run = done.verdict, eyes.model.folder
    pictures = dict(_pictures(eyes, done, subjects))
    least, most = _ends(done)
    return AuditStory(
        run=eyes.model.name, place=done.name, images=len({one.case for one in done.expected.cases}), told=done.told,
        known=verdict.known, cautions=tuple(_cautions(eyes, done)), classes=tuple(_classes(known, done)),
        differs=tuple((one.name, one.steps, one.words if abs(one.steps) >= 0.5 else "") for one in verdict.differs),
        strangers=verdict.strangers, distance=verdict.distance,
        least=tuple(Shown(pictures[one.case], one.case, _expectation(one)) for one in least if one.case in pictures),
        most=tuple(Shown(pictures[one.case], one.case, _expectation(one)) for one in most if one.case in pictures),
        left_out=tuple(done.left_out.items()), views=vary,
        commands=(
            f"segue audit {run} --on {done.dataset} --verify 20",
            f"segue evaluate {run} --on {done.dataset}",
        ),
    )  # fmt: skip


def _cautions(eyes: Eyes, done: Audit) -> Iterator[tuple[str, str]]:
    for why in done.verdict.cannot:
        yield f"It cannot be known how good predictions are there: {why}", "Mask some of its images (--verify 20)."
    if done.seen:
        yield (
            f"Of {count(done.seen, 'case')} the image was looked at in training.",
            "Predictions there are steadier than they are good: what is expected may be too much.",
        )
    for run in eyes.model.runs:
        told = hardly(passes(run.config, run.about), int(run.config["loop"]["steps"]))
        if told and not run.about["weights_from"]:
            yield (
                f"In training each image with a mask was seen {told}.",
                "That is hardly any training, whatever is said here.",
            )
    for site in done.expected.sites:
        if math.isnan(site.there):
            yield (
                f"Every image is taken to have {site.class_name}: hardly a known one lacks it.",
                "How often it is found where there is none cannot be told.",
            )
    for note in done.verdict.notes:
        yield note, ""


def _classes(known: Worth, done: Audit) -> Iterator[OfClass]:
    for site in done.expected.sites:
        name, trials = site.class_name, done.trials[site.class_name]
        home = [one.dice for one in known.known[name] if one.group == HOME and one.present]
        yield OfClass(
            name=name, expected=Estimate(site.dice, site.low, site.high), home=site.home, found=site.found,
            there=site.there, false_positives=site.false_positives,
            dices=tuple(one.dice for one in done.expected.cases if one.class_name == name), home_dices=tuple(home),
            ways=_ways(trials.corruptions), places=_ways(trials.places),
            held=tuple((one.group, one.expected[AUDIT], one.true) for one in trials.held),
        )  # fmt: skip


def _ways(judged: Sequence[Judged]) -> tuple[Way, ...]:
    return tuple(Way(one.name, one.off, one.worst, one.bias, one.of_cases, one.r, one.aurc) for one in judged)


def _ends(done: Audit) -> tuple[list[Case], list[Case]]:
    """Of each case the class that is trusted least; the least trusted cases first, and the most trusted: no patient twice
    among either, and of those in which nothing is found, which all look alike, no more than half."""
    lowest: dict[str, Case] = {}
    for one in done.expected.cases:
        if one.case not in lowest or one.dice < lowest[one.case].dice:
            lowest[one.case] = one
    rising = sorted(lowest.values(), key=lambda one: (one.dice, one.case))
    nothing, some = ([one for one in rising if one.found is found] for found in (False, True))
    least = [*_of_each(nothing, done.whose, _SHOWN // 2), *_of_each(some, done.whose, _SHOWN)][:_SHOWN]
    most = _of_each([one for one in some[::-1] if one not in least], done.whose, _SHOWN // 2)
    return least, most


def _of_each(cases: Sequence[Case], whose: Mapping[str, str], most: int) -> list[Case]:
    first = {whose[one.case]: one for one in reversed(cases)}
    return [one for one in cases if first[whose[one.case]] is one][:most]


def _pictures(eyes: Eyes, done: Audit, subjects: Sequence[Subject]) -> Iterator[tuple[str, str]]:
    least, most = _ends(done)
    shown = {one.case for one in (*least, *most)}
    some = [one for one in subjects if one.case.case in shown]
    for subject, picture in overlays(eyes.predictor, some, frame=eyes.model.frame, target=eyes.model.target):
        yield subject.case.case, figures.jpeg(picture)


def _expectation(one: Case) -> str:
    if not one.found:
        return f"no {one.class_name} is found"
    return f"Dice {one.dice:.2f} expected ({one.low:.2f} to {one.high:.2f}, {LEVEL:.0%})"
