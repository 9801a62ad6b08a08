"""The one judge: whole cases in their own geometry, every number from the same lines.

Validation during training, `segue evaluate` and studies differ in which cases they hand in and in nothing else: the
probabilities come to the native grid, are decided there, and are compared with the mask as it was annotated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from segue.data.case import Case
from segue.data.target import Target
from segue.errors import BadInput, SegueError
from segue.evaluation.judging.metrics import TOLERANCE, Scores, score
from segue.evaluation.judging.overlap import overlap
from segue.evaluation.judging.subject import KEPT, Labels, Subject, Truths, counted, pictures, unique_names
from segue.evaluation.judging.table import Row, Table
from segue.evaluation.predicting.decision import PLAIN, Decision, masks, true_masks
from segue.evaluation.predicting.frame import Frame
from segue.evaluation.predicting.predict import Picture, Predictor, predict_tagged
from segue.evaluation.predicting.probabilities import Probabilities
from segue.evaluation.predicting.stack import Stack
from segue.executors import Ledger, Outcome
from segue.executors.progress import Progress


@dataclass(frozen=True)
class Verdict:
    table: Table
    left_out: Mapping[str, str] = field(default_factory=dict)  # case -> why, with skip_bad


Found = dict[str, Scores] | SegueError


def nothing() -> None:
    """What is called between cases if nobody listens."""


class Judge:
    """Judges the same cases again and again, as training does: truths are decoded once and kept packed.

    `quick`: overlap alone (Dice, IoU, precision, sensitivity), for validation; the rest of a row is not a number.
    """

    def __init__(
        self,
        subjects: Sequence[Subject],
        *,
        frame: Frame,
        target: Target,
        decision: Decision = PLAIN,
        quick: bool = False,
        tolerance: float = TOLERANCE,
        batch: int | None = None,
        keep: int = KEPT,
    ) -> None:
        self.subjects, self.cases = tuple(subjects), unique_names(subjects)
        self.frame, self.target, self.decision = frame, target, decision
        self.quick, self.tolerance, self.batch = quick, tolerance, batch
        self.truths = Truths(keep=keep)

    def __call__(
        self,
        predictor: Predictor,
        *,
        tick: Callable[[], None] = nothing,
        progress: bool = False,
        skip_bad: bool = False,
        ledger: Ledger | None = None,
    ) -> Verdict:
        """`tick` is called between cases, and what it raises ends the judging. What stands in the ledger is not judged
        again."""
        rows: list[Row] = []
        left_out: dict[str, str] = {}
        with Progress("judging", len(self.subjects), shown=progress) as shown:
            for number, found in enumerate(self._judged(predictor, tick, ledger)):
                tick()
                bad = isinstance(found, SegueError)
                shown.advance(failed=bad)
                if isinstance(found, SegueError):
                    name = self.cases[number].case
                    if not skip_bad:
                        raise BadInput(f"{name}: {found.message}", hint="--skip-bad judges the others.")
                    left_out[name] = found.message
                else:
                    rows += self._rows(number, found)
        if not rows:
            raise BadInput(f"none of the {len(self.subjects)} cases can be read, so nothing can be judged")
        return Verdict(Table.of(rows), left_out)

    def _judged(self, predictor: Predictor, tick: Callable[[], None], ledger: Ledger | None) -> Iterator[Found]:
        """For each subject in order."""
        known = ledger.finished if ledger else {}
        new = [number for number, case in enumerate(self.cases) if case.case not in known]
        some = [self.subjects[number] for number in new]
        each = predicted(predictor, some, frame=self.frame, target=self.target, batch=self.batch, tick=tick)
        for number, case in enumerate(self.cases):
            if case.case in known:
                yield {name: Scores(**scores) for name, scores in known[case.case].items()}
                continue
            place, said = next(each)
            assert new[place] == number
            found = self._scored(number, said)
            if ledger and not isinstance(found, SegueError):
                ledger.write(Outcome(case.case, {name: asdict(scores) for name, scores in found.items()}))
            yield found

    def _scored(self, number: int, said: Probabilities | SegueError) -> Found:
        if isinstance(said, SegueError):
            return said
        subject = self.subjects[number]
        try:
            truth = self.truths.of(subject, said.size)
        except SegueError as error:
            return error
        labels = said.decided(self.target, self.decision)
        every = scored(labels, truth, subject.case, self.target, quick=self.quick, tolerance=self.tolerance)
        return {name: every[name] for name in subject.annotated(self.target)}

    def _rows(self, number: int, found: dict[str, Scores]) -> list[Row]:
        case, seen = self.cases[number], self.subjects[number].seen
        return [Row.of(case, name, scores, seen=seen) for name, scores in found.items()]


def judge(
    predictor: Predictor,
    subjects: Sequence[Subject],
    *,
    frame: Frame,
    target: Target,
    decision: Decision = PLAIN,
    quick: bool = False,
    tolerance: float = TOLERANCE,
    batch: int | None = None,
    tick: Callable[[], None] = nothing,
    progress: bool = False,
    skip_bad: bool = False,
    ledger: Ledger | None = None,
) -> Verdict:
    """Once; a `Judge` is for the same cases again and again."""
    once = Judge(
        subjects, frame=frame, target=target, decision=decision, quick=quick, tolerance=tolerance, batch=batch, keep=0,
    )  # fmt: skip
    return once(predictor, tick=tick, progress=progress, skip_bad=skip_bad, ledger=ledger)


def scored(
    labels: Labels, truth: Labels, case: Case, target: Target, *, quick: bool = False, tolerance: float = TOLERANCE
) -> dict[str, Scores]:
    """By class: what was decided against the truth, both on the native grid."""
    counts, spacing = counted(truth), case.steps or None
    predicted, true = masks(labels, target), true_masks(truth, target)
    if quick:
        return {name: overlap(predicted[name], true[name], counts) for name in target.foreground}
    return {
        name: score(predicted[name], true[name], counts=counts, spacing=spacing, tolerance=tolerance)
        for name in target.foreground
    }


def predicted(
    predictor: Predictor,
    subjects: Sequence[Subject],
    *,
    frame: Frame,
    target: Target,
    batch: int | None = None,
    tick: Callable[[], None] = nothing,
) -> Iterator[tuple[int, Probabilities | SegueError]]:
    """The number of each subject, in order, and its probabilities on the native grid, or why there are none."""

    def given() -> Iterator[tuple[tuple[int, SegueError | None], Picture | Stack | None]]:
        for number, found in enumerate(pictures(subjects, frame)):
            tick()
            yield ((number, found), None) if isinstance(found, SegueError) else ((number, None), found)

    for (number, error), said in predict_tagged(predictor, given(), frame=frame, target=target, batch=batch):
        found = said if said is not None else error
        assert found is not None
        yield number, found
