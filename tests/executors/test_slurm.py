"""Jobs: what is asked of SLURM for them, and the whole way with submitit's stand-in for a cluster. A real one of one machine:
benchmarks/slurm_here.py."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from segue.errors import BadInput
from segue.executors import Needs, executor
from segue.executors.executor import Work
from segue.executors.slurm import SlurmExecutor
from tests.executors.test_local import who_and_how_often

pytest.importorskip("submitit")

HERE = "slurm:cluster=local"


@pytest.fixture
def as_if(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """SLURM's commands are there, and its machines have graphics cards."""
    for name, says in (("srun", ""), ("sinfo", "gpu:a100:4")):
        command = tmp_path / "bin" / name
        command.parent.mkdir(exist_ok=True)
        command.write_text(f"#!/bin/sh\necho {says}\n")
        command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)


def script(options: str, needs: Needs, folder: Path, workers: int | None = None) -> list[str]:
    work = Work([("one", 1)], abs, None, needs, "preparing", None)
    made: Any = SlurmExecutor(options, workers=workers).sending(folder, work)
    made._executor.parameters["map_count"] = 7  # as submitit does for an array
    return str(made._executor._make_submission_file_text("command", "id")).splitlines()


def test_a_job_asks_for_what_an_item_needs(as_if: None, tmp_path: Path) -> None:
    plain = script("", Needs(), tmp_path)
    assert {"#SBATCH --cpus-per-task=1", "#SBATCH --time=1440", "#SBATCH --array=0-6%7"} <= {*plain}
    assert "export OMP_NUM_THREADS=1" in plain
    assert not any("--gpus" in line or "--mem" in line or "--partition" in line for line in plain)
    needs = Needs(cores=8, memory=3 << 30, cards=2, processes=2)
    large = script("partition=long,time=240,qos=low", needs, tmp_path, workers=3)
    assert {
        "#SBATCH --cpus-per-task=8", "#SBATCH --mem=3GB", "#SBATCH --gpus-per-node=2", "#SBATCH --partition=long",
        "#SBATCH --time=240", "#SBATCH --qos=low", "#SBATCH --array=0-6%3", "export OMP_NUM_THREADS=4",
        "#SBATCH --job-name=segue-preparing",
    } <= {*large}  # fmt: skip
    told = script("gres=gpu:h100:1,mem=64G,cpus-per-task=6", needs, tmp_path)
    assert {"#SBATCH --gres=gpu:h100:1", "#SBATCH --mem=64G", "export OMP_NUM_THREADS=3"} <= {*told}
    assert not any("--gpus" in line for line in told)


def test_what_slurm_does_not_know_is_told() -> None:
    for options, told in (
        ("partitoin=gpu", "'partitoin' is no option: did you mean partition"),
        ("time=4:00:00", "time is in minutes"),
        ("gpu", "'gpu' is not of the form NAME=VALUE"),
    ):
        with pytest.raises(BadInput, match=told):
            executor(f"slurm:{options}")


def test_without_slurm_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match="slurm: there is none here"):
        list(executor("slurm", progress=False).map(abs, [1], place=tmp_path))


def go_wrong(item: int) -> int:
    if item == 3:
        raise BadInput("three is not wanted")
    if item == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return item * item


def test_items_are_done_by_jobs_and_a_lost_job_costs_one(tmp_path: Path) -> None:
    ledger = tmp_path / "done.jsonl"
    found = {
        outcome.key: outcome
        for outcome in executor(HERE, workers=2, progress=False).map(go_wrong, range(8), ledger=ledger)
    }
    assert sorted(found) == [str(number) for number in range(8)]
    assert {key for key, outcome in found.items() if outcome.error} == {"3", "5"}
    assert found["3"].error == "three is not wanted"
    assert "gave no result" in (found["5"].error or "")
    assert found["7"].result() == 49
    assert sorted(json.loads(line)[0] for line in ledger.read_text().splitlines()) == ["0", "1", "2", "4", "6", "7"]
    assert not (tmp_path / "slurm").exists()


def set_up() -> int:
    return os.getpid()


def test_a_job_is_set_up_once_and_has_its_threads(tmp_path: Path) -> None:
    on = executor(HERE, workers=2, progress=False)
    found = [
        outcome.result()
        for outcome in on.map(who_and_how_often, range(6), setup=set_up, needs=Needs(cores=3), place=tmp_path)
    ]
    assert {pid == setup for pid, setup, _ in found} == {True}
    assert len({pid for pid, *_ in found}) == 2
    assert {threads for *_, threads in found} == {"3"}


def cut_off_once(log: Path) -> int:
    with log.open("a") as file:
        file.write("begun\n")
    if len(log.read_text().splitlines()) == 1:
        os.kill(os.getpid(), signal.SIGUSR2)  # as SLURM does shortly before the time is over
        time.sleep(60)
    return len(log.read_text().splitlines())


def test_a_job_that_is_cut_off_is_queued_again(tmp_path: Path) -> None:
    (outcome,) = executor(HERE, progress=False).map(cut_off_once, [tmp_path / "log"], place=tmp_path)
    assert outcome.result() == 2


DRIVER = """
import sys
from pathlib import Path
from segue.executors import executor
from tests.executors.test_slurm import HERE, wait_and_count
folder = Path(sys.argv[1])
for outcome in executor(HERE, workers=2, progress=False).map(
    wait_and_count, [folder / "a", folder / "b"], key=lambda path: path.name, place=folder
):
    print(outcome.result())
"""


def wait_and_count(path: Path) -> int:
    with path.open("a") as file:
        file.write("begun\n")
    until = time.monotonic() + 60
    while not path.with_name("go").exists() and time.monotonic() < until:
        time.sleep(0.01)
    return len(path.read_text().splitlines())


def test_a_driver_that_was_killed_finds_its_jobs_again(tmp_path: Path) -> None:
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, tmp_path])
    until = time.monotonic() + 60
    while not ((tmp_path / "a").exists() and (tmp_path / "b").exists()) and time.monotonic() < until:
        time.sleep(0.01)
    driver.kill()
    driver.wait()
    (tmp_path / "go").touch()
    again = subprocess.run([sys.executable, "-c", DRIVER, tmp_path], capture_output=True, text=True, check=True)
    assert again.stdout.split() == ["1", "1"]  # each was begun once
    assert (tmp_path / "a").read_text() == "begun\n"


def refuse(path: Path) -> None:
    with path.open("a") as file:
        file.write("begun\n")
    raise BadInput("not yet")


def test_a_failure_that_was_told_is_not_told_again_but_tried_again(tmp_path: Path) -> None:
    place, item = tmp_path / "place", tmp_path / "item"
    for times in (1, 2):
        results = executor(HERE, progress=False).map(refuse, [item], place=place)
        assert next(results).error == "not yet"
        assert len(item.read_text().splitlines()) == times
        shutil.copytree(place, tmp_path / "as a killed driver leaves it")
        results.close()  # type: ignore[attr-defined]
        shutil.rmtree(place)
        (tmp_path / "as a killed driver leaves it").rename(place)
        assert (place / "slurm/sent.jsonl").exists()
