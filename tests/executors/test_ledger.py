"""A ledger whose disk is full says so, and keeps what it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.errors import Failed
from segue.executors import Ledger, Outcome


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_told_and_costs_nothing_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "book.jsonl"
    with Ledger.open(path) as book:
        book.write(Outcome("first", 1))
    with pytest.raises(Failed, match=r"book\.jsonl: cannot be written \(No space left on device\)"):
        on_a_full_disk(path)
    with Ledger.open(path) as book:
        assert book.finished == {"first": 1}
        book.write(Outcome("second", 2))
    assert Ledger.read(path) == {"first": 1, "second": 2}


def on_a_full_disk(path: Path) -> None:
    with Ledger.open(path) as book:
        book._file.close()
        book._file = Path("/dev/full").open("w", encoding="utf-8")  # noqa: SIM115  the ledger closes it
        book.write(Outcome("second", 2))
