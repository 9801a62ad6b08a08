"""Where a random number lives: an address, never a place in a stream. The same address gives the same number, whatever
else was drawn, in whichever batch, by however many workers.

    numbers = Numbers([Address(seed=0, purpose="train", epoch=3, position=41, case="frame 7")])
    numbers.uniform("affine", 5)  # (1, 5)
"""

from __future__ import annotations

import functools
import hashlib
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# splitmix64 (public domain, S. Vigna): a counter goes in, 64 well-mixed bits come out.
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFT = (np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11))


@dataclass(frozen=True, slots=True)
class Address:
    seed: int
    purpose: str  # "train", "view", "test": streams that must not meet
    epoch: int
    position: int  # in the epoch's global order
    case: str
    view: int = 0  # several variations of one case in one step

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Numbers:
    """The numbers of a batch of addresses. A slot is the name of what they are for."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._states = np.array([_state(address) for address in addresses], np.uint64).reshape(-1, 1)
        self._prefix = ""

    def __len__(self) -> int:
        return len(self._states)

    def within(self, prefix: str) -> Numbers:
        """The same addresses, with slots of their own: a second blur of a chain draws other numbers than the first."""
        found = object.__new__(Numbers)
        found._states, found._prefix = self._states, f"{self._prefix}{prefix}/"
        return found

    def uniform(self, slot: str, count: int = 1) -> Floats:
        """(n, count) in [0, 1)."""
        bits = (self._states ^ _word(self._prefix + slot)) + np.arange(1, count + 1, dtype=np.uint64) * _STEP
        bits = (bits ^ (bits >> _SHIFT[0])) * _MIX[0]
        bits = (bits ^ (bits >> _SHIFT[1])) * _MIX[1]
        found: Floats = ((bits ^ (bits >> _SHIFT[2])) >> _SHIFT[3]) * 2.0**-53
        return found

    def signed(self, slot: str, count: int = 1) -> Floats:
        """(n, count) in [-1, 1)."""
        return 2 * self.uniform(slot, count) - 1

    def normal(self, slot: str, count: int = 1) -> Floats:
        """(n, count) of mean 0 and standard deviation 1."""
        pair = self.uniform(slot, 2 * count)
        found: Floats = np.sqrt(-2 * np.log1p(-pair[:, :count])) * np.cos(2 * np.pi * pair[:, count:])
        return found


def _state(address: Address) -> int:
    # Lengths belong to it: ("ab", "c") and ("a", "bc") are two addresses.
    purpose, case = address.purpose.encode(), address.case.encode()
    head = f"{address.seed} {address.epoch} {address.position} {address.view} {len(purpose)} ".encode()
    (state,) = struct.unpack("<Q", hashlib.blake2b(head + purpose + case, digest_size=8).digest())
    return int(state)


@functools.cache
def _word(slot: str) -> np.uint64:
    return np.uint64(struct.unpack("<Q", hashlib.blake2b(slot.encode(), digest_size=8, key=b"slot").digest())[0])
