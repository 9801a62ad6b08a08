"""`--set network.members=3`: several networks trained side by side in one run, which is an ensemble wherever it is asked."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from segue.errors import BadInput
from segue.experiment.adapting.adapt import adapt
from segue.experiment.evaluate import evaluate
from segue.experiment.load import load
from segue.experiment.members import ensemble
from segue.experiment.settings import EvaluateSettings
from segue.experiment.train import train
from segue.training.loop import Loop
from segue.training.run import Run
from tests.experiment.conftest import LOOK, SMALL

NORTH = "datasets/north"
SEVERAL: dict[str, Any] = {**SMALL, "network": {**SMALL["network"], "members": 2}, "variation": "natural"}


def weights(run: Run) -> bytes:
    return (run.folder / "weights/last.safetensors").read_bytes()


def image() -> torch.Tensor:
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def consistent(there: Path) -> Run:
    return train(NORTH, "runs/side-by-side", **{**SEVERAL, "method": "consistency"}).run


def test_members_stay_apart_and_predict_together(consistent: Run) -> None:
    model = load(consistent.folder).eval()
    assert len(model.members) == len(model.apart()) == 2
    with torch.inference_mode():
        each = [member(image()) for member in model._each()]
        one, other = (torch.sigmoid(found.logits) for found in each)
        assert torch.allclose(model(image())[:, 1:], (one + other) / 2, atol=1e-6)
    assert (one - other).abs().mean() > 1e-3


def test_it_is_another_training_than_that_of_one_and_than_masks_alone(consistent: Run) -> None:
    runs = [
        consistent,
        train(NORTH, "runs/side-two-view", **{**SEVERAL, "method": "two-view"}).run,
        train(NORTH, "runs/side-masks", **SEVERAL).run,
        train(NORTH, "runs/side-three", **{**SEVERAL, "network": {**SEVERAL["network"], "members": 3}}).run,
    ]
    assert len({weights(run) for run in runs}) == len(runs)
    single = train(NORTH, "runs/side-single", **{**SMALL, "variation": "natural"}).run
    assert runs[2].about["parameters"] == 2 * single.about["parameters"]


def test_it_is_judged_as_an_ensemble_and_asked_where_members_disagree(consistent: Run) -> None:
    (found,) = evaluate(consistent.folder, NORTH, settings=EvaluateSettings(part="all", disagree=True)).sets
    (told,) = found.disagreeing
    assert told.members == 2
    assert 0 < told.disagreement <= 1
    assert (consistent.folder / "report.html").exists()
    joined = ensemble([consistent.folder, train(NORTH, "runs/side-single", **{**SMALL, "variation": "natural"}).run.folder],
                      "runs/side-joined")  # fmt: skip
    assert len(load(joined).members) == 3


def test_stopped_and_gone_on_is_the_same_bytes(consistent: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {**SEVERAL, "method": "consistency"}
    plain = Loop.one_step

    def stopped(self: Loop, parcels: Any) -> float:
        if self.run.folder.name == "side-stopped" and self.step == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return plain(self, parcels)

    with monkeypatch.context() as patched:
        patched.setattr(Loop, "one_step", stopped)
        with pytest.raises(KeyboardInterrupt):
            train(NORTH, "runs/side-stopped", **given)
    assert weights(train(NORTH, "runs/side-stopped", **given).run) == weights(consistent)


def test_it_teaches_one_network(consistent: Run) -> None:
    given = {**SMALL, "method": "distil", "teachers": (str(consistent.folder),)}
    student = train(NORTH, "runs/side-taught", **given).run
    assert len(load(student.folder).members) == 1


def test_what_asks_for_one_network_says_so(consistent: Run) -> None:
    from segue.experiment.covering.cover import cover
    from segue.experiment.pretraining.pretrain import pretrain

    with pytest.raises(BadInput, match=r"network\.members: semi teaches one network") as told:
        train(NORTH, "runs/no", **{**SEVERAL, "method": "semi"})
    assert "supervised, two-view, consistency" in (told.value.hint or "")
    with pytest.raises(BadInput, match=r"network\.members: a pre-training makes one encoder"):
        pretrain(NORTH, "runs/no", **{**LOOK, "network": SEVERAL["network"]})
    with pytest.raises(BadInput, match="is several networks side by side, and one is adapted at a time"):
        adapt("runs/side-by-side", "datasets/south", "runs/no")
    with pytest.raises(BadInput, match="side-by-side: is 2 networks, each with an encoder of its own"):
        cover(consistent.folder, "datasets/south")
    assert not Path("runs/no").exists()
