"""Fixtures for all floors."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

# Before anything loads torch: threads that wait leave the core to the neighbour. The suite runs a process on each core, and
# where each of two spins for the other's core, both are several times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def pytest_configure() -> None:
    """Ctrl-C is tested with processes of our own; a suite that was started in the background would lend them its deafness."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "shared_data" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.shared_data)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The public research data that some tests read; absent on most machines, so these tests skip by name."""
    folder = Path(os.environ.get("SEGUE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("needs the public research data at ../shared/data or $SEGUE_DATA")
    return folder
