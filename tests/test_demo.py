from __future__ import annotations

from pathlib import Path

import pytest

from segue.demonstration import demo
from segue.errors import BadInput
from segue.evaluation.judging.table import Table
from segue.experiment.auditing import worth


def test_the_demo_tells_its_story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worth, "LEVELS", (3,))
    lines: list[str] = []
    told = demo(tmp_path / "demo", say=lines.append, steps=6)
    story = "\n".join(lines)
    assert {"explore", "few", "beside", "all", "audit", "comparison"} == set(told.pages)
    assert all(page.stat().st_size > 20_000 for page in told.pages.values())
    assert "import_0001" in story, "the hidden copy must be found"
    assert "north-test" in told.dice["all"]
    assert "south" in told.dice["few"]
    assert "images beside" in story
    assert "And now the truth beside it:" in story
    assert len(told.seconds) == 8
    judged = Table.read(tmp_path / "demo" / "runs" / "all" / "evaluation" / "south" / "cases.csv")
    assert {row.case for row in judged if row.seen} <= {"import_0001"}


def test_the_demo_does_not_replace_a_strangers_folder(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years")
    with pytest.raises(BadInput, match="was not made by the demo"):
        demo(tmp_path, say=print)
    assert (tmp_path / "thesis.txt").exists()
