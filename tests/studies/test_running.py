"""Runs of a study: side by side, each once, gone on with, and none dropped when it fails."""

from __future__ import annotations

import html
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from segue.cli import app
from segue.data.case import read_table
from segue.errors import BadInput
from segue.studies.book import Book
from segue.studies.evidence import Evidence
from segue.studies.findings.shown import shown
from segue.studies.plan import plan
from segue.studies.report import report
from segue.studies.running import LOCK, Ran, run
from segue.studies.standing import status
from segue.studies.study import read
from segue.training.run import Run
from tests.studies.made import QUICK, TWO, write


def tables(done: Ran) -> dict[str, bytes]:
    return {
        f"{name}/{path.parent.name}": path.read_bytes()
        for name in done.plan.names
        for path in sorted((done.folder.parent / name / "evaluation").glob("*/cases.csv"))
    }


def test_runs_are_trained_and_judged_side_by_side_and_as_if_each_were_alone(here: Path) -> None:
    file = write()
    both = run(file, workers=2)
    assert both.folder == Path("runs/study-which")
    assert len(both.fates) == len(both.plan.entries) == 4
    assert not both.failed
    for name, fate in both.fates.items():
        assert Run.open(Path("runs") / name).finished
        assert set(fate.told["sets"]) == {"north-test", "south"}
        assert fate.told["home"] == "north-test"
        assert fate.told["peak"] > 1 << 20
    alone = run(file, "others/study-which", workers=1)
    assert len(tables(both)) == 8
    assert tables(both) == tables(alone)


def test_asked_again_nothing_is_done_and_a_larger_study_does_the_rest(here: Path) -> None:
    first = run(write(repeats=1), workers=1)
    times = {name: (Path("runs") / name / "run.json").stat().st_mtime_ns for name in first.plan.names}
    again = run(write(repeats=1), workers=1)
    assert again.fates == first.fates
    grown = run(write("more.yaml", axes={"training": {**TWO, "padded": {"padding": "reflect"}}}, repeats=1), workers=1)
    assert grown.folder != first.folder
    assert set(first.plan.names) < set(grown.plan.names)
    assert [grown.fates[name].told["already"] for name in grown.plan.names] == [True, True, False]
    assert times == {name: (Path("runs") / name / "run.json").stat().st_mtime_ns for name in times}


def test_what_several_begin_from_is_there_before_them(here: Path) -> None:
    own = {
        "pretrain": {
            "loop": {"steps": 2, "epoch_steps": 2, "batch": 4},
            "contrast.width": 8,
            "machine": QUICK["machine"],
        }
    }
    axes = {"start": {"scratch": None, "own": own}}
    done = run(write(axes=axes, repeats=1, part="validation"), workers=1)
    (name,) = done.plan.before
    assert not done.failed
    sets = [set(done.fates[entry.name].told["sets"]) for entry in done.plan.entries]
    assert sets == [{"north-validation", "south"}] * 2  # the part is of home, elsewhere all judge
    assert done.fates[name].told["looks"] > 0
    begun = next(one for one in done.plan.entries if one.arm == "own")
    assert Run.open(Path("runs") / begun.name).about["weights_from"]


def test_what_fails_stays_in_the_book_and_all_else_goes_on(here: Path) -> None:
    lost = {"data": "datasets/nowhere-to-be-found"}
    file = write(axes={"training": {**TWO, "lost": {"init": "missing.safetensors"}}}, repeats=1)
    told: list[str] = []
    done = run(file, workers=1, say=told.append)
    ((name, fate),) = done.failed.items()
    assert "missing.safetensors" in fate.error
    assert fate.tries == 1
    assert len(done.fates) == 3
    assert any("missing.safetensors" in line for line in told)
    assert run(file, workers=1).failed[name].tries == 1
    assert run(file, workers=1, retry=True).failed[name].tries == 2
    assert Book.read(done.folder)[name].tries == 2
    with pytest.raises(BadInput, match="nowhere-to-be-found"):
        run(write("other.yaml", **lost), workers=1)


def test_what_is_misspelt_is_told_before_anything_runs(here: Path) -> None:
    for given, told in (
        ({"method": "consistncy"}, "odd: no method is called 'consistncy': did you mean consistency"),
        ({"variation": "flipz"}, "odd: "),
        ({"loss": "dicee"}, "odd: "),
        ({"network.architecture": "unett"}, "odd: "),
    ):
        with pytest.raises(BadInput) as error:
            run(write(axes={"training": {"plain": {"padding": "constant"}, "odd": given}}, fixed={}), workers=1)
        assert str(error.value).startswith(told)
        assert not Path("runs").exists()


def test_what_would_begin_from_a_lost_run_is_not_begun(here: Path) -> None:
    own = {"pretrain": {"loop": {"steps": 2, "batch": 4}, "init": "missing.safetensors"}}
    done = run(write(axes={"start": {"scratch": None, "own": own}}, repeats=2), workers=1)
    assert len(done.failed) == 0  # of the runs themselves
    assert sum(fate.failed for fate in done.fates.values()) == 1
    assert {one.arm for one in done.plan.entries if one.name in done.fates} == {"scratch"}
    assert not done.whole
    assert CliRunner().invoke(app, ["study", "run", "which.yaml", "--workers", "1"]).exit_code == 1


def test_data_that_has_changed_is_told(here: Path) -> None:
    for name in ("north", "south"):
        shutil.copytree(here / "datasets" / name, here / "own" / name)
    given: dict[str, Any] = {
        "data": "own/north",
        "elsewhere": ["own/south"],
        "axes": {"training": {"plain": {"variation": "none"}}},
    }
    file = write(repeats=1, **given)
    run(file, workers=1)
    for name in ("another", "anew"):  # a split that it does not use changes nothing
        Path("own/north/another.csv").write_text(name)
        run(file, workers=1)
    table = Path("own/south/cases.csv")
    table.write_text("\n".join(table.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(BadInput, match=r"own/south: its cases.csv is not what it was when the study began"):
        run(file, workers=1)


def test_a_run_that_was_removed_is_trained_again_and_meanwhile_missed(here: Path) -> None:
    file = write(repeats=1)
    done = run(file, workers=1)
    gone = next(iter(done.plan.names))
    before = tables(done)
    shutil.rmtree(Path("runs") / gone)
    assert [(arm.done, arm.waiting) for arm in status(file).arms] == [(0, 1), (1, 0)]
    assert "Of 2 runs 1 not done." in report(file).answer.sentence
    assert tables(run(file, workers=1)) == before
    assert [(arm.done, arm.waiting) for arm in status(file).arms] == [(1, 0), (1, 0)]


def test_one_study_has_one_driver(here: Path) -> None:
    import fcntl

    file = write(repeats=1)
    folder = Path("runs/study-which")
    folder.mkdir(parents=True)
    with (folder / LOCK).open("a+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(BadInput, match="another process runs this study"):
            run(file, workers=1)
    assert not (folder / "book.jsonl").exists()
    assert os.listdir("runs") == ["study-which"]


def test_the_answer_of_what_is_done_is_a_page(here: Path) -> None:
    file = write(
        repeats=2,
        compare=["two views against plain"],
        axes={"training": {**TWO, "lost": {"init": "missing.safetensors"}}},
        target={"at_least": 0.999},
        vary="flips",
    )
    with pytest.raises(BadInput, match="none of the study's runs is done"):
        report(file)
    run(file, workers=1)
    done = report(file)
    text = html.unescape(done.page.read_text())
    assert text.count(done.answer.sentence) >= 1
    for words in (
        "two views against plain",
        "Of 6 runs 2 failed.",
        "missing.safetensors",
        "2 repeats of each",
        "On the front",
        "cannot be reached: the masks themselves, brought to the canvas of 64 x 64 and back, have one of 0.9",
        "eccentricity",
        "of the best arm",
        "images looked at",
        "each against each",
        "steadiness at home",
        "tables/ranking.tex",
        "on training images",
    ):
        assert words in text, words
    assert len(list((done.page.parent / "pictures").glob("*.jpg"))) * 2 > text.count("data:image/jpeg") > 8
    rows = read_table(done.page.parent / "tables" / "runs.csv")
    assert [(row["training"], row["repeat"], row["state"]) for row in rows] == [
        ("plain", "0", "done"), ("plain", "1", "done"), ("two views", "0", "done"), ("two views", "1", "done"),
        ("lost", "0", "failed"), ("lost", "1", "failed"),
    ]  # fmt: skip
    assert "missing.safetensors" in rows[-1]["why"]
    assert float(rows[0]["south: HD95"]) > 0
    assert not rows[-1]["south: HD95"]
    assert int(rows[0]["parameters"]) > 0
    assert "Tables:" in CliRunner().invoke(app, ["study", "report", str(file)]).output
    drawn = {path: path.stat().st_mtime_ns for path in (done.page.parent / "pictures").glob("*.jpg")}
    again = done.page.read_bytes()
    assert report(file).page.read_bytes() == again
    assert {path: path.stat().st_mtime_ns for path in (done.page.parent / "pictures").glob("*.jpg")} == drawn
    away = here / "moved"
    (here / "datasets").rename(away)
    alone = html.unescape(report(file).page.read_text())
    assert "No case can be shown: " in alone
    assert "Whether it can be reached is not known: " in alone
    away.rename(here / "datasets")
    _the_cases_shown_hang_on_masks_alone(file)
    standing = status(file)
    assert [(arm.done, arm.failed) for arm in standing.arms] == [(2, 0), (2, 0), (0, 2)]
    assert standing.going == ()
    (done.page.parent / "book.jsonl").rename("aside")
    begun = status(file)
    assert [(one.arm, one.repeat, one.step, one.steps) for one in begun.going][:2] == [
        ("plain", 0, 2, 2),
        ("plain", 1, 2, 2),
    ]
    assert all(one.judged for one in begun.going)
    Path("aside").rename(done.page.parent / "book.jsonl")
    assert set(standing.arms[0].means) == {"north-test", "south"}
    assert CliRunner().invoke(app, ["study", "status", str(file)]).exit_code == 0


def _the_cases_shown_hang_on_masks_alone(file: Path) -> None:
    """A study of other runs on the same data shows the same ones; the worst are those of its best run."""
    both, folder = evidence_of(file), Path("runs/study-which")
    arms = list(both.arms)
    found = shown(both, arms, folder, progress=False)
    alone = shown(both, arms[1:], Path("runs/other"), progress=False)
    cases = [(one.place, one.case, one.why) for one in found.fixed]
    assert cases == [(one.place, one.case, one.why) for one in alone.fixed]
    assert {place for place, *_ in cases} == {"north-test", "south"}
    assert [name for name, *_ in found.fixed[0].shown] == arms
    table = both.first(arms[0]).table("south")
    assert found.worst[0].case in {row.case for row in table}
    dice = {row.case: row.scores.dice for row in table if row.scores.empty != "both"}
    assert dice[found.worst[0].case] == min(dice.values())


def evidence_of(file: Path) -> Evidence:
    folder = Path("runs/study-which")
    return Evidence.of(plan(read(file), folder.parent), Book.read(folder), folder.parent)
