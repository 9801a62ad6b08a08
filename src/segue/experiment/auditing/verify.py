"""`segue audit --verify N`: which cases to mask, and, once they are masked, what they prove."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segue.data.case import read_table, whom, write_rows
from segue.data.dataset import Dataset
from segue.errors import BadInput
from segue.evaluation.auditing.estimate import Case, Expected
from segue.evaluation.auditing.fit import of_patients
from segue.evaluation.auditing.proof import FEWEST, Proof, drawn, prove
from segue.evaluation.judging.judge import judge
from segue.evaluation.judging.subject import subjects
from segue.experiment.load import Model
from segue.experiment.predictor import Predictor
from segue.files import atomic

CHOSEN = "verify.csv"


@dataclass(frozen=True)
class Verified:
    chosen: tuple[str, ...]
    missing: tuple[str, ...]  # of them, those that have no mask yet
    table: Path  # which they are
    proofs: tuple[Proof, ...] = ()  # by class, once all have one

    def as_json(self) -> dict[str, Any]:
        return {
            "chosen": list(self.chosen), "missing": list(self.missing), "table": str(self.table),
            "proofs": [one.as_json() for one in self.proofs],
        }  # fmt: skip


def demand_enough(masks: int) -> None:
    if masks and masks < FEWEST:
        raise BadInput(f"--verify {masks}: from fewer than {FEWEST} masks nobody knows how far they spread")


def drawn_before(where: Path) -> int:
    """How many cases of a place, by the table that tells which."""
    path = where / CHOSEN
    return len(read_table(path)) if path.is_file() else 0


def verify(
    model: Model, predictor: Predictor, dataset: Dataset, expected: Expected, whose: Mapping[str, str], masks: int,
    same: Mapping[str, str], where: Path,
) -> Verified:  # fmt: skip
    """The drawn cases must be the dataset's own, so that it is scanned again when they are masked."""
    cases = [dataset.by_name[name] for name in dict.fromkeys(one.case for one in expected.cases)]
    if masks > len(cases):
        raise BadInput(f"--verify {masks}: {dataset.name} has {len(cases)} cases")
    chosen = drawn(cases, masks, dataset.name)
    missing = tuple(case for case in chosen if not dataset.by_name[case].labelled)
    with atomic(where / CHOSEN) as file:
        rows = [[case, *dataset.by_name[case].images[:1], "no" if case in missing else "yes"] for case in chosen]
        write_rows(file, [["case", "image", "masked"], *rows])
    if missing:
        return Verified(tuple(chosen), missing, where / CHOSEN)
    some = subjects(dataset, model.target, names=chosen, same={**model.runs[0].config["same"], **same})
    table = judge(predictor, some, frame=model.frame, target=model.target, quick=True).table
    rows_of = {(row.case, row.class_name): row.scores for row in table}
    proofs = []
    for name in dict.fromkeys(one.class_name for one in expected.cases):
        own = [one for one in expected.cases if one.class_name == name]
        scores = [rows_of[case, name] for case in chosen if (case, name) in rows_of]
        if len(scores) == len(chosen):
            proofs.append(_proof(name, own, chosen, scores, whose, whom(cases)))
    return Verified(tuple(chosen), (), where / CHOSEN, tuple(proofs))


def _proof(
    name: str, own: Sequence[Case], chosen: Sequence[str], scores: Sequence[Any], whose: Mapping[str, str], over: str
) -> Proof:
    places = {one.case: place for place, one in enumerate(own)}
    return prove(
        name, [places[case] for case in chosen], np.array([one.dice for one in scores], np.float64),
        np.array([one.present for one in scores]), np.array([one.dice for one in own]), np.array([one.there for one in own]),
        of_patients([whose[one.case] for one in own]), over,
    )  # fmt: skip
