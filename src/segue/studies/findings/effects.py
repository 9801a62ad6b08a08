"""What each axis did over all else, and what more masks bring."""

from __future__ import annotations

import statistics as plain
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from segue.evaluation.comparing.compare import as_family
from segue.evaluation.statistics import addressed, spread_of_difference
from segue.experiment.comparison import estimate, verdict
from segue.report.study.story import Effect
from segue.studies.answer import compared, pairs_of
from segue.studies.evidence import Done, Evidence
from segue.studies.study import Declared
from segue.training.run import Run

_VALUES = 40  # of all axes: a table of rows can be one with thousands
LABELS = "labels"


def effects(evidence: Evidence) -> Iterator[Effect]:
    """Of every value of every axis against the axis's first that has runs, at the main place; none where there is one axis
    alone, of which the ranking says as much."""
    axes = [axis for axis in evidence.plan.axes if len(axis.values) > 1]
    asked = [one for axis in axes for one in _asked(evidence, axis.name)][:_VALUES]
    if len(axes) < 2 or not asked:
        return
    each = [compared(evidence, one, pairs, evidence.main, len(asked), fresh=True) for one, pairs in asked]
    for (one, pairs), found in zip(asked, as_family(each), strict=True):
        (difference,) = found.groups[0].differences
        yield Effect(
            axis=one.axis, value=one.side, reference=one.reference, mean=difference.mean,
            of_reference=difference.mean_of_reference, difference=estimate(difference), pairs=len(pairs),
            p=difference.p_adjusted, verdict=verdict(difference),
        )  # fmt: skip


def _asked(evidence: Evidence, axis: str) -> Iterator[tuple[Declared, Mapping[str, tuple[Done, Done]]]]:
    values = list(dict.fromkeys(one.entry.values[axis] for one in evidence.done))
    for value in values[1:]:
        declared = Declared(axis=axis, side=value, reference=values[0])
        pairs, _ = pairs_of(evidence, declared)
        if pairs:
            yield declared, pairs


def budgets(evidence: Evidence, places: Sequence[str]) -> dict[str, dict[str, dict[int, tuple[float, float]]]]:
    """By place and the values of all other axes: over images with masks the mean, and half of its interval."""
    axis = _of_labels(evidence)
    if axis is None:
        return {}
    return {place: found for place in places if (found := _lines(evidence, axis, place))}


def _of_labels(evidence: Evidence) -> str | None:
    """The axis that says how much is annotated, and nothing else."""
    for axis in evidence.plan.axes:
        if len(axis.values) > 1 and all(set(settings) == {(LABELS,)} for settings in axis.values.values()):
            return axis.name
    return None


def _lines(evidence: Evidence, axis: str, place: str) -> dict[str, dict[int, tuple[float, float]]]:
    values = evidence.values(place, evidence.plan.study.metric).values
    found: dict[str, dict[int, tuple[float, float]]] = {}
    for arm, runs in evidence.arms.items():
        rest = ", ".join(value for name, value in runs[0].entry.values.items() if name != axis)
        masks = round(plain.fmean(int(Run(one.folder).about["train"]) for one in runs))
        spread = spread_of_difference(
            values[arm], np.zeros((1, values[arm].shape[1])), addressed(0, "budget", place, arm)
        )
        low, high = spread.interval()
        found.setdefault(rest, {})[masks] = (spread.estimate, (high - low) / 2 if high == high else 0.0)
    return {rest: points for rest, points in found.items() if len(points) > 1}
