"""TensorBoard: event files in the run's folder, `tensorboard --logdir runs` shows them."""

from __future__ import annotations

from typing import Any

from torch.utils.tensorboard import SummaryWriter

from segue.training.run import Run
from segue.training.trackers import curves


class Tracker:
    def __init__(self, run: Run) -> None:
        self._writer = SummaryWriter(str(run.folder / "tensorboard"))

    def step(self, step: int, steps: int, loss: float) -> None:
        self._writer.add_scalar("train/loss of a step", loss, step)

    def epoch(self, line: dict[str, Any]) -> None:
        for name, value in curves(line).items():
            self._writer.add_scalar(name, value, line["step"])

    def close(self) -> None:
        self._writer.close()
