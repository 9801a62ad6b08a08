"""Conformance suites: what every part of a kind must keep to, for our own parts and for anybody's.

    from segue.testing import check_adapter, check_loss, check_method, check_variation

A check raises AssertionError with a sentence that says what is wrong. Each is itself tested on broken twins that it
must catch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segue.testing.adapter import check_adapter as check_adapter
    from segue.testing.loss import check_loss as check_loss
    from segue.testing.method import check_method as check_method
    from segue.testing.network import check_network as check_network
    from segue.testing.variation import check_variation as check_variation

# Loaded on first use: some need torch, some do not.
_HOME = {
    "check_adapter": "segue.testing.adapter",
    "check_loss": "segue.testing.loss",
    "check_method": "segue.testing.method",
    "check_network": "segue.testing.network",
    "check_variation": "segue.testing.variation",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'segue.testing' has no attribute {name!r}")
