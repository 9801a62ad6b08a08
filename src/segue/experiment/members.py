"""Runs that predict together: one alone, the folds of a folder, or any that were joined (`segue ensemble`)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from segue.errors import BadInput
from segue.files import read_json, write_json
from segue.training.run import ABOUT, INPAINTING, Run

FOLDS, MEMBERS = "fold-*", "members.json"


def members_of(where: Path | str) -> list[Run]:
    folder = Path(where)
    if (folder / ABOUT).exists():
        return [Run.open(folder)]
    if (folder / MEMBERS).exists():
        return [Run.open(os.path.normpath(folder / place)) for place in read_json(folder / MEMBERS)["members"]]
    folds = sorted(folder.glob(FOLDS))
    return [Run.open(fold) for fold in folds] or [Run.open(folder)]  # which says what it is not


def one_encoder(where: Path | str, asks: str) -> Run:
    """The run, if it has one encoder. `asks`: the words before a run in the command that would do."""
    runs = members_of(where)
    for run in runs:
        if run.about.get("kind") == INPAINTING:
            raise BadInput(
                f"{run.folder}: is a painter, which has no encoder", hint="A run of segue pretrain or train has."
            )
    networks = sum(run.networks for run in runs)
    if networks > 1:
        one = f"{asks} {runs[0].folder}" if len(runs) > 1 else "A run of one network (network.members=1) has one."
        raise BadInput(f"{where}: is {networks} networks, each with an encoder of its own", hint=one)
    return runs[0]


def ensemble(runs: Sequence[Path | str], out: Path | str) -> Path:
    """A folder that stands for all of them: of several folders all members are taken."""
    folder = Path(out)
    if folder.exists():
        raise BadInput(f"{folder}: is there already", hint="Give another --out.")
    several = [run for one in runs for run in members_of(one)]
    places = [run.folder.resolve() for run in several]
    if len(set(places)) < 2 or len(set(places)) < len(places):
        twice = next((place for place in places if places.count(place) > 1), None)
        told = f"{twice}: is given twice" if twice else "one run is no ensemble"
        raise BadInput(told, hint="segue ensemble RUN RUN RUN --out FOLDER")
    for run in several:
        run.demand_segmenter()
        run.demand_finished()
    demand_alike(several)
    folder.mkdir(parents=True)
    write_json(folder / MEMBERS, {"members": [os.path.relpath(place, folder.resolve()) for place in places]})
    return folder


def demand_alike(several: Sequence[Run]) -> None:
    first = several[0]
    for run in several[1:]:
        if run.about["target"] != first.about["target"] or run.about["frame"] != first.about["frame"]:
            raise BadInput(
                f"{run.folder}: has other classes or another canvas than {first.folder}; they cannot be joined"
            )
