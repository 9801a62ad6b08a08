"""A real cluster of two machines on this one, of which the second is lost in the middle."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from segue.errors import BadInput
from segue.executors import Needs, executor
from segue.executors.ray import RayExecutor
from tests.executors.cluster import Machines, machines

pytest.importorskip("ray")


@pytest.fixture(scope="module")
def two() -> Iterator[Machines]:
    with machines() as found:
        yield found


def set_up(folder: Path) -> Path:
    with (folder / f"setup-{os.getpid()}").open("a") as file:
        file.write("once\n")
    return folder


def at_the_doomed_machine_for_ever(item: int, folder: Path) -> tuple[int, str]:
    import ray

    if item == 3:
        raise BadInput("three is not wanted")
    here = ray.get_runtime_context().get_node_id()
    while here == (folder / "doomed").read_text():
        (folder / "held").touch()
        time.sleep(0.01)
    wait_for(folder / "held")
    return item * item, os.environ["OMP_NUM_THREADS"]


def wait_for(path: Path) -> None:
    until = time.monotonic() + 60
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.01)
    assert path.exists()


def test_a_lost_machines_items_are_done_elsewhere(two: Machines, tmp_path: Path) -> None:
    (tmp_path / "doomed").write_text(two.second())

    def strike() -> None:
        wait_for(tmp_path / "held")
        two.lose_it()

    ledger = tmp_path / "done.jsonl"
    with ThreadPoolExecutor(1) as pool:
        struck = pool.submit(strike)
        outcomes = executor(two.on, progress=False).map(
            at_the_doomed_machine_for_ever, range(40), setup=partial(set_up, tmp_path), ledger=ledger
        )
        found = {outcome.key: outcome for outcome in outcomes}
        struck.result()
    assert len(found) == 40
    assert {key for key, outcome in found.items() if outcome.error} == {"3"}
    assert found["3"].error == "three is not wanted"
    assert found["7"].result() == (49, "1")
    keys = [json.loads(line)[0] for line in ledger.read_text().splitlines()]
    assert sorted(keys, key=int) == [str(number) for number in range(40) if number != 3]
    setups = [file.read_text() for file in tmp_path.glob("setup-*")]
    assert setups == ["once\n"] * 2


def go_wrong(item: int) -> object:
    if item == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return (number for number in range(item)) if item == 2 else item


def test_an_item_that_kills_its_workers_or_cannot_travel_takes_no_other_with_it(two: Machines) -> None:
    found = {one.key: one for one in executor(two.on, progress=False).map(go_wrong, range(12))}
    assert sorted(found, key=int) == [str(number) for number in range(12)]
    assert {key for key, outcome in found.items() if outcome.error} == {"2", "5"}
    assert "pickle" in (found["2"].error or "")
    assert "3 workers were lost" in (found["5"].error or "")


def test_more_than_any_machine_has_is_told(two: Machines) -> None:
    with pytest.raises(BadInput, match=r"no machine of the cluster has what one item needs \(64 CPU\)"):
        list(executor(two.on, progress=False).map(abs, range(3), needs=Needs(cores=64)))


def test_one_is_started_here_and_stopping_early_leaves_nobody_working(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("RAY_ADDRESS", "RAY_USAGE_STATS_ENABLED"):
        monkeypatch.delenv(name, raising=False)
    results = executor("ray", workers=1, progress=False).map(note, [tmp_path / str(number) for number in range(10_000)])
    pid, sends_home = next(results).result()
    assert sends_home == "0"
    results.close()  # type: ignore[attr-defined]
    until = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        time.sleep(0.01)
    assert not Path(f"/proc/{pid}").exists()
    assert len(list(tmp_path.iterdir())) < 10_000


def note(path: Path) -> tuple[int, str]:
    path.touch()
    return os.getpid(), os.environ["RAY_USAGE_STATS_ENABLED"]


def test_a_cluster_that_is_not_there_is_told() -> None:
    for address in ("127.0.0.1:1", "nowhere"):
        with pytest.raises(BadInput, match=f"ray:{address}: no cluster answers there"):
            list(RayExecutor(address, progress=False).map(abs, [1]))
    assert list(RayExecutor("nowhere", progress=False).map(abs, [])) == []


def test_an_engine_that_nobody_knows_is_told() -> None:
    with pytest.raises(BadInput, match="no engine is called 'rya': did you mean ray"):
        executor("rya")
    with pytest.raises(BadInput, match="this machine takes no options"):
        executor("local:4")
