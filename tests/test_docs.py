"""The documents say what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import segue
from segue.data.adapters import ADAPTERS
from segue.data.case import COLUMNS

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "benchmarks" / "README.md"])


def test_every_layout_and_every_column_is_told() -> None:
    layouts = (ROOT / "docs" / "layouts.md").read_text(encoding="utf-8")
    assert [name for name in ADAPTERS if f"`{name}`" not in layouts] == []
    files = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
    assert ", ".join(COLUMNS) in files


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert "://" in target or (page.parent / target).exists(), target


def test_the_readmes_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.data import made

    made.folder_of_images(tmp_path / "polyps", 30)
    made.folder_of_images(tmp_path / "other", 4, seed=500)
    monkeypatch.chdir(tmp_path)
    segue.scan("other", "datasets/other-hospital")
    code = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert code
    for block in code:
        assert "minutes=10, " in block
        exec(block.replace("minutes=10, ", "minutes=0.02, size=64, "), {"__name__": "__main__"})
