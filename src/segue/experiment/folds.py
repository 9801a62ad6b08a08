"""`segue train --folds 5`: a run for each fold, every case judged by the run that has not seen it, all kept together.

The folder of the folds predicts as one: the mean of their probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segue.data.dataset import Dataset
from segue.data.splitting.split import Split, SplitSettings, split
from segue.errors import BadInput
from segue.evaluation.judging.judge import judge
from segue.evaluation.judging.metrics import METRICS
from segue.evaluation.judging.subject import subjects
from segue.evaluation.judging.summary import Summary, summarise
from segue.evaluation.judging.table import Table
from segue.experiment.folder import run_name
from segue.experiment.load import load
from segue.experiment.settings import TrainSettings
from segue.experiment.telling import Say
from segue.experiment.train import train
from segue.files import write_json


@dataclass(frozen=True)
class Folds:
    folder: Path
    runs: tuple[Path, ...]
    table: Table  # out of fold: each case by the run that did not learn from it
    summaries: tuple[Summary, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder), "runs": [str(run) for run in self.runs],
            "out_of_fold": [one.as_json() for one in self.summaries],
        }  # fmt: skip


def train_folds(
    settings: TrainSettings,
    folds: int,
    out: Path | str | None = None,
    *,
    fresh: bool = False,
    track: Sequence[str] = (),
    progress: bool = False,
    say: Say = lambda line: None,
) -> Folds:
    """One after the other; asked again, it goes on with the fold that it was in."""
    if len(settings.data) != 1 or settings.fold is not None:
        raise BadInput("--folds trains on one dataset, and on all of its folds")
    dataset = Dataset.open(settings.data[0])
    name = _split(dataset, settings, folds, say)
    folder = (
        Path(out)
        if out is not None
        else Path("runs") / f"{run_name(settings, settings.network.architecture)}-folds-{folds}"
    )
    runs = []
    for number in range(folds):
        say(f"fold {number + 1} of {folds}")
        one = settings.model_copy(update={"split": name, "fold": number})
        where = folder / f"fold-{number}"
        runs.append(train(out=where, settings=one, fresh=fresh, track=track, progress=progress, say=say).run)
    rows = [row for run in runs for row in _unseen(run.folder, dataset, settings)]
    table = Table.of(rows)
    evaluation = folder / "evaluation" / f"{dataset.name}-out-of-fold"
    table.write(evaluation / "cases.csv")
    summaries = summarise(table, intervals=METRICS)
    about = {
        "set": evaluation.name, "dataset": dataset.name, "part": "out-of-fold", "home": True, "seen": "",
        "split": Split.open(dataset, name).hash, "runs": [run.name for run in runs],
    }  # fmt: skip
    write_json(evaluation / "summary.json", {**about, "summaries": [one.as_json() for one in summaries]})
    return Folds(folder, tuple(run.folder for run in runs), table, summaries)


def _split(dataset: Dataset, settings: TrainSettings, folds: int, say: Say) -> str:
    """The split with so many folds: the one that is named, if it has them, or one of its own beside it."""
    if (dataset.folder / f"{settings.split}.csv").exists():
        found = Split.open(dataset, settings.split)
        if len(set(found.folds.values())) == folds:
            return settings.split
    name = f"folds-{folds}"
    if not (dataset.folder / f"{name}.csv").exists():
        made = split(dataset, settings=SplitSettings(published=False, folds=folds, seed=settings.loop.seed), name=name)
        say(f"split {dataset.name} into {folds} folds {made.how}: {dataset.folder / name}.csv")
        for warning in made.warnings:
            say(f"! {warning}")
    return name


def _unseen(run: Path, dataset: Dataset, settings: TrainSettings) -> Table:
    model = load(run)
    names = [row["case"] for row in model.runs[0].cases() if row["part"] == "validation"]
    cases = subjects(dataset, model.target, names=names, same=settings.same)
    return judge(model.predictor(), cases, frame=model.frame, target=model.target).table
