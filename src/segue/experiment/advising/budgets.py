"""Runs that learnt from different label budgets, read back: what a curve of budgets is drawn through."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segue.errors import BadInput
from segue.evaluation.comparing.budget_curve import FEWEST, BudgetCurve, fit
from segue.evaluation.comparing.pairing import aligned, paired
from segue.evaluation.judging.metrics import METRICS
from segue.evaluation.judging.table import Table
from segue.experiment.advising.facts import Facts
from segue.experiment.ways import way
from segue.training.run import Run


def curve_of(facts: Facts, runs: Sequence[Path | str]) -> BudgetCurve | None:
    """None: these have fewer budgets than a curve needs. What is no run of this dataset's split, or not judged, is refused."""
    found = [_run(facts, where) for where in runs]
    if len({learnt for _, learnt, _ in found}) < FEWEST:
        return None
    _demand_one_kind([run for run, _, _ in found])
    # An image that any of them has looked at is no test of the curve.
    looked = {row.case for _, _, table in found for row in table if row.seen}
    tables = {str(run.folder): Table.of(row for row in table if row.case not in looked) for run, _, table in found}
    sides, _ = aligned(tables, class_name=None, leave_out_trained=False)
    values = paired(sides, next(iter(sides.values()))[0], METRICS["dice"]).values
    by_budget: dict[int, list[Any]] = {}
    for run, learnt, _ in found:
        by_budget.setdefault(learnt, []).append(values[str(run.folder)][0])
    return fit({learnt: np.stack(each) for learnt, each in by_budget.items()})


def _run(facts: Facts, where: Path | str) -> tuple[Run, int, Table]:
    """A run, the patients that it learnt from, and its table of the test part."""
    run, dataset = Run.open(where), facts.dataset
    if run.pretraining:
        raise BadInput(f"{run.folder}: is a pre-training; a curve is drawn through trainings")
    if facts.split is None:
        raise BadInput(
            f"{dataset.folder}: is not split, so no run of it was tested", hint=f"segue data split {dataset.folder}"
        )
    data = run.about["data"]
    if [place["name"] for place in data] != [dataset.name]:
        names = ", ".join(place["name"] for place in data)
        raise BadInput(f"{run.folder}: learnt from {names}, and a curve is of {dataset.name} alone")
    if data[0]["hash"] != facts.split.hash:
        raise BadInput(
            f"{run.folder}: learnt by another split ({data[0]['hash']}, not {facts.split.hash}): its test has other patients"
        )
    path = run.folder / "evaluation" / f"{dataset.name}-test" / "cases.csv"
    if not path.exists():
        raise BadInput(
            f"{run.folder}: was not judged on the test part of {dataset.name}",
            hint=f"segue evaluate {run.folder} --on {dataset.folder}",
        )
    units = facts.units
    learnt = {units[row["case"]] for row in run.cases() if row["part"] == "train" and row["dataset"] == dataset.name}
    return run, len(learnt), Table.read(path)


def _demand_one_kind(runs: Sequence[Run]) -> None:
    first = way(runs[0])
    for run in runs[1:]:
        other = way(run)
        for key in [*first, *other]:
            if first.get(key) != other.get(key):
                raise BadInput(
                    f"{runs[0].folder} and {run.folder} differ in more than their masks: {key} is {first.get(key)} there and "
                    f"{other.get(key)} here",
                    hint="A curve is of one way to train: give runs of the same settings but for --labels and --seed.",
                )
