"""What a table says: the mean over patients, of the cases that have the structure and of those that have not, apart.

One mean over both would say how rare the structure is. A patient's cases are averaged first, so that many frames of one
patient weigh as one patient; where no patient is known, each image counts as its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from segue.evaluation import statistics
from segue.evaluation.judging.metrics import FAILED_DICE, FAILED_IOU, METRICS, metric_named
from segue.evaluation.judging.table import Row, Table


@dataclass(frozen=True)
class Summary:
    """Of one class, and of cases of which training has seen equally much."""

    class_name: str
    seen: str
    cases: int
    patients: int
    patients_known: bool  # if not, images were taken for patients
    present: int  # cases that have the structure
    present_patients: int
    absent: int  # cases that have not
    absent_patients: int
    both_empty: int  # of the absent, those where nothing was predicted
    missed: int  # of the present, those where nothing was predicted
    uncounted: int  # cases in which no pixel counts
    unit: str
    tolerance: float
    means: Mapping[str, float]  # by metric, each over the cases that it is for; not a number where there is none
    failed_dice: float  # share of the present below the threshold
    failed_iou: float
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # of the means, where asked for

    @property
    def whom(self) -> str:
        """What the means are over."""
        if self.patients_known:
            return "patient"
        return "image" if self.present_patients == self.present else "scene"

    def as_json(self) -> dict[str, Any]:
        return {
            **vars(self),
            "tolerance": _or_none(self.tolerance),
            "means": {name: _or_none(mean) for name, mean in self.means.items()},
            "failed_dice": _or_none(self.failed_dice),
            "failed_iou": _or_none(self.failed_iou),
            "intervals": {name: list(map(_or_none, bounds)) for name, bounds in self.intervals.items()},
        }


def summarise(table: Table | Iterable[Row], *, intervals: Collection[str] = ()) -> tuple[Summary, ...]:
    """A summary for each class, and apart for cases whose images or masks training has seen.

    `intervals`: the metrics that get 95 % bootstrap intervals over patients; all of them take some tenths of a second.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in table:
        groups.setdefault((row.class_name, row.seen), []).append(row)
    return tuple(_summary(class_name, seen, rows, intervals) for (class_name, seen), rows in groups.items())


def chosen_by(table: Table | Iterable[Row], metric: str = "dice") -> float:
    """One number to choose an epoch or a threshold by, on one fixed set of cases: the mean over patients of all cases,
    with and without the structure, the mean over classes last. Not for reports: it says how rare the structure is.
    """
    metric_named(metric)
    classes: dict[str, list[Row]] = {}
    for row in table:
        classes.setdefault(row.class_name, []).append(row)
    means = [patient_mean(rows, lambda row: row.value(metric)) for rows in classes.values()]
    known = [mean for mean in means if not math.isnan(mean)]
    return math.fsum(known) / len(known) if known else math.nan


def per_patient(rows: Iterable[Row], value: Callable[[Row], float]) -> dict[str, float]:
    """The mean of each patient's cases; those that are not a number do not count."""
    found: dict[str, list[float]] = {}
    for row in rows:
        number = value(row)
        if not math.isnan(number):
            found.setdefault(row.who, []).append(number)
    return {who: math.fsum(numbers) / len(numbers) for who, numbers in found.items()}


def patient_mean(rows: Iterable[Row], value: Callable[[Row], float]) -> float:
    means = per_patient(rows, value)
    return math.fsum(means.values()) / len(means) if means else math.nan


def rows_for(rows: Iterable[Row], metric: str) -> list[Row]:
    """The rows that a metric is averaged over: of cases that have the structure, or have not, as the metric says."""
    where = metric_named(metric).where
    return [
        row for row in rows
        if row.scores.empty != "uncounted" and (where == "all" or row.scores.present == (where == "present"))
    ]  # fmt: skip


def over_runs(tables: Iterable[Iterable[Row]], metric: str) -> dict[tuple[str, str], float]:
    """By case and class the mean over runs, of those that the metric is for."""
    values: dict[tuple[str, str], list[float]] = {}
    for table in tables:
        for row in rows_for(table, metric):
            values.setdefault((row.case, row.class_name), []).append(row.value(metric))
    return {key: math.fsum(each) / len(each) for key, each in values.items()}


def _summary(class_name: str, seen: str, rows: list[Row], intervals: Collection[str]) -> Summary:
    judged = [row for row in rows if row.scores.empty != "uncounted"]
    present = [row for row in judged if row.scores.present]
    absent = [row for row in judged if not row.scores.present]
    return Summary(
        class_name=class_name,
        seen=seen,
        cases=len(judged),
        patients=_patients(judged),
        patients_known=all(row.patient for row in rows),
        present=len(present),
        present_patients=_patients(present),
        absent=len(absent),
        absent_patients=_patients(absent),
        both_empty=sum(row.scores.empty == "both" for row in absent),
        missed=sum(row.scores.empty == "prediction" for row in present),
        uncounted=len(rows) - len(judged),
        unit=_one([row.scores.unit for row in rows], "mixed"),
        tolerance=_one([row.scores.tolerance for row in rows], math.nan),
        means={name: _mean(judged, name) for name in METRICS},
        failed_dice=patient_mean(present, lambda row: float(row.scores.dice < FAILED_DICE)),
        failed_iou=patient_mean(present, lambda row: float(row.scores.iou < FAILED_IOU)),
        intervals={name: _interval(judged, name, class_name, seen) for name in intervals},
    )


def _interval(rows: list[Row], metric: str, *address: str) -> tuple[float, float]:
    values = per_patient(rows_for(rows, metric), lambda row: row.value(metric))
    share = not METRICS[metric].distance and metric != "false_lesions"
    return interval_of_mean(values, metric, *address, most=1.0 if share else math.inf)


def interval_of_mean(values: Mapping[str, float], *address: str, most: float = 1.0) -> tuple[float, float]:
    """95 %, over patients; not a number for a single one. The same for the same values, whatever stands beside.

    `most`: what the value can be at most; the least is 0.
    """
    ordered = [values[who] for who in sorted(values)]  # the order of rows must not matter
    if most == 1.0 and ordered and (max(ordered) == 0 or min(ordered) == 1):
        # Drawing again finds nothing else, but another patient may be otherwise. Of a true share p nobody shows it with
        # probability (1 - p) ** n.
        unseen = 1 - (statistics.ALPHA / 2) ** (1 / len(ordered))
        return (0.0, unseen) if max(ordered) == 0 else (1 - unseen, 1.0)
    low, high = statistics.spread_of_mean(ordered, statistics.addressed(0, "mean", *address)).interval()
    # Stretched for small numbers, it may leave the range that the value has.
    return (low, high) if math.isnan(low) else (max(0.0, low), min(most, high))


def _mean(rows: list[Row], metric: str) -> float:
    return patient_mean(rows_for(rows, metric), lambda row: row.value(metric))


def _patients(rows: list[Row]) -> int:
    return len({row.who for row in rows})


def _one(values: list[Any], mixed: Any) -> Any:
    return values[0] if len(set(values)) == 1 else mixed


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
