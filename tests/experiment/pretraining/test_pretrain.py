"""From images without masks to an encoder, and all that can be wrong on the way."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from typer.testing import CliRunner

import segue
from segue.cli import app
from segue.config import validate
from segue.data.dataset import Dataset
from segue.data.splitting.split import Split
from segue.data.volumes import nifti
from segue.data.volumes.grid import Grid
from segue.errors import BadInput
from segue.experiment import assemble
from segue.experiment.folder import run_name
from segue.experiment.pretraining import pretrain as verb
from segue.experiment.pretraining.pool import gather
from segue.experiment.pretraining.pretrain import Pretrained, pretrain
from segue.experiment.settings import PretrainSettings
from segue.networks.weights import read
from segue.training.loop import Loop
from segue.training.run import Run
from segue.training.settings import LoopSettings
from tests.data.volumes import made
from tests.experiment.conftest import LOOK

HEADS, CLINIC = "datasets/heads", "datasets/clinic"
NARROW = {"width": 16}
SHORT: dict[str, Any] = {"loop": {"steps": 1, "epoch_steps": 1}}


def look(data: Any, out: str, **changes: Any) -> Pretrained:
    return pretrain(data, out, **{**LOOK, **changes})


def settings(*data: str, **changes: Any) -> PretrainSettings:
    return validate(PretrainSettings, {**LOOK, "data": data, **changes}, where="a test")


def batched(*data: str, **changes: Any) -> LoopSettings:
    """As the verb makes a batch of it; or refuses to."""
    asked = settings(*data, **changes)
    return verb._batched(asked, gather(asked), (64, 64))


def tensors(run: Run) -> set[str]:
    return set(read(run.weights / "last.safetensors")[0]) - {"colour_mean", "colour_std"}


# Runs


def test_a_run_holds_what_it_was_and_did(among: Path, looked: Pretrained) -> None:
    run = looked.run
    names = {path.name for path in run.folder.iterdir()} - {"embedding.html"}  # another test looks at it
    assert names == {"config.yaml", "run.json", "environment.json", "cases.csv", "seen.csv", "metrics.jsonl", "weights"}
    # Nothing was chosen, so nothing is the best.
    assert {path.name for path in run.weights.iterdir()} == {"last.safetensors"}
    config = yaml.safe_load((run.folder / "config.yaml").read_text())
    assert "auto" not in json.dumps({key: value for key, value in config.items() if key != "stores"})
    assert config["loop"]["batch"] == 3 * 4
    assert config["loop"]["rate"] == config["loop"]["encoder_rate"] == 3e-4
    assert run.finished
    assert run.about["kind"] == "pre-training"
    assert [line["step"] for line in run.metrics()] == [2, 4]
    assert {"spread", "alignment", "dataset told by neighbours"} <= set(run.metrics()[0]["validation"])
    assert looked.as_json()["watched"] == run.metrics()[-1]["validation"]
    assert run.target.names == ("channel 1", "channel 2", "channel 3")


def test_what_was_looked_at_is_written_down(among: Path, looked: Pretrained) -> None:
    """What a split has for training, and nothing else, whether it has a mask or not."""
    seen = {(row["dataset"], row["case"]) for row in looked.run.seen()}
    assert {row["what"] for row in looked.run.seen()} == {"images"}
    rows = looked.run.cases()
    assert Counter(row["dataset"] for row in rows) == {"heads": 8, "clinic": 30}
    for name in ("heads", "clinic"):
        parts = Split.open(Dataset.open(f"datasets/{name}"), "split").parts
        assert {case for dataset, case in seen if dataset == name} == {
            c for c, part in parts.items() if part == "train"
        }
        for row in (row for row in rows if row["dataset"] == name):
            assert row["part"] == ("images" if parts[row["case"]] == "train" else "unused")
    assert all(row["digest"] for row in looked.run.seen())
    assert all(Path(row["folder"]).is_absolute() for row in looked.run.seen())


def test_only_the_encoder_is_kept(among: Path, looked: Pretrained) -> None:
    asked = validate(PretrainSettings, looked.run.config, where="a test")
    pool = gather(asked)
    whole, _ = assemble.network(asked, pool.target, pool.channels)
    assert tensors(looked.run) == {name for name in whole.state_dict() if name.startswith("body.encoder.model.")}


@pytest.mark.parametrize(
    ("method", "changes", "beside"),
    [
        ("masked", {}, ("body.decoder.",)),
        ("local", {"contrast": {**NARROW, "levels": 2}}, ("body.decoder.blocks.0.", "body.decoder.blocks.1.")),
        ("simclr", {"loop": {**LOOK["loop"], "batch": 6}}, ()),
    ],
)
def test_of_each_method_what_has_learnt_is_kept(
    among: Path, method: str, changes: dict[str, Any], beside: tuple[str, ...]
) -> None:
    run = look([HEADS, CLINIC], f"runs/{method}", method=method, **changes).run
    kept = tensors(run)
    starts = ("body.encoder.model.", *beside)
    assert all(name.startswith(starts) for name in kept)
    assert all(any(name.startswith(start) for name in kept) for start in starts)
    assert not any(name.startswith("body.head.") for name in kept)
    assert len([name for name in kept if name.startswith("body.decoder.blocks.2.")]) == (
        12 if method == "masked" else 0
    )
    assert run.metrics()[-1]["loss"] > 0
    assert look([HEADS, CLINIC], f"runs/{method}", method=method, **changes).already


def test_volumes_alone_are_grey_and_pictures_alone_have_colours(among: Path) -> None:
    for data, channels in ((HEADS, 1), (CLINIC, 3)):
        run = look(data, f"runs/{channels}", **SHORT).run
        assert len(run.target.names) == channels
        assert read(run.weights / "last.safetensors")[0]["colour_mean"].shape == (1, channels, 1, 1)


def test_the_same_words_find_the_run_again(among: Path, looked: Pretrained) -> None:
    data = [HEADS, CLINIC]
    assert look(data, "runs/looked").already
    for key, changes in (
        ("contrast.temperature", {"contrast": {**LOOK["contrast"], "temperature": 0.2}}), ("method", {"method": "masked"}),
    ):  # fmt: skip
        with pytest.raises(BadInput, match=rf"runs/looked: is a run with other settings \({key}: "):
            look(data, "runs/looked", **changes)


def test_a_run_has_a_name_of_its_own() -> None:
    names = {run_name(settings(data, **told), "contrast-tiny") for data in (HEADS, CLINIC) for told in ({}, SHORT, {})}
    assert len(names) == 4
    assert all(name[:6] in ("heads-", "clinic") and "-contrast-tiny-" in name for name in names)


REMEMBERING: dict[str, Any] = {
    "contrast": {
        "volumes": 4, "width": 16, "memory": 40, "demean": "projection", "positives": "across", "representation": 0.3,
        "own": 0.2, "plain": True,
    },
    "loop": {"steps": 6, "epoch_steps": 3},
}  # fmt: skip


@pytest.mark.usefixtures("kept_states")
def test_stopped_and_gone_on_is_the_same_bytes(among: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory and means are a part of the state."""
    data = [HEADS, CLINIC]
    look(data, "runs/whole", **REMEMBERING)
    plain = Loop.one_step

    def stopped(loop: Loop, parcels: Any) -> float:
        if loop.step == 4 and loop.steps == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        return plain(loop, parcels)

    with monkeypatch.context() as patched:
        patched.setattr(Loop, "one_step", stopped)
        with pytest.raises(KeyboardInterrupt):
            look(data, "runs/parts", **REMEMBERING)
    lines: list[str] = []
    assert not (Path("runs/parts/weights/last.safetensors")).exists()
    look(data, "runs/parts", say=lines.append, **REMEMBERING)
    assert "going on with runs/parts" in lines
    one, other = (Run.open(f"runs/{name}") for name in ("whole", "parts"))
    assert (one.weights / "last.safetensors").read_bytes() == (other.weights / "last.safetensors").read_bytes()
    for name in ("loss", "contrast", "representation", "validation"):
        assert [line[name] for line in one.metrics()] == [line[name] for line in other.metrics()]
    states = [torch.load(run.weights / "state.pt", weights_only=True)["networks"]["encoder"] for run in (one, other)]
    assert states[0]["memory.past"].shape == (40, 16)
    assert states[0]["known"].all()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_data_that_changed_since(among: Path, tmp_path: Path) -> None:
    shutil.copytree(CLINIC, tmp_path / "clinic")
    given = {"stores": ("stores/clinic",), **SHORT}
    run = look(tmp_path / "clinic", str(tmp_path / "run"), **given).run
    about = json.loads((run.folder / "run.json").read_text())
    (run.folder / "run.json").write_text(json.dumps({**about, "finished": False}))
    (tmp_path / "clinic/split.csv").unlink()
    with pytest.raises(BadInput, match="have changed since it began"):
        look(tmp_path / "clinic", str(tmp_path / "run"), **given)


def test_as_long_as_was_asked(among: Path) -> None:
    """Passes count the images of all datasets; minutes are turned into steps beforehand."""

    def resolved(*data: str, **told: Any) -> PretrainSettings:
        asked = settings(*data, **{"loop": {}, **told})
        return verb.resolved(asked, gather(asked))[0]

    loop = resolved(HEADS, epochs=2).loop
    assert (loop.steps, loop.batch, loop.epoch_steps) == (6, 12, 3)  # of 36 slices
    assert (loop.average, loop.encoder_rate) == (0, loop.rate)
    timed = resolved(HEADS, minutes=0.02)
    assert timed.minutes is None
    assert int(timed.loop.steps) >= 2
    assert batched(HEADS, contrast={"partitions": 3, "volumes": 5}).batch == 15
    assert batched(CLINIC, method="simclr", loop={}).batch == 32


# What is wrong


class TestBadInput:
    def refused(self, sentence: str, data: Any = HEADS, hint: str = "", **changes: Any) -> None:
        with pytest.raises(BadInput, match=sentence) as told:
            look(data, "runs/refused", **changes)
        assert hint in (told.value.hint or "")
        assert not Path("runs/refused").exists()

    @pytest.mark.parametrize(
        "wrong", [{"variation": "pretxt"}, {"network": {"encoder": "resnet81"}}, {"network": {"architecture": "unnet"}}]
    )
    def test_what_is_misspelt_is_told_before_anything_is_prepared(
        self, among: Path, wrong: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("segue.experiment.opening.prepare", lambda *_, **__: pytest.fail("prepared"))
        self.refused("did you mean", **wrong)

    def test_a_batch_without_a_pair(self, among: Path) -> None:
        across = {"positives": "across", "width": 16}
        self.refused(
            "a batch of 1 volume holds no pair to compare: contrast.volumes must be 2 or more",
            contrast={**across, "volumes": 1},
        )
        self.refused("contrast.volumes must be 4 or more", [HEADS, CLINIC], contrast={**across, "volumes": 3})
        self.refused("a batch of 1 volume .* loop.batch must be 8 or more", contrast=across, loop={"batch": 4})
        self.refused(
            "contrast.volumes must be 2 or more", contrast={"partitions": 1, "volumes": 1, "positives": "images"}
        )
        self.refused("2 is the least", method="simclr", loop={"batch": 1})
        self.refused("must be 2 or more", method="local", contrast={"across": True, "levels": 2, "volumes": 1})

    def test_a_dataset_of_one_volume(self, among: Path, tmp_path: Path) -> None:
        (tmp_path / "raw/images").mkdir(parents=True)
        voxels, _ = made.voxels(99)
        nifti.write(tmp_path / "raw/images/0.nii.gz", voxels, Grid.of(made.SHAPE, made.affine()))
        segue.scan(tmp_path / "raw", tmp_path / "lone", name="lone", workers=0)
        segue.prepare(tmp_path / "lone", tmp_path / "stores/lone", workers=0)
        given = {"stores": (str(tmp_path / "stores/lone"),), **SHORT}
        lone = str(tmp_path / "lone")
        across = {"positives": "across", "width": 16}
        self.refused("no dataset has two volumes", lone, contrast=across, **given)
        self.refused("no dataset has two volumes", CLINIC, contrast=across)
        # By itself it can be learnt from, and beside another too.
        assert look(lone, "runs/lone", **given).run.about["images"] == 9
        assert batched(HEADS, lone, stores=("stores/heads", *given["stores"]), contrast=across).batch == 32

    def test_one_part_leaves_nothing_to_tell_apart(self, among: Path) -> None:
        told = {"partitions": 1, "volumes": 6, "width": 16}
        self.refused("contrast.partitions", contrast=told)
        self.refused("contrast.partitions", contrast={**told, "positives": "across"})
        assert (
            look(HEADS, "runs/one-part", contrast={**told, "positives": "images"}, **SHORT).run.metrics()[0]["loss"] > 0
        )
        assert look([HEADS, CLINIC], "runs/one-part-too", contrast=told, **SHORT).run.metrics()[0]["loss"] > 0

    def test_a_batch_that_is_not_whole_volumes(self, among: Path) -> None:
        self.refused("10 images are not whole volumes of 4 partitions each", hint="Such as 8", loop={"batch": 10})
        self.refused("3 images are not whole volumes", hint="Such as 4", loop={"batch": 3})

    def test_networks_that_do_not_go(self, among: Path, looked: Pretrained) -> None:
        self.refused(
            "unet-3d: pre-training is for networks that see pictures and slices", hint="--architecture unet",
            network={"architecture": "unet-3d"},
        )  # fmt: skip
        self.refused("of the encoder resnet18", init="runs/looked", network={"encoder": "resnet18", "depth": 3})
        self.refused("there is no file or run called 'runs/none'", init="runs/none")
        self.refused("levels: the decoder has 3", method="local")
        self.refused(
            "only unet has a decoder", method="local", contrast={"levels": 1},
            network={"architecture": "fpn", "encoder": "resnet18"},
        )  # fmt: skip
        self.refused(
            "size: local .* multiples of 8, from 8 on, and 60x64 are not", hint="--size 64x64", method="local",
            contrast={"levels": 2}, size=(60, 64),
        )  # fmt: skip

    def test_settings_that_do_not_go(self, among: Path) -> None:
        self.refused("a pre-training has no rate finder", loop={"rate": "find"})
        self.refused("loop.accumulate must be 1", loop={**LOOK["loop"], "accumulate": 2})
        self.refused("epochs and minutes are both given", epochs=1, minutes=1, loop={})
        with pytest.raises(BadInput, match="method"):
            look(HEADS, "runs/refused", method="simclear")

    @pytest.mark.parametrize(
        "use",
        [
            lambda run: segue.evaluate(run, HEADS), lambda run: segue.predict(run, "raw/images/0.nii.gz", "out"),
            lambda run: segue.load(run),
        ],
    )  # fmt: skip
    def test_it_segments_nothing(self, among: Path, looked: Pretrained, use: Callable[[Path], object]) -> None:
        with pytest.raises(BadInput, match="is a pre-training, and segments nothing by itself") as told:
            use(looked.run.folder)
        assert told.value.hint == "segue train --data DATASET --init runs/looked"
        from segue import networks

        with pytest.raises(BadInput, match="holds a part of a network, to start from"):
            networks.restore(looked.run.weights / "last.safetensors")


# The command line


def test_help_tells_of_it() -> None:
    shown = CliRunner().invoke(app, ["pretrain", "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert shown.exit_code == 0
    for word in ("--positives", "--method", "contrast, simclr, local, masked", "--json", "--debug", "--devices"):
        assert word in shown.output


def test_from_the_command_line(among: Path) -> None:
    words = [
        "pretrain", "--data", f"{HEADS},{CLINIC}", "--out", "runs/told", "--size", "64x64", "--encoder",
        "tu-mobilenetv3_small_050", "--positives", "across", "--seed", "3", "--set", "loop.steps=2",
        "--set", "loop.epoch_steps=2",
        "--set", "network.depth=3", "--set", "network.decoder_channels=[16,8,8]", "--set", "contrast.volumes=4", "--set",
        "machine.threads=1", "--set", "machine.precision=32-true", "--set", "machine.layout=channels-last",
    ]  # fmt: skip
    shown = CliRunner().invoke(app, words)
    assert shown.exit_code == 0, shown.output
    assert "Written: runs/told" in shown.output
    assert "segue train --data datasets/heads --init runs/told" in shown.output
    config = Run.open("runs/told").config
    assert (config["contrast"]["positives"], config["loop"]["seed"], config["size"]) == ("across", 3, [64, 64])
    again = CliRunner().invoke(app, [*words, "--json"])
    told = json.loads(again.stdout)
    assert (told["already"], told["steps"], told["run"]) == (True, 2, "runs/told")
    wrong = CliRunner().invoke(app, [*words[:4], "runs/else", "--set", "contrast.volume=2", "--json"])
    assert wrong.exit_code == 2
    assert "contrast.volume" in json.loads(wrong.stdout)["error"]
