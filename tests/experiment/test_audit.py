"""`segue audit`: a run at a place whose masks it does not read, against the masks afterwards."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

import segue
from segue.cli import app
from segue.data.case import IGNORE
from segue.data.phantoms import PHANTOMS
from segue.data.scanning.scan import scan
from segue.data.splitting.split import Split, SplitSettings, split
from segue.data.target import Target
from segue.errors import BadInput
from segue.evaluation.auditing.copies import Copy
from segue.evaluation.judging.subject import subjects
from segue.experiment.auditing import painted, worth
from segue.experiment.auditing.audit import how_varied
from segue.experiment.auditing.audited import Audit, Trials
from segue.experiment.inpainting.fit import fit
from segue.experiment.inpainting.load import painting_of
from segue.experiment.load import load
from segue.experiment.settings import AuditSettings
from segue.experiment.train import Trained
from segue.training.run import Run
from tests.evaluation.test_stack import frame as frame_of_slices
from tests.experiment.conftest import SMALL, working_in


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of which validation has enough masks, and another hospital, with masks and, elsewhere, without."""
    folder = tmp_path_factory.mktemp("audited")
    for site, kind, patients, masks in (
        ("home", "north", 12, 48), ("away", "south", 4, 12), ("bare", "south", 4, 0), ("whole", "south", 3, 15),
    ):  # fmt: skip
        PHANTOMS["colon"].make(folder / site, patients=patients, sites=[kind], labelled=masks, seed=3)
        scan(folder / site, folder / "datasets" / site, name=site)
    split(folder / "datasets" / "home", settings=SplitSettings(test=0.2, validation=0.3))
    with working_in(folder):
        told = {**SMALL, "loop": {"steps": 60, "epoch_steps": 60, "batch": 8, "rate": 0.003}, "validation": "none"}
        segue.train("datasets/home", "runs/seen", **told)
    return folder


@pytest.fixture
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(place)
    monkeypatch.setattr(worth, "LEVELS", (3,))
    return place


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _of(one: Audit) -> Trials:
    (found,) = one.trials.values()
    return found


def test_a_place_without_masks(here: Path) -> None:
    done = segue.audit("runs/seen", "datasets/bare")
    (one,) = done.audits
    (site,) = one.expected.sites
    assert 0 <= site.low <= site.dice <= site.high <= 1
    assert one.truth == ()
    table = rows(one.folder / "cases.csv")
    assert len(table) == site.cases == len(segue.Dataset.open("datasets/bare").cases)
    assert all(0 <= float(row["low"]) <= float(row["expected"]) <= float(row["high"]) <= 1 for row in table)
    assert {way.name for way in _of(one).corruptions} == {
        "audit", "constant", "confidence", "soft Dice", "DoC", "ATC", "ATC by class",
    }  # fmt: skip
    page = one.page.read_text()
    for part in (
        "What is expected there",
        "What is different there",
        "Whom to trust least",
        "How far such words have held",
    ):
        assert part in page
    assert json.loads((one.folder / "summary.json").read_text())["set"] == "bare"


def test_masks_of_the_place_change_nothing(here: Path) -> None:
    """The same images, once with masks and once without."""
    bare = segue.audit("runs/seen", "datasets/bare").audits[0]
    away = segue.audit("runs/seen", "datasets/away").audits[0]
    assert [one.dice for one in away.expected.cases] == pytest.approx([one.dice for one in bare.expected.cases])
    for mask in (here / "away").rglob("masks/*"):
        mask.rename(mask.with_suffix(".gone"))
    try:
        again = segue.audit("runs/seen", "datasets/away").audits[0]
    finally:
        for mask in (here / "away").rglob("masks/*.gone"):
            mask.rename(mask.with_suffix(".png"))
    assert again.expected == away.expected


def test_what_was_learnt_is_kept_and_an_interrupted_one_goes_on(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = segue.audit("runs/seen", "datasets/bare").audits[0]
    books = sorted((here / "runs/seen/audit").glob("known-*.jsonl"))
    lines = books[0].read_text().splitlines(keepends=True)
    asked: list[str] = []
    plain = worth.learnt

    def noted(eyes: worth.Eyes, group: worth.Group) -> dict[str, Any]:
        asked.append(group.name)
        return plain(eyes, group)

    monkeypatch.setattr(worth, "learnt", noted)
    assert segue.audit("runs/seen", "datasets/bare").audits[0].expected == first.expected
    assert asked == []
    books[0].write_text("".join(lines[:3]) + lines[3][:40])  # torn
    assert segue.audit("runs/seen", "datasets/bare").audits[0].expected == first.expected
    assert len(asked) == len(lines) - 3


def test_other_places_with_masks_teach_too(here: Path) -> None:
    plain = segue.audit("runs/seen", "datasets/bare").audits[0]
    taught = segue.audit("runs/seen", "datasets/bare", settings=AuditSettings(known=("datasets/away",))).audits[0]
    assert taught.expected.sites != plain.expected.sites
    assert {one.group for one in _of(taught).held} == {one.group for one in _of(plain).held}


# Copies with painted lesions, and copies that show all larger or smaller


PAINTER: dict[str, Any] = {
    "width": 4, "side": 32, "size": (64, 64), "machine": SMALL["machine"], "loop": {"steps": 3, "epoch_steps": 3, "batch": 4},
}  # fmt: skip


@pytest.fixture
def painter(here: Path) -> str:
    return str(fit("datasets/home", "runs/painter", **PAINTER).run.folder)


def test_painted_copies_teach_and_painters_are_not_mixed_up(
    here: Path, painter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    plain = worth.learnt

    def noted(eyes: worth.Eyes, group: worth.Group) -> dict[str, Any]:
        asked.append(group.name)
        return plain(eyes, group)

    alone = segue.audit("runs/seen", "datasets/bare").audits[0]
    monkeypatch.setattr(worth, "learnt", noted)
    monkeypatch.setattr(painted, "EDITS", {kind: painted.EDITS[kind] for kind in ("add", "repaint")})
    monkeypatch.setattr(worth, "EDITS", painted.EDITS)
    first = segue.audit("runs/seen", "datasets/bare", settings=AuditSettings(painter=painter)).audits[0]
    assert asked == ["painted add", "painted repaint"], "all else was kept"
    assert _of(first).corruptions != _of(alone).corruptions
    assert {one.group for one in _of(first).held} - {one.group for one in _of(alone).held} == set(asked)
    assert first.verdict.strangers == alone.verdict.strangers
    asked.clear()
    other = fit("datasets/home", "runs/other-painter", **{**PAINTER, "loop": {**PAINTER["loop"], "seed": 1}}).run.folder
    second = segue.audit("runs/seen", "datasets/bare", settings=AuditSettings(painter=str(other))).audits[0]
    assert asked == ["painted add", "painted repaint"]
    assert _of(second).held != _of(first).held
    asked.clear()
    again = segue.audit("runs/seen", "datasets/bare", settings=AuditSettings(painter=painter)).audits[0]
    assert (again.expected, _of(again).held) == (first.expected, _of(first).held)
    assert segue.audit("runs/seen", "datasets/bare").audits[0].expected == alone.expected
    assert asked == []


@pytest.mark.parametrize("kind", list(painted.EDITS))
def test_a_painted_copy_shows_its_mask(here: Path, painter: str, kind: str) -> None:
    model = load("runs/seen", "best")
    home = subjects(segue.Dataset.open("datasets/home"), model.target)[:4]
    how = painted.Painted(painting_of(painter, model.target, 3, "uint8"), kind)
    changed = 0
    for one in home:
        copy = Copy.of(one, how)
        before, after = one.truth(), copy.truth()
        if (after == IGNORE).all():
            assert np.array_equal(copy.pixels(), one.pixels()), "nothing was found to do"
            continue
        changed += 1
        assert np.array_equal(after, copy.truth()), "always alike"
        assert np.array_equal(copy.pixels(), copy.pixels())
        assert (after == before).all() == (kind == "repaint")
        assert not (kind == "add" and (before > after).any())
        hole = (copy.pixels() != one.pixels()).any(-1)
        assert 0 < hole.mean() < 0.7
        near = cv2.dilate((after != before if kind != "repaint" else before > 0).astype(np.uint8), np.ones((61, 61)))
        assert not (hole & (near == 0)).any(), "elsewhere the image stays"
    assert changed >= 2


def test_which_painters_are_refused(here: Path, painter: str, tmp_path: Path) -> None:
    split("datasets/home", name="turned", settings=SplitSettings(test=0.2, validation=0.3, seed=1))
    knows = fit("datasets/home", "runs/knowing", **{**PAINTER, "split": "turned"}).run.folder
    with pytest.raises(BadInput, match=r"knowing: has learnt from \d+ of \d+ validation cases of home or from copies"):
        segue.audit("runs/seen", "datasets/bare", settings=AuditSettings(painter=str(knows)))
    with pytest.raises(BadInput, match="runs/seen: is no painter"):
        segue.audit("runs/seen", "datasets/bare", settings=AuditSettings(painter="runs/seen"))
    model = load("runs/seen", "best")
    model.target = Target(("background", "mole"))
    home = subjects(segue.Dataset.open("datasets/home"), load("runs/seen", "best").target)
    with pytest.raises(BadInput, match="paints 'foreground', which is none of mole"):
        painted.painting_for(painter, model, home)
    model.frame = frame_of_slices()
    with pytest.raises(BadInput, match="copies are painted of pictures only"):
        painted.painting_for(painter, model, home)
    with pytest.raises(BadInput, match="only pictures are shown larger and smaller"):
        worth.groups_of(home, model, AuditSettings(zoom=True))


def test_copies_that_show_all_larger_or_smaller(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worth, "TIMES", (0.5, 2.0))
    alone = segue.audit("runs/seen", "datasets/bare").audits[0]
    taught = segue.audit("runs/seen", "datasets/bare", settings=AuditSettings(zoom=True)).audits[0]
    assert taught.folder.name == "bare-zoom" != alone.folder.name
    assert {one.group for one in _of(taught).held} - {one.group for one in _of(alone).held} == {"zoom 0.5", "zoom 2"}
    assert _of(taught).corruptions != _of(alone).corruptions


def test_the_truth_stands_beside_once_it_was_judged(here: Path) -> None:
    segue.evaluate("runs/seen", "datasets/away")
    (one,) = segue.audit("runs/seen", "datasets/away").audits
    (truth,) = one.truth
    judged = [
        float(row["dice"]) for row in rows(here / "runs/seen/evaluation/away/cases.csv") if int(row["truth_pixels"])
    ]
    assert truth.cases == len(judged)
    assert truth.judged.name == "audit"
    assert "with masks the mean Dice over patients is" in truth.told
    assert one.told[0] == truth.told, "what masks say is read first"
    assert truth.told.split(": ", 1)[1][:40] in one.page.read_text()
    assert ("believe the masks" in " ".join(one.told)) is not truth.inside


def test_some_masks_prove(here: Path) -> None:
    asked = AuditSettings(verify=8)
    (bare,) = segue.audit("runs/seen", "datasets/bare", settings=asked).audits
    assert bare.verified is not None
    assert len(bare.verified.missing) == len(bare.verified.chosen) == 8
    assert [row["masked"] for row in rows(bare.verified.table)] == ["no"] * 8
    (one,) = segue.audit("runs/seen", "datasets/whole", settings=asked).audits
    assert one.verified is not None
    (proof,) = one.verified.proofs
    segue.evaluate("runs/seen", "datasets/whole")
    table = {row["case"]: float(row["dice"]) for row in rows(here / "runs/seen/evaluation/whole/cases.csv")}
    assert proof.masks == 8
    assert proof.low <= proof.dice <= proof.high
    assert set(one.verified.chosen) <= set(table)
    assert np.isfinite(proof.alone).all()
    (later,) = segue.audit("runs/seen", "datasets/whole").audits
    assert later.verified == one.verified, "an audit that does not ask for it keeps it"
    (others,) = segue.audit("runs/seen", "datasets/whole", settings=AuditSettings(vary="flips")).audits
    assert others.folder != one.folder
    assert one.page.exists()


def test_masks_that_were_added_change_no_draw(here: Path) -> None:
    """Once there are masks a scan calls the same images otherwise, and in another order."""
    folder = here / "ward"
    folder.mkdir()
    pairs = [(case.images[0], case.mask) for case in segue.Dataset.open("datasets/whole").cases if case.mask]
    for number, (image, _) in enumerate(pairs, 1):
        shutil.copy(here / "whole" / image, folder / f"{number}_image.jpg")
    segue.scan(folder, "datasets/ward", name="ward")
    asked = AuditSettings(verify=6)
    before = segue.audit("runs/seen", "datasets/ward", settings=asked).audits[0].verified
    assert before is not None
    drawn = [row["image"] for row in rows(before.table)]
    for number, (_, mask) in enumerate(pairs, 1):
        if f"{number}_image.jpg" in drawn:
            shutil.copy(here / "whole" / mask, folder / f"{number}_mask.png")
    assert segue.scan(folder, "datasets/ward", name="ward").labelled == 6
    (after,) = segue.audit("runs/seen", "datasets/ward", settings=asked).audits
    assert after.verified is not None
    assert after.verified.chosen != before.chosen, "other names"
    assert [row["image"] for row in rows(after.verified.table)] == drawn
    assert after.verified.missing == ()
    (proof,) = after.proofs
    assert "patient" not in proof.told, "none is known"


def test_an_adapted_run_is_asked_by_what_it_was_not_taught(here: Path) -> None:
    said: list[str] = []
    adapted = segue.adapt("runs/seen", "datasets/bare", "runs/still", only_statistics=True).run.folder
    (one,) = segue.audit(adapted, "datasets/bare", say=said.append).audits
    assert any("--vary apart" in line for line in said)
    assert one.seen == len(one.expected.cases)
    page = one.page.read_text()
    assert "varied by <code>apart</code>" in page
    assert "the image was looked at in training" in page
    (before,) = segue.audit("runs/seen", "datasets/bare", settings=AuditSettings(vary="apart")).audits
    assert before.seen == 0
    assert before.expected != one.expected


def test_who_has_learnt_to_follow_images_without_masks_is_asked_by_others(here: Path) -> None:
    plain, taught, said = Run.open("runs/seen"), Run.open("runs/seen"), list[str]()
    taught.__dict__["config"] = {**plain.config, "method": "distil", "unlabelled": ["datasets/bare"]}
    assert how_varied([plain], "auto", said.append) == "everyday"
    assert not said
    assert how_varied([plain, taught], "auto", said.append) == "apart"
    assert how_varied([taught], "flips", said.append) == "flips"
    assert any("--vary apart" in line for line in said)


def test_images_that_were_looked_at_are_left_to_the_others_where_there_are_enough(here: Path) -> None:
    if not (here / "datasets/away/split.csv").exists():
        split(here / "datasets/away", settings=SplitSettings(test=0.5, validation=0.0))
    said: list[str] = []
    adapted = segue.adapt("runs/seen", "datasets/away", "runs/half", only_statistics=True).run.folder
    (one,) = segue.audit(adapted, "datasets/away", say=said.append).audits
    parts = Split.open(segue.Dataset.open("datasets/away"), "split")
    assert {each.case for each in one.expected.cases} == set(parts.cases("test"))
    assert one.seen == 0
    assert any("the others are audited" in line for line in said)


def test_what_training_knows_teaches_nothing(here: Path) -> None:
    """The images of home under another name: only those that were set apart are asked."""
    segue.scan(here / "home", here / "datasets/again", name="again")
    home = segue.Dataset.open("datasets/home")
    trained = set(Split.open(home, "split").cases("train"))
    segue.audit("runs/seen", "datasets/bare", settings=AuditSettings(known=("datasets/again",)))
    books = [
        map(json.loads, book.read_text().splitlines()) for book in (here / "runs/seen/audit").glob("known-*.jsonl")
    ]
    kept = next(told for book in books for name, told in book if name.startswith("again "))
    asked = {row["case"] for rows in kept["known"].values() for row in rows}
    assert asked == {case.case for case in home.cases if case.labelled and case.case not in trained}


# What cannot be


def test_few_masks_at_home_are_refused(there: Path, trained: Trained) -> None:
    with pytest.raises(BadInput, match="validation cases with masks; from fewer than 10"):
        segue.audit(trained.run.folder, "datasets/south")


def test_what_was_learnt_from_is_left_out_and_named(here: Path) -> None:
    said: list[str] = []
    (one,) = segue.audit("runs/seen", "datasets/home", say=said.append).audits
    assert any("trained on, such as" in line for line in said)
    parts = Split.open(segue.Dataset.open("datasets/home"), "split")
    audited = {each.case for each in one.expected.cases}
    assert audited
    assert not audited & {*parts.cases("train"), *parts.cases("validation")} & parts.labelled


def test_classes_of_other_names_are_refused_before_anything_is_looked_at(here: Path) -> None:
    card = here / "datasets/whole/dataset.yaml"
    named = card.read_text().replace("foreground", "mole")
    (here / "datasets/moles").mkdir(exist_ok=True)
    for path in (here / "datasets/whole").iterdir():
        if path.is_file():
            shutil.copy(path, here / "datasets/moles" / path.name)
    (here / "datasets/moles/dataset.yaml").write_text(named)
    with pytest.raises(BadInput, match="its class 'mole' is none that the model knows"):
        segue.audit("runs/seen", "datasets/moles")
    (one,) = segue.audit("runs/seen", "datasets/moles", settings=AuditSettings(same={"mole": "foreground"})).audits
    assert one.expected.cases


def test_volumes_are_no_pictures(here: Path, tmp_path: Path) -> None:
    PHANTOMS["heart"].make(tmp_path / "hearts", patients=2)
    segue.scan(tmp_path / "hearts", tmp_path / "set", name="hearts")
    with pytest.raises(BadInput, match="holds volumes, and the network was trained on pictures"):
        segue.audit("runs/seen", tmp_path / "set")


def test_too_few_masks_to_verify(here: Path) -> None:
    with pytest.raises(BadInput, match="--verify 3"):
        segue.audit("runs/seen", "datasets/bare", settings=AuditSettings(verify=3))
    with pytest.raises(BadInput, match="--verify 500: bare has"):
        segue.audit("runs/seen", "datasets/bare", settings=AuditSettings(verify=500))


def test_the_command_line(here: Path) -> None:
    done = CliRunner().invoke(app, ["audit", "runs/seen", "--on", "datasets/bare", "--verify", "6"])
    assert done.exit_code == 0, done.output
    assert "way" in done.output
    assert "Mask them, scan the folder again" in " ".join(done.output.split())
    shown: dict[str, Any] = json.loads(
        CliRunner().invoke(app, ["audit", "runs/seen", "--on", "datasets/bare", "--json"]).stdout
    )
    assert shown["audits"][0]["set"] == "bare"
    assert (here / shown["audits"][0]["page"]).exists()
