"""Small networks on one thread."""

from __future__ import annotations

from tests.losses.conftest import one_thread

__all__ = ["one_thread"]
