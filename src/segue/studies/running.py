"""`segue study run`: from the plan to runs, side by side; asked again, it goes on where it was.

First datasets get their stores, then what several runs begin from is trained, then the runs. What fails stays in the book with
its error, and all else goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from segue.data.alone import locked
from segue.data.dataset import Dataset
from segue.data.splitting.split import Split
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
        demand_same(datasets, found.splits, folder)
        for dataset in datasets[: len(found.data)]:  # once, before several want it at a time
            made(as_it_stands(dataset), say, progress)
        drive = Drive(study, folder, executor(on, workers=workers, progress=progress), book, retry, say)
        drive.before(found)
        drive.runs(found)
        if study.search is not None and found.begun is not None:
            told = search(found.begun, study.search, study.data, folder, drive.engine, retry=retry, say=say)
            if told.ended and told.won is None:
                say("! search: no trial came to its end within the limits")
            found = planned(study, folder)
            drive.runs(found)
        return Ran(folder, found, dict(book.fates))


@dataclass(frozen=True)
class Drive:
    """What becomes of a study's runs, by whoever does them, goes into its book."""

    study: Study
    folder: Path
    engine: Executor
    book: Book
    retry: bool
    say: Say

    def before(self, found: Plan) -> None:
        """What several runs begin from."""
        items = [Item(name, self.folder.parent / name, asked, asked) for name, asked in found.before.items()]
        self._bring(self._open(items), "what runs begin from")

    def runs(self, found: Plan) -> None:
        """Each once, whoever shares it; not what would begin from a run that has failed."""
        fates = self.book.fates
        ready = [one for one in found.names.values() if not any(fates[each].failed for each in one.before)]
        todo = self._open(ready)
        known = settle(by_key(todo), self.folder, self.engine, runs=len(todo))
        self._bring(list(self._items(todo, known)), "runs", known.memory(one.settings for one in todo))

    def _open(self, several: Iterable[Todo]) -> list[Todo]:
        """What is still to be done."""
        fates = self.book.fates
        return [one for one in several if one.name not in fates or (self.retry and fates[one.name].failed)]

    def _items(self, todo: Iterable[Entry], known: Found) -> Iterator[Item]:
        study, pool = self.study, self.folder.parent
        judging = EvaluateSettings(part=study.part, spoil=study.spoil, vary=study.vary)
        for one in todo:
            error = known.errors.get(key_of(one.settings))
            if error is not None:
                self._write(Outcome(one.name, None, error=error))
                continue
            asked = known.of(one.settings)
            yield Item(one.name, pool / one.name, asked, one.settings, study.data, study.elsewhere, judging)

    def _bring(self, items: Sequence[Item], label: str, memory: int = 0) -> None:
        """To their ends; as many side by side as there is memory for, where that is known."""
        wanted = replace(needs(item.asked for item in items), memory=memory)
        for outcome in self.engine.map(
            work, items, key=lambda item: item.name, setup=begin, label=label, needs=wanted, place=self.folder
        ):
            self._write(outcome)

    def _write(self, outcome: Outcome[Any]) -> None:
        fate = self.book.write(outcome)
        if fate.failed:
            self.say(f"! {outcome.key}: {fate.error}")


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
    for dataset in datasets[: len(found.study.data)]:
        for name in found.splits:
            Split.open(dataset, name)
    if found.begun is not None and found.study.search is not None:
        demand_sound(found.begun, found.study.search)
    return datasets


def folder_of(file: Path | str, out: Path | str | None) -> Path:
    return Path(out) if out is not None else Path("runs") / f"study-{Path(file).stem}"


@contextmanager
def driving(folder: Path) -> Iterator[None]:
    """One study, one driver."""
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / LOCK, what=folder, busy="another process runs this study"):
        yield
