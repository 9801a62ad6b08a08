"""`segue study run`: from the plan to runs, side by side; asked again, it goes on where it was.

First datasets get their stores, then what several runs begin from is trained, then the runs. What fails stays in the book with
its error, and all else goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from segue.data.alone import locked
from segue.data.dataset import Dataset
from segue.executors import Executor, Outcome, executor
from segue.experiment.opening import as_it_stands, demand_own_names, made
from segue.experiment.settings import EvaluateSettings
from segue.experiment.telling import Say, silent
from segue.studies.book import Book, Fate
from segue.studies.check import demand_known
from segue.studies.plan import Entry, Plan, plan
from segue.studies.searching.found import searched
from segue.studies.searching.search import demand_sound, search
from segue.studies.settling import Found, by_key, key_of, settle
from segue.studies.stamps import demand_same
from segue.studies.study import Study, read
from segue.studies.work import Item, begin, needs, work

LOCK = ".lock"
Todo = TypeVar("Todo", Entry, Item)


@dataclass(frozen=True)
class Ran:
    folder: Path
    plan: Plan
    fates: Mapping[str, Fate]  # by run

    @property
    def failed(self) -> dict[str, Fate]:
        return {name: fate for name, fate in self.fates.items() if fate.failed and name in self.plan.names}

    @property
    def whole(self) -> bool:
        """Whether every run is done: none has failed, nor what it would begin from, and a search has ended."""
        done = all(name in self.fates and not self.fates[name].failed for name in self.plan.names)
        return done and not self.plan.waiting


def run(
    file: Path | str,
    out: Path | str | None = None,
    *,
    on: str = "local",
    workers: int | None = None,
    retry: bool = False,
    progress: bool = False,
    say: Say = silent,
) -> Ran:
    """Bring every run of a study to its end.

    Args:
        file: the study.
        out: the study's folder; runs lie beside it, where other studies find them. By default runs/study-NAME.
        on: where: local, ray, slurm, and what they are told (docs/scale.md). Other machines must see this folder.
        workers: runs side by side, each with its share of the cores; by default as many as there is room for.
        retry: what has failed is tried again.
    """
    study, folder = read(Path(file)), folder_of(file, out)
    found = planned(study, folder)
    datasets = opened(found)
    with driving(folder), Book.open(folder) as book:
        demand_same(datasets, folder)
        for dataset in datasets[: len(found.data)]:  # once, before several want it at a time
            made(as_it_stands(dataset), say, progress)
        engine = executor(on, workers=workers, progress=progress)
        first = [Item(name, folder.parent / name, asked, asked) for name, asked in found.before.items()]
        _bring(engine, folder, _open(first, book, retry), book, "what runs begin from", say)

        def bring(found: Plan) -> None:
            todo = _open(_ready(found, book), book, retry)
            known = settle(by_key(todo), folder, engine, runs=len(todo))
            _bring(engine, folder, list(_runs(study, todo, known, folder.parent, book, say)), book, "runs", say)

        bring(found)
        if study.search is not None and found.begun is not None:
            told = search(found.begun, study.search, study.data, folder, engine, retry=retry, say=say)
            if told.ended and told.won is None:
                say("! search: no trial came to its end within the limits")
            found = planned(study, folder)
            bring(found)
        return Ran(folder, found, dict(book.fates))


def planned(study: Study, folder: Path) -> Plan:
    """With what its search came to."""
    found = plan(study, folder.parent)
    told = searched(found, folder)
    return found if told is None or told.won is None else plan(study, folder.parent, told.won)


def opened(found: Plan) -> list[Dataset]:
    """What is learnt from, then what else judges; what is misspelt in the study is told."""
    judging = [one for one in found.study.elsewhere if one not in found.data]
    datasets = [Dataset.open(one) for one in (*found.data, *judging)]
    demand_own_names(one.name for one in datasets)
    demand_known(found, datasets[0])
    if found.begun is not None and found.study.search is not None:
        demand_sound(found.begun, found.study.search)
    return datasets


def folder_of(file: Path | str, out: Path | str | None) -> Path:
    return Path(out) if out is not None else Path("runs") / f"study-{Path(file).stem}"


def _ready(found: Plan, book: Book) -> Iterator[Entry]:
    """Each once, whoever shares it; not what would begin from a run that has failed."""
    return (one for one in found.names.values() if not any(book.fates[each].failed for each in one.before))


def _open(several: Iterable[Todo], book: Book, retry: bool) -> list[Todo]:
    """What is still to be done."""
    return [one for one in several if one.name not in book.fates or (retry and book.fates[one.name].failed)]


def _runs(study: Study, todo: Iterable[Entry], known: Found, pool: Path, book: Book, say: Say) -> Iterator[Item]:
    judging = EvaluateSettings(part=study.part, spoil=study.spoil, vary=study.vary)
    for one in todo:
        error = known.errors.get(key_of(one.settings))
        if error is not None:
            _write(Outcome(one.name, None, error=error), book, say)
            continue
        asked = known.of(one.settings)
        yield Item(one.name, pool / one.name, asked, one.settings, study.data, study.elsewhere, judging)


def _bring(engine: Executor, folder: Path, items: Sequence[Item], book: Book, label: str, say: Say) -> None:
    """To their ends."""
    wanted = needs(item.asked for item in items)
    for outcome in engine.map(
        work, items, key=lambda item: item.name, setup=begin, label=label, needs=wanted, place=folder
    ):
        _write(outcome, book, say)


def _write(outcome: Outcome[Any], book: Book, say: Say) -> None:
    fate = book.write(outcome)
    if fate.failed:
        say(f"! {outcome.key}: {fate.error}")


@contextmanager
def driving(folder: Path) -> Iterator[None]:
    """One study, one driver."""
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / LOCK, what=folder, busy="another process runs this study"):
        yield
