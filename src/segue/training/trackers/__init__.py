"""Where else a run's curves may go. A tracker is a file here and a line in TRACKERS; each is imported when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from segue.errors import BadInput, nearest
from segue.training.loop import Watcher
from segue.training.run import Run

TRACKERS = {name: f"segue.training.trackers.{name}" for name in ("tensorboard", "wandb")}


def curves(line: Mapping[str, Any]) -> dict[str, float]:
    """What an epoch's line says, by the name of its curve."""
    told = {f"train/{name}": value for name, value in line.items() if name not in ("epoch", "step", "validation")}
    return told | {f"validation/{metric}": score for metric, score in line.get("validation", {}).items()}


def trackers(names: Sequence[str], run: Run) -> list[Watcher]:
    found: list[Watcher] = []
    for name in names:
        if name not in TRACKERS:
            raise BadInput(f"no tracker is called {name!r}: {nearest(name, TRACKERS)}")
        try:
            module = importlib.import_module(TRACKERS[name])
        except ImportError:
            raise BadInput(f"{name} is not installed", hint="pip install 'segue[track]'") from None
        found.append(module.Tracker(run))
    return found
