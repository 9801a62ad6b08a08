"""Tables of several models side by side: only over the very same cases, patients and masks, or not at all."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from segue.errors import BadInput, nearest
from segue.evaluation.judging.metrics import Metric
from segue.evaluation.judging.summary import rows_for
from segue.evaluation.judging.table import Row, Table
from segue.words import count, of_all, short, some

Floats = npt.NDArray[np.float64]
Key = tuple[str, str]  # case, class
Side = tuple[dict[Key, Row], ...]  # of each run


@dataclass(frozen=True)
class Paired:
    """One value for each side, run and patient."""

    patients: tuple[str, ...]
    cases: int
    values: Mapping[str, Floats]  # of each side: (runs, patients)


def aligned(
    given: Mapping[str, Table | Sequence[Table]], *, class_name: str | None, leave_out_trained: bool
) -> tuple[dict[str, Side], int]:
    """The rows of every side and run by case and class, and how many cases were left out because of training."""
    if len(given) < 2:
        raise BadInput("a comparison needs two models at least")
    sides = {name: tuple(map(_by_key, _runs(name, tables))) for name, tables in given.items()}
    if class_name is not None:
        known = {key[1] for runs in sides.values() for rows in runs for key in rows}
        if class_name not in known:
            raise BadInput(f"no table has a class {class_name!r} ({nearest(class_name, known)})")
        sides = {
            name: tuple({key: row for key, row in rows.items() if key[1] == class_name} for rows in runs)
            for name, runs in sides.items()
        }
    first_name, first = next((name, runs[0]) for name, runs in sides.items())
    if not first:
        raise BadInput(f"the table of {first_name!r} has no cases")
    for name, runs in sides.items():
        for number, rows in enumerate(runs):
            told = f"{name!r}" if len(runs) == 1 else f"run {number + 1} of {name!r}"
            _same_cases(f"{first_name!r}", first, told, rows)
    return _without_trained(sides, leave_out_trained)


def paired(sides: Mapping[str, Side], keys: Iterable[Key], metric: Metric) -> Paired:
    """The mean of each patient: over a class's cases first, then over classes. Of `keys` those that the metric is for."""
    some_side = next(iter(sides.values()))
    wanted = [(row.case, row.class_name) for row in rows_for([some_side[0][key] for key in keys], metric.name)]
    _one_measure(sides, wanted, metric)
    values = {name: [_patients(rows, wanted, metric) for rows in runs] for name, runs in sides.items()}
    patients = tuple(sorted({some_side[0][key].who for key in wanted}))
    return Paired(
        patients,
        len({case for case, _ in wanted}),
        {name: np.array([[run[who] for who in patients] for run in runs]) for name, runs in values.items()},
    )


def _runs(name: str, tables: Table | Sequence[Table]) -> tuple[Table, ...]:
    runs = (tables,) if isinstance(tables, Table) else tuple(tables)
    if not runs:
        raise BadInput(f"{name!r} has no table")
    return runs


def _by_key(table: Table) -> dict[Key, Row]:
    return {(row.case, row.class_name): row for row in table}


def _same_cases(name: str, rows: Mapping[Key, Row], other_name: str, others: Mapping[Key, Row]) -> None:
    for lacking, has, lacks in ((other_name, rows, others), (name, others, rows)):
        missing = [key for key in has if key not in lacks]
        if missing:
            known = {case for case, _ in lacks}
            cases = list(dict.fromkeys(case for case, _ in missing))
            if all(case in known for case in cases):  # the cases are there, the class is not
                what = f"class {missing[0][1]!r} in {count(len(cases), 'case')}"
            else:
                what = of_all(len(cases), len({case for case, _ in has}), "case")
            raise BadInput(
                f"{lacking} lacks {what} that {other_name if lacking == name else name} has: {some(cases)}",
                hint="Only models scored on the very same cases can be compared: evaluate both on the same set.",
            )
    for key, row in rows.items():
        other = others[key]
        if row.who != other.who:
            raise BadInput(f"case {key[0]!r} is of one patient in {name} and of another in {other_name}")
        for what in ("truth_pixels", "counted_pixels"):
            if getattr(row.scores, what) != getattr(other.scores, what):
                raise BadInput(
                    f"case {key[0]!r}: {name} was scored on a mask of {row.scores.truth_pixels:,} pixels of "
                    f"{row.scores.counted_pixels:,}, {other_name} on one of {other.scores.truth_pixels:,} of "
                    f"{other.scores.counted_pixels:,}",
                    hint="Evaluate both on the same masks, at the images' own size.",
                )


def _without_trained(sides: dict[str, Side], leave_out: bool) -> tuple[dict[str, Side], int]:
    trained: dict[Key, str] = {}
    for name, runs in sides.items():
        for rows in runs:
            trained |= {key: name for key, row in rows.items() if row.seen == "masks" and key not in trained}
    if not trained:
        return sides, 0
    cases = list(dict.fromkeys(case for case, _ in trained))
    every = {case for runs in sides.values() for rows in runs for case, _ in rows}
    if not leave_out or len(cases) == len(every):
        raise BadInput(
            f"{', '.join(map(repr, dict.fromkeys(trained.values())))}: trained with the masks of "
            f"{of_all(len(cases), len(every), 'case')} that are compared here: {some(cases)}",
            hint="What was learnt by heart says nothing about new patients: leave these cases out.",
        )
    gone = set(cases)
    left = {
        name: tuple({key: row for key, row in rows.items() if key[0] not in gone} for rows in runs)
        for name, runs in sides.items()
    }
    return left, len(cases)


def _one_measure(sides: Mapping[str, Side], wanted: Sequence[Key], metric: Metric) -> None:
    scores = [rows[key].scores for runs in sides.values() for rows in runs for key in wanted]
    if metric.distance or metric.name == "nsd":
        units = sorted({each.unit for each in scores})
        if len(units) > 1:
            raise BadInput(
                f"{metric.told} is in {' for some cases and in '.join(units)} for others",
                hint="Compare cases with a known spacing and those without one apart.",
            )
    if metric.name == "nsd":
        tolerances = sorted({each.tolerance for each in scores})
        if len(tolerances) > 1:
            raise BadInput(f"NSD was measured with tolerances from {tolerances[0]:g} to {tolerances[-1]:g}: take one")


def _patients(rows: Mapping[Key, Row], wanted: Sequence[Key], metric: Metric) -> dict[str, float]:
    found: dict[str, dict[str, list[float]]] = {}
    for key in wanted:
        row = rows[key]
        value = row.value(metric.name)
        if not math.isfinite(value):
            raise BadInput(f"case {short(key[0])!r} has no number for {metric.name}", hint="Evaluate the run again.")
        found.setdefault(row.who, {}).setdefault(row.class_name, []).append(value)
    return {
        who: math.fsum(math.fsum(values) / len(values) for values in classes.values()) / len(classes)
        for who, classes in found.items()
    }
