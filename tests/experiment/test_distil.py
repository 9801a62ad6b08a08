"""`segue train --method distil`: several runs teach one, with other hospitals' images, and what they have seen it has seen."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from segue.cli import app
from segue.data.case import read_table
from segue.data.dataset import Dataset
from segue.data.images import read_image
from segue.data.splitting.split import SplitSettings, split
from segue.errors import BadInput
from segue.experiment.evaluate import evaluate
from segue.experiment.load import load
from segue.experiment.members import ensemble
from segue.experiment.settings import EvaluateSettings
from segue.experiment.train import train
from segue.training.loop import Loop
from segue.training.run import Run
from tests.experiment.conftest import SMALL

NORTH, SOUTH = "datasets/north", "datasets/south"
DISTIL: dict[str, Any] = {
    **SMALL, "method": "distil", "size": "auto", "loop": {"steps": 6, "epoch_steps": 3, "batch": 4, "rate": 3e-3},
}  # fmt: skip


def weights(run: Run) -> bytes:
    return (run.folder / "weights/last.safetensors").read_bytes()


@pytest.fixture
def two(there: Path) -> tuple[str, str]:
    """Teachers of two seeds."""
    loop = {**SMALL["loop"], "rate": 3e-3, "steps": 12}
    for seed in (1, 2):
        train(NORTH, f"runs/teacher-{seed}", **{**SMALL, "loop": {**loop, "seed": seed}})
    return "runs/teacher-1", "runs/teacher-2"


def test_what_is_learnt_hangs_on_who_teaches_and_on_whose_images(two: tuple[str, str]) -> None:
    """And on each setting; and no teacher is touched."""
    before = [weights(Run.open(one)) for one in two]
    told: list[dict[str, Any]] = [
        {"teachers": two}, {"teachers": two[:1]}, {"teachers": two, "unlabelled": SOUTH},
        {"teachers": two, "unlabelled": SOUTH, "distil": {"own": False}}, {"teachers": two, "distil": {"weight": 0.2}},
        {"teachers": two, "distil": {"batch": 0.5}}, {"teachers": two, "variation": "strong"},
        {"teachers": (), "method": "supervised", "size": (64, 64)},
    ]  # fmt: skip
    runs = [train(NORTH, f"runs/taught-{n}", **{**DISTIL, **each}).run for n, each in enumerate(told)]
    assert len({weights(run) for run in runs}) == len(told)
    assert [weights(Run.open(one)) for one in two] == before
    assert runs[0].config["size"] == [64, 64]  # theirs
    last = json.loads((runs[0].folder / "metrics.jsonl").read_text().splitlines()[-1])
    assert {"masks", "taught"} <= set(last)
    looks = [run.about["looks_before"] for run in runs]
    assert looks[0] == sum(Run.open(one).about["looks"] for one in two)
    assert looks[-1] == 0


def test_an_ensemble_teaches_as_its_members_do(two: tuple[str, str]) -> None:
    joined = ensemble(two, "runs/teachers") if not Path("runs/teachers").exists() else Path("runs/teachers")
    one, other = (
        train(NORTH, f"runs/taught-by-{name}", **{**DISTIL, "teachers": given}).run
        for name, given in (("both", two), ("them", (str(joined),)))
    )
    assert weights(one) == weights(other)
    assert len(other.about["teachers"]) == 2


def test_it_comes_nearer_to_what_they_say_together(two: tuple[str, str]) -> None:
    """Of images of a hospital that it has no mask of, against the same steps without teachers."""
    loop = {**DISTIL["loop"], "steps": 40, "epoch_steps": 40}
    given = {**DISTIL, "loop": loop, "variation": "flips"}
    taught = train(
        NORTH, "runs/nearer", **{**given, "teachers": two, "unlabelled": SOUTH, "distil": {"weight": 4.0}}
    ).run
    alone = train(NORTH, "runs/farther", **{**given, "method": "supervised", "size": (64, 64)}).run
    teachers = load(ensemble(two, "runs/teachers-near")).eval()
    images = []
    for row in read_table(Path("south/manifest.csv"))[:6]:
        picture = torch.from_numpy(read_image(Path("south") / row["image"])).movedim(-1, 0).float()[None] / 255
        images.append(torch.nn.functional.interpolate(picture, (64, 64), mode="area"))
    with torch.inference_mode():
        said = [
            [model(image) for image in images]
            for model in (teachers, *(load(run.folder).eval() for run in (taught, alone)))
        ]
    away = [sum(float((a - b).abs().mean()) for a, b in zip(said[0], one, strict=True)) for one in said[1:]]
    assert away[0] < 0.8 * away[1], away


def stop_at(monkeypatch: pytest.MonkeyPatch, stopping: int) -> None:
    plain = Loop.one_step

    def stopped(self: Loop, parcels: Any) -> float:
        if self.run.folder.name.startswith("stopped") and self.step == stopping:
            os.kill(os.getpid(), signal.SIGTERM)
        return plain(self, parcels)

    monkeypatch.setattr(Loop, "one_step", stopped)


def test_it_goes_on_to_the_same_bytes_and_only_with_the_same_teachers(
    two: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {**DISTIL, "teachers": two}
    whole = train(NORTH, "runs/taught-whole", **given).run
    with monkeypatch.context() as patched:
        stop_at(patched, 4)
        with pytest.raises(KeyboardInterrupt):
            train(NORTH, "runs/stopped", **given)
    file = Path(two[1], "weights/best.safetensors")
    then = file.stat()
    os.utime(file, ns=(then.st_atime_ns, then.st_mtime_ns + 1))
    with pytest.raises(BadInput, match="runs/stopped: its teachers are not those that it began with"):
        train(NORTH, "runs/stopped", **given)
    os.utime(file, ns=(then.st_atime_ns, then.st_mtime_ns))
    assert weights(train(NORTH, "runs/stopped", **given).run) == weights(whole)


def test_what_teachers_have_seen_it_has_seen(two: tuple[str, str], tmp_path: Path) -> None:
    """The images of a hospital that a teacher looked at are put apart, and are refused as a test."""
    semi = {"views": 1, "dropout": 0.0, "warm": 0.0, "fitted": 0.0}
    traveller = train(NORTH, "runs/traveller", **{**SMALL, "method": "semi", "semi": semi, "unlabelled": SOUTH}).run
    student = train(NORTH, "runs/taught-by-a-traveller", **{**DISTIL, "teachers": (str(traveller.folder),)}).run
    with (student.folder / "seen.csv").open(encoding="utf-8", newline="") as table:
        seen = {(row["dataset"], row["case"]) for row in csv.DictReader(table)}
    assert {("south", case.case) for case in Dataset.open(SOUTH).cases} <= seen
    (found,) = evaluate(student.folder, SOUTH, settings=EvaluateSettings(part="all")).sets
    assert {row.seen for row in found.table} == {"images"}
    copy = shutil.copytree(SOUTH, tmp_path / "south")
    split(copy, settings=SplitSettings(test=0.4, validation=0.0))
    with pytest.raises(BadInput, match=r"was looked at when runs/traveller was trained; its weights know the answer"):
        train(str(copy), "runs/no", **{**DISTIL, "teachers": (str(traveller.folder),)})


def test_who_cannot_teach_is_refused(two: tuple[str, str]) -> None:
    with pytest.raises(BadInput, match="method distil: learns from what runs say, and none is named"):
        train(NORTH, "runs/no", **DISTIL)
    with pytest.raises(BadInput, match="teachers: supervised learns from none"):
        train(NORTH, "runs/no", **{**SMALL, "teachers": two})
    with pytest.raises(BadInput, match="runs/teacher-1 is given twice"):
        train(NORTH, "runs/no", **{**DISTIL, "teachers": (two[0], two[0])})
    with pytest.raises(BadInput, match=r"of another kind \(size: \(64, 64\) there, \(96, 96\) here\)") as told:
        train(NORTH, "runs/no", **{**DISTIL, "teachers": two, "size": (96, 96)})
    assert told.value.hint == "--size 64x64"
    with pytest.raises(BadInput, match="of another kind"):
        train(NORTH, "runs/no", **{**DISTIL, "teachers": two, "padding": "reflect"})
    with pytest.raises(BadInput, match="finds foreground, and what is to be learnt is found"):
        train(NORTH, "runs/no", **{**DISTIL, "teachers": two, "regions": {"found": ("foreground",)}})
    with pytest.raises(BadInput, match="teachers say nothing of what is painted"):
        train(NORTH, "runs/no", **{**DISTIL, "teachers": two, "variation": "paint + flips", "painter": "runs/none"})
    assert not Path("runs/no").exists()


def test_several_regions_are_taught(two: tuple[str, str]) -> None:
    given = {**SMALL, "regions": {"found": ("foreground",)}}
    teacher = train(NORTH, "runs/teacher-of-regions", **given).run
    taught = train(
        NORTH, "runs/taught-regions", **{**DISTIL, "regions": given["regions"], "teachers": (str(teacher.folder),)}
    ).run
    assert not taught.target.exclusive


def test_from_the_command_line(two: tuple[str, str]) -> None:
    words = [
        "train", "--data", NORTH, "--method", "distil", "--teachers", ",".join(two), "--unlabelled", SOUTH, "--out",
        "runs/taught-said", "--batch", "4", "--encoder", "tu-mobilenetv3_small_050", "--set", "network.depth=3", "--set",
        "network.decoder_channels=[16, 8, 8]", "--set", "loop.steps=2", "--set", "machine.device=cpu", "--set",
        "machine.threads=1",
    ]  # fmt: skip
    shown = CliRunner().invoke(app, words)
    assert shown.exit_code == 0, shown.output
    assert [each["run"] for each in Run.open("runs/taught-said").about["teachers"]] == list(two)
