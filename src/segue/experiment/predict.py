"""`segue predict`: masks of files and folders, in each image's own geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segue.evaluation.predicting.decision import PLAIN, Decision
from segue.evaluation.predicting.folder import Written, predict_folder
from segue.experiment.load import load
from segue.training.machine import keep_memory


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
    progress: bool = False,
) -> Predictions:
    keep_memory()
    model = load(run).views(*views)
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
    return Predictions(Path(out), tuple(written))
