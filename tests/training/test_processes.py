"""Two processes that share a batch learn what one learns of it whole; and the test would notice if they did not share."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch

from segue.errors import Failed
from segue.training import devices
from segue.training.devices import spawn
from segue.training.run import Run
from tests.training.worker import learn


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(Path(__file__).parents[2])
    Run.create(tmp_path, config={}, about={}, cases=[{"case": "x"}], seen=[{"case": "x"}])
    return tmp_path


def weights(folder: Path, rank: int) -> torch.Tensor:
    found: torch.Tensor = torch.load(folder / f"weights-{rank}.pt", weights_only=True)
    return found


def alone(folder: Path, name: str) -> torch.Tensor:
    learn(str(folder), name)
    (folder / "weights" / "state.pt").unlink()
    return weights(folder, 0)


@pytest.mark.parametrize("name", ["supervised", "consistency"])
def test_two_processes_are_one(run: Path, name: str) -> None:
    whole = alone(run, name)
    spawn("tests.training.worker", [str(run), name], 2)
    assert torch.equal(weights(run, 0), weights(run, 1))
    assert torch.allclose(weights(run, 0), whole, atol=1e-5)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == 4


def test_without_synchronisation_they_part(run: Path) -> None:
    whole = alone(run, "supervised")
    spawn("tests.training.worker", [str(run), "supervised", "unsynchronised"], 2)
    assert not torch.allclose(weights(run, 0), weights(run, 1), atol=1e-5)
    assert not torch.allclose(weights(run, 0), whole, atol=1e-5)


def test_one_that_fails_stops_all(run: Path) -> None:
    with pytest.raises(Failed, match="of 2 processes failed"):
        spawn("tests.training.worker", [], 2)


def test_one_that_waits_for_one_that_is_gone_is_ended(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_GRACE", 0.5)
    with pytest.raises(Failed, match="2 of 2 processes failed"):
        spawn("tests.training.deaf", [str(run)], 2)
    with pytest.raises(ProcessLookupError):
        os.kill(int((run / "deaf").read_text()), 0)
