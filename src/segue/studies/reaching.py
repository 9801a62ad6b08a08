"""Whether a study's target was reached, was missed, or could not be reached by any of its runs."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace
from typing import Literal

from segue.errors import BadInput, nearest
from segue.evaluation.judging.metrics import METRICS
from segue.experiment.limits import best_metric, least_loss
from segue.studies.evidence import Evidence
from segue.studies.judged import judged
from segue.studies.study import LOSS, Target
from segue.training.run import Run

State = Literal["reached", "missed", "unreachable"]


@dataclass(frozen=True)
class Reached:
    state: State
    sentence: str
    limit: float | None = None  # that no run of the study can pass, where it had to be asked for


def reached(evidence: Evidence) -> Reached | None:
    """By what the runs have brought; `limited` asks whether it could be."""
    target = evidence.plan.study.target
    if target is None:
        return None
    metric, place = _what(evidence, target)
    if metric != LOSS and place not in evidence.places:
        raise BadInput(f"target: no run was judged on {place!r}: {nearest(place, evidence.places)}")
    lower = target.at_most is not None
    values = _losses(evidence) if metric == LOSS else _means(evidence, place, metric)
    there = [arm for arm, value in values.items() if (value <= target.bound if lower else value >= target.bound)]
    wanted = _wanted(target, metric, place)
    if there:
        return Reached("reached", f"The target, {wanted}, is reached by {'; '.join(there)}.")
    best = (min if lower else max)(values, key=lambda arm: values[arm])
    return Reached("missed", f"The target, {wanted}, is missed: {best} came nearest, with {values[best]:.3f}.")


def limited(evidence: Evidence, found: Reached | None) -> Reached | None:
    """What was missed, and whether any run of the study's kind could have reached it; masks are read for that."""
    target = evidence.plan.study.target
    if found is None or target is None or found.state != "missed":
        return found
    metric, place = _what(evidence, target)
    try:
        limit, told = _least_loss(evidence) if metric == LOSS else _best_metric(evidence, place, metric)
    except BadInput as error:
        return replace(found, sentence=f"{found.sentence} Whether it can be reached is not known: {error.message}.")
    if limit is None or (limit <= target.bound if metric == LOSS else limit >= target.bound):
        return replace(found, limit=limit)
    told = f"The target, {_wanted(target, metric, place)}, cannot be reached: {told} {limit:.3f}."
    return Reached("unreachable", told, limit)


def _what(evidence: Evidence, target: Target) -> tuple[str, str]:
    return target.metric or evidence.plan.study.metric, target.on or evidence.home


def _wanted(target: Target, metric: str, place: str) -> str:
    bound = f"{'at most ' if target.at_most is not None else ''}{target.bound:g}"
    if metric == LOSS:
        return f"a loss of {bound} in training"
    told = METRICS[metric].told
    return f"{'an' if told[0] in 'AHIN' else 'a'} {told} of {bound} on {place}"


def _means(evidence: Evidence, place: str, metric: str) -> dict[str, float]:
    return {arm: float(values.mean()) for arm, values in evidence.values(place, metric).values.items()}


def _losses(evidence: Evidence) -> dict[str, float]:
    """Of an arm the mean over its runs, each in its last epoch."""
    found: dict[str, float] = {}
    for arm, runs in evidence.arms.items():
        last = [
            float(lines[-1]["loss"]) for one in runs if (lines := Run(one.folder).metrics()) and "loss" in lines[-1]
        ]
        if last:
            found[arm] = statistics.fmean(last)
    if not found:
        raise BadInput("target: none of the runs has told its loss, so nobody knows whether it was reached")
    return found


def _least_loss(evidence: Evidence) -> tuple[float, str]:
    limits = [least_loss(run) for run in _kinds(evidence)]
    return min(limits), "a prediction that is right everywhere has, by the loss that was asked for, one of"


def _best_metric(evidence: Evidence, place: str, metric: str) -> tuple[float | None, str]:
    """Of overlaps: how much of the masks is left on the canvas."""
    if METRICS[metric].distance or not METRICS[metric].higher_is_better:
        return None, ""
    several = _kinds(evidence)
    found = [
        best_metric(run, [case for name in evidence.places[place] for case in judged(evidence, run, name)], metric)
        for run in several
    ]
    sizes = ", ".join(dict.fromkeys(" x ".join(map(str, run.about["frame"]["size"])) for run in several))
    known = [one for one in found if one == one]
    told = f"the masks themselves, brought to the canvas of {sizes} and back, have one of"
    return (max(known), told) if known else (None, "")


def _kinds(evidence: Evidence) -> list[Run]:
    """One run of each arm, of those that have the same limits a single one."""
    first = [Run.open(evidence.first(arm).folder) for arm in evidence.arms]
    return list({str([run.config[key] for key in ("method", "loss", "size")]): run for run in first}.values())
