"""What is left to data and machine is found out once for all repeats, in a plan or in a run, and never by a run itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from segue.config import read_yaml, write_yaml
from segue.errors import BadInput
from segue.executors import Ledger, LocalExecutor
from segue.experiment import rehearse, resolve
from segue.experiment.resolve import settled
from segue.studies import settling
from segue.studies.expected import expect
from segue.studies.plan import plan
from segue.studies.running import Ran, run
from segue.studies.settling import by_key, settle
from segue.studies.study import read
from segue.training.run import Run
from tests.studies.made import QUICK, TWO, write

OPEN = {**{key: value for key, value in QUICK.items() if key != "loop"}, "loop": {"batch": 2}, "looks": 12}


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The methods of trainings whose steps are timed."""
    calls: list[str] = []
    real = resolve.timed

    def timed(settings: Any, material: Any) -> Any:
        calls.append(settings.method)
        return real(settings, material)

    monkeypatch.setattr(resolve, "timed", timed)
    monkeypatch.setattr(rehearse, "timed", timed)
    return calls


def configs(done: Ran) -> list[dict[str, Any]]:
    return [Run.open(done.folder.parent / name).config for name in done.plan.names]


def test_an_arm_is_tried_once_and_its_repeats_differ_by_seeds_alone(here: Path, tried: list[str]) -> None:
    done = run(write(fixed=OPEN), workers=1)
    assert not done.failed
    assert sorted(tried) == ["supervised", "two-view"]
    first, second, third, _ = configs(done)
    assert (first["loop"].pop("seed"), second["loop"].pop("seed")) == (0, 1)
    assert first == second
    assert first["loop"]["steps"] > third["loop"]["steps"]  # as many looks, of two views each
    assert run(write(fixed=OPEN, repeats=3), workers=1).failed == {}
    assert len(tried) == 2


def test_a_plan_tells_what_it_takes_and_the_runs_take_what_it_found(here: Path, tried: list[str]) -> None:
    file = write(fixed=OPEN)
    found = plan(read(file), Path("runs"))
    told = expect(found, Path("runs/study-which"), workers=1)
    assert len(tried) == 2
    assert told.side_by_side == 1
    assert told.seconds > 0
    assert told.bytes > 4 * 2 * 4 * 1e5  # weights of four runs
    assert list(told.machines.values()) == [4]
    assert not told.errors
    assert not any((Path("runs") / name).exists() for name in found.names)
    done = run(file, workers=1)
    assert len(tried) == 2
    known = Ledger.read(Path("runs/study-which") / settling.NAME)
    assert {config["loop"]["steps"] for config in configs(done)} == {
        one["settings"]["loop"]["steps"] for one in known.values()
    }
    after = expect(found, Path("runs/study-which"), workers=1)
    assert (after.seconds, after.bytes) == (0.0, 0)


def test_what_begins_from_a_run_that_is_not_there_is_taken_to_be_like_the_others(here: Path) -> None:
    own = {"pretrain": {"loop": {"steps": 2, "batch": 4}, "contrast.width": 8, "machine": QUICK["machine"]}}
    file = write(fixed=OPEN, axes={"start": {"scratch": None, "own": own}})
    told = expect(plan(read(file), Path("runs")), Path("runs/study-which"), workers=1)
    assert told.guessed == 2
    assert told.seconds > 0


def test_one_network_has_one_machine(here: Path) -> None:
    """What another arm's probe would have found does not matter."""
    machine = {**QUICK["machine"], "layout": "auto"}
    found = plan(read(write(fixed={**OPEN, "machine": machine})), Path("runs"))
    known = settle(by_key(found.entries), Path("runs/study-which"), LocalExecutor(workers=0, progress=False), runs=2)
    assert len(known.by_key) == 2
    assert len({one.settings.machine.layout for one in known.by_key.values()}) == 1
    assert all(settled(known.of(entry.settings)) for entry in found.entries)
    peaks = [one.peak for one in known.by_key.values()]
    assert min(peaks) > 1 << 20
    assert known.memory(entry.settings for entry in found.entries) == max(peaks)


def test_runs_are_as_many_at_a_time_as_memory_holds(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cores, and memory for one."""
    rooms: list[int] = []
    real = LocalExecutor.room

    def room(self: LocalExecutor, needs: Any) -> int:
        found = real(self, needs)
        rooms.append(found) if needs.memory else None
        return found

    monkeypatch.setattr("segue.executors.local.cores", lambda: 2)
    monkeypatch.setattr("segue.executors.local.available_memory", lambda: 64 << 20)
    monkeypatch.setattr(LocalExecutor, "room", room)
    done = run(write(fixed=OPEN, axes={"training": {"plain": {"variation": "none"}}}))
    assert not done.failed
    assert set(rooms) == {1}


def test_an_arm_that_cannot_be_tried_fails_and_the_others_are_run(here: Path) -> None:
    file = write(fixed=OPEN, axes={"training": {**TWO, "lost": {"init": "missing.safetensors"}}}, repeats=1)
    told = expect(plan(read(file), Path("runs")), Path("runs/study-which"), workers=1)
    assert "missing.safetensors" in told.errors["lost"]
    done = run(file, workers=1)
    assert len(done.failed) == 1
    assert len(done.fates) == 3


def test_settings_that_somebody_wrote_into_a_run_are_told(here: Path) -> None:
    done = run(write(repeats=1, axes={"training": {"plain": {"variation": "none"}}}), workers=1)
    (name,) = done.plan.names
    path = Path("runs") / name / "config.yaml"
    config = read_yaml(path)
    write_yaml(path, {**config, "loop": {**config["loop"], "rate": 0.5}})
    (done.folder / "book.jsonl").unlink()
    again = run(done.folder.parent.parent / "which.yaml", workers=1)
    assert "loop.rate: 0.5 there, 0.001 asked" in again.failed[name].error
    with pytest.raises(BadInput, match="another process runs"):  # the plan's trials are a driver too
        with_lock(done)


def with_lock(done: Ran) -> None:
    from segue.studies.running import driving

    with driving(done.folder):
        expect(done.plan, done.folder, workers=1)
