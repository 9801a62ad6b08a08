"""A study beside this machine, and runs of several processes."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from segue.cli import app
from segue.executors import LocalExecutor, Needs
from segue.experiment.settings import TrainSettings
from segue.experiment.train import train
from segue.studies.book import Book
from segue.studies.running import run
from segue.studies.work import needs
from tests.executors.cluster import machines
from tests.studies.made import QUICK, write
from tests.studies.test_running import tables


def test_a_machine_lost_in_the_middle_of_a_study_costs_no_run(here: Path) -> None:
    pytest.importorskip("ray")
    file = write(repeats=1)
    alone = run(file, "others/study-which", workers=1)
    with machines() as two, ThreadPoolExecutor(1) as pool:
        two.second()

        def strike() -> int:
            """When both machines have a run in hand."""
            until = time.monotonic() + 600
            while len(begun := list(Path("runs").glob("run-*/run.json"))) < 2 and time.monotonic() < until:
                time.sleep(0.01)
            two.lose_it()
            return len(begun)

        struck = pool.submit(strike)
        spread = run(file, on=two.on)
        assert struck.result() == 2
    assert not spread.failed
    assert {fate.tries for fate in spread.fates.values()} == {1}
    lines = (spread.folder / "book.jsonl").read_text().splitlines()
    assert len(lines) == len(spread.plan.names) == 2
    assert tables(spread) == tables(alone)


def test_a_study_by_jobs(here: Path) -> None:
    pytest.importorskip("submitit")
    file = write(repeats=1)
    done = CliRunner().invoke(app, ["study", "run", str(file), "--on", "slurm:cluster=local", "--workers", "2"])
    assert done.exit_code == 0, done.output
    fates = Book.read(Path("runs/study-which"))
    assert len(fates) == 2
    assert not any(fate.failed for fate in fates.values())
    told = CliRunner().invoke(app, ["study", "run", str(file), "--on", "slrum"])
    assert told.exit_code == 2
    assert "did you mean slurm" in told.stderr


def asked(**machine: object) -> TrainSettings:
    return TrainSettings.model_validate({"data": ["a"], "machine": machine})


def test_a_run_needs_a_core_for_each_of_its_threads_and_a_card_for_each_of_its_processes() -> None:
    assert needs([asked()]) == needs([asked(device="cuda")]) == Needs(cores=1, cards=1)
    assert needs([asked(device="cpu", devices=2)]) == Needs(cores=2, cards=0, processes=2)
    assert needs([asked(devices=2)]) == Needs(cores=2, cards=2, processes=2)
    assert needs([asked(threads=4), asked(devices=2, threads=3)]) == Needs(cores=6, cards=2, processes=2)


def test_runs_that_take_more_are_fewer_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segue.executors.local.cores", lambda: 8)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert [LocalExecutor().room(needs([asked(devices=number)])) for number in (1, 2, 4)] == [8, 4, 2]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert [LocalExecutor().room(needs([asked(devices=number)])) for number in (1, 2)] == [2, 1]


def test_a_run_of_two_processes_is_in_a_study_what_it_is_alone(here: Path) -> None:
    shared = {**QUICK, "machine": {**QUICK["machine"], "devices": 2}}
    done = run(write(fixed=shared, axes={"training": {"plain": {"variation": "none"}}}, repeats=1))
    assert not done.failed
    (name,) = done.plan.names
    alone = train("datasets/north", "alone", **shared, variation="none").run.folder
    weights = {path.name: path.read_bytes() for path in (alone / "weights").glob("*.safetensors")}
    assert weights
    assert weights == {path.name: path.read_bytes() for path in (Path("runs") / name / "weights").glob("*.safetensors")}
