"""What else `segue evaluate` can ask of a set of cases: how steady predictions are, where members disagree, and what is left
of them when images are spoilt. Each has a table beside the cases; a rerun that does not ask takes it away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from segue import variations
from segue.data.case import write_rows
from segue.errors import BadInput
from segue.evaluation.judging.calibrate import Calibration, pixels_of, reliability
from segue.evaluation.judging.judge import Verdict
from segue.evaluation.judging.subject import Subject, unique_names
from segue.evaluation.predicting.decision import Decision
from segue.evaluation.stressing.corruption import Stressed, stressed
from segue.evaluation.stressing.disagreement import Disagreeing, Disagreement, disagreement
from segue.evaluation.stressing.disagreement import summarised as disagreeing
from segue.evaluation.stressing.steadiness import Steadiness, Steady, steadiness, summarised
from segue.executors import Ledger
from segue.experiment.load import Model
from segue.experiment.predictor import Predictor
from segue.files import atomic
from segue.variations.corruptions import CORRUPTIONS, corruption

STEADINESS, DISAGREEMENT, SPOILT = "steadiness.csv", "disagreement.csv", "corruptions.csv"
_ALL = ("all",)


def demand_known(vary: str, spoil: Sequence[str]) -> None:
    """What is misspelt is told before anything is judged."""
    if vary:
        variations.parse(vary)
    for name in _named(spoil):
        corruption(name, 1)


def _named(spoil: Sequence[str]) -> tuple[str, ...]:
    if "all" in spoil and tuple(spoil) != _ALL:
        raise BadInput("spoil: all, or some by name")
    return tuple(CORRUPTIONS) if tuple(spoil) == _ALL else tuple(dict.fromkeys(spoil))


def _of_images(spoil: Sequence[str], channels: int) -> tuple[str, ...]:
    """Of all there are those that make sense: grey has no cast."""
    return tuple(name for name in _named(spoil) if tuple(spoil) != _ALL or channels > 1 or name != "colour-cast")


@dataclass(frozen=True)
class Stress:
    predictor: Predictor
    cases: Sequence[Subject]
    verdict: Verdict  # on them as they are
    model: Model
    decision: Decision
    where: Path  # the set's folder
    progress: bool

    @property
    def _read(self) -> list[tuple[Subject, str]]:
        """All but those that cannot be, by their names in the table."""
        names = [case.case for case in unique_names(self.cases)]
        return [pair for pair in zip(self.cases, names, strict=True) if pair[1] not in self.verdict.left_out]

    def steadiness(self, variation: str) -> tuple[Steady, ...]:
        found: list[Steadiness] = []
        if variation:
            found += steadiness(
                self.predictor, *zip(*self._read, strict=True), frame=self.model.frame, target=self.model.target,
                variation=variations.parse(variation), threshold=self.decision.threshold, progress=self.progress,
            )  # fmt: skip
        _keep(self.where / STEADINESS, found)
        return summarised(found, self.verdict.table, variation)

    def disagreement(self, asked: bool) -> tuple[Disagreeing, ...]:
        members = self.model.apart() if asked else []
        found: list[Disagreement] = []
        if members:
            found += disagreement(
                members, *zip(*self._read, strict=True), frame=self.model.frame, target=self.model.target,
                threshold=self.decision.threshold, progress=self.progress,
            )  # fmt: skip
        _keep(self.where / DISAGREEMENT, found)
        return disagreeing(found, self.verdict.table, len(members))

    def calibration(self, found: Calibration | None) -> Calibration | None:
        """Of these cases, at temperatures that were found on others."""
        if found is None:
            return None
        cases = [case for case, _ in self._read]
        pixels = pixels_of(
            self.predictor, cases, frame=self.model.frame, target=self.model.target, progress=self.progress
        )  # fmt: skip
        return reliability(pixels, found.temperatures, len(cases))

    def spoilt(self, names: Sequence[str], book: Path) -> tuple[Stressed, ...]:
        """`book`: by which a test that was interrupted goes on."""
        found: list[Stressed] = []
        if names:
            with Ledger.open(book) as ledger:
                found += stressed(
                    self.predictor, [case for case, _ in self._read],
                    _of_images(names, self.model.frame.voxel), self.verdict.table, frame=self.model.frame,
                    target=self.model.target, decision=self.decision, ledger=ledger, progress=self.progress,
                )  # fmt: skip
        _keep(self.where / SPOILT, found)
        return tuple(found)


def _keep(path: Path, rows: Sequence[Any]) -> None:
    """A table of these; of none, none."""
    if not rows:
        path.unlink(missing_ok=True)
        return
    with atomic(path) as file:
        write_rows(file, [[each.name for each in fields(rows[0])], *map(astuple, rows)])
