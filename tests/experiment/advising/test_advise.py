"""What to do with so many masks: the route, what it costs, what more would bring, and what stays unknown."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import segue
from segue.cli import app
from segue.data.case import Case
from segue.data.dataset import Dataset
from segue.data.phantoms import PHANTOMS
from segue.data.scanning.scan import scan
from segue.data.splitting.split import SplitSettings, split
from segue.errors import BadInput
from segue.experiment.advising import advise as verb
from segue.experiment.advising.advise import Advice
from segue.experiment.advising.facts import Beside, Facts
from segue.experiment.advising.route import Route, route
from segue.experiment.train import train
from tests.data import made
from tests.experiment.conftest import SMALL, working_in

THICK, EVEN = (1.5, 1.5, 10.0), (1.0, 1.0, 1.0)


def masked(patients: int, *, of: int = 0, frames: int = 1, **given: Any) -> list[Case]:
    """Cases of so many patients with masks, and of the others without."""
    table = made.cases(max(of, patients), frames, **given)
    return [case if int(case.patient[1:]) < patients else case.with_(mask="", foreground=None) for case in table]


def volumes(table: Sequence[Case], spacing: tuple[float, ...], depth: int = 10) -> list[Case]:
    return [case.with_(depth=depth, spacing=spacing) for case in table]


def advised(folder: Path, table: list[Case], **given: Any) -> Advice:
    return segue.advise(made.dataset(folder / "made", table), probe=False, **given)


def chosen(folder: Path, table: list[Case], *, on_cpu: bool = True, beside: Sequence[Beside] = ()) -> Route:
    return route(Facts.of(made.dataset(folder / "made", table)), beside, on_cpu=on_cpu)


def other(**given: Any) -> Beside:
    usual = {
        "name": "other",
        "folder": "datasets/other",
        "images": 500,
        "copies": 0,
        "of_tests": 0,
        "alike": True,
        "channels": 0,
    }
    return Beside(**{**usual, **given})


# The route


@pytest.mark.parametrize(
    ("patients", "of", "judged", "method"),
    [
        (0, 40, "nothing", ""),
        (3, 3, "eye", "supervised"),
        (3, 40, "eye", "semi"),
        (12, 12, "folds", "supervised"),
        (12, 60, "folds", "semi"),
        (60, 60, "test", "supervised"),
        (60, 160, "test", "semi"),
        (200, 200, "test", "supervised"),
        (200, 2000, "test", "supervised"),
    ],
)
def test_the_route_follows_the_masks(tmp_path: Path, patients: int, of: int, judged: str, method: str) -> None:
    way = chosen(tmp_path, masked(patients, of=of))
    assert (way.judged, way.method) == (judged, method)
    assert all(reason.endswith(".") for reason in way.reasons)


def test_an_encoder_is_pre_trained_where_images_abound_and_none_of_them_judges(tmp_path: Path) -> None:
    kind = other(alike=False, images=600)  # than what is learnt from: nothing there can be followed
    assert chosen(tmp_path, masked(3), beside=[replace(kind, images=20)]).pool == ()
    assert chosen(tmp_path, masked(3), beside=[kind]).pool == (str(tmp_path / "made"), "datasets/other")
    # Where images are followed, an encoder before that is no gain.
    assert chosen(tmp_path, masked(3, of=200), beside=[kind]).pool == ()
    assert chosen(tmp_path, masked(12), beside=[other(images=600)]).pool == ()
    away = chosen(tmp_path, masked(12), beside=[kind])
    assert away.pool == ("datasets/other",)
    assert "folds judge by this one's own" in " ".join(away.reasons)
    # What an encoder has looked at before there is a split could not be tested on.
    nothing = chosen(tmp_path, masked(0, of=40), beside=[other()])
    assert nothing.pool == ("datasets/other",)
    assert chosen(tmp_path, masked(0, of=40)).pool == ()


def test_images_of_other_datasets_are_used_where_they_fit(tmp_path: Path) -> None:
    table = masked(60, of=120)
    assert chosen(tmp_path, table, beside=[other()]).unlabelled == ("datasets/other",)
    for odd, told in (({"alike": False}, "of another kind"), ({"of_tests": 3}, "copies of what this one is judged by")):
        way = chosen(tmp_path, table, beside=[other(**odd)])
        assert (way.method, way.unlabelled) == ("semi", ())
        assert told in " ".join(way.reasons)
        # Without images of its own there is nothing to follow.
        assert chosen(tmp_path, masked(60), beside=[other(**odd)]).method == "supervised"
    several = [other(channels=4, alike=False), other(name="grey", folder="grey", channels=1, images=600, alike=False)]
    many = chosen(tmp_path, masked(60), beside=several)
    assert many.pool == (str(tmp_path / "made"), "grey")
    assert "Not pre-trained on: other" in " ".join(many.reasons)
    away = advised(tmp_path, masked(12), beside=[])
    assert not any("compare" in line for line in away.commands)
    pretrained = verb._commands(Facts.of(Dataset.open(tmp_path / "made")), replace(away.route, pool=("grey",)), [])
    assert pretrained[-1] == "segue compare runs/made-folds-masks-alone runs/made-folds"


@pytest.mark.parametrize(
    ("spacing", "depth", "on_cpu", "patches"),
    [
        (THICK, 10, False, False),
        ((), 10, False, False),
        (EVEN, 40, True, True),
        (EVEN, 500, True, False),
        (EVEN, 500, False, True),
    ],
)
def test_volumes_are_seen_in_slices_or_patches(
    tmp_path: Path, spacing: tuple[float, ...], depth: int, on_cpu: bool, patches: bool
) -> None:
    assert chosen(tmp_path, volumes(masked(100), spacing, depth), on_cpu=on_cpu).patches == patches


def test_where_all_masks_are_of_a_published_test_some_are_drawn_first(tmp_path: Path) -> None:
    table = [case.with_(part="test" if case.labelled else "train") for case in masked(20, of=60)]
    found = advised(tmp_path, table)
    assert (found.route.judged, found.route.method) == ("test", "")
    assert "Annotate some to learn from" in found.route.reasons[1]
    assert not any("segue train" in line for line in found.commands)


def test_a_budget_is_advised_as_if_there_were_no_other_masks(tmp_path: Path) -> None:
    data = made.dataset(tmp_path / "made", masked(60))
    split(data, settings=SplitSettings(validation=0))
    whole, few = (segue.advise(data, labels=labels, probe=False) for labels in ("all", "2"))
    assert (whole.route.method, few.route.method) == ("supervised", "semi")
    assert (whole.facts.learnt, few.facts.learnt) == (48, 2)
    assert few.facts.tested == whole.facts.tested == 12
    assert few.facts.annotated == 14
    assert len(few.facts.next) == 46
    assert "46 images without (46 of them as if, by --labels 2)" in few.blocks[0][1][1]
    trainings = [command for command in few.commands if " train " in command]
    assert len(trainings) == 2
    assert all("--labels 2" in command for command in trainings)
    assert not any("--labels" in command for command in whole.commands)


def test_masks_of_validation_are_not_learnt_from(tmp_path: Path) -> None:
    """A publisher's split may have hundreds of them and no test: still there are eight to learn from."""
    data = made.dataset(tmp_path / "made", masked(120))
    split(data, settings=SplitSettings(test=0, validation=0.5))
    few = segue.advise(data, labels="8", probe=False)
    assert (few.facts.annotated, few.facts.tested) == (8, 0)
    assert (few.route.judged, few.route.method) == ("folds", "semi")


def test_a_budget_of_what_is_not_split_is_that_of_the_split_to_come(tmp_path: Path) -> None:
    found = advised(tmp_path, masked(60), labels="2")
    assert found.facts.learnt == 2
    assert found.commands[0] == f"segue data split {tmp_path / 'made'}"
    assert not (tmp_path / "made" / "split.csv").exists()
    split(tmp_path / "made")
    after = segue.advise(tmp_path / "made", labels="2", probe=False)
    assert [case.case for case in after.facts.masked] == [case.case for case in found.facts.masked]
    assert after.commands == found.commands[1:]


def test_an_encoder_is_of_slices(tmp_path: Path) -> None:
    kind = other(alike=False, images=600)
    way = chosen(tmp_path, volumes(masked(3), EVEN, 40), beside=[kind])
    assert way.pool
    assert not way.patches


def test_who_is_annotated_next_is_drawn_at_random_by_site(tmp_path: Path) -> None:
    found = advised(tmp_path, masked(0, of=60, sites=("a", "b"), frames=2))
    order = found.as_json()["annotate_next"]
    assert sorted(order) == [f"p{number:03d}" for number in range(60)]
    assert order != sorted(order)
    assert sum(int(name[1:]) % 2 for name in order[:18]) == 9


# What cannot be known


def test_what_is_unknown_is_said_once(tmp_path: Path) -> None:
    lone = " ".join(advised(tmp_path / "a", masked(3, of=3, sites=("north",))).unknown)
    assert "3 annotated patients: no test is possible that means anything; about 64 more" in lone
    assert "One site: nothing can be said about another hospital" in lone
    several = " ".join(advised(tmp_path / "b", masked(60, sites=("north", "south"))).unknown)
    assert "--leave-site-out north" in several
    assert "A test of 12 patients tells Dice to within about 0.13" in several
    assert "Folds over 12 patients tell Dice" in " ".join(advised(tmp_path / "c", masked(12)).unknown)
    for name, divided in (("d", False), ("e", True)):
        dataset = made.dataset(tmp_path / name, [case.with_(patient="") for case in masked(30)], patients_from="")
        if divided:
            split(dataset)
        told = segue.advise(dataset, probe=False).unknown
        assert sum("No patient is known" in one for one in told) == 1
        assert sum("no honest test" in one for one in told) == divided


def test_what_a_split_warns_of_does_not_contradict_the_route(tmp_path: Path) -> None:
    dataset = made.dataset(tmp_path / "made", masked(5, of=9))
    split(dataset)
    found = segue.advise(dataset, probe=False)
    assert found.route.judged == "eye"
    assert sum("test" in one for one in found.unknown) == 2  # none means anything; train anew when there is one
    assert "segue data split" in found.commands[0]
    assert "--name everything" in found.commands[0]
    assert "--split everything" in found.commands[1]


def test_a_split_of_before_new_masks_is_told(tmp_path: Path) -> None:
    dataset = made.dataset(tmp_path / "made", masked(60, of=80))
    split(dataset)
    made.dataset(tmp_path / "made", masked(70, of=80))
    found = segue.advise(dataset.folder, probe=False)
    assert any("The split is of before" in one for one in found.unknown)
    assert found.commands[0] == f"segue data split {dataset.folder}"


# What is printed


def parsed(line: str) -> None:
    """By the command line's own parser; what it would refuse is an error here."""
    words = shlex.split(line)
    assert words.pop(0) == "segue"
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    command.make_context(command.name, words)


def every_command(found: Advice) -> Iterator[str]:
    yield from found.commands
    if "segue train" in found.gain.told:
        yield found.gain.told[found.gain.told.index("segue train") :].partition(",")[0]


@pytest.mark.parametrize(
    "table",
    [
        masked(0, of=20), masked(3, of=40), masked(5), masked(12), masked(12, of=40), masked(60, of=160), masked(200),
        volumes(masked(100), EVEN, 40), volumes(masked(3, of=100), THICK), volumes(masked(0, of=9), THICK),
    ],
)  # fmt: skip
@pytest.mark.parametrize("divided", [False, True])
def test_every_command_is_one(tmp_path: Path, table: list[Case], divided: bool) -> None:
    dataset = made.dataset(tmp_path / "it's made", table)
    dataset = replace(dataset, card=dataset.card.model_copy(update={"modality": "MR", "options": ("--modality", "MR")}))
    dataset.save()
    if divided:
        split(dataset, settings=SplitSettings(test=0.2, validation=0.1))
    found = segue.advise(dataset.folder, probe=False)
    lines = list(every_command(found))
    assert lines
    for line in lines:
        parsed(line)
    assert json.loads(json.dumps(found.as_json()))["commands"] == list(found.commands)
    # Whoever trains needs a split that was made, or one that training makes by itself.
    made_here = [line for line in lines if "segue data split" in line]
    assert len(made_here) == int(found.route.judged in ("eye", "test") and (not divided or found.route.judged == "eye"))


def test_a_wrong_option_would_be_noticed() -> None:
    with pytest.raises(Exception, match="No such option"):
        parsed("segue train --data x --labells 3")
    with pytest.raises(Exception, match="Missing"):
        parsed("segue data split")


def test_the_page_is_short_lines_and_commands(tmp_path: Path) -> None:
    folder = made.dataset(tmp_path / "made", masked(60, of=160, sites=("a", "b"))).folder
    done = CliRunner().invoke(app, ["advise", str(folder), "--no-probe"])
    assert done.exit_code == 0, done.output
    text, _, commands = done.output.partition("\nNext: ")
    assert max(map(len, text.splitlines())) <= 110
    heads = [line for line in text.splitlines() if line and not line.startswith(" ")]
    assert heads == [
        "What is there: made", "What to do", "How long it takes", "What 20 more masks would bring", "What cannot be known",
    ]  # fmt: skip
    assert commands.splitlines()[0] == f"segue data split {folder}"
    assert "Not tried: --no-probe." in text
    listed = json.loads(CliRunner().invoke(app, ["advise", str(folder), "--no-probe", "--json"]).output)
    assert {"route", "times", "gain", "unknown", "commands", "annotate_next"} <= set(listed)


def test_what_does_not_fit_is_told(there: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no such dataset"):
        segue.advise("datasets/nowhere")
    with pytest.raises(BadInput, match="has no cases"):
        segue.advise(made.dataset(tmp_path / "made", []))
    with pytest.raises(BadInput, match="is called 'north'"):
        segue.advise("datasets/north", beside=["datasets/north"], probe=False)
    with pytest.raises(BadInput, match="there is no such run"):
        segue.advise("datasets/north", runs=["runs/nothing"], probe=False)


# Other datasets, and the probe


def test_copies_of_a_test_are_found_in_what_lies_beside(there: Path, tmp_path: Path) -> None:
    north = Dataset.open("datasets/north")
    found = segue.advise(north, beside=["datasets/south"], probe=False).beside[0]
    assert (found.images, found.copies, found.of_tests, found.alike) == (
        len(Dataset.open("datasets/south").cases),
        0,
        0,
        True,
    )
    test = next(case for case in north.cases if Facts.of(north).split.parts[case.case] == "test")  # type: ignore[union-attr]
    (tmp_path / "sent").mkdir()
    for case in (test, *(case for case in Dataset.open("datasets/south").cases[:2])):
        root = north.root if case is test else Dataset.open("datasets/south").root
        (tmp_path / "sent" / Path(case.images[0]).name).write_bytes((root / case.images[0]).read_bytes())
    scan(tmp_path / "sent", tmp_path / "datasets" / "sent", name="sent")
    copied = segue.advise(north, beside=[tmp_path / "datasets" / "sent"], probe=False).beside[0]
    assert (copied.images, copied.copies, copied.of_tests) == (3, 1, 1)


def everything(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


_SMALL = {"network": SMALL["network"], "size": SMALL["size"], "machine": SMALL["machine"]}


_PATCHES = {
    "network": {"architecture": "unet-3d", "stages": {"width": 4}},
    "size": (8, 32, 32),
    "machine": SMALL["machine"],
}


@pytest.mark.parametrize("kind", ["colon", "heart", "brain"])
def test_a_probe_takes_steps_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    phantom = PHANTOMS[kind]
    phantom.make(tmp_path / "images", patients=8, sites=phantom.sites[:1], labelled=3 if phantom.flat else 1.0)
    with working_in(tmp_path):
        scan("images", "datasets/made", name="made")
        monkeypatch.setattr(verb, "_given", lambda facts, way: _PATCHES if kind == "brain" else _SMALL)
        monkeypatch.setattr("segue.experiment.pretraining.pretrain._ON_CPU", 64)
        before = everything(tmp_path)
        found = segue.advise("datasets/made")
        assert everything(tmp_path) == before
        assert [one.what for one in found.times] == ["prepare", "train"]
        assert all(one.seconds > 0 for one in found.times)
        assert found.machine in " ".join(line for _, lines in found.blocks for line in lines)
        # With a store, images come from there.
        segue.prepare("datasets/made")
        before = everything(tmp_path)
        assert "prepare" not in [one.what for one in segue.advise("datasets/made").times]
        assert everything(tmp_path) == before


def test_a_pre_training_is_timed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of images that are split and wait for their masks."""
    PHANTOMS["colon"].make(tmp_path / "images", patients=8, sites=["north"], labelled=0)
    with working_in(tmp_path):
        scan("images", "datasets/made", name="made")
        split("datasets/made")
        monkeypatch.setattr("segue.experiment.pretraining.pretrain._ON_CPU", 64)
        found = segue.advise("datasets/made")
        times = {one.what: one for one in found.times}
        assert list(times) == ["prepare", "pretrain"]
        assert min(times["pretrain"].seconds, times["pretrain"].looks) > 0
        assert "Pre-train meanwhile on what the split has for training" in " ".join(found.route.reasons)
        assert found.commands[0].startswith("segue pretrain --data datasets/made --looks ")


# What more masks bring


@pytest.fixture(scope="module")
def budgets(hospitals: Path) -> dict[str, Path]:
    """Runs on 1, 3 and all 6 patients, judged."""
    with working_in(hospitals):
        found = {
            labels: train("datasets/north", f"runs/budget-{labels}", labels=labels, **SMALL).run.folder
            for labels in ("1", "3", "all")
        }
        for run in found.values():
            segue.evaluate(run, "datasets/north")
    return {labels: hospitals / run for labels, run in found.items()}


def test_runs_on_budgets_tell_what_more_would_bring(there: Path, budgets: dict[str, Path]) -> None:
    found = segue.advise("datasets/north", runs=[*budgets.values()], probe=False)
    gain = found.gain
    assert gain.now is not None
    assert gain.then is not None
    assert gain.patients == 10  # two masks each
    assert gain.told.startswith("20 more masks (10 patients) would bring Dice from about ")
    assert "3 runs on 1, 3, 6 patients and 2 test patients" in gain.told
    assert "--draw 1" in gain.told
    assert 0 <= gain.then.low <= gain.then.value <= gain.then.high <= 1
    assert gain.then.value >= gain.now.value
    assert any("at a spread of" in one for one in found.unknown)


def test_fewer_budgets_tell_how_to_know(there: Path, budgets: dict[str, Path]) -> None:
    unknown = segue.advise("datasets/north", probe=False).gain
    assert unknown.now is None
    assert unknown.told.startswith(
        "Not known: segue train --data datasets/north --labels 1, and the same with 2 and all"
    )
    two = segue.advise("datasets/north", runs=[budgets["1"], budgets["3"], budgets["3"]], probe=False).gain
    assert "2 runs of fewer than 3 different budgets draw no curve" in two.told


def test_too_far_out_nothing_is_said(there: Path, budgets: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verb, "MASKS", 60)
    told = segue.advise("datasets/north", runs=[*budgets.values()], probe=False).gain.told
    assert told.startswith("Not known: the largest budget learnt from is 6, and 36 are more than 4 times that")


def test_runs_that_are_no_curve_are_refused(there: Path, budgets: dict[str, Path], tmp_path: Path) -> None:
    def refused(*runs: Path | str, data: str = "datasets/north") -> str:
        with pytest.raises(BadInput) as error:
            segue.advise(data, runs=[budgets["1"], budgets["3"], *runs], probe=False)
        return error.value.message

    another = train("datasets/north", "runs/another", labels="2", loss="ce", **SMALL).run.folder
    assert "was not judged on the test part" in refused(another)
    segue.evaluate(another, "datasets/north")
    assert "differ in more than their masks: loss is" in refused(another)
    unsplit = Path(shutil.copytree("datasets/south", "datasets/never-split"))
    for path in unsplit.glob("split*"):  # of another test
        path.unlink()
    assert "is not split" in refused(data=str(unsplit))
