"""Curves arrive where they were asked for, in the real trackers' own files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from segue.errors import BadInput
from segue.training.run import Run
from segue.training.trackers import TRACKERS, trackers

LINE: dict[str, Any] = {"epoch": 1, "step": 3, "loss": 0.75, "rate": 0.01, "validation": {"dice": 0.625}}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(
        tmp_path / "tracked",
        config={"loss": "dice", "loop": {"steps": 3}},
        about={},
        cases=[{"case": "one"}],
        seen=[{"case": "one"}],
    )


def _told(name: str, run: Run) -> None:
    (tracker,) = trackers([name], run)
    for step in (1, 2, 3):
        tracker.step(step, 3, 1 / step)
    tracker.epoch(LINE)
    tracker.close()


def test_tensorboard(run: Run) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    _told("tensorboard", run)
    read = EventAccumulator(str(run.folder / "tensorboard"))
    read.Reload()
    assert [round(each.value, 3) for each in read.Scalars("train/loss of a step")] == [1, 0.5, 0.333]
    assert [(each.step, each.value) for each in read.Scalars("validation/dice")] == [(3, 0.625)]
    assert [each.value for each in read.Scalars("train/loss")] == [0.75]


def test_wandb_offline_and_the_same_run_when_it_goes_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    _told("wandb", run)
    _told("wandb", run)
    found = list(run.folder.glob("wandb/offline-run-*/run-*.wandb"))
    assert len({path.name for path in found}) == 1
    written = b"".join(path.read_bytes() for path in found)  # a part each time, unless both fall into one second
    for said in (b"validation/dice", b"0.625", b"train/loss of a step", b"0.75"):
        assert said in written


def test_unknown(run: Run) -> None:
    with pytest.raises(BadInput, match="no tracker is called 'tensorbord'"):
        trackers(["tensorbord"], run)


def test_not_installed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TRACKERS, "other", "segue.training.trackers.other")
    with pytest.raises(BadInput, match="other is not installed"):
        trackers(["other"], run)
