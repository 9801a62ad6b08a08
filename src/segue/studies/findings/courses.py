"""How an arm's trainings went, from the lines that its runs wrote."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from segue.evaluation.judging.metrics import METRICS
from segue.experiment.report import WORDS, best_of, epochs_of
from segue.report.story import Epoch
from segue.report.study.story import Course, Line
from segue.studies.evidence import Done, Evidence
from segue.training.run import Run

_FIFTH = 5
_FELL, _ROSE = 0.05, 0.1  # of a loss


def courses(evidence: Evidence, order: Sequence[str], fitted: Mapping[str, float]) -> tuple[str, tuple[Course, ...]]:
    """What validation told, in words; and of each arm whose runs have told of epochs, its course."""
    each = (_course(arm, [evidence.first(arm), *evidence.arms[arm]], fitted.get(arm)) for arm in order)
    found = [course for course in each if course is not None]
    return _select(evidence.arms[order[0]][0]), tuple(found)


def _select(one: Done) -> str:
    name = one.entry.settings.select
    return WORDS.get(name, name)


def _course(arm: str, several: Sequence[Done], fitted: float | None) -> Course | None:
    """The first repeat comes first."""
    runs = list({one.entry.repeat: one for one in several}.values())
    trained = [(run, lines) for one in runs if (lines := epochs_of((run := Run(one.folder)).metrics()))]
    if not trained:
        return None
    epochs = [lines for _, lines in trained]
    select, margin = _select(runs[0]), METRICS[runs[0].entry.settings.select].margin
    losses = [[each.losses.get("loss", math.nan) for each in lines] for lines in epochs]
    scores = [[each.scores.get(select, math.nan) for each in lines] for lines in epochs]
    judged = [[score for score in one if not math.isnan(score)] for one in scores]
    validated = all(judged)
    best = [best_of(run, lines, select) for run, lines in trained]
    return Course(
        name=arm, looks=_looks(*max(trained, key=lambda one: len(one[1]))),
        loss=_line(losses), scores=_line(scores) if validated else None,
        first_loss=statistics.fmean(one[0] for one in losses), last_loss=statistics.fmean(one[-1] for one in losses),
        best_epoch=statistics.fmean(each for each in best if each is not None) if validated else None,
        epochs=max(map(len, epochs)), best=statistics.fmean(map(max, judged)) if validated else None,
        last=statistics.fmean(one[-1] for one in judged) if validated else None,
        fitted=fitted, gap=fitted - max(judged[0]) if validated and fitted is not None else None,
        climbing=sum(climbs(one, margin) for one in judged) if validated else sum(falls(one) for one in losses),
        rising=sum(rises(one) for one in losses), runs=len(trained),
    )  # fmt: skip


def climbs(scores: Sequence[float], margin: float) -> bool:
    """Whether validation was still getting better: in the last fifth of the epochs against the fifth before."""
    return _rose(scores, margin)


def falls(losses: Sequence[float]) -> bool:
    """Likewise of a loss, where nothing was validated."""
    least = _FELL * abs(statistics.fmean(losses[-2 * (len(losses) // _FIFTH) :]))
    return _rose([-loss for loss in losses], least)


def rises(losses: Sequence[float]) -> bool:
    """Whether it ended above its least, over fifths so that one epoch's luck is none."""
    size = max(1, len(losses) // _FIFTH)
    means = [statistics.fmean(losses[start : start + size]) for start in range(0, len(losses) - size + 1, size)]
    least, last = min(means), statistics.fmean(losses[-size:])
    return last - least > _ROSE * abs(least)


def _rose(values: Sequence[float], least: float) -> bool:
    """From the fifth before the last to the last, by more than that, and by more than epochs differ by luck."""
    size = len(values) // _FIFTH
    if not size:
        return False
    before, last = values[-2 * size : -size], values[-size:]
    luck = math.hypot(*(statistics.stdev(one) for one in (before, last) if size > 1)) / math.sqrt(size)
    return statistics.fmean(last) - statistics.fmean(before) > max(least, 2 * luck)


def _looks(run: Run, epochs: Sequence[Epoch]) -> list[float]:
    looks = int(run.about.get("looks", 0))
    return [epoch.step * (looks / epochs[-1].step if looks else 1) for epoch in epochs]


def _line(several: Sequence[Sequence[float]]) -> Line:
    """Over as many epochs as the longest has; of those that ended before it, their others go on."""
    longest = max(several, key=len)
    columns = [[one[place] for one in several if place < len(one)] for place in range(len(longest))]
    known = [[value for value in column if not math.isnan(value)] or [math.nan] for column in columns]
    return [statistics.fmean(one) for one in known], [min(one) for one in known], [max(one) for one in known]
