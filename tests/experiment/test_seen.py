"""What has been seen is remembered: through every stage, under other names, and as a copy; and never judges."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import segue
from segue.data.case import read_table
from segue.data.dataset import Dataset
from segue.data.splitting.split import Split
from segue.errors import BadInput
from segue.experiment import seen
from segue.experiment.pretraining.pretrain import Pretrained, pretrain
from segue.experiment.train import Trained, train
from tests.experiment.conftest import LOOK, SMALL, working_in

HEADS, CLINIC, WARD = "datasets/heads", "datasets/clinic", "datasets/ward"
SHORT = {"loop": {"steps": 1, "epoch_steps": 1}}


def look(data: Any, out: str, **changes: Any) -> Pretrained:
    return pretrain(data, out, **{**LOOK, **SHORT, **changes})


def begin(out: str, init: str, **changes: Any) -> Trained:
    return train(CLINIC, out, **{**SMALL, "loop": {**SHORT["loop"], "batch": 4}, "init": init, **changes})


@pytest.fixture(scope="module")
def ward(images: Path) -> Pretrained:
    """Has looked at a copy of one of clinic's test images, and at nothing of clinic itself."""
    with working_in(images):
        return look(WARD, "runs/ward")


@pytest.fixture(scope="module")
def copied(images: Path) -> dict[str, str]:
    """The case of clinic that was copied, by its part."""
    parts = Split.open(Dataset.open(images / CLINIC), "split").parts
    rows = read_table(images / "clinic/manifest.csv")
    return {
        part: next(row["case"] for row in rows if row["mask"] and parts[row["case"]] == part)
        for part in ("train", "test")
    }


def refused(init: str, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence) as told:
        begin("runs/refused", init)
    assert f"when {init} was trained; its weights know the answer" in told.value.message
    assert "segue data split" in (told.value.hint or "")
    assert not Path("runs/refused").exists()


def test_a_test_image_whose_copy_was_looked_at_is_refused_by_name(
    among: Path, ward: Pretrained, copied: dict[str, str]
) -> None:
    """Flipped, cropped and recompressed, under another name in another dataset."""
    assert ("ward", "from_test") in {(row["dataset"], row["case"]) for row in ward.run.seen()}
    refused("runs/ward", f"clinic: '{copied['test']}' for its test or validation, or a copy, was looked at")


def test_it_does_not_matter_how_the_weights_come(among: Path, ward: Pretrained, copied: dict[str, str]) -> None:
    """As a file of the run, or through one more pre-training, of which the last has seen nothing of the kind."""
    refused("runs/ward/weights/last.safetensors", f"clinic: '{copied['test']}'")
    weights = {"network": {**SMALL["network"], "weights": "runs/ward"}}
    with pytest.raises(BadInput, match=f"clinic: '{copied['test']}' .* when runs/ward was trained"):
        begin("runs/refused", "", **weights)
    for name, given in (("later", {"init": "runs/ward"}), ("weighed", weights)):
        run = look(HEADS, f"runs/{name}", **given).run
        rows = {(row["dataset"], row["case"]) for row in run.seen()}
        assert {(row["dataset"], row["case"]) for row in ward.run.seen()} < rows
        assert {dataset for dataset, _ in rows} == {"ward", "heads"}
        refused(f"runs/{name}", f"clinic: '{copied['test']}'")


def test_what_was_looked_at_as_a_whole_is_refused_by_its_own_name(among: Path) -> None:
    look(CLINIC, "runs/all-of-it", split="another")
    refused("runs/all-of-it", r"clinic: '[\w-]+' and \d+ more for its test or validation, or a copy, was looked at")


def test_the_same_pixels_are_known_without_their_folder(among: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(CLINIC, copy)
    (copy / "split.csv").unlink()
    card = copy / "dataset.yaml"
    card.write_text(card.read_text().replace("name: clinic", "name: elsewhere"))
    look(str(copy), "runs/elsewhere", stores=("stores/clinic",))
    shutil.rmtree(copy)
    refused("runs/elsewhere", r"clinic: '[\w-]+' and \d+ more for its test or validation")


def test_a_pretraining_on_what_is_for_training_is_welcome(among: Path, looked: Pretrained) -> None:
    run = begin("runs/welcome", "runs/looked").run
    assert run.finished
    told = seen.told(run.seen(), Dataset.open(CLINIC))
    parts = Split.open(Dataset.open(CLINIC), "split")
    assert set(told) == set(parts.cases("train"))
    assert {case for case, what in told.items() if what == "masks"} == set(parts.cases("train")) & parts.labelled


def test_images_that_were_looked_at_are_put_apart(among: Path, copied: dict[str, str]) -> None:
    """Of another site, whose images were in the pre-training: a column of their own."""
    look([CLINIC, WARD], "runs/both-sites")
    begin("runs/knows-them", "runs/both-sites")
    said: list[str] = []
    found = segue.evaluate("runs/knows-them", [WARD, CLINIC], say=said.append)
    ward, clinic = found.sets
    rows = {row.case: row.seen for row in ward.table}
    # The copy of a training image counts as one; that of a test image was left out, so nobody has seen it.
    assert rows.pop("from_train") == "masks"
    assert rows.pop("from_test") == ""
    assert len(rows) == 4
    assert set(rows.values()) == {"images"}
    assert any(
        "of 4 cases of 6 the image or a copy was looked at in training, without its mask" in line for line in said
    )
    assert any("1 case of 6 or a copy of them was trained on" in line for line in said)
    assert {row.seen for row in clinic.table} == {""}
    assert not any(line.startswith("! clinic: of ") for line in said)


def test_what_is_told_of_nothing() -> None:
    assert seen.inherited("", "none", "imagenet", "runs/of-nobody", "lonely.safetensors") == []
    seen.refuse([], Dataset.__new__(Dataset), ["x"], "runs/of-nobody")  # nothing is looked for


def test_masks_count_more_than_images(among: Path) -> None:
    dataset = Dataset.open(CLINIC)
    one, two, three = dataset.cases[:3]
    rows = [
        *seen.rows(dataset, [one, two], seen.MASKS), *seen.rows(dataset, [two, three], seen.IMAGES),
    ]  # fmt: skip
    for order in (rows, rows[::-1]):
        assert seen.told(order, dataset) == {one.case: "masks", two.case: "masks", three.case: "images"}
    # Of a case that is no longer there nothing is told.
    gone = [{**row, "case": "gone", "digest": ""} for row in rows]
    assert seen.told(gone, dataset) == {}


def test_another_dataset_of_the_same_name_is_searched_for_copies(among: Path, copied: dict[str, str]) -> None:
    ward, clinic = Dataset.open(WARD), Dataset.open(CLINIC)
    rows = [{**row, "dataset": "clinic"} for row in seen.rows(ward, [ward.by_name["from_test"]], seen.IMAGES)]
    assert seen.told(rows, clinic) == {copied["test"]: "images"}
