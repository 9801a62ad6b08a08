"""How an encoder sees images: a page for what was pre-trained and for what was trained, and the numbers behind it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import segue
from segue.cli import app
from segue.errors import BadInput
from segue.experiment.pretraining import embed as room
from segue.experiment.pretraining.embed import PAGE, embed, encoder_of
from segue.experiment.pretraining.pretrain import Pretrained, pretrain
from segue.experiment.train import Trained, train
from segue.networks.weights import read
from segue.report.embedding_page import EmbeddingStory, embedding_page
from segue.report.page import Page
from segue.training.run import Run
from tests.experiment.conftest import LOOK, SMALL, working_in

HEADS, CLINIC, WARD = "datasets/heads", "datasets/clinic", "datasets/ward"
SHORT: dict[str, Any] = {"loop": {"steps": 1, "epoch_steps": 1}}


@pytest.fixture(scope="module")
def segmenter(images: Path) -> Trained:
    with working_in(images):
        return train(CLINIC, "runs/segmenter", **{**SMALL, "loop": {**SHORT["loop"], "batch": 4}})


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[EmbeddingStory]:
    """What the page is drawn from."""
    stories: list[EmbeddingStory] = []

    def spied(story: EmbeddingStory) -> Page:
        stories.append(story)
        return embedding_page(story)

    monkeypatch.setattr(room, "embedding_page", spied)
    return stories


def test_of_a_pretraining_on_its_own_images(among: Path, looked: Pretrained, told: list[EmbeddingStory]) -> None:
    found = embed("runs/looked", [HEADS, CLINIC])
    assert found.page == Path("runs/looked") / PAGE
    text = found.page.read_text()
    assert "How looked sees images" in text
    assert "tu-mobilenetv3_small_050, contrast, 4 steps" in text
    (story,) = told
    # Of volumes a slice of each part; of pictures those that the split has for training.
    trained = [row for row in looked.run.cases() if row["part"] == "images"]
    pictures = sum(row["dataset"] == "clinic" for row in trained)
    assert found.images == len(story.datasets) == 4 * 4 + pictures
    assert [story.datasets.count(name) for name in ("heads", "clinic")] == [16, pictures]
    assert set(story.partitions[:16]) == {0, 1, 2, 3}
    assert {"spread", "effective_rank", "uniformity", "alignment"} <= set(found.numbers)
    assert found.as_json()["dataset_told"] > 0.9 > found.as_json()["dataset_by_chance"]
    assert len(story.queries) == 8
    for query in story.queries:
        assert query.image.picture.shape == (64, 64, 3)
        assert query.image.picture.dtype == np.uint8
        assert len(query.nearest) == 5
        assert all((one.dataset, one.case) != (query.image.dataset, query.image.case) for one in query.nearest)
    extra = {f"{one.what}_{which}" for one in found.guesses for which in ("told", "by_chance")}
    assert set(found.as_json()) == {"page", "images", *found.numbers, *extra}


def test_it_is_the_encoder_of_the_run(among: Path, looked: Pretrained, segmenter: Trained) -> None:
    for run, name in ((looked.run, "last"), (segmenter.run, "best")):
        network = encoder_of(run)
        theirs = read(run.weights / f"{name}.safetensors")[0]
        mine = network.state_dict()
        assert all(torch.equal(mine[key], theirs[key]) for key in theirs if key.startswith("body.encoder"))
        assert torch.equal(network.colour_mean, theirs["colour_mean"])


def test_of_a_training_on_another_sites_images(
    among: Path, segmenter: Trained, told: list[EmbeddingStory], tmp_path: Path
) -> None:
    said: list[str] = []
    found = segue.embed("runs/segmenter", WARD, tmp_path / "new/page.html", say=said.append)
    assert found.page == tmp_path / "new/page.html"
    assert "How segmenter sees images" in found.page.read_text()
    assert found.images == 12
    assert "ward: is not split, so all of its 12 images are looked at" in said
    assert set(told[0].datasets) == {"ward"}
    assert not (segmenter.run.folder / PAGE).exists()


def test_grey_volumes_in_an_encoder_of_colours(among: Path, looked: Pretrained, segmenter: Trained) -> None:
    assert embed("runs/segmenter", HEADS).images == 16
    assert embed("runs/looked", HEADS).images == 16


def test_twice_is_the_same_page(among: Path, looked: Pretrained, tmp_path: Path) -> None:
    one, other = (embed("runs/looked", HEADS, tmp_path / f"{number}.html").page.read_bytes() for number in range(2))
    assert one == other


def test_the_page_says_what_has_collapsed(
    among: Path, looked: Pretrained, told: list[EmbeddingStory], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = room.encoder_of

    def dead(run: Run) -> Any:
        network = plain(run)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.zero_()
        return network

    monkeypatch.setattr(room, "encoder_of", dead)
    assert "has collapsed" in embed("runs/looked", [HEADS, CLINIC]).page.read_text()
    assert told[0].collapsed


def test_from_the_command_line(among: Path, looked: Pretrained, segmenter: Trained) -> None:
    runner = CliRunner()
    shown = runner.invoke(app, ["embed", "runs/looked", "--on", HEADS, "--on", CLINIC, "--json"])
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)
    assert found["page"] == f"runs/looked/{PAGE}"
    assert found["images"] > 16
    assert 0 <= found["partition_told"] <= 1
    plain = runner.invoke(app, ["embed", "runs/segmenter", "--on", CLINIC, "--out", "seen.html"])
    assert plain.exit_code == 0
    assert "Written: seen.html" in plain.stdout
    assert "effective rank" in plain.stdout
    wrong = runner.invoke(app, ["embed", "runs/nobody", "--on", CLINIC, "--json"])
    assert wrong.exit_code == 2
    assert "there is no such run" in json.loads(wrong.stdout)["error"]
    help_ = runner.invoke(app, ["embed", "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
    assert all(word in help_ for word in ("--on", "--out", "--json", "--debug"))


def test_what_cannot_be_embedded(among: Path, looked: Pretrained) -> None:
    patches: dict[str, Any] = {
        "network": {"architecture": "unet-3d", "depth": 3, "stages": {"width": 8}}, "loop": {**SHORT["loop"], "batch": 2},
        "machine": {"device": "cpu", "threads": 1, "precision": "32-true", "layout": "channels-first"},
    }  # fmt: skip
    train(HEADS, "runs/patches", **patches)
    with pytest.raises(
        BadInput, match="runs/patches: sees patches of volumes, and only slices and pictures are laid out"
    ):
        embed("runs/patches", HEADS)
    pretrain(HEADS, "runs/grey-one", **{**LOOK, **SHORT})
    with pytest.raises(BadInput, match="clinic: has 3 channels, and the network sees 1"):
        embed("runs/grey-one", CLINIC)
    with pytest.raises(BadInput, match="clinic: has 3 channels, and the network sees 1"):
        embed("runs/grey-one", [HEADS, CLINIC])
