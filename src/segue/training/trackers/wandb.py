"""Weights & Biases, offline: a folder in the run's own, `wandb sync RUN/wandb/offline-run-*` sends it.

Nothing leaves the machine by itself: it is sent while training only where WANDB_MODE=online says so.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any

import wandb

from segue.training.run import Run
from segue.training.trackers import curves


class Tracker:
    def __init__(self, run: Run) -> None:
        written = (run.folder / "config.yaml").read_bytes() + run.name.encode()
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "segue"),
            name=run.name,
            # The same when it goes on after an interruption, so that its parts are one run there.
            id=hashlib.blake2b(written, digest_size=8).hexdigest(),
            resume="allow",
            dir=run.folder,
            config=run.config,
            mode="online" if os.environ.get("WANDB_MODE") == "online" else "offline",
            # What is needed to draw curves, and nothing about the machine.
            settings=wandb.Settings(
                silent=True,
                console="off",
                disable_git=True,
                disable_code=True,
                x_disable_meta=True,
                x_disable_stats=True,
            ),
        )

    def step(self, step: int, steps: int, loss: float) -> None:
        self._run.log({"train/loss of a step": loss}, step=step)

    def epoch(self, line: dict[str, Any]) -> None:
        self._run.log(curves(line), step=line["step"])

    def close(self) -> None:
        self._run.finish()
