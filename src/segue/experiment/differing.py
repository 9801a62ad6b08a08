"""In which settings runs differ: what a comparison of them is a comparison of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from segue.errors import BadInput
from segue.experiment.members import members_of
from segue.experiment.settings import TrainSettings
from segue.methods import METHODS

_ASIDE = (
    "machine.",
    "loop.seed",
    "loop.save_minutes",
    "loop.epoch_steps",
    "stores",
    "fold",
)  # they change what it takes, not what is compared
_OF_METHODS = tuple(f"{name}." for name in METHODS if name in TrainSettings.model_fields)  # read by one method alone


def differing(sides: Mapping[str, Sequence[Path]]) -> dict[str, dict[str, str]]:
    """Setting -> side -> value; of the settings that are not the same on all sides."""
    flat = {side: [read(config) for run in runs for config in _configs(run)] for side, runs in sides.items()}
    # Of masks that another tool has made, nobody knows the settings.
    flat = {side: configs for side, configs in flat.items() if any(configs)}
    keys = dict.fromkeys(key for configs in flat.values() for config in configs for key in config)
    found = {}
    for key in keys:
        values = {side: _said([config.get(key) for config in configs]) for side, configs in flat.items()}
        # That one side's method has settings which another's has not is told by their methods.
        read_by = [
            side for side in flat if not key.startswith(_OF_METHODS) or any(key in config for config in flat[side])
        ]
        if len({values[side] for side in read_by}) > 1 and not key.startswith(_ASIDE):
            found[key] = values
    return found


def read(config: Mapping[str, Any]) -> dict[str, Any]:
    """A run's settings, those within others by their dotted keys, but for those that its method does not read."""
    unread = tuple(section for section in _OF_METHODS if section != f"{config.get('method')}.")
    return {key: value for key, value in _flat(config) if not key.startswith(unread)}


def _configs(run: Path) -> list[Mapping[str, Any]]:
    """Of a run, or of all that predict together; of masks that something else has made, nothing."""
    try:
        return [member.config for member in members_of(run)]
    except BadInput:
        return [{}]


def _flat(given: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in given.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _said(values: list[Any]) -> str:
    told = list(dict.fromkeys("-" if value in (None, "", []) else _short(value) for value in values))
    return ", ".join(told)


def _short(value: Any) -> str:
    if not isinstance(value, list):
        return str(value)
    return ("x" if all(isinstance(one, int) for one in value) else ", ").join(map(str, value))
