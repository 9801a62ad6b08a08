"""What is found on the validation cases of a run and kept with it: threshold and clean-up, and temperatures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from segue.data.dataset import Dataset
from segue.data.splitting.split import Split
from segue.data.stores.store import Store
from segue.errors import BadInput
from segue.evaluation.judging.calibrate import Calibration, calibrate
from segue.evaluation.judging.choose import choose
from segue.evaluation.judging.subject import Subject, subjects
from segue.evaluation.predicting.decision import Decision
from segue.experiment.load import Model
from segue.experiment.predictor import Predictor
from segue.experiment.settings import EvaluateSettings
from segue.files import read_json, write_json

DECISION, CALIBRATION = "decision.json", "calibration.json"


@dataclass(frozen=True)
class Fitted:
    model: Model
    predictor: Predictor
    settings: EvaluateSettings
    say: Callable[[str], None]

    def decision(self) -> Decision:
        """Found once for these weights and views."""
        if (kept := self._kept(DECISION)) is not None:
            return Decision.from_json(kept["decision"])
        found = choose(
            self.predictor, self.cases, frame=self.model.frame, target=self.model.target, part=self._part
        )  # fmt: skip
        self.say(found.told)
        self._keep(DECISION, found.as_json())
        return found.decision

    def calibration(self, progress: bool = False) -> Calibration:
        """Likewise; only its temperatures are of use for other cases."""
        if (kept := self._kept(CALIBRATION)) is not None:
            return Calibration(kept["temperatures"], int(kept["cases"]))
        found = calibrate(
            self.predictor, self.cases, frame=self.model.frame, target=self.model.target, part=self._part,
            progress=progress,
        )  # fmt: skip
        for line in found.told:
            self.say(f"on validation, {line}")
        self._keep(CALIBRATION, found.as_json())
        return found

    @property
    def _how(self) -> dict[str, Any]:
        return {"views": list(self.settings.views), "weights": self.settings.weights}

    def _kept(self, name: str) -> Mapping[str, Any] | None:
        path = self.model.folder / name
        kept = read_json(path) if path.exists() else {}
        return kept if kept and all(kept.get(key) == value for key, value in self._how.items()) else None

    def _keep(self, name: str, found: Mapping[str, Any]) -> None:
        write_json(self.model.folder / name, {**found, **self._how})

    @property
    def _part(self) -> str:
        """Of folds, validation is a part of what the split calls training."""
        return "train" if self.model.runs[0].config["fold"] is not None else "validation"

    @cached_property
    def cases(self) -> list[Subject]:
        """By which training was watched; of one that was not, the validation part of its split, which it has not seen."""
        run, cases = self.model.runs[0], list[Subject]()
        for place in run.about["data"]:
            dataset = Dataset.open(place["folder"])
            split = Split.open(dataset, place["split"])
            plays = {row["case"]: row["part"] for row in run.cases() if row["dataset"] == dataset.name}
            watched = [case for case, part in plays.items() if part == "validation"]
            unused = [
                case for case in split.cases("validation") if plays.get(case) == "unused" and case in split.labelled
            ]
            if watched or unused:
                cases += subjects(
                    dataset, self.model.target, names=watched or unused, store=store_at(place), same=run.config["same"],
                    split=split,
                )  # fmt: skip
        if not cases:
            raise BadInput(
                f"{self.model.folder}: its split has no validation part, and nothing may be found on a test",
                hint="segue data split DATASET --validation 0.1, before it is trained.",
            )
        return cases


def store_at(home: Mapping[str, str] | None) -> Store | None:
    return Store.open(home["store"]) if home is not None and Path(home["store"]).is_dir() else None
