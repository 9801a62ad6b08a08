"""What a study varies: axes of values with names, each a bunch of settings."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segue.errors import BadInput
from segue.studies.bunch import Bunch, bunch

OURS = ("repeats", "seed")  # names that a study needs for itself


@dataclass(frozen=True)
class Axis:
    name: str
    values: Mapping[str, Bunch]


def axis(name: str, given: Any) -> Axis:
    """Of values with names; or of a setting, which is the axis's name, and its values."""
    if name in OURS:
        raise BadInput(f"axes: {name!r} cannot be an axis", hint="repeats: 5 trains each five times, with other seeds.")
    if isinstance(given, Mapping):
        found = {str(value): _settings(name, str(value), told) for value, told in given.items()}
    elif isinstance(given, Sequence) and not isinstance(given, str):
        names = [named(value) for value in given]
        twice = next((one for one in names if names.count(one) > 1), None)
        if twice is not None:
            raise BadInput(f"axes: {name} has the value {twice} twice")
        found = {told: bunch({name: value}) for told, value in zip(names, given, strict=True)}
    else:
        raise BadInput(
            f"axes: {name} must be a list of values, or values by name", hint=f"axes: {{{name}: [..., ...]}}"
        )
    if not found:
        raise BadInput(f"axes: {name} has no values")
    return Axis(name, found)


def _settings(name: str, value: str, told: Any) -> Bunch:
    if told is None:
        return {}  # as it is fixed, or by default
    if not isinstance(told, Mapping):
        raise BadInput(f"axes: {name}: {value} must be settings and their values, not {told!r}")
    return bunch(told)


def named(value: Any) -> str:
    """A value as a table shows it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "x".join(map(named, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {named(each)}" for key, each in value.items()) or "none"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def grid(axes: Sequence[Axis]) -> Iterator[dict[str, str]]:
    """Each value of each with each of all others; the first axis changes last."""
    for values in itertools.product(*(each.values for each in axes)):
        yield dict(zip((each.name for each in axes), values, strict=True))
