"""What a run is adapted with where its source stays closed: the other hospital's images, and what the run's folder knows."""

from __future__ import annotations

from collections.abc import Callable

from segue.data.dataset import Dataset
from segue.data.target import Target
from segue.errors import BadInput
from segue.evaluation.predicting.frame import Frame
from segue.experiment.material import Beside, Material, gather
from segue.experiment.opening import images_of, made, prepared_by
from segue.experiment.settings import TrainSettings
from segue.experiment.telling import Say, silent
from segue.training.run import Run
from segue.words import count

METHOD = "site"
_APART = ("test", "validation", "unused")  # parts of the run's cases that it has not looked at


def opened(
    settings: TrainSettings, *, check: Callable[[Target], None] = lambda target: None, say: Say = silent,
    progress: bool = False,
) -> Material:  # fmt: skip
    """For any method: its sources, or where they stay closed the other hospital alone. `check` before anything is done."""
    if settings.method != METHOD:
        return gather(settings, check=check, say=say, progress=progress)
    return of_site(settings, check, say, progress)


def of_site(
    settings: TrainSettings, check: Callable[[Target], None] = lambda target: None, say: Say = silent,
    progress: bool = False,
) -> Material:  # fmt: skip
    run = Run.behind(settings.init)
    if run is None:
        raise BadInput("method site: begins from a run", hint="segue adapt RUN --to DATASET --source-free")
    check(run.target)
    frame = Frame.from_json(run.about["frame"], where=str(run.folder / "run.json"))
    volumes = frame.volumes
    beside = []
    for folder in settings.unlabelled:
        dataset = Dataset.open(folder)
        of = run.about["data"][0]["name"]
        plan = prepared_by(dataset, volumes.recipe if volumes else None, dataset.card.channels, of)
        beside.append(_without_judges(Beside(dataset, made(plan, say, progress), images_of(dataset)), run, say))
    patches = volumes is not None and volumes.patch is not None
    return Material((), tuple(beside), run.target, dict(settings.same), settings.neighbours, patches, before=run)


def _without_judges(site: Beside, run: Run, say: Say) -> Beside:
    """Less what the run may later be judged by at home: the same files by their pixels, since copies cannot be looked for."""
    judges = {row["digest"] for row in run.cases() if row["part"] in _APART and row["digest"]}
    left = tuple(case for case in site.images if case.digest not in judges)
    if len(left) < len(site.images):
        say(f"! {site.dataset.name}: {count(len(site.images) - len(left), 'image')} left out: set apart at home")
    if not left:
        raise BadInput(f"{site.dataset.folder}: all of its images are set apart at home, to judge by")
    return Beside(site.dataset, site.store, left)
