"""A search from its first trial to its last: every worker asks the storage what to try next, on one machine or on several."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segue.errors import BadInput, Failed
from segue.executors import Executor
from segue.experiment.settings import TrainSettings
from segue.experiment.telling import Say
from segue.studies.bunch import Bunch, bunch
from segue.studies.plan import Begun
from segue.studies.searching import found as kept
from segue.studies.searching.found import Trial, Trials
from segue.studies.searching.settings import Search
from segue.studies.searching.space import space
from segue.studies.searching.trial import DRIVER, PLACE, TOLD, Place, attempt, begin, pruner
from segue.studies.settling import key_of, settle
from segue.studies.work import needs

if TYPE_CHECKING:
    from optuna import Study as Storage

_DRIVER = "driver"  # a file in the study's folder: who this is among several machines
_JOURNAL = "search.journal"
_POSTGRESQL, _DRIVEN = "postgresql://", "postgresql+pg8000://"  # by a driver that is there wherever Python is


def search(
    start: Begun, told: Search, data: tuple[str, ...], folder: Path, engine: Executor, *, retry: bool, say: Say
) -> Trials:  # fmt: skip
    """To its end, or to where other machines are still at it. `start`: what it begins from."""
    name, wanted = kept.name_of(start, told, data), told.trials
    there = kept.trials(folder, name, wanted)
    if there.ended:
        return there
    known = settle({key_of(start.settings): start.settings}, folder, engine, runs=wanted)
    for error in known.errors.values():
        raise Failed(f"search: {told.begin}, where it begins: {error}")
    where = space(told.space)
    base = _on(where.without(start.given), known.of(start.settings))
    opened = partial(open_storage, folder, name, told)
    storage, driver = opened(), _driver(folder)
    _tidy(storage, driver, told, retry)
    storage.enqueue_trial(where.start(start.settings, told.begin), skip_if_exists=True)
    places = [
        Place(number, driver, base, data, where, told, folder.parent, start.settings.select) for number in range(wanted)
    ]
    with_storage = partial(begin, opened)
    for outcome in engine.map(
        attempt, places, key=lambda place: place.key, setup=with_storage, label="trials",
        needs=needs([known.of(start.settings)]), ledger=kept.ledger(folder, name),
    ):  # fmt: skip
        if outcome.error is not None:
            say(f"! trial {outcome.key}: {outcome.error}")
            _lost(storage, driver, int(outcome.key), outcome.error)
        elif outcome.value and outcome.value["error"] and outcome.value["state"] == "failed":
            say(f"! trial {outcome.value['number']}: {outcome.value['error']}")
    return _collected(storage, folder, name, told, say)


def demand_sound(start: Begun, told: Search) -> None:
    """What is wrong with a search is told before anything runs."""
    space(told.space).start(start.settings, told.begin)
    if told.storage and not told.storage.startswith(_POSTGRESQL):
        raise BadInput(f"search: storage: {_public(told.storage)}: only {_POSTGRESQL}... is known")
    settings = start.settings
    if settings.validation == "none" or (settings.validation == "auto" and settings.labels != "all"):
        raise BadInput(  # never by what judges the study
            f"search: of labels {settings.labels} nothing is held back to choose by",
            hint="validation: budget holds as many patients back, all every one of the split's.",
        )


def _on(base: Mapping[tuple[str, ...], Any], settled: TrainSettings) -> Bunch:
    """All trials on the same threads and in the same precision."""
    machine = bunch({"machine": settled.machine.model_dump(mode="json")})
    return {**{key: value for key, value in base.items() if key[0] != "machine"}, **machine}


# The storage


def open_storage(folder: Path, name: str, told: Search) -> Storage:
    try:
        import optuna
        from optuna.storages import BaseStorage, JournalStorage, RDBStorage
        from optuna.storages.journal import JournalFileBackend
        from sqlalchemy.pool import NullPool  # a word an epoch needs no line that stays open
    except ImportError:
        raise BadInput("optuna is not installed, and a search needs it", hint="pip install 'segue[studies]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        storage: BaseStorage = (
            RDBStorage(_DRIVEN + told.storage.removeprefix(_POSTGRESQL), engine_kwargs={"poolclass": NullPool}) if told.storage
            else JournalStorage(JournalFileBackend(str(folder / _JOURNAL)))
        )  # fmt: skip
        return optuna.create_study(
            storage=storage, study_name=name, direction="maximize", pruner=pruner(told), load_if_exists=True
        )
    except Exception as error:
        if told.storage:
            raise Failed(f"search.storage: {_public(told.storage)} cannot be reached ({_first_line(error)})") from None
        raise


def _public(storage: str) -> str:
    """Without a password."""
    scheme, _, rest = storage.partition("://")
    who, at, where = rest.rpartition("@")
    return f"{scheme}://{who.partition(':')[0]}{at}{where}"


def _first_line(error: Exception) -> str:
    return f"{error}".strip().partition("\n")[0]


def _driver(folder: Path) -> str:
    path = folder / _DRIVER
    if not path.exists():
        path.write_text(uuid.uuid4().hex, encoding="ascii")
    return path.read_text(encoding="ascii")


def _tidy(storage: Storage, driver: str, told: Search, retry: bool) -> None:
    """Trials that nobody will end: begun here and not even drawn when the machine went down; or, when that is said, all of
    other machines that are open."""
    for one in _running(storage):
        owner = one.user_attrs.get(DRIVER)
        if (owner is None and not told.storage) or (retry and owner != driver):
            _fail(storage, one.number)


def _lost(storage: Storage, driver: str, place: int, error: str) -> None:
    for one in _running(storage):
        if (one.user_attrs.get(DRIVER), one.user_attrs.get(PLACE)) == (driver, place):
            told = Trial(one.number, "failed", error=error)
            storage._storage.set_trial_user_attr(one._trial_id, TOLD, json.dumps(told.as_json()))
            _fail(storage, one.number)


def _fail(storage: Storage, number: int) -> None:
    import optuna

    storage.tell(number, state=optuna.trial.TrialState.FAIL)


def _running(storage: Storage) -> list[Any]:
    import optuna

    return list(storage.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)))


def _collected(storage: Storage, folder: Path, name: str, told: Search, say: Say) -> Trials:
    """Those of all machines."""
    every = [one for one in storage.get_trials(deepcopy=False) if one.number < told.trials]
    ended = [one for one in every if one.state.is_finished()]
    found = [
        Trial(**json.loads(one.user_attrs[TOLD])) if TOLD in one.user_attrs
        else Trial(one.number, "failed", error="it was lost")
        for one in ended
    ]  # fmt: skip
    if len(ended) < told.trials:
        say(
            f"! search: {len(ended)} of {told.trials} trials have ended; the others are run elsewhere, or were lost there"
        )
        return Trials(tuple(found), False)
    kept.write(folder, name, found)
    return kept.trials(folder, name, told.trials)
