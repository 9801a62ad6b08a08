"""One trial, by whoever does it: asked of the search's storage, trained, told. Whoever is behind is given up."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segue.errors import SegueError, in_words
from segue.evaluation.statistics import addressed
from segue.studies.bunch import Bunch, dotted, laid
from segue.studies.plan import named, training
from segue.studies.searching.found import Trial
from segue.studies.searching.settings import Search
from segue.studies.searching.space import Space
from segue.studies.work import from_here, peak
from segue.training.run import Run

if TYPE_CHECKING:
    from optuna import Study as Storage
    from optuna.trial import Trial as Asked

TENTHS = 10  # of the steps: as often it is looked whether to go on
DRIVER, PLACE, TOLD = "driver", "place", "told"  # what a trial is remembered by


class GivenUp(Exception):
    def __init__(self, state: str, at: float, why: str) -> None:
        super().__init__(why)
        self.state, self.at = state, at


@dataclass(frozen=True)
class Place:
    """Of a trial among those that a driver does."""

    number: int
    driver: str
    base: Bunch  # what is not searched for
    data: tuple[str, ...]
    space: Space
    search: Search
    pool: Path
    select: str

    @property
    def key(self) -> str:
        return f"{self.number}"


def begin(open_storage: Callable[[], Storage]) -> tuple[Storage, Callable[..., Any]]:
    from segue.experiment.train import train

    return open_storage(), train


def attempt(place: Place, given: tuple[Storage, Callable[..., Any]]) -> dict[str, Any] | None:
    """What became of it; None: as many as were wanted are there or on their way, by whatever machine."""
    import optuna

    storage, train = given
    asked = _again(storage, place) or _ask(storage, place)
    if asked.number >= place.search.trials:
        storage.tell(asked, state=optuna.trial.TrialState.FAIL)
        return None
    began = time.monotonic()
    drawn, sets = place.space.draw(asked)
    told = partial(Trial, asked.number, drawn=drawn, sets={dotted(key): value for key, value in sets.items()})
    try:
        found = _trained(place, asked, sets, train, told)
    except SegueError as error:
        found = told(state="failed", error=error.message)
    except Exception as error:
        found = told(state="failed", error=in_words(error))
    found = replace(found, seconds=round(time.monotonic() - began, 1))
    states = optuna.trial.TrialState
    state = {"done": states.COMPLETE, "failed": states.FAIL}.get(found.state, states.PRUNED)
    if found.state != "failed":
        asked.set_constraint("limits", place.search.limits.over(found.parameters, found.peak))
    asked.set_user_attr(TOLD, json.dumps(found.as_json()))
    storage.tell(asked, found.score if state == states.COMPLETE else None, state=state)
    return found.as_json()


def _trained(
    place: Place, asked: Asked, sets: Bunch, train: Callable[..., Any], told: Callable[..., Trial]
) -> Trial:  # fmt: skip
    settings = laid([("what is not searched for", place.base), ("the search", sets)])
    wanted = training(place.data, settings, f"trial {asked.number}")
    folder = place.pool / named("run", wanted)
    from_here()
    watching = Watching(asked, folder, place.search, place.select)
    try:
        run = train(out=folder, settings=wanted, watch=[watching]).run
    except GivenUp as left:
        shutil.rmtree(folder / "weights", ignore_errors=True)  # nobody goes on with it; its curve stays
        about = Run.open(folder).about
        return told(
            state=left.state, run=folder.name, at=left.at, parameters=about["parameters"], peak=peak(), error=f"{left}"
        )
    score = run.about["validation"].get(place.select)
    if score is None:
        return told(state="failed", run=folder.name, error="nothing was held back for validation, to choose by")
    over = place.search.limits.over(run.about["parameters"], peak())
    return told(
        state="over" if over else "done", run=folder.name, score=score, parameters=run.about["parameters"], peak=peak()
    )


class Watching:
    """Told of each step and epoch: what passes a limit, or is behind others at its tenth, is ended."""

    def __init__(self, asked: Asked, folder: Path, search: Search, select: str) -> None:
        self.asked, self.folder, self.search, self.select = asked, folder, search, select
        self._tenth = 0
        self._steps = 0
        self._parameters: int | None = None

    def step(self, step: int, steps: int, loss: float) -> None:
        self._steps = steps
        if self._parameters is None:
            self._parameters = int(Run.open(self.folder).about["parameters"])
        if self.search.limits.over(self._parameters, peak()):
            raise GivenUp("over", step / steps, "more than the search's limits allow")

    def epoch(self, line: Mapping[str, Any]) -> None:
        share = line["step"] / self._steps
        tenth = int(TENTHS * share)
        if "validation" not in line or tenth <= self._tenth or share >= 1:
            return
        self._tenth = tenth
        self.asked.report(line["validation"][self.select], tenth)
        if self.search.prune != "none" and self.asked.should_prune():
            raise GivenUp("pruned", share, f"behind the others at {tenth} tenths")

    def close(self) -> None:
        """Nothing is open."""


# The storage


def _again(storage: Storage, place: Place) -> Asked | None:
    """The trial that was begun here when the machine went down; its run goes on where it was."""
    import optuna

    running = (optuna.trial.TrialState.RUNNING,)
    for one in storage.get_trials(deepcopy=False, states=running):
        if (one.user_attrs.get(DRIVER), one.user_attrs.get(PLACE)) == (place.driver, place.number):
            return optuna.trial.Trial(storage, one._trial_id)
    return None


def _ask(storage: Storage, place: Place) -> Asked:
    import optuna

    seed = int(addressed(place.number, "search").integers(1 << 31))  # of one worker, the same search again
    storage.sampler = (
        optuna.samplers.RandomSampler(seed=seed) if place.search.by == "random"
        else optuna.samplers.TPESampler(n_startup_trials=min(10, place.search.trials // 3), seed=seed)
    )  # fmt: skip
    asked = storage.ask()
    asked.set_user_attr(DRIVER, place.driver)
    asked.set_user_attr(PLACE, place.number)
    return asked


def pruner(search: Search) -> Any:
    import optuna

    return {
        "none": optuna.pruners.NopPruner, "asha": partial(optuna.pruners.SuccessiveHalvingPruner, 1, 2),
        "median": partial(optuna.pruners.MedianPruner, 4),
    }[search.prune]()  # fmt: skip
