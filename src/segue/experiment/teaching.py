"""Teachers: finished runs whose mean probability another network learns to give (`segue train --method distil`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segue.data.target import Target
from segue.errors import BadInput
from segue.evaluation.predicting.frame import Frame
from segue.experiment.load import Model, together
from segue.experiment.members import members_of
from segue.experiment.settings import TrainSettings
from segue.training.run import Run
from segue.words import some

METHOD = "distil"
_SHOWN = ("channels", "dtype", "volumes", "size", "padding")  # of a frame: what an image is to who sees it


def teachers(settings: TrainSettings, target: Target) -> Model | None:
    """All of them as one, which says the mean; None, where nobody teaches."""
    if settings.method != METHOD:
        if settings.teachers:
            raise BadInput(f"teachers: {settings.method} learns from none", hint="--method distil does.")
        return None
    if not settings.teachers:
        raise BadInput("method distil: learns from what runs say, and none is named", hint="--teachers RUN,RUN,RUN")
    runs = [run for one in settings.teachers for run in members_of(one)]
    places = [run.folder.resolve() for run in runs]
    for run, place in zip(runs, places, strict=True):
        if places.count(place) > 1:
            raise BadInput(f"teachers: {run.folder} is given twice")
        run.demand_segmenter()
        run.demand_finished()
        if run.target != target:
            raise BadInput(
                f"teachers: {run.folder} finds {some(run.target.foreground)}, and what is to be learnt is "
                f"{some(target.foreground)}",
                hint="Teachers have the classes, or the regions, of the first dataset, in their order.",
            )
    return together(runs, Path(settings.teachers[0]))


def seen_by(frame: Frame) -> tuple[int, ...]:
    """The canvas, or the patch."""
    return frame.volumes.patch if frame.volumes and frame.volumes.patch else frame.size


def demand_shown(teachers: Model, frame: Frame) -> None:
    """They are shown the images of the network that learns, so that these must be what they know as images."""
    for what in _SHOWN:
        theirs, ours = getattr(teachers.frame, what), getattr(frame, what)
        if theirs != ours:
            size = "x".join(map(str, seen_by(teachers.frame)))
            hints = {"size": f"--size {size}", "volumes": f"Stores prepared as theirs were, and --size {size}."}
            raise BadInput(
                f"teachers: {teachers.folder} has learnt from images of another kind ({what}: {theirs} there, {ours} here)",
                hint=hints.get(what, "Teachers that were trained as this network is."),
            )


# What the run remembers of them


def about(teachers: Model | None) -> list[dict[str, Any]]:
    """Which they are, and that of which weights."""
    runs = teachers.runs if teachers is not None else ()
    return [{"run": str(run.folder), "stamps": [list(stamp) for stamp in run.stamps]} for run in runs]


def demand_same(run: Run, teachers: Model | None) -> None:
    if run.about.get("teachers", []) != about(teachers):
        raise BadInput(
            f"{run.folder}: its teachers are not those that it began with", hint="Give another --out to train anew."
        )
