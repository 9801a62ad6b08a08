"""`segue adapt`, in its three forms: what each changes, what it never opens, and what is remembered of it."""

from __future__ import annotations

import csv
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from torch import Tensor
from typer.testing import CliRunner

import segue
from segue.cli import app
from segue.data.dataset import Dataset
from segue.data.phantoms import PHANTOMS
from segue.data.scanning.scan import scan
from segue.data.splitting.split import Split, SplitSettings, split
from segue.errors import BadInput
from segue.experiment.adapting.adapt import Adapted, adapt
from segue.experiment.evaluate import evaluate
from segue.experiment.report import report
from segue.experiment.train import train
from segue.networks.weights import read
from segue.training.loop import Loop
from segue.training.run import Run
from tests.data.volumes import made as volumes
from tests.experiment.conftest import SMALL, working_in

RUN, NORTH, SOUTH, HARBOUR = "runs/adapt-home", "datasets/north", "datasets/south", "datasets/harbour"
SHORT: dict[str, Any] = {"loop": {"steps": 3, "epoch_steps": 3, "batch": 4}, "machine": SMALL["machine"]}
FEW: dict[str, Any] = {"views": 1, "dropout": 0.0, "confidence": 0.5}
FORMS: dict[str, dict[str, Any]] = {
    "source": {**SHORT, "semi": FEW},
    "free": {**SHORT, "site": FEW, "source_free": True},
    "still": {"only_statistics": True},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Working where north was learnt from; south and harbour are other hospitals, harbour's patients in three parts."""
    folder = tmp_path_factory.mktemp("adapt")
    for seed, (site, patients) in enumerate((("north", 6), ("south", 3), ("harbour", 5))):
        PHANTOMS["colon"].make(folder / site, patients=patients, seed=seed, sites=[site], labelled=2 * patients)
        assert scan(folder / site, folder / "datasets" / site, name=site, workers=0).dataset is not None
    for site in ("north", "harbour"):
        split(folder / "datasets" / site, settings=SplitSettings(test=0.2, validation=0.2))
    with working_in(folder):
        train(NORTH, RUN, **SMALL)
        yield folder


def adapted(form: str, out: str = "", to: str = SOUTH, **changes: Any) -> Adapted:
    """What several tests look at is made once."""
    return adapt(RUN, to, f"runs/adapt-{out or form}", **{**FORMS[form], **changes})


def kept(run: Run) -> dict[str, Tensor]:
    best = run.weights / "best.safetensors"
    return read(best if best.exists() else run.weights / "last.safetensors")[0]


def file(run: Run) -> bytes:
    return (run.weights / "last.safetensors").read_bytes()


def changed(one: dict[str, Tensor], other: dict[str, Tensor]) -> set[str]:
    assert one.keys() == other.keys()
    return {name for name in one if not one[name].equal(other[name])}


def seen(run: Run) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    with (run.folder / "seen.csv").open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            found.setdefault((row["dataset"], row["what"]), set()).add(row["case"])
    return found


# What each form does


def test_with_its_source_masks_are_learnt_and_the_site_is_followed(home: Path) -> None:
    done = adapted("source")
    (line,) = done.run.metrics()
    assert line["masks"] > 0
    assert line["followed"] > 0
    assert line["sure"] > 0
    config = done.run.config
    assert (config["method"], config["init"], config["unlabelled"]) == ("semi", RUN, [SOUTH])
    assert (config["semi"]["fitted"], config["semi"]["warm"], config["validation"]) == (0, 0, "none")
    assert done.run.about["images"] == 15  # the site's, and not those whose masks are learnt
    assert done.run.about["train"] > 0
    before = Run.open(RUN)
    assert config["loop"]["rate"] == pytest.approx(before.config["loop"]["rate"] / 3)
    for key in ("size", "split", "labels", "variation", "padding", "data", "loss"):
        assert config[key] == before.config[key]
    assert done.run.about["network"]["encoder"] == before.about["network"]["encoder"]
    matrices = {name for name in changed(kept(before), kept(done.run)) if name.endswith("weight")}
    assert len(matrices) > 20


def test_the_sites_images_are_really_read(home: Path) -> None:
    """Another site, other weights; the same, the same bytes."""
    for form in FORMS:
        south, again = adapted(form), adapted(form, f"{form}-two")
        assert file(south.run) == file(again.run), form
        assert file(south.run) != file(adapted(form, f"{form}-harbour", HARBOUR).run), form


def test_source_free_never_opens_the_source(home: Path, tmp_path: Path) -> None:
    """Neither its folder nor its store, nor the images; only the run and the site have travelled."""
    for what in (RUN, SOUTH, "south"):
        shutil.copytree(home / what, tmp_path / what)
    with working_in(tmp_path):
        for form in ("free", "still"):
            done = adapted(form)
            assert done.run.finished
            assert done.run.about["data"] == Run.open(RUN).about["data"]
            assert not Path(NORTH).exists()
        free = Run.open("runs/adapt-free")
        assert len([name for name in changed(kept(Run.open(RUN)), kept(free)) if name.endswith("weight")]) > 20
        with pytest.raises(
            BadInput, match="datasets/north: what runs/adapt-home has learnt from is not there any more"
        ) as told:
            adapted("source", "gone")
        assert "--source-free" in (told.value.hint or "")
        assert not Path("runs/adapt-gone").exists()
        assert (evaluate(free.folder, SOUTH).sets[0].summaries[0]).cases


def test_only_statistics_changes_what_batch_norms_remember_and_nothing_else(home: Path) -> None:
    done = adapted("still")
    names = changed(kept(Run.open(RUN)), kept(done.run))
    assert names
    assert all(name.endswith(("running_mean", "running_var", "num_batches_tracked")) for name in names)
    assert any(name.endswith("running_mean") for name in names)
    assert (done.run.about["steps"], done.run.metrics()) == (0, [])


def test_statistics_at_the_end_are_those_of_the_site_where_the_source_stays_closed(home: Path) -> None:
    """Learnt anew once more, nothing changes. Beside its source a network remembers both, and they do."""
    for form, same in (("free", True), ("source", False)):
        done = adapted(form)
        again = adapt(done.run.folder, SOUTH, f"runs/adapt-{form}-end-again", only_statistics=True)
        assert (changed(kept(done.run), kept(again.run)) == set()) is same


def test_masks_of_the_site_are_never_read(home: Path) -> None:
    """The same weights where all masks are taken away, and where they are of something else."""
    raw = Path("bare")
    shutil.copytree("south", raw)
    for path in (raw / "south/masks").glob("*.png"):
        mask = cv2.imread(str(path), 0)
        assert mask is not None
        cv2.imwrite(str(path), np.where(np.indices(mask.shape)[1] > 20, 255, 0).astype(np.uint8))
    assert scan(raw, "datasets/bare", name="south", workers=0).dataset is not None
    for form in FORMS:
        one = adapted(form)
        store, aside = Path("stores/south"), Path(f"stores/aside-{form}")
        store.rename(aside)  # of the other folder, one is made in its place
        try:
            other = adapted(form, f"{form}-bare", "datasets/bare")
        finally:
            shutil.rmtree(store)
            aside.rename(store)
        assert file(one.run) == file(other.run), form


@pytest.mark.parametrize("seen_as", ["slices with their neighbours", "patches"])
def test_of_volumes(home: Path, seen_as: str) -> None:
    """Prepared as the run's own were, by what the run itself knows of that."""
    if not Path("datasets/ward").exists():
        raw, other = volumes.folder(Path("volumes"), 9), Path("others")
        for kind in ("images", "labels"):
            (other / kind).mkdir(parents=True)
            for number in (6, 7, 8):
                (raw / kind / f"{number}.nii.gz").rename(other / kind / f"{number}.nii.gz")
        for path, name in ((raw, "clinic"), (other, "ward")):
            assert scan(path, f"datasets/{name}", name=name, workers=0).dataset is not None
    given = {**SMALL, "size": "auto", "neighbours": 1, "loop": {"steps": 2, "epoch_steps": 2, "batch": 2}}
    if seen_as == "patches":
        given |= {"neighbours": 0, "network": {"architecture": "unet-3d", "stages": {"width": 4}}}
    begun = train("datasets/clinic", f"runs/adapt-{seen_as}", **given).run
    with_source = adapt(begun.folder, "datasets/ward", f"runs/adapt-{seen_as}-source", **FORMS["source"])
    aside = [Path(name).rename(f"{name}-aside") for name in ("datasets/clinic", "stores/clinic")]
    try:
        alone = adapt(begun.folder, "datasets/ward", f"runs/adapt-{seen_as}-free", **FORMS["free"])
    finally:
        for path in aside:
            path.rename(str(path).removesuffix("-aside"))
    for done in (with_source, alone):
        assert segue.load(done.run.folder).frame == segue.load(begun.folder).frame
        assert done.run.about["beside"] == with_source.run.about["beside"]
        assert len({name for name in changed(kept(begun), kept(done.run)) if name.endswith("weight")}) > 3
        assert evaluate(done.run.folder, "datasets/ward").sets[0].summaries


# What is remembered


def test_the_sites_images_are_remembered_and_put_apart(home: Path) -> None:
    for form in FORMS:
        done = adapted(form, f"{form}-harbour", HARBOUR)
        found, before = seen(done.run), seen(Run.open(RUN))
        parts = Split.open(Dataset.open(HARBOUR), "split")
        assert found["harbour", "images"] == set(parts.cases("train"))
        assert ("harbour", "masks") not in found
        assert before.items() <= found.items()
        lines: list[str] = []
        (judged,) = evaluate(done.run.folder, HARBOUR, say=lines.append).sets
        for row in judged.table:
            assert row.seen == ("images" if row.case in parts.cases("train") else "")
        assert {row.seen for row in judged.table} == {"images", ""}
        assert any("was looked at in training, without its mask; they are put apart" in line for line in lines)


def test_an_adapted_run_is_a_run_and_says_what_it_is(home: Path) -> None:
    variations = {
        "source": ("weak", "strong + cutmix(p=0.5)"),
        "free": ("weak", "strong + cutmix(p=0.5)"),
        "still": ("", ""),
    }
    for form, how in (("source", "with source"), ("free", "source-free"), ("still", "only statistics")):
        done = adapted(form)
        told = done.adapted
        assert (told["from"], told["how"], told["weak"], told["strong"]) == (RUN, how, *variations[form])
        assert told["to"] == [{"name": "south", "folder": SOUTH, "images": 15}]
        assert segue.load(done.run.folder).frame == segue.load(RUN).frame
        page = report(done.run.folder).read_text(encoding="utf-8")
        assert "adapt-home, adapted to south (15 images) without masks" in page
        assert ("It was taught to agree with itself." in page) == (form != "still")
        assert evaluate(done.run.folder, NORTH).sets[0].about["part"] == "test"
        assert adapted(form).already
    with pytest.raises(BadInput, match="is a run with other settings"):
        adapted("source", "", HARBOUR)


def test_adapted_again_to_a_third_hospital(home: Path) -> None:
    for form in ("source", "free"):
        first = adapted(form)
        again = adapt(first.run.folder, HARBOUR, f"runs/adapt-{form}-third", **FORMS[form])
        assert {("south", "images"), ("harbour", "images")} <= seen(again.run).keys()
        parts = {row["dataset"] for row in again.run.cases() if row["part"] == "images"}
        assert {"south", "harbour"} <= parts


@pytest.mark.parametrize("form", ["source", "free"])
def test_stopped_and_gone_on_is_the_same_bytes(home: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    longer = {**SHORT, "loop": {**SHORT["loop"], "steps": 4, "epoch_steps": 2}}
    whole = adapted(form, f"{form}-whole", **longer)
    plain = Loop.one_step

    def stopped(loop: Loop, parcels: Any) -> float:
        if loop.step == 2 and loop.steps == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return plain(loop, parcels)

    monkeypatch.setattr(Loop, "one_step", stopped)
    with pytest.raises(KeyboardInterrupt):
        adapted(form, f"{form}-parts", **longer)
    monkeypatch.undo()
    assert not Run.open(f"runs/adapt-{form}-parts").finished
    parts = adapted(form, f"{form}-parts", **longer)
    assert file(parts.run) == file(whole.run)


def test_how_long_where_nobody_says(home: Path) -> None:
    lines: list[str] = []
    given = {"machine": SMALL["machine"], "site": FEW, "source_free": True}
    with pytest.raises(KeyboardInterrupt):
        adapt(RUN, SOUTH, "runs/adapt-long", say=lambda line: _until_the_outline(line, lines), **given)
    assert any(line.startswith("1,000 looks, since nobody has said how long") for line in lines)
    assert any("15 images without masks" in line for line in lines)


def _until_the_outline(line: str, lines: list[str]) -> None:
    lines.append(line)
    if "without masks;" in line:
        raise KeyboardInterrupt


# What cannot be


def refused(sentence: str, hint: str, run: str = RUN, to: str = SOUTH, **changes: Any) -> None:
    with pytest.raises(BadInput, match=sentence) as told:
        adapt(run, to, "runs/adapt-refused", **changes)
    assert hint in (told.value.hint or "")
    assert not Path("runs/adapt-refused").exists()


def test_a_site_that_is_none(home: Path) -> None:
    refused("datasets/north: is what runs/adapt-home has learnt from, with its masks", "--method semi", to=NORTH)
    refused("there is nothing to adapt to", "--to DATASET", to=())  # type: ignore[arg-type]
    one = Path("one")
    shutil.copytree("south", one)
    pictures = sorted((one / "south/images").iterdir())
    lines = (one / "manifest.csv").read_text(encoding="utf-8").splitlines()
    (one / "manifest.csv").write_text("\n".join(lines[:2]) + "\n", encoding="utf-8")
    assert scan(one, "datasets/one", name="one", workers=0).dataset is not None
    assert len(pictures) > 1
    refused(
        "datasets/one: has 1 image that may be looked at, and 2 are the least", "the rest judges", to="datasets/one"
    )
    grey = Path("grey/images")
    grey.mkdir(parents=True)
    for number in range(3):
        picture = np.random.default_rng(number).integers(0, 255, (40, 40), np.uint8)
        cv2.imwrite(str(grey / f"{number}.png"), picture)
    assert scan("grey", "datasets/grey", name="grey", workers=0).dataset is not None
    refused(
        "datasets/grey: its images have 1 channel of uint8, and runs/adapt-home has learnt to see 3",
        "",
        to="datasets/grey",
    )
    assert scan(volumes.folder(Path("raw"), 3), "datasets/heads", name="heads", workers=0).dataset is not None
    refused("datasets/heads: holds volumes, and runs/adapt-home has learnt to see pictures", "", to="datasets/heads")


def test_a_run_that_is_none(home: Path) -> None:
    unfinished = Path("runs/adapt-half")
    shutil.copytree(RUN, unfinished)
    about = (unfinished / "run.json").read_text(encoding="utf-8")
    (unfinished / "run.json").write_text(about.replace('"finished": true', '"finished": false'), encoding="utf-8")
    refused("runs/adapt-half: is not finished", "goes on with it", run="runs/adapt-half")
    (unfinished / "run.json").write_text(
        about.replace('"asked"', '"kind": "pre-training", "asked"', 1), encoding="utf-8"
    )
    refused("runs/adapt-half: is a pre-training, and segments nothing", "--init", run="runs/adapt-half")
    shutil.rmtree(unfinished)
    shutil.copytree(RUN, "runs/adapt-twin")
    segue.ensemble([RUN, "runs/adapt-twin"], "runs/adapt-both")
    refused(
        "runs/adapt-both: is 2 networks that predict together, and one is adapted", "segue adapt", run="runs/adapt-both"
    )
    refused("runs/adapt-nowhere: there is no such run", "", run="runs/adapt-nowhere")


def test_settings_that_are_not_its_own(home: Path) -> None:
    refused("network is that of the run that is adapted", "What may be set anew", network={"encoder": "resnet34"})
    refused("lopp is no setting: did you mean loop", "", lopp={"rate": 1})
    refused("site is read with --source-free only", "", site=FEW)
    refused("looks is given, and only statistics are learnt anew", "", looks=100, only_statistics=True)
    refused("unknown key 'semi.vews'", "", semi={"vews": 1})
    with pytest.raises(BadInput, match="method site: goes on with a run") as told:
        train(NORTH, "runs/adapt-refused", method="site", init=RUN, **SMALL)
    assert "segue adapt" in (told.value.hint or "")


def test_group_norms_have_no_statistics(home: Path) -> None:
    given = {
        **SMALL,
        "network": {**SMALL["network"], "norm": "group"},
        "loop": {"steps": 1, "epoch_steps": 1, "batch": 4},
    }
    train(NORTH, "runs/adapt-groups", **given)
    refused(
        "its network has no batch norms", "Without --only-statistics", run="runs/adapt-groups", only_statistics=True
    )
    done = adapt("runs/adapt-groups", SOUTH, "runs/adapt-grouped", **FORMS["free"])
    assert done.run.finished


# As a command


def test_as_a_command(home: Path) -> None:
    runner = CliRunner()
    machine = [f"--set=machine.{key}={value}" for key, value in SMALL["machine"].items()]
    few = ["--set", "site.views=1", "--set", "site.dropout=0", "--set", "loop.steps=2"]
    words = [
        "adapt",
        RUN,
        "--to",
        SOUTH,
        "--to",
        HARBOUR,
        "--source-free",
        "--out",
        "runs/adapt-told",
        "--rate",
        "1e-4",
        *few,
        *machine,
    ]
    done = runner.invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "adapting runs/adapt-home: following images of south and harbour alone" in done.output
    assert "Next: segue evaluate runs/adapt-told --on datasets/south --on datasets/harbour" in done.output
    assert "segue compare runs/adapt-home runs/adapt-told" in done.output
    assert Run.open("runs/adapt-told").config["loop"]["rate"] == 1e-4
    again = runner.invoke(app, [*words, "--json"])
    assert '"already": true' in again.output
    none = runner.invoke(app, ["adapt", RUN, "--to", NORTH])
    assert none.exit_code == 2
    assert "is what runs/adapt-home has learnt from" in none.output
