"""`segue inpaint`: a painter is learnt, looked at, and put to use on the disk and in training."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from typer.testing import CliRunner

import segue
from segue.cli import app
from segue.data.case import read_table
from segue.data.splitting.split import Split, split
from segue.errors import BadInput
from segue.experiment.folder import Ended
from segue.experiment.inpainting import quality as judged
from segue.experiment.inpainting import teller
from segue.experiment.inpainting.apply import apply
from segue.experiment.inpainting.fit import fit
from segue.experiment.inpainting.look import look
from segue.experiment.train import train
from segue.variations.paint import Paint
from tests.experiment.conftest import SMALL

PAINTER: dict[str, Any] = {
    "width": 4, "side": 32, "size": (64, 64), "machine": SMALL["machine"], "loop": {"steps": 4, "epoch_steps": 2, "batch": 4},
}  # fmt: skip
ADDED = Paint(add=1.0, alter=0.0, repaint=0.0)


def hurried(monkeypatch: pytest.MonkeyPatch, taught: int, asked: int, steps: int) -> None:
    """Windows and steps of who tells apart."""
    monkeypatch.setattr(judged, "_TRAINED", taught)
    monkeypatch.setattr(judged, "_TESTED", asked)
    monkeypatch.setattr(teller, "STEPS", steps)


def read(path: Path | str) -> npt.NDArray[Any]:
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert found is not None
    return found


@pytest.fixture
def painter(there: Path) -> Ended:
    """Learnt once in a session's folder; found again by its words."""
    return fit("datasets/north", "runs/brush-painter", **PAINTER)


def test_a_painter_learns_and_is_found_again(there: Path, painter: Ended) -> None:
    about = painter.run.about
    assert (about["kind"], about["steps"], about["looks"]) == ("painter", 4, 16)
    assert set(about["held"]) == {"off", "off by a mean colour"}
    assert {"off", "apart", "critic"} <= set(painter.run.metrics()[0])
    again = fit("datasets/north", "runs/brush-painter", **PAINTER)
    assert again.already
    other = fit("datasets/north", "runs/brush-other", **{**PAINTER, "inpainting": {"critic": 1.0}}).run
    first, second = (run.weights.joinpath("last.safetensors").read_bytes() for run in (painter.run, other))
    assert first != second


def test_only_what_is_for_training_is_learnt_from(there: Path, painter: Ended) -> None:
    parts = Split.open(segue.Dataset.open("datasets/north"))
    assert {row["case"] for row in painter.run.seen()} == {
        case for case in parts.cases("train") if case in parts.labelled
    }


def test_its_page_tells_how_real_it_looks(there: Path, painter: Ended, monkeypatch: pytest.MonkeyPatch) -> None:
    hurried(monkeypatch, 24, 16, 20)
    found = look(painter.run.folder)
    names = [one.name for one in found.quality.fills]
    assert names == ["a mean colour", "what is around, drawn in", "the painter"]
    for one in found.quality.fills:
        assert 0 < one.off < 1
        assert -1 <= one.ssim < 1
        assert 0 <= one.told <= 1
    page = found.page.read_text()
    for word in ("How real it looks", "told apart", "painted anew", "taken away", "added"):
        assert word in page
    assert "The Fréchet distance was not measured" in page
    told = json.loads((found.page.parent / "quality.json").read_text())
    assert (told["windows"], told["frechet"]) == (16, None)


def test_cases_are_written_with_their_source_and_can_be_learnt_from(there: Path, painter: Ended) -> None:
    done = apply(painter.run.folder, "datasets/north", "brushed", count=9, seed=1)
    assert (done.count, sum(done.edits.values())) == (9, 9)
    with open("brushed/manifest.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    parts = Split.open(segue.Dataset.open("datasets/north"))
    assert {row["source"] for row in rows} <= set(parts.cases("train"))
    assert all(len(json.loads(row["numbers"])) == 14 for row in rows)
    found = segue.scan("brushed", "datasets/brushed", name="brushed", labels="0=background,1=foreground")
    assert (found.labelled, len(found.bad)) == (9, 0)
    split("datasets/brushed")
    run = train(["datasets/north", "datasets/brushed"], "runs/brush-more", **SMALL).run
    assert sum(row["dataset"] == "brushed" for row in run.cases() if row["part"] == "train") == 9


def test_written_pixels_differ_from_the_source_in_the_hole_alone(there: Path, painter: Ended) -> None:
    apply(painter.run.folder, "datasets/north", "few", count=3, edit=ADDED)
    dataset = segue.Dataset.open("datasets/north")
    store = segue.Store.open("stores/north")
    for row in read_table(Path("few/manifest.csv")):
        image, mask = read(f"few/{row['image']}")[..., ::-1], read(f"few/{row['mask']}")
        number = store.numbers[row["source"]]
        before = store.mask(number)
        changed = np.asarray(image != store.image(number)).any(2)
        assert 0 < changed.mean() < 0.6
        added = np.asarray((mask == 1) & (before != 1))
        near = cv2.dilate(added.astype(np.uint8), np.ones((31, 31), np.uint8)) > 0
        assert not (changed & ~near).any()
        assert dataset.by_name[row["source"]].patient == row["patient"]


def test_the_same_words_paint_the_same_and_another_seed_others(there: Path, painter: Ended) -> None:
    for name, seed in (("one", 0), ("again", 0), ("other", 5)):
        apply(painter.run.folder, "datasets/north", name, count=4, seed=seed)
    bytes_of = [
        {path.name: path.read_bytes() for path in Path(name, "images").iterdir()} for name in ("one", "again", "other")
    ]
    assert bytes_of[0] == bytes_of[1] != bytes_of[2]


def test_to_images_without_masks_something_is_added(there: Path, painter: Ended) -> None:
    Path("bare").mkdir()
    for row in read_table(Path("south/manifest.csv")):
        shutil.copy(Path("south", row["image"]), "bare")
    segue.scan("bare", "datasets/bare", name="bare")
    done = apply(painter.run.folder, "datasets/bare", "from-bare", count=5)
    assert done.edits == {"add": 5}
    masks = [read(path) for path in sorted(Path("from-bare/masks").iterdir())]
    assert all(set(np.unique(mask)) == {0, 1} for mask in masks)


@pytest.mark.parametrize("method", ["supervised", "two-view", "consistency"])
def test_painting_changes_what_is_learnt(there: Path, painter: Ended, method: str) -> None:
    given = {**SMALL, "method": method}
    folder = str(painter.run.folder)
    plain = train("datasets/north", f"runs/brush-plain-{method}", variation="flips", **given).run
    painted = train(
        "datasets/north", f"runs/brush-painted-{method}", variation="paint + flips", painter=folder, **given
    ).run
    first, second = (run.weights.joinpath("last.safetensors").read_bytes() for run in (plain, painted))
    assert first != second


def test_a_network_is_not_judged_by_what_its_painter_has_seen(there: Path, painter: Ended) -> None:
    split("datasets/north", name="turned", settings=segue_split(0.2, seed=9))
    with pytest.raises(BadInput, match=r"was looked at when .*brush-painter was trained"):
        train(
            "datasets/north",
            "runs/brush-leak",
            split="turned",
            variation="paint",
            painter=str(painter.run.folder),
            **SMALL,
        )


def segue_split(share: float, seed: int) -> Any:
    from segue.data.splitting.split import SplitSettings

    return SplitSettings(test=share, validation=share, seed=seed)


def test_from_the_command_line(there: Path, painter: Ended, monkeypatch: pytest.MonkeyPatch) -> None:
    hurried(monkeypatch, 16, 8, 4)
    runner = CliRunner()
    told = ["width=4", "side=32", "size=64x64", *(f"machine.{key}={value}" for key, value in SMALL["machine"].items())]
    settings = [word for pair in told for word in ("--set", pair)]
    fitted = runner.invoke(
        app,
        [
            "inpaint",
            "fit",
            "--data",
            "datasets/north",
            "--looks",
            "16",
            "--batch",
            "4",
            "--out",
            "runs/brush-said",
            *settings,
        ],
    )
    assert fitted.exit_code == 0, fitted.output
    assert "segue inpaint look runs/brush-said" in fitted.output
    shown = runner.invoke(app, ["inpaint", "look", "runs/brush-said"])
    assert shown.exit_code == 0, shown.output
    assert "what is around, drawn in" in shown.output
    assert "Fréchet: not measured, it takes --encoder RUN" in shown.output
    assert "does not see through a mean colour" in shown.output  # who has had four steps
    shown = runner.invoke(app, ["inpaint", "look", "runs/brush-said", "--encoder", "runs/first"])
    assert shown.exit_code == 0, shown.output
    assert "other real ones" in shown.output
    assert "By the Fréchet distance the painter lies" in shown.output
    missing = runner.invoke(app, ["inpaint", "look", "runs/brush-said", "--encoder", "runs/nowhere"])
    assert missing.exit_code == 2
    missing = runner.invoke(app, ["inpaint", "fit", "--data", "datasets/north", "--encoder", "runs/first"])
    assert missing.exit_code == 2  # nothing asks for it
    done = runner.invoke(
        app,
        ["inpaint", "apply", "runs/brush-said", "--on", "datasets/north", "--out", "said", "--count", "2", "--edit",
         "paint(add=1, alter=0, repaint=0)", "--json"],
    )  # fmt: skip
    assert json.loads(done.stdout) == {"folder": "said", "count": 2, "edits": {"add": 2}}
    wrong = runner.invoke(
        app, ["inpaint", "apply", "runs/brush-said", "--on", "datasets/north", "--out", "no", "--edit", "flips"]
    )
    assert wrong.exit_code == 2


def test_what_does_not_go_together_is_refused_in_a_sentence(there: Path, painter: Ended) -> None:
    folder = str(painter.run.folder)
    with pytest.raises(BadInput, match="paint needs a painter"):
        train("datasets/north", "runs/brush-no", variation="paint", **SMALL)
    with pytest.raises(BadInput, match="no view is painted by the variation 'flips'"):
        train("datasets/north", "runs/brush-no", variation="flips", painter=folder, **SMALL)
    plain = train("datasets/north", "runs/brush-plain", **SMALL).run
    with pytest.raises(BadInput, match="is no painter"):
        train("datasets/north", "runs/brush-no", variation="paint", painter=str(plain.folder), **SMALL)
    for verb in (lambda: look(plain.folder), lambda: apply(plain.folder, "datasets/north", "nothing")):
        with pytest.raises(BadInput, match="brush-plain: is no painter"):
            verb()
    with pytest.raises(BadInput, match="is a painter, which has no encoder"):
        segue.cover(folder, "datasets/south")
    with pytest.raises(BadInput, match="is a painter, which has no encoder"):
        train("datasets/north", "runs/brush-no", init=folder, **SMALL)
    with pytest.raises(BadInput, match="is a painter, and segments nothing by itself"):
        segue.evaluate(painter.run.folder, on=["datasets/north"])
    with pytest.raises(BadInput, match=r"no class is called 'forground' \(did you mean foreground"):
        fit("datasets/north", "runs/brush-no", what="forground", **PAINTER)
    Path("there").mkdir()
    with pytest.raises(BadInput, match="there: is there already"):
        apply(folder, "datasets/north", "there")
    with pytest.raises(BadInput, match="none of these edits changes anything"):
        apply(folder, "datasets/north", "nothing", edit=Paint(add=0, alter=0, repaint=0))
    assert not Path("nothing").exists()
    assert not Path("runs/brush-no").exists()
