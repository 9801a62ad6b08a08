"""Volumes from their files to a judged run, masks on their own grids and a page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import segue
from segue.data.phantoms import PHANTOMS
from segue.data.preparing.settings import PrepareSettings
from segue.data.splitting.split import SplitSettings, split
from segue.data.volumes import nifti
from segue.data.volumes.grid import Grid
from segue.errors import BadInput
from segue.experiment import resolve
from segue.experiment.settings import EvaluateSettings
from segue.experiment.train import Trained, train
from segue.training import memory
from segue.training.run import Run
from tests.data.volumes import made
from tests.experiment.conftest import SMALL, working_in

TINY: dict[str, Any] = {**SMALL, "size": "auto", "loop": {"steps": 60, "epoch_steps": 20, "batch": 8, "rate": 3e-3}}


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("heads")
    found = segue.scan(made.folder(folder / "raw", 12), folder / "datasets/heads", name="heads", workers=0).dataset
    assert found is not None
    split(found, settings=SplitSettings(test=0.25, validation=0.25))
    with working_in(folder):
        yield folder


@pytest.fixture(scope="module")
def learnt(heads: Path) -> Trained:
    return train("datasets/heads", "runs/heads", **TINY)


def test_a_run_of_slices(learnt: Trained) -> None:
    about = learnt.run.about
    assert about["train"] == 6 * 9  # slices
    assert about["validation_cases"] == 3  # volumes
    assert about["frame"]["volumes"]["recipe"]["spacing"] == [0, 0.9, 0.9]
    assert learnt.run.config["size"] == [32, 32]
    first, *_, last = [json.loads(line) for line in (learnt.run.folder / "metrics.jsonl").read_text().splitlines()]
    assert last["loss"] < 0.7 * first["loss"]
    assert last["validation"]["dice"] > 0.3


def test_judged_in_millimetres_on_the_native_grid(heads: Path, learnt: Trained) -> None:
    found = segue.evaluate("runs/heads", "datasets/heads")
    (one,) = found.sets
    assert {row.case for row in one.table} == {row["case"] for row in learnt.run.cases() if row["part"] == "test"}
    assert {row.scores.unit for row in one.table} == {"mm"}
    assert {row.scores.counted_pixels for row in one.table} == {int(np.prod(made.SHAPE))}
    # The same numbers from the files, without the store.
    (heads / "stores").rename(heads / "elsewhere")
    try:
        again = segue.evaluate("runs/heads", "datasets/heads").sets[0].table
    finally:
        (heads / "elsewhere").rename(heads / "stores")
    assert [row.scores for row in again] == [row.scores for row in one.table]
    assert "Training volumes" in found.page.read_text()
    pictures = list((one.folder / "overlays").iterdir())
    assert pictures
    # A mask written beside its image is judged alike.
    row = next(row for row in one.table if row.class_name == "class 1")
    written = segue.predict("runs/heads", heads / f"raw/images/{row.case}.nii.gz", heads / "out").written[0]
    mask, truth = nifti.read(written.masks[0]), nifti.read(heads / f"raw/labels/{row.case}.nii.gz")
    assert mask.grid == truth.grid
    ours, theirs = mask.voxels == 1, truth.voxels == 1
    assert 2 * (ours & theirs).sum() / (ours.sum() + theirs.sum()) == pytest.approx(row.scores.dice)
    assert written.millilitres["class 1"] == pytest.approx(ours.sum() * np.prod(made.SPACING) / 1000)


def test_a_threshold_is_chosen_on_volumes(learnt: Trained, heads: Path) -> None:
    found = segue.evaluate("runs/heads", "datasets/heads", settings=EvaluateSettings(chosen=True))
    assert (learnt.run.folder / "decision.json").exists()
    assert len(found.sets[0].table) == 6


def test_neighbours_change_what_is_seen(heads: Path) -> None:
    given = {**TINY, "loop": {"steps": 2, "epoch_steps": 2, "batch": 4}}
    run = train("datasets/heads", "runs/thick", neighbours=1, **given).run
    assert run.about["frame"]["channels"] == 3
    assert segue.load("runs/thick")(torch.ones(1, 3, 32, 32)).shape[1] == 3
    assert segue.predict("runs/thick", heads / "raw/images/0.nii.gz", heads / "thick").count == 1


def test_twice_is_the_same_to_the_byte(heads: Path) -> None:
    given = {**TINY, "loop": {"steps": 6, "epoch_steps": 2, "batch": 4}}
    train("datasets/heads", "runs/whole", **given)
    run = train("datasets/heads", "runs/again", **given).run
    assert (run.weights / "last.safetensors").read_bytes() == (
        Run.open("runs/whole").weights / "last.safetensors"
    ).read_bytes()


def test_a_store_that_was_prepared_by_hand_is_taken_as_it_is(heads: Path, tmp_path: Path) -> None:
    with working_in(tmp_path):
        asked = PrepareSettings(spacing=(0, 1.8, 1.8))
        segue.prepare(heads / "datasets/heads", settings=asked)
        for _ in range(2):
            run = train(
                str(heads / "datasets/heads"), tmp_path / "coarse", **{**TINY, "loop": {"steps": 2, "epoch_steps": 2}}
            ).run
        assert run.about["frame"]["volumes"]["recipe"]["spacing"] == [0, 1.8, 1.8]
        assert [path.name for path in (tmp_path / "stores").iterdir() if path.is_dir()] == ["heads"]


def test_what_does_not_fit_is_told(heads: Path, learnt: Trained, tmp_path: Path) -> None:
    grid = Grid.of(made.SHAPE, made.affine())
    for number in range(4):
        image, labels = made.voxels(50 + number)
        for kind, voxels in (("images", image), ("labels", labels)):
            (tmp_path / "raw" / kind).mkdir(parents=True, exist_ok=True)
            nifti.write(tmp_path / f"raw/{kind}/{number}.nii.gz", voxels, grid)
    other = segue.scan(tmp_path / "raw", tmp_path / "other", name="other", workers=0).dataset
    assert other is not None
    segue.prepare(other, heads / "stores/other", workers=0)
    # Another hospital, prepared as the network needs it whatever its store holds.
    assert len(segue.evaluate(learnt.run.folder, tmp_path / "other").sets[0].table) == 8
    PHANTOMS["colon"].make(tmp_path / "north", patients=3, sites=["north"])
    segue.scan(tmp_path / "north", tmp_path / "datasets/north", workers=0)
    with pytest.raises(BadInput, match="neighbours: north holds pictures"):
        train(tmp_path / "datasets/north", tmp_path / "r", neighbours=1, **TINY)


def test_mr_and_ct_of_other_spacings_in_one_training(heads: Path, tmp_path: Path) -> None:
    """What comes second is prepared as the first was, beside a store of its own; and each has its part of the recipe."""
    grid = Grid.of(made.SHAPE, np.diag([1.3, 1.3, 3.0, 1.0]))
    for number in range(8):
        image, labels = made.voxels(70 + number)
        nifti.write(tmp_path / f"raw/images/{number}.nii.gz", image - 200, grid)
        nifti.write(tmp_path / f"raw/labels/{number}.nii.gz", labels, grid)
    scans = segue.scan(tmp_path / "raw", tmp_path / "scans", name="scans", modality="CT", workers=0).dataset
    assert scans is not None
    own = segue.prepare(scans, heads / "stores/scans", workers=0).store
    segue.scan(heads / "raw", tmp_path / "known", name="known", modality="MR", workers=0)
    given = {**TINY, "loop": {"steps": 4, "epoch_steps": 2, "batch": 4}}
    run = train([tmp_path / "known", tmp_path / "scans"], "runs/both", **given).run
    recipe = run.about["frame"]["volumes"]["recipe"]
    beside = segue.Store.open(heads / "stores/scans-like-known").card.recipe
    assert own.card.recipe is not None
    assert beside is not None
    assert own.card.recipe.spacing == (0, 1.3, 1.3)
    assert beside.spacing == (0, 0.9, 0.9) == tuple(recipe["spacing"])
    assert recipe["mixed"]
    assert tuple(recipe["window"]) == beside.window
    assert {row["dataset"] for row in run.cases() if row["part"] == "train"} == {"known", "scans"}
    assert len(segue.evaluate("runs/both", [tmp_path / "known", tmp_path / "scans"]).sets) == 2
    one = heads / "raw/images/0.nii.gz"
    (asked,) = segue.predict("runs/both", one, heads / "asked").written
    assert "is it CT or something else" in asked.error
    assert segue.predict("runs/both", one, heads / "asked", modality="mr").count == 1


# Patches

PATCHES: dict[str, Any] = {
    "network": {"architecture": "unet-3d", "depth": 3, "stages": {"width": 8}},
    "loop": {"steps": 80, "epoch_steps": 20, "batch": 2, "rate": 1e-2},
    "machine": {"device": "cpu", "threads": 1, "precision": "32-true", "layout": "channels-first"},
}


@pytest.fixture(scope="module")
def patched(heads: Path) -> Trained:
    return train("datasets/heads", "runs/patched", **PATCHES)


def test_a_run_of_patches(patched: Trained, heads: Path) -> None:
    config, about = patched.run.config, patched.run.about
    assert about["train"] == 6
    assert about["frame"]["volumes"]["patch"] == config["size"]
    assert len(config["size"]) == 3
    # Thick slices: at first nothing is convolved across them.
    assert config["network"]["stages"]["kernels"][0] == [1, 3, 3]
    first, *_, last = [json.loads(line) for line in (patched.run.folder / "metrics.jsonl").read_text().splitlines()]
    assert last["loss"] < 0.8 * first["loss"]
    found = segue.evaluate("runs/patched", "datasets/heads").sets[0]
    assert {row.scores.unit for row in found.table} == {"mm"}
    row = next(row for row in found.table if row.class_name == "class 1")
    written = segue.predict("runs/patched", heads / f"raw/images/{row.case}.nii.gz", heads / "out3").written[0]
    mask, truth = nifti.read(written.masks[0]), nifti.read(heads / f"raw/labels/{row.case}.nii.gz")
    ours, theirs = mask.voxels == 1, truth.voxels == 1
    assert 2 * (ours & theirs).sum() / max(1, ours.sum() + theirs.sum()) == pytest.approx(row.scores.dice)


def test_patches_are_as_large_as_memory_holds(heads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {**PATCHES, "loop": {"steps": 1, "epoch_steps": 1, "rate": 1e-2}}
    whole = train("datasets/heads", "runs/roomy", **given).run.config
    said: list[str] = []
    monkeypatch.setattr(memory, "free_memory", lambda _: 8 << 20)
    monkeypatch.setattr(resolve, "_LEAST", 512)
    run = train("datasets/heads", "runs/tight", say=said.append, **given).run
    sizes = ["x".join(map(str, config["size"])) for config in (run.config, whole)]
    assert np.prod(run.config["size"]) < np.prod(whole["size"])
    assert f"patches of {sizes[0]}, not {sizes[1]}: memory holds no more".replace("x", " x ") in said
    asked = train("datasets/heads", "runs/asked", **{**given, "size": tuple(whole["size"])}).run
    assert asked.config["size"] == whole["size"]


def test_patches_twice_are_the_same_to_the_byte(heads: Path) -> None:
    given = {**PATCHES, "loop": {"steps": 4, "epoch_steps": 2, "batch": 2}}
    one = train("datasets/heads", "runs/one", **given).run
    two = train("datasets/heads", "runs/two", **{**given, "machine": {**PATCHES["machine"], "workers": 2}}).run
    weights = [(run.weights / "last.safetensors").read_bytes() for run in (one, two)]
    assert weights[0] == weights[1]
