"""`segue study run`: from the plan to runs, side by side; asked again, it goes on where it was.

First datasets get their stores, then what several runs begin from is trained, then the runs. What fails stays in the book with
its error, and all else goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from segue.data.alone import locked
from segue.data.dataset import Dataset
from segue.executors import Executor, executor
from segue.experiment.opening import as_it_stands, demand_own_names, made
from segue.experiment.settings import EvaluateSettings
from segue.experiment.telling import Say, silent
from segue.studies.book import Book, Fate
from segue.studies.check import demand_known
from segue.studies.plan import Plan, plan
from segue.studies.study import Study, read
from segue.studies.work import Item, begin, needs, work

LOCK = ".lock"


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
        """Whether every run is done: none has failed, nor what it would begin from."""
        return all(name in self.fates and not self.fates[name].failed for name in self.plan.names)


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
    found = plan(study, folder.parent)
    learnt, judging = found.data, [one for one in study.elsewhere if one not in found.data]
    datasets = [Dataset.open(one) for one in (*learnt, *judging)]
    demand_own_names(one.name for one in datasets)
    demand_known(found, datasets[0])
    with _driving(folder), Book.open(folder) as book:
        for dataset in datasets[: len(learnt)]:  # once, before several want it at a time
            made(as_it_stands(dataset), say, progress)
        engine = executor(on, workers=workers, progress=progress)
        first = [Item(name, folder.parent / name, asked) for name, asked in found.before.items()]
        _bring(engine, folder, first, book, "what runs begin from", retry, say)
        _bring(engine, folder, _runs(study, found, folder.parent, book), book, "runs", retry, say)
        return Ran(folder, found, dict(book.fates))


def folder_of(file: Path | str, out: Path | str | None) -> Path:
    return Path(out) if out is not None else Path("runs") / f"study-{Path(file).stem}"


def _runs(study: Study, found: Plan, pool: Path, book: Book) -> Iterator[Item]:
    """Each once, whoever shares it; not what would begin from a run that has failed."""
    judging = EvaluateSettings(part=study.part, spoil=study.spoil, vary=study.vary)
    for name, one in found.names.items():
        if not any(book.fates[each].failed for each in one.before):
            yield Item(name, pool / name, one.settings, (*study.data, *study.elsewhere), judging)


def _bring(
    engine: Executor, folder: Path, items: Iterable[Item], book: Book, label: str, retry: bool, say: Say
) -> None:
    """To their ends."""
    todo = [one for one in items if one.name not in book.fates or (retry and book.fates[one.name].failed)]
    outcomes = engine.map(
        work, todo, key=lambda item: item.name, setup=begin, label=label, needs=needs(todo), place=folder
    )
    for outcome in outcomes:
        fate = book.write(outcome)
        if fate.failed:
            say(f"! {outcome.key}: {fate.error}")


@contextmanager
def _driving(folder: Path) -> Iterator[None]:
    """One study, one driver."""
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / LOCK, what=folder, busy="another process runs this study"):
        yield
