"""The tables of an evaluation as a run's page tells them: sets, their strata, subgroups and worst cases."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from segue.data.target import Target
from segue.evaluation.judging.amounts import agreements
from segue.evaluation.judging.gap import gaps
from segue.evaluation.judging.metrics import FAILED_DICE, METRICS
from segue.evaluation.judging.summary import interval_of_mean, per_patient, rows_for, summarise
from segue.evaluation.judging.table import Row, Table
from segue.evaluation.predicting.decision import Decision
from segue.files import read_json
from segue.report.page import Estimate, Percent
from segue.report.story import (
    Amount,
    Calibrated,
    Disagreeing,
    Evaluated,
    Miss,
    Overlay,
    Result,
    Spoilt,
    Steady,
    Stratum,
    Subgroup,
)
from segue.words import percent

CASES, SUMMARY, OVERLAYS = "cases.csv", "summary.json", "overlays"
_THIRDS = (1 / 3, 2 / 3)  # of the cases of all sets, by size
_WORST = 8
_VALUES = 24  # of a column, above which it makes no subgroups
_PICTURES, _BYTES = 24, 4 << 20  # of a set's overlays; of one of them
_SHOWN = ("dice", "iou", "found_where_none")  # have columns of their own
_EMPTY = {"prediction": "nothing predicted", "truth": "nothing is there"}

Rows = Sequence[Row]


def read(evaluation: Path, target: Target) -> list[tuple[Evaluated, Table]]:
    """Every set that lies in a run's folder of evaluations: those from home first, by name."""
    if not evaluation.is_dir():
        return []
    found = [_set(folder, target) for folder in sorted(evaluation.iterdir()) if (folder / CASES).is_file()]
    ordered = sorted(found, key=lambda pair: (not pair[0].home, pair[0].part != "test"))
    if not ordered or not ordered[0][0].home:
        return ordered
    home, table = ordered[0]
    return [
        (one if one.home else replace(one, gaps=gaps(table, other, of_home=home.name, of_there=one.name)), other)
        for one, other in ordered
    ]


def _set(folder: Path, target: Target) -> tuple[Evaluated, Table]:
    table, about = Table.read(folder / CASES), keys(folder / SUMMARY)
    name = str(about.get("set") or folder.name)
    units = sorted({row.scores.unit for row in table})
    return (
        Evaluated(
            name=name,
            dataset=str(about.get("dataset", "")),
            part=str(about.get("part", "")),
            home=bool(about.get("home")),
            decision=_decision(about, target),
            unit=units[0] if len(units) == 1 else " and ".join(units),
            results=tuple(_results(table)),
            subgroups=_subgroups(table, name),
            worst=tuple(_worst(table)),
            overlays=tuple(_overlays(folder / OVERLAYS, about)),
            amounts=tuple(_amounts(table)),
            steady=tuple(_steady(about)),
            disagreeing=tuple(
                Disagreeing(one["class"], one["members"], one["cases"], one["disagreement"], one["rank"])
                for one in about.get("disagreement", ())
            ),
            calibrated=tuple(_calibrated(about)),
            spoilt=tuple(_spoilt(about)),
            left_out=len(about.get("left_out") or ()),
        ),
        table,
    )


def keys(path: Path) -> Mapping[str, Any]:
    """Of a JSON file; none where there is no file."""
    return read_json(path) if path.exists() else {}


def _steady(about: Mapping[str, Any]) -> Iterable[Steady]:
    for one in about.get("steadiness", ()):
        yield Steady(
            one["class"], one["variation"], one["cases"], one["unsteady"], one["inconsistency"], one["rank"],
        )  # fmt: skip


def _calibrated(about: Mapping[str, Any]) -> Iterable[Calibrated]:
    found = about.get("calibration") or {"before": {}}
    for name, before in found["before"].items():
        after = found["after"][name]
        curves = [tuple((said, so) for said, so, _ in side["bins"]) for side in (before, after)]
        yield Calibrated(
            name, found["temperatures"].get(name, 1.0), before["error"], after["error"], before["in_doubt"],
            before["doubt"], after["doubt"], *curves,
        )  # fmt: skip


def _spoilt(about: Mapping[str, Any]) -> Iterable[Spoilt]:
    found: dict[tuple[str, str], dict[int, float]] = {}
    for one in about.get("spoilt", ()):
        dice = math.nan if one["dice"] is None else float(one["dice"])
        found.setdefault((one["class_name"], one["corruption"]), {})[one["level"]] = dice
    return (Spoilt(name, kind, dice) for (name, kind), dice in found.items())


def _amounts(table: Table) -> Iterable[Amount]:
    for one in agreements(table):
        yield Amount(one.class_name, one.what, one.unit, one.number, one.lost, one.truth, one.bias, one.low, one.high)


def _decision(about: Mapping[str, Any], target: Target) -> str:
    if not isinstance(about.get("decision"), dict):
        return ""
    made = Decision.from_json(about["decision"])
    thresholded = not target.exclusive or target.logits == 1
    told = [f"threshold {made.threshold:g}" if thresholded else "the most probable class"]
    told += [f"parts under {percent(made.smallest)} of the image dropped"] if made.smallest else []
    told += ["holes filled"] if made.fill else []
    told += [f"mean over {' and '.join(map(str, about['views']))}"] if about.get("views") else []
    return ", ".join(told)


def _results(table: Table) -> Iterable[Result]:
    for summary in summarise(table, intervals=_SHOWN):
        rows = [row for row in table if (row.class_name, row.seen) == (summary.class_name, summary.seen)]
        present = rows_for(rows, "dice")
        mean = {metric: _estimate(summary.means[metric], summary.intervals[metric]) for metric in _SHOWN}
        others = {
            metric.told: summary.means[metric.name] for metric in METRICS.values() if metric.name not in _SHOWN
        }  # fmt: skip
        yield Result(
            name=summary.class_name, seen=summary.seen, cases=summary.cases,
            patients=summary.present_patients or summary.absent_patients,
            patients_known=summary.patients_known, present=summary.present, absent=summary.absent,
            missed=summary.missed, uncounted=summary.uncounted,
            dice=mean["dice"], iou=mean["iou"], failures=_failures(rows, summary.class_name, summary.seen),
            false_positives=mean["found_where_none"],
            others={**others, "nothing predicted, though it is there": summary.missed},
            per_case=tuple(row.scores.dice for row in present),
        )  # fmt: skip


def _mean(rows: Rows, metric: str, *address: str) -> Estimate:
    return estimate(rows_for(rows, metric), lambda row: row.value(metric), metric, *address)


def _failures(rows: Rows, *address: str) -> Estimate:
    return estimate(rows_for(rows, "dice"), lambda row: float(row.scores.dice < FAILED_DICE), "failures", *address)


def estimate(rows: Rows, value: Callable[[Row], float], *address: str) -> Estimate:
    """Of a share of 1: the mean over patients, and its interval; the same for the same cases, whatever stands beside."""
    means = per_patient(rows, value)
    if not means:
        return Estimate(math.nan)
    return _estimate(math.fsum(means.values()) / len(means), interval_of_mean(means, *address))


def _estimate(mean: float, interval: tuple[float, float]) -> Estimate:
    return Estimate(mean) if math.isnan(sum(interval)) else Estimate(mean, *interval)


def _subgroups(table: Table, name: str) -> dict[str, tuple[Subgroup, ...]]:
    found = {}
    for column in table.columns:
        groups: dict[tuple[str, str, str], list[Row]] = {}
        for row in table:
            groups.setdefault((row.column(column), row.class_name, row.seen), []).append(row)
        values = {value for value, *_ in groups}
        if 1 < len(values) <= min(_VALUES, len({row.case for row in table}) // 2):
            found[column] = tuple(_subgroup(key, groups[key], name, column) for key in sorted(groups))
    return found


def _subgroup(key: tuple[str, str, str], rows: Rows, *address: str) -> Subgroup:
    value, name, seen = key
    where = (*address, *key)
    present, absent = rows_for(rows, "dice"), rows_for(rows, "found_where_none")
    return Subgroup(
        value=value, name=name, seen=seen, patients=len({row.who for row in (*present, *absent)}),
        patients_known=all(row.patient for row in rows),
        present=len(present), absent=len(absent), dice=_mean(rows, "dice", *where),
        failures=_failures(rows, *where), false_positives=_mean(rows, "found_where_none", *where),
    )  # fmt: skip


def _worst(table: Table) -> Iterable[Miss]:
    wrong = [row for row in table if row.scores.empty not in ("both", "uncounted") and row.scores.dice < 1]
    for row in sorted(wrong, key=lambda row: (row.scores.dice, row.case, row.class_name))[:_WORST]:
        yield Miss(
            case=row.case, name=row.class_name, dice=row.scores.dice,
            numbers={
                "IoU": row.scores.iou, "HD95": row.scores.hd95, "size": Percent(row.scores.size),
                "remark": _EMPTY.get(row.scores.empty, ""), "seen": row.seen,
            },
        )  # fmt: skip


def strata(tables: Mapping[str, Iterable[Row]], metric: str = "dice") -> dict[str, tuple[Stratum, ...]]:
    """Thirds of all cases of a class that training never saw, the same bounds for every set, or for every arm of several runs
    on one set."""
    found: dict[str, list[Stratum]] = {}
    known = {one: [row for row in rows_for(table, metric) if not row.seen] for one, table in tables.items()}
    for name in dict.fromkeys(row.class_name for table in tables.values() for row in table):
        rows = {one: [row for row in inside if row.class_name == name] for one, inside in known.items()}
        sizes = [row.scores.size for inside in rows.values() for row in inside]
        if len(sizes) < 3:
            continue
        bounds = sorted(set(np.quantile(sizes, _THIRDS).tolist()))
        for number in range(len(bounds) + 1):
            told = _between(bounds, number)
            groups = {
                one: [row for row in inside if np.searchsorted(bounds, row.scores.size, side="right") == number]
                for one, inside in rows.items()
            }
            results = {
                one: (_mean(inside, metric, one, name, told), len({row.case for row in inside}))
                for one, inside in groups.items()
                if inside
            }
            if results:
                found.setdefault(name, []).append(Stratum(told=told, results=results))
    return {name: tuple(inside) for name, inside in found.items()}


def _between(bounds: Sequence[float], number: int) -> str:
    if number == 0:
        return f"under {percent(bounds[0])}"
    if number == len(bounds):
        return f"{percent(bounds[-1])} and more"
    return f"{percent(bounds[number - 1])} to {percent(bounds[number])}"


def overlays(evaluation: Path) -> tuple[Overlay, ...]:
    """What the evaluation on a set drew."""
    return tuple(_overlays(evaluation / OVERLAYS, keys(evaluation / SUMMARY)))


def _overlays(folder: Path, about: Mapping[str, Any]) -> Iterable[Overlay]:
    """JPEG files; what each shows stands in the summary, else its name must tell (worst-1.jpg)."""
    listed = about.get("overlays")
    listed = listed if isinstance(listed, list) else []
    known = {str(one["file"]): one for one in listed if isinstance(one, dict) and "file" in one}
    for path in sorted(folder.glob("*.jpg"))[:_PICTURES] if folder.is_dir() else []:
        data = path.read_bytes() if path.stat().st_size <= _BYTES else b""
        if not data.startswith(b"\xff\xd8"):
            continue  # not what an evaluation writes
        told = known.get(path.name, {})
        dice = told.get("dice")
        yield Overlay(
            picture=f"data:image/jpeg;base64,{b64encode(data).decode()}",
            case=str(told.get("case", path.stem)),
            mark=str(told.get("mark", path.stem.partition("-")[0])),
            told=f"Dice {dice:.3f}" if isinstance(dice, float) and math.isfinite(dice) else "",
        )
