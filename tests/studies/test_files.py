"""The study files that come with Segue: each can be laid out, and all that it names is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.data.target import Target
from segue.experiment import assemble
from segue.studies.plan import plan
from segue.studies.study import read
from segue.words import count

FILES = sorted((Path(__file__).parents[2] / "studies").glob("*.yaml"))
HEARTS = Target(("background", "left ventricle", "right ventricle"))
ONE = Target(("background", "polyp"))
_MOST = 12  # runs of a small form, its trials among them


def test_each_system_has_a_small_a_measured_and_a_published_form() -> None:
    systems = ("generalisation", "lesions", "polyps", "universal-encoder")
    forms = ("small", "measured", "published")
    assert {path.stem for path in FILES} >= {f"{name}.{form}" for name in systems for form in forms}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_all_that_a_study_names_is_known(path: Path) -> None:
    study = read(path)
    found = plan(study, Path("runs"))
    target = HEARTS if "acdc" in study.data[0] else ONE
    asked = {entry.arm: entry.settings for entry in found.entries}
    for settings in asked.values():
        assemble.demand_known(settings, target)
    runs = len(found.names) + (study.search.trials + study.repeats if study.search else 0)
    assert path.stem.endswith("small") == (runs <= _MOST), count(runs, "run")
    assert study.compare
    assert path.stem.endswith("small") or study.repeats >= 3
