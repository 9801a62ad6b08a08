"""Fixtures for all floors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


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
