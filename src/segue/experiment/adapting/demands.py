"""What an adaptation cannot work with, told before anything is prepared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from segue.data.dataset import CARD, Dataset
from segue.data.splitting.split import Split
from segue.errors import BadInput
from segue.evaluation.predicting.frame import Frame
from segue.experiment.members import members_of
from segue.experiment.opening import demand_own_names, images_of
from segue.experiment.seen import MASKS
from segue.experiment.settings import TrainSettings
from segue.training.run import Run
from segue.words import count

_FEWEST = 2  # images; of one alone there are no statistics


def demand_run(where: str) -> Run:
    """One network, finished, that segments."""
    runs = members_of(where)
    if len(runs) > 1:
        raise BadInput(
            f"{where}: is {len(runs)} networks that predict together, and one is adapted at a time",
            hint=f"segue adapt {runs[0].folder} --to DATASET, and segue ensemble for those that come out.",
        )
    (run,) = runs
    if run.networks > 1:
        raise BadInput(
            f"{run.folder}: is several networks side by side, and one is adapted at a time",
            hint="Train them as runs of their own, and segue ensemble for those that come out.",
        )
    run.demand_segmenter()
    run.demand_finished()
    return run


def demand_site(run: Run, folders: Sequence[str]) -> list[Dataset]:
    """Images of the kind that the run sees, which it has not learnt from with their masks."""
    if not folders:
        raise BadInput("there is nothing to adapt to", hint="segue adapt RUN --to DATASET")
    datasets = [Dataset.open(folder) for folder in folders]
    demand_own_names(dataset.name for dataset in datasets)
    frame = Frame.from_json(run.about["frame"], where=str(run.folder / "run.json"))
    for dataset in datasets:
        if not dataset.cases:
            raise BadInput(f"{dataset.folder}: has no images")
        _demand_seen_alike(run, frame, dataset)
        _demand_new(run, dataset)
        if (there := len(images_of(dataset))) < _FEWEST:
            raise BadInput(
                f"{dataset.folder}: has {count(there, 'image')} that may be looked at, and {_FEWEST} are the least",
                hint="Where it is split, only what is for training is looked at; the rest judges.",
            )
    return datasets


def _demand_seen_alike(run: Run, frame: Frame, dataset: Dataset) -> None:
    volumes = bool(dataset.cases[0].volume)
    if volumes != (frame.volumes is not None):
        kinds = ("volumes", "pictures") if volumes else ("pictures", "volumes")
        raise BadInput(f"{dataset.folder}: holds {kinds[0]}, and {run.folder} has learnt to see {kinds[1]}")
    slices = 1 + 2 * frame.volumes.neighbours if frame.volumes is not None else 1
    have, want = (len(dataset.card.channels), dataset.card.dtype), (frame.channels // slices, frame.dtype)
    if have != want:
        one, other = (f"{count(channels, 'channel')} of {dtype}" for channels, dtype in (have, want))
        raise BadInput(
            f"{dataset.folder}: its images have {one}, and {run.folder} has learnt to see {other}",
            hint="segue data scan reads grey images as colours with --channels, where that is what they are.",
        )


def _demand_new(run: Run, dataset: Dataset) -> None:
    home = [place["name"] for place in run.about["data"]]
    learnt = {row["digest"] for row in run.seen() if row["what"] == MASKS and row["digest"]}
    if dataset.name in home or all(case.digest in learnt for case in dataset.cases):
        raise BadInput(
            f"{dataset.folder}: is what {run.folder} has learnt from, with its masks; there is no other hospital in it",
            hint=f"Its images without masks are followed by: segue train --method semi --init {run.folder}",
        )


def demand_source(run: Run, settings: TrainSettings) -> None:
    """It is where it was, with the split by which the run's test cases are known."""
    for folder, place in zip(settings.data, run.about["data"], strict=True):
        if not (Path(folder) / CARD).is_file():
            raise BadInput(
                f"{folder}: what {run.folder} has learnt from is not there any more",
                hint="--source-free goes on without it.",
            )
        found = Split.open(Dataset.open(folder), settings.split).hash
        if found != place["hash"]:
            raise BadInput(
                f"{folder}: its split {settings.split!r} is not the one that {run.folder} was trained with "
                f"({found}, not {place['hash']})",
                hint="Its test cases may be learnt from. --source-free does not look at them.",
            )
