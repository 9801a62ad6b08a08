"""The workers are real processes here; each test starts few."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from segue.errors import BadInput, Failed
from segue.executors import Ledger, LocalExecutor, Needs, Outcome
from segue.executors.machine import available_memory, cores
from segue.executors.progress import Progress, duration

SETUPS = 0


def square(item: int) -> int:
    if item == 3:
        raise BadInput("three is not wanted")
    if item == 4:
        raise ZeroDivisionError("four")
    return item * item


def die_at_five(item: int) -> int:
    if item == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def set_up() -> int:
    global SETUPS
    SETUPS += 1
    return SETUPS


def who_and_how_often(item: int, setups: int) -> tuple[int, int, str]:
    return os.getpid(), setups, os.environ["OMP_NUM_THREADS"]


def broken_set_up() -> int:
    raise BadInput("the model file is missing")


def add(item: int, more: int) -> int:
    return item + more


@pytest.mark.parametrize("workers", [0, 2])
def test_every_item_comes_back_and_failures_name_theirs(workers: int) -> None:
    outcomes = {
        outcome.key: outcome
        for outcome in LocalExecutor(workers=workers, progress=False).map(square, range(40), key=lambda i: f"case {i}")
    }
    assert len(outcomes) == 40
    assert outcomes["case 7"].result() == 49
    assert outcomes["case 3"].error == "three is not wanted"
    assert outcomes["case 4"].error == "ZeroDivisionError: four"
    assert "in square" in (outcomes["case 4"].trace or "")
    with pytest.raises(Failed, match="case 3: three is not wanted"):
        outcomes["case 3"].result()


def test_a_worker_is_set_up_once_and_has_its_share_of_threads() -> None:
    before = os.environ.get("OMP_NUM_THREADS")
    results = [
        outcome.result()
        for outcome in LocalExecutor(workers=2, progress=False).map(who_and_how_often, range(60), setup=set_up)
    ]
    assert {setups for _, setups, _ in results} == {1}
    assert os.getpid() not in {pid for pid, *_ in results}
    assert {threads for *_, threads in results} == {str(max(1, cores() // 2))}
    assert os.environ.get("OMP_NUM_THREADS") == before


@pytest.mark.parametrize("workers", [1, 2])
def test_a_set_up_that_fails_is_each_items_failure(workers: int) -> None:
    outcomes = list(LocalExecutor(workers=workers, progress=False).map(add, range(4), setup=broken_set_up))
    assert [outcome.error for outcome in outcomes] == ["the model file is missing"] * 4


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_worker_that_is_killed_takes_only_its_own_item_with_it() -> None:
    outcomes = {o.key: o for o in LocalExecutor(workers=2, progress=False).map(die_at_five, range(12))}
    assert sorted(outcomes, key=int) == [str(i) for i in range(12)]
    assert [key for key, outcome in outcomes.items() if outcome.error] == ["5"]
    assert "killed" in (outcomes["5"].error or "")


def test_finished_items_are_not_done_again(tmp_path: Path) -> None:
    ledger = tmp_path / "done.jsonl"
    first = list(LocalExecutor(workers=0, progress=False).map(square, [1, 2, 3], ledger=ledger))
    assert [outcome.resumed for outcome in first] == [False, False, False]
    with ledger.open("a") as file:
        file.write('["5", 2')  # torn by a crash
    again = {o.key: o for o in LocalExecutor(workers=0, progress=False).map(square, [1, 2, 3, 5], ledger=ledger)}
    assert {key: outcome.resumed for key, outcome in again.items()} == {"1": True, "2": True, "3": False, "5": False}
    assert again["2"].result() == 4
    assert [json.loads(line)[0] for line in ledger.read_text().splitlines()] == ["1", "2", "5"]


def test_stash_keeps_large_parts_out_of_the_ledger(tmp_path: Path) -> None:
    seen = []

    def stash(value: int) -> dict[str, int]:
        seen.append(value)
        return {"row": len(seen)}

    ledger = tmp_path / "done.jsonl"
    outcomes = list(LocalExecutor(workers=0, progress=False).map(square, [1, 2], ledger=ledger, stash=stash))
    assert [outcome.value for outcome in outcomes] == [{"row": 1}, {"row": 2}]
    assert seen == [1, 4]
    with Ledger.open(ledger) as book:
        assert book.finished == {"1": {"row": 1}, "2": {"row": 2}}


def test_workers_follow_cores_and_memory() -> None:
    assert LocalExecutor().room(Needs()) == cores()
    assert LocalExecutor().room(Needs(cores=2 * cores())) == 1
    assert LocalExecutor().room(Needs(memory=available_memory() * 2)) == 1
    assert LocalExecutor(workers=3).room(Needs(memory=1 << 60)) == 3


def cards_when_both_are_here(here: Path) -> str:
    here.touch()
    until = time.monotonic() + 30
    while len(list(here.parent.iterdir())) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    return os.environ["CUDA_VISIBLE_DEVICES"]


@pytest.mark.parametrize(
    ("there", "needs", "room", "seen"),
    [
        ("4,5", Needs(cards=1), 2, {"4", "5"}),
        ("0,1,2,3", Needs(cards=2), 2, {"0,1", "2,3"}),
        ("0,1", Needs(cards=2), 1, {"0,1"}),
        ("7", Needs(), 2, {"7"}),
        ("", Needs(cards=1), 2, {""}),
    ],
)
def test_a_worker_sees_the_cards_that_are_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, there: str, needs: Needs, room: int, seen: set[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", there)
    monkeypatch.setattr("segue.executors.local.cores", lambda: 2)
    assert LocalExecutor().room(needs) == room
    if room > 1:
        items = [tmp_path / "one", tmp_path / "two"]
        found = LocalExecutor(progress=False).map(cards_when_both_are_here, items, needs=needs)
        assert {outcome.result() for outcome in found} == seen


def test_processes_of_an_item_share_the_threads_of_its_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segue.executors.local.cores", lambda: 8)
    for processes, threads in ((1, "4"), (2, "2")):
        needs = Needs(cores=4, processes=processes)
        found = LocalExecutor(progress=False).map(who_and_how_often, range(2), setup=set_up, needs=needs)
        assert {outcome.result()[2] for outcome in found} == {threads}


def test_stopping_early_stops_the_workers() -> None:
    results = LocalExecutor(workers=2, progress=False).map(square, range(10_000))
    assert isinstance(next(results), Outcome)
    results.close()  # type: ignore[attr-defined]  # a generator: must come back at once, with no process left


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_ends_between_items_and_resumes(tmp_path: Path) -> None:
    script = tmp_path / "long.py"
    script.write_text(
        textwrap.dedent(
            """
            import pathlib, sys, time
            from segue.executors import LocalExecutor
            def write(item):
                path = pathlib.Path(sys.argv[1]) / f"{item}.txt"
                with path.open("w") as file:
                    file.write("first half,")
                    file.flush()
                    time.sleep(0.02)
                    file.write("second half")
                return item
            if __name__ == "__main__":
                for outcome in LocalExecutor(workers=2).map(
                    write, range(int(sys.argv[2])), ledger=pathlib.Path(sys.argv[1]) / "done.jsonl"
                ):
                    outcome.result()
            """
        )
    )
    folder = tmp_path / "out"
    folder.mkdir()
    process = subprocess.Popen([sys.executable, script, folder, "2000"], start_new_session=True, stderr=subprocess.PIPE)
    while len(list(folder.glob("*.txt"))) < 6 and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does: every process of the group gets it
    _, errors = process.communicate(timeout=30)
    assert process.returncode != 0
    assert b"SpawnProcess" not in errors
    written = list(folder.glob("*.txt"))
    assert 6 <= len(written) < 2000
    assert {path.read_text() for path in written} == {"first half,second half"}
    done = len((folder / "done.jsonl").read_text().splitlines())
    subprocess.run([sys.executable, script, folder, str(done + 4)], check=True, capture_output=True, timeout=60)
    keys = [json.loads(line)[0] for line in (folder / "done.jsonl").read_text().splitlines()]
    assert len(keys) == len(set(keys))
    assert {str(i) for i in range(done + 4)} <= set(keys)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_killed_parent_leaves_no_workers(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        textwrap.dedent(
            """
            import os, pathlib, sys, time
            from segue.executors import LocalExecutor
            def note(item):
                (pathlib.Path(sys.argv[1]) / str(os.getpid())).touch()
                time.sleep(0.05)
            if __name__ == "__main__":
                list(LocalExecutor(workers=2).map(note, range(2000)))
            """
        )
    )
    folder = tmp_path / "pids"
    folder.mkdir()
    process = subprocess.Popen([sys.executable, script, folder])
    while len(list(folder.iterdir())) < 2 and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.wait(timeout=10)
    workers = [int(path.name) for path in folder.iterdir()]
    deadline = time.monotonic() + 10
    while any(_alive(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(_alive(pid) for pid in workers)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_script_without_a_main_guard_gets_a_sentence(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(
        "from segue.executors import LocalExecutor\n"
        "from segue.errors import SegueError\n"
        "try:\n"
        "    print(sum(o.result() for o in LocalExecutor(workers=2, progress=False).map(abs, range(9))))\n"
        "except SegueError as error:\n"
        "    print('TOLD', error.message, error.hint)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert "TOLD worker processes cannot be started from here" in done.stdout
    assert "__main__" in done.stdout


def test_progress_tells_count_rate_and_remaining_time() -> None:
    progress = Progress("scanning", 100, shown=False)
    for _ in range(10):
        progress.advance(resumed=True)
    for _ in range(40):
        progress.advance(failed=False)
    progress.advance(failed=True)
    line = progress.line(progress._start + 4.1)  # 41 fresh items in 4.1 s; the resumed ones do not make it look faster
    assert line == "scanning 51/100  10.0/s  5 s left  1 failed"
    assert [duration(s) for s in (0.2, 42, 150, 7500)] == ["under 1 s", "42 s", "2 min", "2 h 05 min"]


def test_a_container_may_have_less_than_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segue.executors.machine._left_to_container", lambda: [1000])
    assert available_memory() == 1000
    monkeypatch.setattr("segue.executors.machine._left_to_container", list)
    assert available_memory() > 1000
