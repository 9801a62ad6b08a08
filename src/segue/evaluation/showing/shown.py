"""Which cases to show, and their pictures: of a frame its overlay, of a volume a montage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from segue.data.target import Target
from segue.errors import BadInput, SegueError
from segue.evaluation.judging.judge import predicted
from segue.evaluation.judging.subject import Subject
from segue.evaluation.judging.table import Row, Table
from segue.evaluation.predicting.decision import PLAIN, Decision
from segue.evaluation.predicting.frame import Frame
from segue.evaluation.predicting.predict import Predictor
from segue.evaluation.showing.montage import montage
from segue.evaluation.showing.overlays import LONG_SIDE, Bytes, overlay


def overlays(
    predictor: Predictor,
    subjects: Sequence[Subject],
    *,
    frame: Frame,
    target: Target,
    decision: Decision = PLAIN,
    long_side: int | None = LONG_SIDE,
) -> Iterator[tuple[Subject, Bytes]]:
    """Of a few cases, predicted anew: with `picked`, the ones to show."""
    for number, said in predicted(predictor, subjects, frame=frame, target=target):
        subject = subjects[number]
        if isinstance(said, SegueError):
            raise BadInput(f"{subject.case.case}: {said.message}")
        image, labels = subject.dataset.image(subject.case), said.decided(target, decision)
        truth = subject.truth() if subject.case.labelled else None
        if subject.case.volume:
            yield subject, montage(image, truth, labels, target, steps=subject.case.steps)
        else:
            yield subject, overlay(image, truth, labels, target, long_side=long_side)


def picked(table: Table, count: int = 2, *, metric: str = "dice") -> dict[str, list[tuple[str, float]]]:
    """ "worst", "median" and "best": cases and their mean over classes, no patient twice, the most telling first.

    Cases without the structure, in which nothing was predicted, show nothing and are left out. Of few patients there are
    fewer than `count` of each.
    """
    rows: dict[str, list[Row]] = {}
    for row in table:
        if row.scores.empty not in ("both", "uncounted"):
            rows.setdefault(row.case, []).append(row)
    values = {case: sum(row.value(metric) for row in its) / len(its) for case, its in rows.items()}
    rising = sorted(values, key=lambda case: (values[case], case))
    middle = (len(rising) - 1) / 2
    orders = {
        "worst": rising,
        "best": rising[::-1],
        "median": sorted(rising, key=lambda case: abs(rising.index(case) - middle)),
    }
    found: dict[str, list[tuple[str, float]]] = {"worst": [], "median": [], "best": []}
    used: set[str] = set()
    patients = len({its[0].who for its in rows.values()})
    for _ in range(min(count, max(1, patients // 3))):
        for name, order in orders.items():
            case = next((case for case in order if rows[case][0].who not in used), None)
            if case is not None:
                used.add(rows[case][0].who)
                found[name].append((case, values[case]))
    return found
