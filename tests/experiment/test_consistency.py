"""`segue train --method consistency`: its settings are read, its curves drawn, and another form is another training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import segue
from segue.errors import BadInput
from segue.experiment.compare import compare
from segue.experiment.evaluate import evaluate
from segue.experiment.train import train
from segue.training.run import Run
from tests.experiment.conftest import SMALL

GIVEN: dict[str, Any] = {**SMALL, "method": "consistency", "variation": "natural"}
FORMS: dict[str, dict[str, Any]] = {
    "aligned": {},
    "published": {"places": "published"},
    "fixed": {"mix": "fixed"},
    "strict": {"mix": "strict"},
    "added": {"mix": "added"},
    "interleaved": {"interleaved": 1},
    "worst": {"draws": 3, "half": True},
}


def lines(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]


def test_each_form_is_a_training_of_its_own(there: Path) -> None:
    runs = {
        name: train("datasets/north", f"runs/{name}", consistency=told, **GIVEN).run for name, told in FORMS.items()
    }
    runs["two views"] = train("datasets/north", "runs/two-views", **{**GIVEN, "method": "two-view"}).run
    learnt = {name: (run.folder / "weights/last.safetensors").read_bytes() for name, run in runs.items()}
    assert len(set(learnt.values())) == len(runs)
    for name in FORMS:
        found = lines(runs[name])
        assert all({"inconsistency", "agreement"} <= set(line) for line in found)
        assert all(0 < line["inconsistency"] < 2 for line in found)
    assert "clean" in lines(runs["interleaved"])[-1]  # the steps of two views between
    assert "clean" not in lines(runs["aligned"])[-1]


def test_a_comparison_says_which_form_it_was(there: Path) -> None:
    runs = [
        train("datasets/north", f"runs/{name}", consistency=FORMS[name], **GIVEN).run.folder
        for name in ("aligned", "published")
    ]
    plain = train("datasets/north", "runs/plain", **{**GIVEN, "method": "supervised"}).run.folder
    for run in (*runs, plain):
        evaluate(run, "datasets/north")
    told = compare(*runs).settings
    assert told["consistency.places"] == {"aligned": "aligned", "published": "published"}
    assert not [key for key in told if key.startswith("semi.")]
    beside = compare(plain, runs[0]).settings
    assert beside["method"] == {"plain": "supervised", "aligned": "consistency"}
    assert not [key for key in beside if key.startswith("consistency.")]  # told by the method


def test_its_page_says_how_near_the_masks_it_is(there: Path) -> None:
    run = train("datasets/north", "runs/consistent", **GIVEN).run
    segue.evaluate(run.folder, "datasets/north")
    page = (run.folder / "report.html").read_text()
    assert "overlaps their masks to an IoU of" in page
    assert "inconsistency" in page


def test_what_makes_no_sense_is_refused_before_anything_is_trained(there: Path) -> None:
    for told, said in (
        ({"mix": "strict", "interleaved": 2}, "strict has no step of consistency"),
        ({"places": "alined"}, "consistency.places"),
        ({"draw": 3}, r"unknown key 'consistency.draw': did you mean consistency.draws"),
    ):
        with pytest.raises(BadInput, match=said):
            train("datasets/north", "runs/wrong", consistency=told, **GIVEN)
    with pytest.raises(BadInput, match="cutmix mixes two"):
        train("datasets/north", "runs/wrong", consistency={"draws": 2}, **{**GIVEN, "variation": "cutmix(p=1)"})
    assert not Path("runs/wrong").exists()
