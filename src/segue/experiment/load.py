"""`segue.load(run)`: a trained network with all that it needs to be used, as a plain torch module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from segue import networks
from segue.data.target import Target
from segue.errors import BadInput
from segue.evaluation.predicting.frame import Frame
from segue.experiment.predictor import Predictor
from segue.losses import probabilities
from segue.networks.lean import lean
from segue.training.machine import best_device, channels_last
from segue.training.run import Run

FOLDS = "fold-*"


class Model(nn.Module):
    """Images (n, channels, height, width) of 0 to 1 in, probabilities (n, classes, height, width) out.

    `frame` says how an image is brought to the canvas and back; `segue predict` does it for files. Several networks, such
    as those of folds, give the mean of their probabilities.
    """

    def __init__(
        self, members: Sequence[networks.SegmentationNetwork], target: Target, frame: Frame, runs: Sequence[Run]
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.target, self.frame, self.runs = target, frame, tuple(runs)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([probabilities(member(x).logits, self.target) for member in self.members]).mean(0)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def folder(self) -> Path:
        """Of the run, or of all its folds."""
        run = self.runs[0]
        return run.folder if len(self.runs) == 1 else run.folder.parent

    def predictor(self, device: str | None = None) -> Predictor:
        """Arrays in, arrays out: what prediction and judgement work with."""
        chosen = torch.device(device or best_device())
        settings = self.runs[0].config["machine"]
        layout = settings["layout"] if chosen.type == "cpu" else "channels-last"
        self.to(chosen).eval()
        if layout == "channels-last":
            channels_last(self)
        same = chosen.type == settings["device"]
        precision = settings["precision"] if same else "32-true"
        slim = [lean(member, half=precision == "bf16-mixed") for member in self._each()]
        return Predictor(Model(slim, self.target, self.frame, self.runs), self.target, chosen, precision)

    def views(self, *names: str) -> Model:
        """The same, averaging over test-time variations: "flips", "rot90"."""
        return Model(self._each(), self.target, replace(self.frame, views=names), self.runs)

    def _each(self) -> list[networks.SegmentationNetwork]:
        return [cast(networks.SegmentationNetwork, member) for member in self.members]


def load(where: Path | str, weights: str = "best") -> Model:
    """A run, or a folder of several that predict together (`segue train --folds`)."""
    folder = Path(where)
    folds = sorted(folder.glob(FOLDS))
    runs = [Run.open(fold) for fold in folds] if folds and not (folder / "run.json").exists() else [Run.open(folder)]
    for run in runs:
        run.demand_segmenter()
    members = [_network(run, weights) for run in runs]
    first = runs[0]
    for run in runs[1:]:
        if run.about["target"] != first.about["target"] or run.about["frame"] != first.about["frame"]:
            raise BadInput(
                f"{run.folder}: has other classes or another canvas than {first.folder}; they cannot be joined"
            )
    frame = Frame.from_json(first.about["frame"], where=str(first.folder / "run.json"))
    return Model(members, first.target, frame, runs)


def _network(run: Run, weights: str) -> networks.SegmentationNetwork:
    path = run.weights / f"{weights}.safetensors"
    if not path.exists() and weights == "best":
        path = run.weights / "last.safetensors"  # nothing was judged
    if not path.exists():
        raise BadInput(f"{run.folder}: has no weights yet", hint="The command that began it goes on with it.")
    return networks.restore(path).eval()
