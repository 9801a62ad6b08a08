"""A search with real trainings: begins where it is told, chooses by validation, goes on, and is shared by machines."""

from __future__ import annotations

import html
import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import pytest

from segue.errors import BadInput, Failed
from segue.executors import LocalExecutor
from segue.experiment.settings import TrainSettings
from segue.studies.bunch import bunch
from segue.studies.plan import SEARCH_SEED
from segue.studies.report import report
from segue.studies.running import planned, run
from segue.studies.searching.found import searched, trials
from segue.studies.searching.search import open_storage
from segue.studies.searching.settings import Limits, Search
from segue.studies.searching.space import space
from segue.studies.searching.trial import DRIVER, Place, attempt
from segue.studies.standing import status
from segue.studies.study import read
from segue.training.run import Run
from tests.studies.made import QUICK, write

FIXED = {key: value for key, value in QUICK.items() if key != "validation"}
SPACE = {"loop.rate": {"from": 1e-4, "to": 1e-2, "scale": "log"}, "variation": ["none", "flips"]}
AXES = {"training": {"plain": {"variation": "none"}, "padded": {"padding": "reflect"}}}


def study(name: str = "which.yaml", **search: Any) -> Path:
    told = {"begin": "plain", "space": SPACE, "trials": 3, "prune": "none", **search}
    return write(name, fixed=FIXED, axes=AXES, compare=["searched against plain"], search=told)


def test_a_search_begins_where_it_is_told_and_its_best_is_an_arm_on_fresh_seeds(here: Path) -> None:
    file = study()
    done = run(file, workers=1)
    assert done.whole
    told = searched(done.plan, done.folder)
    assert told is not None
    assert told.ended
    assert [one.state for one in told.all] == ["done"] * 3
    assert told.all[0].sets == {"loop.rate": 0.001, "variation": "none"}
    assert len({one.drawn["loop.rate"] for one in told.all}) == 3
    for one in told.all:
        config, about = Run.open(Path("runs") / one.run).config, Run.open(Path("runs") / one.run).about
        assert config["loop"]["seed"] == SEARCH_SEED
        assert config["loop"]["rate"] == one.drawn["loop.rate"]
        assert one.score == about["validation"]["dice"]
        assert not (Path("runs") / one.run / "evaluation").exists()  # what judges the study was not looked at
    assert told.best is not None
    assert told.best.score == max(one.score or 0 for one in told.all)
    mine = [one for one in done.plan.entries if one.arm == "searched"]
    assert [one.settings.loop.seed for one in mine] == [0, 1]
    assert {one.settings.loop.rate for one in mine} == {told.best.drawn["loop.rate"]}
    assert {one.settings.padding for one in mine} == {"constant"}  # as where it begins

    page = report(file)
    words = html.unescape(page.page.read_text())
    assert f"Trial {told.best.number} was the best, with a Dice of {told.best.score:.3f} on validation" in words
    assert "Trained again on 2 fresh seeds" in words
    assert len((page.page.parent / "tables/trials.csv").read_text().splitlines()) == 1 + len(told.all)

    again = run(file, workers=1)
    assert again.fates == done.fates
    more = run(study(trials=5), workers=1)
    both = searched(more.plan, more.folder)
    assert both is not None
    assert both.all[:3] == told.all
    assert len(both.all) == 5


def test_before_it_has_ended_its_arm_is_waited_for(here: Path) -> None:
    file = study()
    before = planned(read(file), Path("runs/study-which"))
    assert before.waiting == "searched"
    assert {one.arm for one in before.entries} == {"plain", "padded"}
    assert [one.side for one in before.declared] == ["searched"]
    standing = status(file)
    assert standing.trials is not None
    assert standing.trials.all == ()


def test_what_passes_a_limit_is_ended_and_cannot_win(here: Path) -> None:
    done = run(study(limits={"parameters": 0.001}, trials=2), workers=1)
    told = searched(done.plan, done.folder)
    assert told is not None
    assert [one.state for one in told.all] == ["over", "over"]
    assert all(one.at == 0.5 and one.parameters > 1000 for one in told.all)  # after the first step of two
    assert told.won is None
    assert not done.whole
    assert done.plan.waiting == "searched"
    limits = Limits(parameters=10, memory=2)
    assert limits.over(9_000_000, 1_000_000_000) == 0
    assert limits.over(20_000_000, 3_000_000_000) == 1


def test_who_is_behind_at_a_tenth_is_given_up(here: Path) -> None:
    """A real training beside four whose curves were far above it."""
    told = Search(begin="plain", space=SPACE, trials=9, prune="median")
    folder = Path("runs/study-which")
    folder.mkdir(parents=True)
    storage = open_storage(folder, "search-x", told)
    for _ in range(4):
        good = storage.ask()
        for tenth in range(1, 10):
            good.report(0.99, tenth)
        storage.tell(good, 0.99)
    place = Place(
        number=4, driver="me", base=bunch({**FIXED, "loop": {"steps": 10, "epoch_steps": 1, "batch": 2}}),
        data=("datasets/north",), space=space(SPACE), search=told, pool=Path("runs"), select="dice",
    )  # fmt: skip
    from segue.experiment.train import train

    found = attempt(place, (storage, train))
    assert found is not None
    assert (found["state"], found["at"]) == ("pruned", 0.1)
    assert storage.trials[4].state == optuna.trial.TrialState.PRUNED
    assert storage.trials[4].intermediate_values.keys() == {1}
    left = Path("runs") / found["run"]
    assert (left / "metrics.jsonl").exists()
    assert not (left / "weights").exists()


def test_a_trial_that_fails_stays_and_the_search_goes_on(here: Path) -> None:
    said: list[str] = []
    wrong = {**SPACE, "loss": ["dice + ce", "dicee"]}
    done = run(study(space=wrong, by="random", trials=6), workers=1, say=said.append)
    told = searched(done.plan, done.folder)
    assert told is not None
    failed = [one for one in told.all if one.state == "failed"]
    assert failed
    assert len(failed) < 6
    assert all("dicee" in one.error for one in failed)
    assert sum("dicee" in line for line in said) == len(failed)
    assert told.best is not None
    assert told.best.sets["loss"] == "dice + ce"


def test_a_trial_that_was_begun_goes_on_when_the_machine_is_back(here: Path) -> None:
    file, folder = study(), Path("runs/study-which")
    found = planned(read(file), folder)
    assert found.begun is not None
    told = found.study.search
    assert told is not None
    folder.mkdir(parents=True)
    (folder / "driver").write_text("me")
    from segue.studies.searching.found import name_of

    storage = open_storage(folder, name_of(found.begun, told, found.study.data), told)
    lost = storage.ask()  # not even drawn
    begun = storage.ask()
    begun.set_user_attr(DRIVER, "me")
    begun.set_user_attr("place", 1)
    begun.suggest_float("loop.rate", 1e-4, 1e-2, log=True)
    rate = begun.params["loop.rate"]
    done = run(file, workers=1)
    whole = searched(done.plan, folder)
    assert whole is not None
    assert [one.state for one in whole.all] == ["failed", "done", "done"]
    assert whole.all[lost.number].error == "it was lost"
    assert whole.all[begun.number].drawn["loop.rate"] == rate


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"begin": "plane"}, "training has no value 'plane': did you mean plain"),
        ({"called": "padded"}, "has a value 'padded' already"),
        ({"space": {"loop.steps": [2, 3]}}, "loop.steps is fixed"),
        ({"space": {"loop.rate": {"from": 0.1, "to": 1}}}, "plain has loop.rate 0.001"),
        ({"storage": "mysql://me:secret@there/db"}, r"mysql://me@there/db: only postgresql"),
        ({"trial": 3}, "unknown key 'search.trial': did you mean search.trials"),
    ],
)
def test_what_cannot_be_meant_is_told(here: Path, given: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        run(study(**given), workers=1)
    assert not Path("runs").exists()


def test_a_search_needs_something_to_choose_by(here: Path) -> None:
    file = write(axes=AXES, search={"begin": "plain", "space": SPACE})
    with pytest.raises(BadInput, match="nothing is held back to choose by"):
        run(file, workers=1)


def test_a_database_that_is_not_there_is_told_in_a_sentence(here: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(Failed, match=f"postgresql://me@127.0.0.1:{port}/segue cannot be reached") as error:
        open_storage(
            here, "x", Search(begin="plain", space=SPACE, storage=f"postgresql://me:secret@127.0.0.1:{port}/segue")
        )
    assert "secret" not in error.value.message


@pytest.fixture
def database() -> Iterator[str]:
    """A server of its own, of whatever PostgreSQL is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [
        Path(one) for one in [shutil.which("initdb")] if one
    ]
    if not found:
        pytest.skip("PostgreSQL is not installed")
    bin_ = found[-1].parent
    with tempfile.TemporaryDirectory(prefix="segue-pg-") as temporary, socket.socket() as free:
        data, who = Path(temporary) / "data", dict[str, Any]()
        data.mkdir(mode=0o700)
        if os.geteuid() == 0:  # it refuses to
            for folder in (temporary, data):
                shutil.chown(folder, "postgres", "postgres")
            who = {"user": "postgres", "group": "postgres", "cwd": "/"}
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        call = partial(subprocess.run, check=True, capture_output=True, **who)
        call([bin_ / "initdb", "-D", data, "-U", "segue", "--auth=trust", "--no-sync"])
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={data} -c fsync=off"
        call([bin_ / "pg_ctl", "-D", data, "-w", "-o", options, "-l", data / "log", "start"])
        try:
            yield f"postgresql://segue@127.0.0.1:{port}/postgres"
        finally:
            call([bin_ / "pg_ctl", "-D", data, "-m", "immediate", "stop"])


def test_machines_share_a_search_by_postgresql(here: Path, database: str) -> None:
    """Two that have nothing else in common: each does its part, and both come to the same best."""
    file = study(storage=database, trials=4)
    found = planned(read(file), Path("runs/study-which"))
    assert found.begun is not None
    told = found.study.search
    assert told is not None
    from segue.studies.searching.found import name_of
    from segue.studies.searching.search import search

    name = name_of(found.begun, told, found.study.data)
    other = open_storage(Path("elsewhere"), name, told)
    other.enqueue_trial({"loop.rate": 0.002, "variation": "flips"})
    theirs = other.ask()  # the other machine is at it
    theirs.set_user_attr(DRIVER, "another")
    said: list[str] = []
    engine = LocalExecutor(workers=0, progress=False)
    own = partial(search, found.begun, told, found.study.data, engine=engine, say=said.append)
    Path("runs/study-which").mkdir(parents=True)
    mine = own(folder=Path("runs/study-which"), retry=False)
    assert not mine.ended
    assert any("3 of 4 trials have ended; the others are run elsewhere" in line for line in said)
    assert {one.number for one in mine.all} == {1, 2, 3}
    theirs.suggest_float("loop.rate", 1e-4, 1e-2, log=True)
    theirs.set_user_attr("told", json.dumps({"number": 0, "state": "done", "score": 2.0, "sets": {"loop.rate": 0.002}}))
    other.tell(theirs, 2.0)
    whole = own(folder=Path("runs/study-which"), retry=False)
    assert whole.ended
    assert whole.won == {("loop", "rate"): 0.002}
    assert trials(Path("runs/study-which"), name, 4).best == whole.best
    assert TrainSettings is type(found.begun.settings)
