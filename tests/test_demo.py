from __future__ import annotations

from pathlib import Path

import pytest

from segue.demonstration import demo
from segue.errors import BadInput


def test_the_demo_tells_its_story(tmp_path: Path) -> None:
    lines: list[str] = []
    told = demo(tmp_path / "demo", say=lines.append)
    story = "\n".join(lines)
    assert told.page.stat().st_size > 50_000
    assert "import_0001" in story, "the hidden copy must be found"
    assert len(told.seconds) == 5
    again = demo(tmp_path / "demo", say=lambda line: None)  # its own folder may be replaced
    assert again.page == told.page


def test_the_demo_does_not_replace_a_strangers_folder(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years")
    with pytest.raises(BadInput, match="was not made by the demo"):
        demo(tmp_path, say=print)
    assert (tmp_path / "thesis.txt").exists()
