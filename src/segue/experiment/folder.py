"""A run's folder found again: the same words, the same run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segue.errors import BadInput
from segue.experiment.settings import PretrainSettings, TrainSettings
from segue.training.run import Run


def run_name(asked: TrainSettings | PretrainSettings, detail: str) -> str:
    """The same settings, the same name: so the same command finds its run again."""
    digest = hashlib.blake2b(asked.model_dump_json().encode(), digest_size=3).hexdigest()
    names = "+".join(Path(folder).name for folder in asked.data)
    return f"{names}-{detail}-{asked.network.encoder}-{digest}".replace("/", "-")


def known_run(folder: Path, asked: TrainSettings | PretrainSettings) -> Run | None:
    """The run that lies there, if it was asked for in the same words."""
    if not folder.exists() or not any(folder.iterdir()):
        return None
    if Run.unborn(folder):
        return None
    if not (folder / "run.json").exists():
        raise BadInput(f"{folder}: is there and is not a run", hint="Give another --out.")
    run = Run.open(folder)
    before, now = run.about["asked"], json.loads(asked.model_dump_json())
    if before == now:
        return run
    key, one, other = _first_difference(before, now)
    raise BadInput(
        f"{folder}: is a run with other settings ({key}: {one!r} there, {other!r} now)",
        hint="Give another --out, or --fresh to replace it.",
    )


def _first_difference(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> tuple[str, Any, Any]:
    for key in [*now, *before]:
        one, other = before.get(key), now.get(key)
        if isinstance(one, dict) and isinstance(other, dict) and one != other:
            return _first_difference(one, other, f"{prefix}{key}.")
        if one != other:
            return prefix + key, one, other
    return prefix, None, None
