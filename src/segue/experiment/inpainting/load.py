"""A trained painter, for a network that learns masks of the same kind."""

from __future__ import annotations

from pathlib import Path

from segue.data.target import Target
from segue.errors import BadInput
from segue.networks.painter import Painter, load
from segue.training.machine import channels_last
from segue.training.painting import Painting
from segue.training.run import INPAINTING, Run

WEIGHTS = "last.safetensors"


def painter_at(where: Path | str) -> Run:
    run = Run.open(where)
    if run.about.get("kind") != INPAINTING:
        raise BadInput(f"{run.folder}: is no painter", hint="segue inpaint fit --data DATASET makes one.")
    run.demand_finished()
    return run


def painting_of(where: Path | str, target: Target, channels: int, dtype: str) -> Painting:
    """`target`: of the masks that are to be edited, which must have what is painted; `channels`, `dtype`: of the images."""
    run = painter_at(where)
    if (run.about["channels"], run.about["dtype"]) != (channels, dtype):
        raise BadInput(
            f"{run.folder}: paints {run.about['dtype']} images of {run.about['channels']} channels, and these are {dtype} of "
            f"{channels}"
        )
    what = run.target.names[run.about["channel"]]
    if not target.exclusive:
        raise BadInput("painter: regions overlap, and an edit would not know in which of them it is")
    if what not in target.foreground:
        raise BadInput(f"{run.folder}: paints {what!r}, which is none of {', '.join(target.foreground)}")
    painter = Painter(channels, int(run.config["width"]))
    load(painter, run.weights / WEIGHTS)
    machine = run.config["machine"]
    if machine["layout"] == "channels-last":
        channels_last(painter)
    half = machine["precision"] == "bf16-mixed"
    return Painting(painter.eval(), int(run.config["side"]), target.names.index(what), half)
