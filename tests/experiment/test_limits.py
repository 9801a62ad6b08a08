"""What no training can pass, of runs that were trained and by losses whose least is known."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree

import pytest
import torch
import yaml
from torch import Tensor

from segue.data.dataset import Dataset
from segue.evaluation.judging.subject import subjects
from segue.experiment.limits import best_metric, least_loss
from segue.experiment.train import Trained
from segue.losses import loss
from segue.losses.areas import Dice
from segue.losses.pair import Pair
from segue.training.run import Run


class Twice(Dice):
    """The Dice of a sigmoid of a sigmoid, as a network that ends in one is taught by a loss that has its own: probabilities
    lie from .5 to .73, and no mask can be said."""

    def __call__(self, pair: Pair) -> Tensor:
        pair.logits = pair.logits.sigmoid()
        return super().__call__(pair)


def changed(run: Trained, where: Path, **config: object) -> Run:
    copytree(run.run.folder, where)
    path = where / "config.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **config}))
    return Run.open(where)


def test_a_prediction_that_is_right_everywhere_has_no_loss(there: Path, trained: Trained) -> None:
    assert least_loss(trained.run) == pytest.approx(0, abs=1e-6)


def test_the_least_of_a_loss_that_takes_probabilities_for_logits_is_told(
    there: Path, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(loss.LOSSES, "twice", Twice)
    run = changed(trained, tmp_path / "twice", loss="twice")
    found = least_loss(run)
    # Of a lesion of share f of the canvas it is 1 - 2 * .73 f / (f + .73 f + .5 (1 - f)): the larger the lesion, the less.
    sure = float(torch.tensor(1.0).sigmoid())
    assert 1 - 2 * sure / (1 + sure) < found < 1
    assert found > 0.35


def test_what_is_left_of_masks_falls_with_the_canvas(there: Path, trained: Trained, tmp_path: Path) -> None:
    cases = subjects(Dataset.open("datasets/south"), trained.run.target)
    whole = best_metric(trained.run, cases, "dice")
    run = changed(trained, tmp_path / "small")
    about = json.loads((run.folder / "run.json").read_text())
    (run.folder / "run.json").write_text(json.dumps({**about, "frame": {**about["frame"], "size": [32, 32]}}))
    small = best_metric(Run.open(run.folder), cases, "dice")
    assert 0.5 < small < whole < 1
