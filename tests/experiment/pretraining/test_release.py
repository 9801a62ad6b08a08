"""An encoder handed on: what is in the folder, and what is not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import segue
from segue.data.case import read_table
from segue.errors import BadInput
from segue.experiment.pretraining.pretrain import Pretrained
from tests.experiment.conftest import SMALL, working_in

TINY: dict[str, Any] = {key: value for key, value in SMALL.items() if key != "loop"}
LOOP = {"steps": 2, "epoch_steps": 2, "batch": 4}


@pytest.fixture(scope="module")
def encoder(hospitals: Path) -> Iterator[Pretrained]:
    with working_in(hospitals):
        yield segue.pretrain("datasets/north", "runs/handed", method="simclr", loop=LOOP, **TINY)


def test_the_folder_is_enough_and_tells_no_names(encoder: Pretrained, hospitals: Path, tmp_path: Path) -> None:
    after = segue.train("datasets/north", "runs/after-handed", init="runs/handed", loop=LOOP, **TINY).run
    segue.evaluate(after.folder, "datasets/north")
    done = segue.release("runs/handed", tmp_path / "handed", results=[after.folder], licence="CC BY 4.0")
    assert {path.name for path in done.folder.iterdir()} == {
        "model.safetensors",
        "config.json",
        "seen.csv",
        "README.md",
    }
    weights = done.folder / "model.safetensors"
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == done.digest
    card = (done.folder / "README.md").read_text()
    assert done.digest in card
    assert "CC BY 4.0" in card
    assert "| north-test | all | supervised |" in card, card
    about = json.loads((done.folder / "config.json").read_text())
    assert about["encoder"] == SMALL["network"]["encoder"]
    assert about["channels"] == 3
    # Neither a file's name nor a patient's, nor where anything lies.
    names = {row[key] for row in encoder.run.cases() for key in ("case", "patient") if row[key]}
    for path in (done.folder / "README.md", done.folder / "seen.csv", done.folder / "config.json"):
        text = path.read_text()
        assert not any(name in text for name in names)
        assert str(hospitals) not in text
    # It is begun from as the run itself is, and remembers as the run does.
    again = segue.train("datasets/north", "runs/after-file", init=str(weights), loop=LOOP, **TINY).run
    assert again.about["weights_from"].startswith("matched")
    kept, own = ({row["digest"] for row in rows} for rows in (read_table(done.folder / "seen.csv"), encoder.run.seen()))
    assert kept == own


def test_a_released_encoder_refuses_a_test_that_it_has_seen(encoder: Pretrained, tmp_path: Path) -> None:
    done = segue.release("runs/handed", tmp_path / "handed")
    table = done.folder / "seen.csv"
    test = next(row for row in encoder.run.cases() if row["part"] == "unused" and row["digest"])
    table.write_text(table.read_text() + f"north,,,images,{test['digest']}\n")
    with pytest.raises(BadInput, match="was looked at when"):
        segue.train("datasets/north", "runs/no", init=str(done.folder / "model.safetensors"), loop=LOOP, **TINY)


def test_what_cannot_be_handed_on_is_told(encoder: Pretrained, trained: object, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is no pre-training"):
        segue.release("runs/first", tmp_path / "x")
    with pytest.raises(BadInput, match="did not begin from"):
        segue.release("runs/handed", tmp_path / "x", results=["runs/first"])
    assert not (tmp_path / "x").exists()
    segue.release("runs/handed", tmp_path / "x")
    with pytest.raises(BadInput, match="is there already"):
        segue.release("runs/handed", tmp_path / "x")
