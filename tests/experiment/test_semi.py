"""`segue train --method semi`, of pictures, slices, patches and scribbles: what is followed, and what is never looked at."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

import segue
from segue.data.splitting.split import SplitSettings, split
from segue.data.volumes import nifti
from segue.errors import BadInput
from segue.experiment.train import train
from segue.methods.semi import Semi
from segue.training import checkpoint
from segue.training.run import Run
from tests.data.volumes import made
from tests.experiment.conftest import SMALL, working_in

pytestmark = pytest.mark.usefixtures("kept_states")
LOOP: dict[str, Any] = {"steps": 8, "epoch_steps": 4, "batch": 4, "rate": 3e-3}
SEMI: dict[str, Any] = {
    **SMALL,
    "method": "semi",
    "semi": {"views": 1, "warm": 0.25, "ramp": 0.1, "confidence": 0.5, "fitted": 0},
    "loop": LOOP,
}
SLICES: dict[str, Any] = {**SEMI, "size": "auto", "labels": "2"}


def curves(run: Run) -> dict[str, Any]:
    lines = (run.folder / "metrics.jsonl").read_text().splitlines()
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def shift(run: Run) -> torch.Tensor | None:
    state = checkpoint.load(run.weights)
    assert state is not None
    remembered: torch.Tensor | None = state["remembers"].get("shift")
    return remembered


def weights(run: Run) -> bytes:
    return (run.folder / "weights/last.safetensors").read_bytes()


def seen(run: Run) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    with (run.folder / "seen.csv").open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            found.setdefault(row["dataset"], set()).add(row["case"])
    return found


def test_of_pictures_of_two_hospitals(there: Path) -> None:
    given = {**SEMI, "labels": "2"}
    run = train("datasets/north", "runs/beside", unlabelled=("datasets/south",), **given).run
    assert run.config["semi"]["strong"] == "strong + cutmix(p=0.5)"
    told = curves(run)
    assert told["sure"] > 0
    assert told["shift"] > 0
    found = shift(run)
    assert found is not None
    assert float(found[0]) == 0 != float(found[1])
    looked = seen(run)
    masks = {row["case"] for row in run.cases() if row["part"] == "train"}
    judged = {row["case"] for row in run.cases() if row["part"] in ("validation", "test")}
    assert len(masks) < len(looked["north"])  # images of other patients too
    assert not judged & looked["north"]
    assert looked["south"]
    others = {**given, "semi": {**given["semi"], "own": False}}
    strange = train("datasets/north", "runs/strange", unlabelled=("datasets/south",), **others).run
    assert seen(strange) == {"north": masks, "south": looked["south"]}
    with pytest.raises(BadInput, match="nothing is followed without own images or others"):
        train("datasets/north", "runs/nothing", **others)
    alone = train("datasets/north", "runs/alone", **{**given, "method": "supervised"}).run
    assert set(seen(alone)) == {"north"}
    assert weights(run) != weights(alone)


def test_the_canvas_is_that_of_all_budgets(there: Path) -> None:
    """Whose masks are learnt from changes nothing in how large an image is seen, or two budgets could not be compared."""
    raw = there / "mixed"
    for number in range(12):  # half of them stand, half of them lie
        coarse = np.random.default_rng(number).integers(0, 200, (6, 9, 3) if number % 2 else (9, 6, 3), np.uint8)
        picture = cv2.resize(coarse, None, fx=20, fy=20, interpolation=cv2.INTER_CUBIC)
        mask = np.zeros(picture.shape[:2], np.uint8)
        mask[40:80, 40:80] = 255
        for kind, array in (("images", picture), ("masks", mask)):
            (raw / kind).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(raw / kind / f"p{number:02}.png"), array)
    found = segue.scan(raw, there / "datasets" / "mixed", name="mixed").dataset
    assert found is not None
    split(found, settings=SplitSettings(test=0.2, validation=0.2))
    given = {**SMALL, "size": "auto", "loop": {**LOOP, "steps": 1, "epoch_steps": 1}}
    sizes = {
        tuple(
            train("datasets/mixed", f"runs/mixed-{labels}-{draw}", labels=labels, draw=draw, **given).run.config["size"]
        )
        for labels, draw in (*(("1", draw) for draw in range(5)), ("all", 0))
    }
    assert len(sizes) == 1


def test_each_setting_changes_what_is_learnt(there: Path) -> None:
    """None of them is read and forgotten on the way from the command line to the loss."""
    given = {**SEMI, "labels": "2"}
    settings: list[dict[str, Any]] = [
        {}, {"shares": False}, {"confidence": 0.7}, {"views": 2}, {"dropout": 0.0}, {"teacher": False}, {"weight": 0.3},
        {"warm": 0.5}, {"ramp": 0.7}, {"fitted": 0.6}, {"weak": "none"}, {"strong": "noise"}, {"batch": 0.5},
    ]  # fmt: skip
    found = [
        weights(train("datasets/north", f"runs/set-{n}", **{**given, "semi": {**given["semi"], **told}}).run)
        for n, told in enumerate(settings)
    ]
    assert len(set(found)) == len(settings)


def test_nothing_is_followed_before_there_is_something_to_follow(there: Path) -> None:
    """In eight steps no lesion is learnt."""
    given = {**SEMI, "labels": "2", "semi": {**SEMI["semi"], "fitted": 0.5}}
    run = train("datasets/north", "runs/early", **given).run
    told = curves(run)
    assert told["fitted"] < 0.25
    assert "sure" not in told


def test_who_takes_too_few_steps_to_follow_is_told_before(there: Path) -> None:
    lines: list[str] = []
    given = {**SEMI, "labels": "2", "semi": {**SEMI["semi"], "fitted": 0.5}}
    train("datasets/north", "runs/short", say=lines.append, **given)
    (told,) = [line for line in lines if line.startswith("! semi: ")]
    assert "once the masks are fitted to a Dice of 0.5" in told
    assert told.endswith(": --set loop.steps=600")  # as it was asked: two lengths would be one too many


def test_the_time_of_a_step_is_that_of_one_that_follows(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the network that is tried has learnt nothing yet."""
    asked: list[int] = []
    plain = Semi.followed

    def followed(self: Semi, *given: Any) -> torch.Tensor:
        asked.append(1)
        return plain(self, *given)

    monkeypatch.setattr(Semi, "followed", followed)
    given = {**SEMI, "labels": "2", "semi": {**SEMI["semi"], "fitted": 0.5}}
    run = train("datasets/north", "runs/timed", **given).run
    assert "sure" not in curves(run)
    assert asked


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """datasets/heads, and datasets/strokes: the same volumes, of whose masks a part is drawn."""
    folder = tmp_path_factory.mktemp("heads")
    several = []
    for name in ("heads", "strokes"):
        raw = made.folder(folder / name, 10)
        for path in (raw / "labels").glob("*.nii.gz") if name == "strokes" else ():
            mask = nifti.read(path)
            voxels = mask.voxels.astype(np.uint8)
            voxels[:, ::2] = 3
            nifti.write(path, voxels, mask.grid)
        labels = "0=background,1=shell,2=core" + (",3=ignore" if name == "strokes" else "")
        found = segue.scan(raw, folder / "datasets" / name, name=name, labels=labels, workers=0).dataset
        assert found is not None
        several.append(found)
    for one in several:
        split(one, settings=SplitSettings(test=0.25, validation=0.25))
    with working_in(folder):
        yield folder


def test_of_slices_scanners_differ(heads: Path) -> None:
    run = train("datasets/heads", "runs/slices", **SLICES).run
    assert run.config["semi"]["strong"] == "strong + tone(strength=1, p=0.8) + bias(p=0.5) + cutmix(p=0.5)"
    assert curves(run)["sure"] > 0
    assert shift(run) is not None


def test_of_patches(heads: Path) -> None:
    given = {
        **SLICES, "network": {"architecture": "unet-3d", "stages": {"width": 4}}, "loop": {**LOOP, "batch": 2},
    }  # fmt: skip
    run = train("datasets/heads", "runs/patches", **given).run
    assert run.config["semi"]["strong"] == "strong + tone(strength=1, p=0.8) + bias(p=0.5)"
    assert len(run.config["size"]) == 3
    assert curves(run)["sure"] > 0
    assert shift(run) is not None


def test_scribbles_do_not_tell_how_much_there_is(heads: Path) -> None:
    run = train("datasets/strokes", "runs/strokes", **SLICES).run
    assert shift(run) is None
    assert "shift" not in curves(run)
    assert curves(run)["sure"] > 0


def test_what_has_no_images_beside_is_told(heads: Path) -> None:
    with pytest.raises(BadInput, match="learns from masks alone"):
        train("datasets/heads", "runs/no", unlabelled=("datasets/strokes",), **{**SLICES, "method": "supervised"})
