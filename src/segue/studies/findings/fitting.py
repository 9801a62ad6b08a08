"""How well arms fit what they learnt from, by the one judge as validation is: far above validation, and masks were learnt by
heart. Asked of the first repeat of the best arms, on a few training images, once; kept in the study's folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from segue.errors import BadInput
from segue.evaluation.judging.judge import judge
from segue.evaluation.judging.subject import Subject
from segue.evaluation.judging.summary import chosen_by
from segue.executors.progress import Progress
from segue.experiment.limits import learnt_from
from segue.files import read_json, write_json
from segue.studies.evidence import Evidence
from segue.training.run import Run

NAME = "fitting.json"
ARMS, IMAGES, VOLUMES = 8, 12, 3


def fitted(evidence: Evidence, order: Sequence[str], folder: Path, progress: bool) -> dict[str, float]:
    """By arm; none where its images are no longer where they were, or its weights are gone."""
    path = folder / NAME
    kept: Mapping[str, float] = read_json(path) if path.exists() else {}
    runs = {arm: Run(evidence.first(arm).folder) for arm in order[:ARMS]}
    keys = {arm: _key(run) for arm, run in runs.items()}
    todo = [arm for arm in runs if keys[arm] not in kept and any(runs[arm].stamps)]
    found = {arm: kept[keys[arm]] for arm in runs if keys[arm] in kept}
    if todo:
        with Progress("judging on training images", len(todo), shown=progress) as told:
            for arm in todo:
                try:
                    found[arm] = _fit(Run.open(runs[arm].folder))
                    told.advance()
                except BadInput:
                    told.advance(failed=True)
        write_json(path, {keys[arm]: value for arm, value in found.items()})
    return found


def _key(run: Run) -> str:
    return f"{run.name}-{hashlib.blake2b(repr(run.stamps).encode(), digest_size=4).hexdigest()}"


def _fit(run: Run) -> float:
    from segue.experiment.load import load

    model = load(run.folder)
    cases = _some(learnt_from(run), VOLUMES if model.frame.volumes is not None else IMAGES)
    found = judge(model.predictor(), cases, frame=model.frame, target=model.target, quick=True)
    return chosen_by(found.table, str(run.config["select"]))


def _some(cases: Sequence[Subject], count: int) -> list[Subject]:
    """Evenly over all of them."""
    step = max(1.0, len(cases) / count)
    return [cases[int(number * step)] for number in range(min(count, len(cases)))]
