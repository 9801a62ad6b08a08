"""Endless rows of cases: shuffled pass after pass, one after the other, or in the structure that contrast compares."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
import numpy.typing as npt


class Row(Protocol):
    @property
    def seed(self) -> int: ...

    def at(self, position: int) -> tuple[int, int]:
        """(example, pass) at a place of the row."""


@dataclass(frozen=True)
class Order:
    """An endless row of cases: pass after pass, each shuffled anew. `balance` is the share with foreground, where asked."""

    count: int
    seed: int
    with_foreground: tuple[int, ...] = ()  # only with a balance
    balance: float | None = None

    def at(self, position: int) -> tuple[int, int]:
        """(example, pass) at a place of the row."""
        if self.balance is None:
            which, place = divmod(position, self.count)
            return int(shuffled(self.seed, "all", which, self.count)[place]), which
        # Places are dealt so that every stretch of the row holds its share: no batch is left without.
        before, after = int(position * self.balance), int((position + 1) * self.balance)
        has = after > before
        chosen = self.with_foreground if has else self._without
        which, place = divmod(before if has else position - before, len(chosen))
        return chosen[shuffled(self.seed, "with" if has else "without", which, len(chosen))[place]], which

    @property
    def _without(self) -> tuple[int, ...]:
        return _others(self.count, self.with_foreground)


@lru_cache(maxsize=8)
def _others(count: int, chosen: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(set(range(count)) - set(chosen)))


@dataclass(frozen=True)
class InTurn:
    """Each once, then all again."""

    count: int
    seed: int = 0

    def at(self, position: int) -> tuple[int, int]:
        which, place = divmod(position, self.count)
        return place, which


Volume = tuple[tuple[int, ...], ...]  # the examples of each partition


@dataclass(frozen=True)
class Group:
    """One dataset's examples: volumes cut into partitions along their axis, or frames, which have none."""

    volumes: tuple[Volume, ...] = ()
    frames: tuple[int, ...] = ()


@dataclass(frozen=True)
class Structured:
    """Datasets in turn, and of each its volumes in turn, shuffled anew in every pass; of a volume one slice from each
    partition, in their order. So every `partitions` places are one volume, and no place is left empty: where a volume has no
    slice in a partition, its nearest one stands there. Of frames so many stand in place of a volume."""

    groups: tuple[Group, ...]
    partitions: int
    seed: int

    def at(self, position: int) -> tuple[int, int]:
        turn, partition = divmod(position, self.partitions)
        count, number = divmod(turn, len(self.groups))
        group = self.groups[number]
        if group.frames:
            which, place = divmod(count * self.partitions + partition, len(group.frames))
            return group.frames[shuffled(self.seed, f"frames {number}", which, len(group.frames))[place]], which
        which, place = divmod(count, len(group.volumes))
        volume = group.volumes[shuffled(self.seed, f"volumes {number}", which, len(group.volumes))[place]]
        slices = _nearest(volume, partition)
        return slices[_drawn(self.seed, position, len(slices))], which


def _nearest(volume: Volume, partition: int) -> tuple[int, ...]:
    return min(
        ((abs(number - partition), slices) for number, slices in enumerate(volume) if slices), key=lambda pair: pair[0]
    )[1]


def _drawn(seed: int, position: int, count: int) -> int:
    digest = hashlib.blake2b(f"{seed}\tslice\t{position}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") % count


@lru_cache(maxsize=64)
def shuffled(seed: int, purpose: str, which: int, count: int) -> npt.NDArray[np.int64]:
    digest = hashlib.blake2b(f"{seed}\torder\t{purpose}\t{which}".encode(), digest_size=8).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little"))).permutation(count)
