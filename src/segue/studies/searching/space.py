"""What a search may choose from: ranges of numbers, lists of values and bunches with names, some only beside others.

space:
  loop.rate: {from: 1e-5, to: 1e-2, scale: log}
  size: [96, 128, 192]
  depth:                                            # bunches with names, as in an axis
    "3": {network.depth: 3, network.decoder_channels: [64, 32, 16]}
    "5": {network.depth: 5}
  consistency.weight: {from: 0.1, to: 1, when: {method: [consistency]}}
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from segue.errors import BadInput, nearest
from segue.experiment.settings import TrainSettings
from segue.studies.axes import axis
from segue.studies.bunch import Bunch, Key, bunch, dotted, laid

_RANGE = ("from", "to", "scale", "step", "when")


class Draws(Protocol):
    """A trial of Optuna, as far as it is needed here."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any: ...
    def suggest_float(self, name: str, low: float, high: float, *, step: float | None, log: bool) -> float: ...
    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int: ...


@dataclass(frozen=True)
class Range:
    setting: str
    low: float
    high: float
    log: bool
    step: float | None

    @property
    def keys(self) -> set[Key]:
        return set(bunch({self.setting: self.low}))

    @property
    def bunches(self) -> list[Bunch]:
        """What it may set, at its ends."""
        return [bunch({self.setting: end}) for end in (self.low, self.high)]

    @property
    def whole(self) -> bool:
        return all(isinstance(one, int) for one in (self.low, self.high)) and not isinstance(self.step, float)

    def draw(self, trial: Draws) -> tuple[Any, Bunch]:
        if self.whole:
            value: float = trial.suggest_int(
                self.setting, int(self.low), int(self.high), step=int(self.step or 1), log=self.log
            )
        else:
            value = trial.suggest_float(self.setting, self.low, self.high, step=self.step, log=self.log)
        return value, bunch({self.setting: value})

    def of(self, settings: Mapping[str, Any]) -> Any:
        """The value that settings have, or None where it is not among these."""
        value = _at(settings, *self.keys)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return value if number and self.low <= value <= self.high else None


@dataclass(frozen=True)
class Choice:
    name: str
    values: Mapping[str, Bunch]

    @property
    def keys(self) -> set[Key]:
        return {key for value in self.values.values() for key in value}

    @property
    def bunches(self) -> list[Bunch]:
        return list(self.values.values())

    def draw(self, trial: Draws) -> tuple[str, Bunch]:
        name = trial.suggest_categorical(self.name, list(self.values))
        return name, self.values[name]

    def of(self, settings: Mapping[str, Any]) -> str | None:
        for name, value in self.values.items():
            if all(_same(_at(settings, key), wanted) for key, wanted in value.items()):
                return name
        return None


@dataclass(frozen=True)
class Dimension:
    name: str
    what: Range | Choice
    when: Mapping[str, tuple[str, ...]]  # only where others have these values

    def open(self, drawn: Mapping[str, Any]) -> bool:
        return all(name in drawn and str(drawn[name]) in values for name, values in self.when.items())


@dataclass(frozen=True)
class Space:
    dimensions: tuple[Dimension, ...]

    @property
    def keys(self) -> set[Key]:
        return {key for one in self.dimensions for key in one.what.keys}

    def draw(self, trial: Draws) -> tuple[dict[str, Any], Bunch]:
        """What was drawn by name, and what that sets."""
        drawn: dict[str, Any] = {}
        bunches: list[tuple[str, Bunch]] = []
        for one in self.dimensions:
            if one.open(drawn):
                drawn[one.name], given = one.what.draw(trial)
                bunches.append((one.name, given))
        return drawn, laid(bunches)

    def start(self, settings: TrainSettings, told: str) -> dict[str, Any]:
        """Where these settings lie in it."""
        found: dict[str, Any] = {}
        given = settings.model_dump(mode="json")
        for one in self.dimensions:
            if not one.open(found):
                continue
            value = one.what.of(given)
            if value is None:
                there = ", ".join(f"{dotted(key)} {json.dumps(_at(given, key))}" for key in sorted(one.what.keys))
                raise BadInput(f"search: {told} has {there}, which the space of {one.name} has not")
            found[one.name] = value
        return found

    def without(self, given: Bunch) -> dict[Key, Any]:
        """What of a bunch is not searched for."""
        return {key: value for key, value in given.items() if not any(_overlap(key, other) for other in self.keys)}


def space(given: Mapping[str, Any]) -> Space:
    found: list[Dimension] = []
    for name, told in given.items():
        own, when = _when(name, told, found)
        found.append(
            Dimension(name, _range(name, own) if _is_range(own) else Choice(name, axis(name, own).values), when)
        )
    if not found:
        raise BadInput("search: space has nothing to choose from")
    return Space(tuple(found))


def _is_range(told: Any) -> bool:
    return isinstance(told, Mapping) and bool({"from", "to"} & set(told))


def _when(name: str, told: Any, before: Sequence[Dimension]) -> tuple[Any, dict[str, tuple[str, ...]]]:
    """The condition apart. A list has none, but `values: [...]` beside it."""
    if not isinstance(told, Mapping) or "when" not in told:
        return told, {}
    rest = {key: value for key, value in told.items() if key != "when"}
    own = rest["values"] if set(rest) == {"values"} else rest
    if not isinstance(told["when"], Mapping):
        raise BadInput(f"search: {name}: when must name another and its values", hint="when: {method: [consistency]}")
    return own, {str(other): _values(name, str(other), values, before) for other, values in told["when"].items()}


def _values(name: str, other: str, given: Any, before: Sequence[Dimension]) -> tuple[str, ...]:
    known = {one.name: one.what for one in before}
    if other not in known:
        raise BadInput(
            f"search: {name}: when names {other!r}, and above it stands {nearest(other, known) or 'nothing'}"
        )
    values = tuple(str(one) for one in (given if isinstance(given, list) else [given]))
    choices = known[other]
    strange = next((one for one in values if isinstance(choices, Choice) and one not in choices.values), None)
    if strange is not None:
        assert isinstance(choices, Choice)
        raise BadInput(f"search: {name}: {other} has no value {strange!r}: {nearest(strange, choices.values)}")
    return values


def _range(name: str, told: Mapping[str, Any]) -> Range:
    strange = next((key for key in told if key not in _RANGE), None)
    if strange is not None:
        raise BadInput(f"search: {name}: unknown key {strange!r}: {nearest(strange, _RANGE)}")
    low, high = (_number(name, told.get(key)) for key in ("from", "to"))
    step, scale = told.get("step"), told.get("scale", "linear")
    if low >= high:
        raise BadInput(f"search: {name}: goes from a number to a larger one, not from {low} to {high}")
    if scale not in ("linear", "log"):
        raise BadInput(f"search: {name}: scale is linear or log, not {scale!r}")
    if scale == "log" and (low <= 0 or step is not None):
        raise BadInput(f"search: {name}: a log scale begins above 0 and has no steps")
    return Range(name, low, high, scale == "log", None if step is None else _number(name, step))


def _number(name: str, given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise BadInput(f"search: {name}: from, to and step are numbers, not {given!r}")
    return given


def _at(settings: Mapping[str, Any], key: Key) -> Any:
    found: Any = settings
    for name in key:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one, default=str) == json.dumps(other, default=str)


def _overlap(one: Key, other: Key) -> bool:
    return one[: len(other)] == other or other[: len(one)] == one
