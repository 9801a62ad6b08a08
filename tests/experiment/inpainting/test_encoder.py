"""An encoder of our own looks at what was painted: what it is measured by, and what a painter learns from."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import segue
from segue import networks
from segue.data.splitting.split import SplitSettings, split
from segue.errors import BadInput
from segue.experiment.folder import Ended
from segue.experiment.inpainting.encoder import digest_of, encoder_for, rows
from segue.experiment.inpainting.fit import fit, opened
from segue.experiment.inpainting.holes import Holes, holes, mean_colour
from segue.experiment.inpainting.look import look
from segue.experiment.pretraining.pretrain import pretrain
from segue.experiment.settings import InpaintSettings
from segue.experiment.train import Trained, train
from segue.training.interrupt import Interrupt
from segue.training.run import Run
from tests.experiment.conftest import LOOK, SMALL
from tests.experiment.inpainting.test_inpainting import PAINTER, hurried

ENCODER = "runs/first"
PLEASED: dict[str, Any] = {**PAINTER, "encoder": ENCODER, "inpainting": {"perceptual": 0.5}}


@pytest.fixture
def pleased(there: Path) -> Ended:
    return fit("datasets/north", "runs/brush-pleased", **PLEASED)


@pytest.fixture
def held(there: Path) -> Holes:
    learnt = opened(InpaintSettings(data=("datasets/north",), side=32, size=(64, 64)))
    return holes(learnt.held, 12, 32)


def test_rows_tell_of_the_holes(held: Holes) -> None:
    network = encoder_for(ENCODER, 3)
    real = rows(network, held, held.images)
    assert len(real) == 12
    assert np.allclose(real, rows(network, held, held.images))
    flat = rows(network, held, mean_colour(held))
    assert (np.abs(flat - real).max(1) > 0.01).all()
    inside = dataclasses.replace(held, hole=held.inside | held.hole)
    assert not np.allclose(real, rows(network, inside, held.images))


def test_grey_windows_are_seen_by_an_encoder_of_colours(held: Holes) -> None:
    network = encoder_for(ENCODER, 1)
    grey = held.images[..., :1]
    assert np.allclose(rows(network, held, grey), rows(network, held, grey.repeat(3, 3)))


def test_its_distances_are_on_the_page(there: Path, pleased: Ended, monkeypatch: pytest.MonkeyPatch) -> None:
    hurried(monkeypatch, 24, 24, 2)
    plain = fit("datasets/north", "runs/brush-painter", **PAINTER)
    found = look(plain.run.folder, encoder=ENCODER)
    far = found.quality.far
    assert far is not None
    assert list(far.fills) == [one.name for one in found.quality.fills]
    assert far.fills["a mean colour"] > far.real > 0
    page = found.page.read_text()
    for words in (f"as {ENCODER} sees them", "other real ones", f"{far.fills['the painter']:.3f}", f"{far.real:.3f}"):
        assert words in page
    assert "that the painter learnt from" not in page
    told = json.loads((found.page.parent / "quality.json").read_text())["frechet"]
    assert told["real"] == far.real
    assert told["way"] == far.way("the painter", "a mean colour")
    warned = look(pleased.run.folder, encoder=ENCODER)
    assert "told by the encoder that the painter learnt from" in warned.page.read_text()
    assert any("the painter learnt from" in line for line in warned.told)


def test_an_encoder_that_knows_the_held_back_images_is_told(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hurried(monkeypatch, 24, 24, 2)
    plain = fit("datasets/north", "runs/brush-painter", **PAINTER)
    knowing = encoder_that_knows(there)
    held = [case for case, part in segue_parts().items() if part == "validation"]
    seen = {row["case"] for row in Run.open(knowing).seen()}
    found = look(plain.run.folder, encoder=knowing)
    assert seen & set(held)
    assert "has looked at" in found.page.read_text()


def segue_parts() -> dict[str, str]:
    from segue.data.splitting.split import Split

    return dict(Split.open(segue.Dataset.open("datasets/north")).parts)


def encoder_that_knows(there: Path) -> str:
    """Trained by another split."""
    split("datasets/north", name="other", settings=SplitSettings(test=0.2, validation=0.2, seed=9))
    run = train("datasets/north", "runs/knowing", split="other", **SMALL).run
    return str(run.folder)


def test_a_painter_that_is_to_please_it_learns_something_else(there: Path, pleased: Ended) -> None:
    plain = fit("datasets/north", "runs/brush-painter", **PAINTER).run
    more = fit("datasets/north", "runs/pleased-more", **{**PLEASED, "inpainting": {"perceptual": 2.0}}).run
    weights = {(run.weights / "last.safetensors").read_bytes() for run in (plain, pleased.run, more)}
    assert len(weights) == 3
    assert all(line["unlike"] > 0 for line in pleased.run.metrics())
    assert "unlike" not in plain.metrics()[0]
    assert fit("datasets/north", "runs/brush-pleased", **PLEASED).already


def test_the_run_remembers_the_encoder_and_what_it_has_seen(there: Path, pleased: Ended) -> None:
    network = encoder_for(ENCODER, 3)
    assert pleased.run.about["encoder"] == digest_of(network)
    theirs = {(row["dataset"], row["case"], row["what"]) for row in Run.open(ENCODER).seen()}
    assert theirs <= {(row["dataset"], row["case"], row["what"]) for row in pleased.run.seen()}
    with torch.no_grad():
        next(network.parameters()).add_(1)
    assert pleased.run.about["encoder"] != digest_of(network)


def test_interrupted_it_goes_on_to_the_same_bytes(there: Path, pleased: Ended, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped_after(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        fit("datasets/north", "runs/brush-stopped", **PLEASED)
    monkeypatch.undo()
    fit("datasets/north", "runs/brush-stopped", **PLEASED)
    one, other = (Path(f"runs/brush-{name}/weights/last.safetensors").read_bytes() for name in ("stopped", "pleased"))
    assert one == other


def test_it_does_not_go_on_with_another_encoder(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ENCODER, "runs/copy")
    given = {**PLEASED, "encoder": "runs/copy"}
    stopped_after(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        fit("datasets/north", "runs/brush-changed", **given)
    monkeypatch.undo()
    network = encoder_for("runs/copy", 3)
    with torch.no_grad():
        next(network.parameters()).add_(1)
    for path in Path("runs/copy/weights").glob("*.safetensors"):
        networks.save(network, path)
    with pytest.raises(BadInput, match="the weights of runs/copy have changed since it began"):
        fit("datasets/north", "runs/brush-changed", **given)


def stopped_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    checks = iter(range(100))

    def check(self: Interrupt) -> None:
        if next(checks) >= steps:
            raise KeyboardInterrupt

    monkeypatch.setattr(Interrupt, "check", check)


def test_an_encoder_of_images_alone_will_do(there: Path) -> None:
    pretrain(["datasets/north"], "runs/looking", **LOOK)
    assert digest_of(encoder_for("runs/looking", 3)) == digest_of(encoder_for("runs/looking", 3))
    run = fit("datasets/north", "runs/brush-looked", **{**PLEASED, "encoder": "runs/looking"}).run
    assert {row["what"] for row in run.seen()} == {"masks", "images"}


def test_what_is_no_encoder_is_refused_in_a_sentence(there: Path, pleased: Ended, trained: Trained) -> None:
    def refused(match: str, **given: Any) -> None:
        with pytest.raises(BadInput, match=match):
            fit("datasets/north", "runs/brush-no", **{**PLEASED, **given})
        assert not Path("runs/brush-no").exists()

    refused(f"nothing asks {ENCODER} for anything", inpainting={})
    refused("needs an encoder that looks at what was painted", encoder="")
    refused("runs/nowhere: there is no such run", encoder="runs/nowhere")
    refused("is a painter, which has no encoder", encoder=str(pleased.run.folder))
    refused("for its test or validation, or a copy, was looked at when", encoder=encoder_that_knows(there))
    shutil.copytree(ENCODER, "runs/begun")
    about = json.loads(Path("runs/begun/run.json").read_text())
    Path("runs/begun/run.json").write_text(json.dumps({**about, "finished": False}))
    refused("runs/begun: is not finished", encoder="runs/begun")
    with pytest.raises(BadInput, match="sees images of 3 channels, and what is painted has 4"):
        encoder_for(ENCODER, 4)
