"""What a variation is: something that draws the numbers of a batch. One of a kind, a chain of several, one of several.

A severity of 0 is the identity, byte for byte, and 1 is what the arguments say. A batch's severity and chance are
arrays, because a ramp makes them differ from epoch to epoch and a gate from sample to sample.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from segue.errors import BadInput
from segue.variations.address import Address, Numbers
from segue.variations.drawn import Drawn

Floats = npt.NDArray[np.float64]
Parts = dict[str, Floats]


@dataclass(frozen=True)
class Scene:
    """What a draw knows: the canvas, the batch's addresses, and how much is asked of each sample."""

    shape: tuple[int, int]
    key: tuple[Address, ...]
    numbers: Numbers
    severity: Floats  # (n,)
    chance: Floats  # (n,), multiplies the probability of every variation

    @classmethod
    def of(cls, shape: tuple[int, int], key: Sequence[Address]) -> Scene:
        ones = np.ones(len(key))
        return cls(shape, tuple(key), Numbers(key), ones, ones)

    def within(self, prefix: str) -> Scene:
        return replace(self, numbers=self.numbers.within(prefix)) if prefix else self


@runtime_checkable
class Variation(Protocol):
    @property
    def name(self) -> str: ...

    def draw(self, shape: tuple[int, int], key: Sequence[Address]) -> Drawn:
        """The numbers of a batch on a canvas of `shape` (height, width), one address a sample."""

    def into(self, scene: Scene) -> Drawn:
        """The same, as a member of a chain."""

    def scaled(self, severity: float) -> Self:
        """The same at so much of its severity."""


@dataclass(frozen=True, kw_only=True)
class One:
    """One idea. A subclass names itself and says which parts its numbers make at a given severity."""

    name: str = ""
    p: float = 1.0  # of the samples
    severity: float = 1.0  # of everything it does; 0 is the identity

    def __post_init__(self) -> None:
        between(self.name, p=self.p, severity=self.severity)
        self.check()

    def check(self) -> None:
        """Refuse arguments that make no sense."""

    def parts(self, severity: Floats, scene: Scene) -> Parts:
        """The numbers of each sample at its severity (n,), which is 0 for those that are left alone."""
        raise NotImplementedError

    def draw(self, shape: tuple[int, int], key: Sequence[Address]) -> Drawn:
        return self.into(Scene.of(shape, key))

    def into(self, scene: Scene) -> Drawn:
        scene = scene.within(self.name)
        severity = scene.severity * self.severity
        chance = scene.chance * self.p
        if np.any(chance < 1):
            severity = severity * (scene.numbers.uniform("p")[:, 0] < chance)
        return Drawn(len(severity), scene.shape, self.parts(severity, scene))

    def scaled(self, severity: float) -> Self:
        return replace(self, severity=self.severity * severity)


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Several, one after the other, done in one go: in the order of `parts.PARTS`, the matrices as they are written."""

    members: tuple[Variation, ...] = ()
    name: str = ""
    p: float = 1.0  # of the samples: the others are left alone by all members
    severity: float = 1.0
    ramp: int = 0  # epochs until the full severity, from the identity in the first; 0: at once
    rarer: bool = False  # whether members act less often too when the severity is lower

    def __post_init__(self) -> None:
        between(self.name or "a chain", p=self.p, severity=self.severity)
        if self.ramp < 0:
            raise BadInput(f"{self.name or 'a chain'}: a ramp of {self.ramp} epochs")

    def draw(self, shape: tuple[int, int], key: Sequence[Address]) -> Drawn:
        return self.into(Scene.of(shape, key))

    def into(self, scene: Scene) -> Drawn:
        scene = self._asked(scene.within(self.name))
        nothing = Drawn.identity(len(scene.key), scene.shape)
        drawn = (member.into(scene.within(slot)) for slot, member in _slots(self.members))
        return functools.reduce(Drawn.then, drawn, nothing)

    def _asked(self, scene: Scene) -> Scene:
        severity = np.full(len(scene.key), self.severity)
        if self.ramp:
            severity *= np.minimum([address.epoch / self.ramp for address in scene.key], 1)
        chance = scene.chance * severity if self.rarer else scene.chance
        if self.p < 1:
            severity *= scene.numbers.uniform("p")[:, 0] < self.p
        return replace(scene, severity=scene.severity * severity, chance=chance)

    def scaled(self, severity: float) -> Self:
        return replace(self, severity=self.severity * severity)


@dataclass(frozen=True, kw_only=True)
class OneOf:
    """One of several for each sample, each as likely as the others."""

    members: tuple[Variation, ...]
    name: str = "one_of"
    p: float = 1.0
    severity: float = 1.0

    def __post_init__(self) -> None:
        between(self.name, p=self.p, severity=self.severity)

    def draw(self, shape: tuple[int, int], key: Sequence[Address]) -> Drawn:
        return self.into(Scene.of(shape, key))

    def into(self, scene: Scene) -> Drawn:
        scene = scene.within(self.name)
        choice = scene.numbers.uniform("choice")[:, 0] / np.maximum(scene.chance * self.p, 1e-12)
        chosen = np.floor(choice * len(self.members))  # beyond the last: none
        drawn = [
            member.into(
                replace(scene.within(slot), severity=scene.severity * self.severity * (chosen == place), chance=ones)
            )
            for place, (slot, member) in enumerate(_slots(self.members))
            for ones in (np.ones(len(scene.key)),)
        ]
        return functools.reduce(Drawn.then, drawn)

    def scaled(self, severity: float) -> Self:
        return replace(self, severity=self.severity * severity)


def between(name: str, low: float = 0.0, high: float = 1.0, **values: float) -> None:
    """Refuse what lies outside of a range."""
    for word, value in values.items():
        if not low <= value <= high:
            raise BadInput(f"{name}: {word}={value:g} is not between {low:g} and {high:g}")


def _slots(members: Iterable[Variation]) -> list[tuple[str, Variation]]:
    """A variation draws the same numbers whatever stands beside it; the second of a name draws others than the first."""
    seen: Counter[str] = Counter()
    found = []
    for member in members:
        seen[member.name] += 1
        found.append(("" if seen[member.name] == 1 else f"#{seen[member.name]}", member))
    return found
