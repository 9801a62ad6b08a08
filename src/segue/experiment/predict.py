"""`segue predict`: masks of files and folders, in each image's own geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segue.errors import BadInput
from segue.evaluation.predicting.decision import PLAIN, Decision
from segue.evaluation.predicting.folder import Written, predict_file, predict_folder, write_png
from segue.experiment.load import Model, load
from segue.training.machine import keep_memory

DISAGREEMENT = "-disagreement"  # in a picture's name, after the mask's


@dataclass(frozen=True)
class Predictions:
    out: Path
    written: tuple[Written, ...]

    @property
    def count(self) -> int:
        return sum(not one.error for one in self.written)

    def as_json(self) -> dict[str, Any]:
        return {
            "out": str(self.out),
            "images": [
                {
                    "image": str(one.path), "masks": [str(mask) for mask in one.masks], "shares": dict(one.shares),
                    "millilitres": dict(one.millilitres), "error": one.error,
                }
                for one in self.written
            ],
        }  # fmt: skip


def predict(
    run: Path | str,
    images: Sequence[Path | str] | Path | str,
    out: Path | str = "predictions",
    *,
    views: Sequence[str] = (),
    decision: Decision = PLAIN,
    modality: str = "",
    dicom: bool = False,
    disagree: bool = False,
    progress: bool = False,
) -> Predictions:
    """`disagree`: of several that predict together, a picture beside each mask of where they do not say the same."""
    keep_memory()
    model = load(run).views(*views)
    if disagree:
        _demand_drawable(model)
    written = predict_folder(
        model.predictor(),
        images,
        out,
        frame=model.frame,
        target=model.target,
        decision=decision,
        modality=modality,
        dicom=dicom,
        progress=progress,
    )
    done = tuple(written)
    if disagree:
        _disagreements(model, done)
    return Predictions(Path(out), done)


def _demand_drawable(model: Model) -> None:
    model.demand_several()
    if model.frame.volumes is not None:
        raise BadInput("--disagree draws pictures, and the network was trained on volumes")


def _disagreements(model: Model, done: Sequence[Written]) -> None:
    """White: half of the members are sure of one thing, half of the other. Of several classes the one that divides most."""
    members = model.apart()
    for one in done:
        if one.error:
            continue
        said = np.stack([predict_file(each, one.path, frame=model.frame, target=model.target) for each in members])
        apart = 2 * said.std(axis=0).max(axis=0)
        mask = one.masks[0]
        write_png(mask.with_name(f"{mask.stem}{DISAGREEMENT}.png"), (255 * apart.clip(0, 1)).round().astype(np.uint8))
