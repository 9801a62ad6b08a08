"""`segue ensemble`: runs that predict together are one wherever a run is asked for, and tell where they disagree."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import segue
from segue.cli import app
from segue.data.case import read_table
from segue.errors import BadInput
from segue.experiment.compare import compare
from segue.experiment.differing import differing
from segue.experiment.evaluate import evaluate
from segue.experiment.load import load
from segue.experiment.members import ensemble, members_of
from segue.experiment.predict import predict
from segue.experiment.settings import EvaluateSettings
from segue.experiment.train import train
from tests.experiment.conftest import SMALL


@pytest.fixture
def three(there: Path) -> list[Path]:
    """Runs of two seeds and of another architecture."""
    runs = [
        train("datasets/north", f"runs/en-{seed}", **{**SMALL, "loop": {**SMALL["loop"], "seed": seed}}).run
        for seed in (1, 2)
    ]
    network = {**SMALL["network"], "architecture": "unet++"}
    return [
        *(run.folder for run in runs),
        train("datasets/north", "runs/en-e3", **{**SMALL, "network": network}).run.folder,
    ]


@pytest.fixture
def joined(three: list[Path]) -> Path:
    folder = Path("runs/en-joined")
    return folder if folder.exists() else ensemble(three, folder)


def test_it_says_the_mean_of_what_its_members_say(three: list[Path], joined: Path) -> None:
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        each = [load(run).eval()(image) for run in three]
        assert torch.allclose(load(joined).eval()(image), torch.stack(each).mean(0), atol=1e-6)
    assert [run.folder.resolve() for run in members_of(joined)] == [run.resolve() for run in three]


def test_it_is_judged_compared_and_asked_where_members_disagree(three: list[Path], joined: Path) -> None:
    found = evaluate(joined, "datasets/north", settings=EvaluateSettings(part="all", disagree=True)).sets[0]
    evaluate(three[0], "datasets/north", settings=EvaluateSettings(part="all"))
    (told,) = found.disagreeing
    assert (told.members, told.cases) == (3, len(found.table))
    assert 0 < told.disagreement < 1
    rows = read_table(found.folder / "disagreement.csv")
    assert len(rows) == len(found.table)
    assert "Where members disagree" in (joined / "report.html").read_text()
    assert set(compare(three[0], joined).sets) == {"north"}
    again = evaluate(joined, "datasets/north", settings=EvaluateSettings(part="all")).sets[0]
    assert again.disagreeing == ()
    assert not (found.folder / "disagreement.csv").exists()


def test_networks_that_are_one_do_not_disagree(there: Path, three: list[Path]) -> None:
    twin = train("datasets/north", "runs/en-twin", **{**SMALL, "loop": {**SMALL["loop"], "seed": 1}}).run.folder
    same = ensemble([three[0], twin], "runs/en-same")
    (told,) = evaluate(same, "datasets/north", settings=EvaluateSettings(part="all", disagree=True)).sets[0].disagreeing
    assert told.disagreement == 0 or np.isnan(told.disagreement)


def test_a_picture_shows_where_they_disagree(three: list[Path], joined: Path) -> None:
    row = read_table(Path("north/manifest.csv"))[0]
    done = predict(joined, f"north/{row['image']}", "drawn", disagree=True)
    (mask,) = done.written[0].masks
    drawn = cv2.imread(str(mask.with_name(f"{mask.stem}-disagreement.png")), cv2.IMREAD_UNCHANGED)
    assert drawn is not None
    assert drawn.shape == cv2.imread(str(mask), cv2.IMREAD_UNCHANGED).shape  # type: ignore[union-attr]
    assert 0 < drawn.max() <= 255


def test_folds_and_ensembles_are_joined_by_their_members(three: list[Path], joined: Path) -> None:
    extra = train("datasets/north", "runs/en-e4", **{**SMALL, "loop": {**SMALL["loop"], "seed": 4}}).run.folder
    assert len(members_of(ensemble([joined, extra], "runs/en-four"))) == 4


def test_what_cannot_be_joined_is_refused(three: list[Path]) -> None:
    with pytest.raises(BadInput, match="one run is no ensemble"):
        ensemble(three[:1], "runs/en-no")
    with pytest.raises(BadInput, match="en-1: is given twice"):
        ensemble([three[0], three[0]], "runs/en-no")
    larger = train("datasets/north", "runs/en-larger", **{**SMALL, "size": (96, 96)}).run.folder
    with pytest.raises(BadInput, match="has other classes or another canvas"):
        ensemble([three[0], larger], "runs/en-no")
    with pytest.raises(BadInput, match="en-1: is there already"):
        ensemble(three, three[0])
    with pytest.raises(BadInput, match="is one network, which agrees with itself"):
        segue.evaluate(three[0], "datasets/north", settings=EvaluateSettings(disagree=True))
    with pytest.raises(BadInput, match="is one network, which agrees with itself"):
        predict(three[0], "north", "drawn-no", disagree=True)
    assert not Path("runs/en-no").exists()


def test_from_the_command_line(three: list[Path]) -> None:
    runner = CliRunner()
    shown = runner.invoke(app, ["ensemble", *map(str, three), "--out", "runs/en-said"])
    assert shown.exit_code == 0, shown.output
    assert "segue evaluate runs/en-said --on DATASET --disagree" in shown.output
    told = runner.invoke(app, ["evaluate", "runs/en-said", "--on", "datasets/south", "--disagree"])
    assert told.exit_code == 0, told.output
    assert "3 members disagree on" in told.output
    told = runner.invoke(app, ["ensemble", str(three[0]), str(three[1]), "--out", "runs/en-pair", "--json"])
    assert len(json.loads(told.stdout)["members"]) == 2


def test_what_it_is_made_of_is_told_of_all_its_members(three: list[Path], joined: Path) -> None:
    """`segue compare` says in what two sides differ."""
    found = differing({"one": [three[0]], "all": [joined]})
    assert found["network.architecture"] == {"one": "unet", "all": "unet, unet++"}


def test_who_asks_for_one_encoder_is_told_which(three: list[Path], joined: Path) -> None:
    with pytest.raises(BadInput, match="is 3 networks, each with an encoder of its own") as error:
        train("datasets/north", "runs/en-none", init=str(joined), **SMALL)
    assert error.value.hint == f"--init {three[0]}"
    assert not Path("runs/en-none").exists()
