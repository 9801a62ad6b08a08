"""Studies that take seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.experiment.conftest import SMALL

QUICK: dict[str, Any] = {
    **{key: SMALL[key] for key in ("network", "size", "machine")}, "loop": {"steps": 2, "epoch_steps": 2, "batch": 2},
    "validation": "none",
}  # fmt: skip
TWO = {"plain": {"variation": "none"}, "two views": {"method": "two-view"}}


def write(name: str = "which.yaml", **given: Any) -> Path:
    usual = {
        "question": "Which?", "data": "datasets/north", "elsewhere": ["datasets/south"], "fixed": QUICK, "repeats": 2,
        "axes": {"training": TWO},
    }  # fmt: skip
    file = Path(name)
    file.write_text(yaml.safe_dump({**usual, **given}, sort_keys=False))
    return file
