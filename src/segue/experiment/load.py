"""`segue.load(run)`: a trained network with all that it needs to be used, as a plain torch module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from segue import networks
from segue.data.target import Target
from segue.errors import BadInput
from segue.evaluation.predicting.frame import Frame
from segue.experiment.members import demand_alike, members_of
from segue.experiment.predictor import Predictor
from segue.losses import probabilities
from segue.networks.lean import lean
from segue.training.machine import best_device, channels_last
from segue.training.run import Run


class Model(nn.Module):
    """Images (n, channels, height, width) of 0 to 1 in, probabilities (n, classes, height, width) out.

    `frame` says how an image is brought to the canvas and back; `segue predict` does it for files. Several networks, such
    as those of folds, give the mean of their probabilities.
    """

    def __init__(
        self, members: Sequence[networks.SegmentationNetwork], target: Target, frame: Frame, runs: Sequence[Run],
        folder: Path,
    ) -> None:  # fmt: skip
        """`folder`: of the run, or the one that stands for all of them."""
        super().__init__()
        self.members = nn.ModuleList(members)
        self.target, self.frame, self.runs, self.folder = target, frame, tuple(runs), folder

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([probabilities(member(x).logits, self.target) for member in self.members]).mean(0)

    @property
    def name(self) -> str:
        return self.folder.name

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
        return Predictor(self._of(slim), self.target, chosen, precision)

    def learnt_from(self, name: str) -> Mapping[str, str] | None:
        """The dataset of this name, as the first of its runs that has learnt from it tells of it."""
        return next((place for run in self.runs for place in run.about["data"] if place["name"] == name), None)

    def demand_several(self) -> None:
        if len(self.members) < 2:
            raise BadInput(
                f"{self.folder}: is one network, which agrees with itself", hint="segue ensemble RUN RUN RUN"
            )

    def apart(self) -> list[Predictor]:
        """Each member by itself."""
        return [self._of([member]).predictor() for member in self._each()]

    def views(self, *names: str) -> Model:
        """The same, averaging over test-time variations: "flips", "rot90"."""
        return Model(self._each(), self.target, replace(self.frame, views=names), self.runs, self.folder)

    def _of(self, members: Sequence[networks.SegmentationNetwork]) -> Model:
        return Model(members, self.target, self.frame, self.runs, self.folder)

    def _each(self) -> list[networks.SegmentationNetwork]:
        return [cast(networks.SegmentationNetwork, member) for member in self.members]


def load(where: Path | str, weights: str = "best") -> Model:
    """A run, or a folder of several that predict together (`segue train --folds`, `segue ensemble`)."""
    return together(members_of(where), Path(where), weights)


def together(runs: Sequence[Run], folder: Path, weights: str = "best") -> Model:
    """`folder`: that stands for all of them."""
    for run in runs:
        run.demand_segmenter()
    members = [member for run in runs for member in networks.apart(_network(run, weights))]
    demand_alike(runs)
    first = runs[0]
    frame = Frame.from_json(first.about["frame"], where=str(first.folder / "run.json"))
    return Model(members, first.target, frame, runs, folder)


def _network(run: Run, weights: str) -> networks.SegmentationNetwork:
    path = run.weights / f"{weights}.safetensors"
    if not path.exists() and weights == "best":
        path = run.weights / "last.safetensors"  # nothing was judged
    if not path.exists():
        raise BadInput(f"{run.folder}: has no weights yet", hint="The command that began it goes on with it.")
    return networks.restore(path).eval()
