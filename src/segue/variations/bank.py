"""Normal numbers that are made once; noise is a stretch of them from a drawn place on, the same for every executor."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from segue.variations.address import Address, Numbers

BANK = 1 << 20


@functools.cache
def bank() -> npt.NDArray[np.float32]:
    """The normal numbers that both executors read from a drawn place on, round and round."""
    here = Numbers([Address(0, "noise", 0, 0, "bank")])
    found = np.asarray(here.normal("bank", BANK)[0], np.float32)
    found.setflags(write=False)
    return found


def stretch(place: float, length: int) -> npt.NDArray[np.float32]:
    """(length,) of the bank, from a place in 0..1 on."""
    start, normal = int(place * BANK), bank()
    if start + length <= BANK:
        return normal[start : start + length]
    turned = np.concatenate([normal[start:], normal[:start]])
    return np.resize(turned, length)
