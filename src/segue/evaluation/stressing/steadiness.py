"""How a prediction follows variations of its image: drawn anew for each case, alike for a seed, on the network's own canvas.

unsteady        without a mask: of what is found in the varied image, or was found and carried to where it is shown, the
                share that is not both. 0: the prediction moves with the image and minds no change of colour.
inconsistency   with a mask, as published (SIS of https://arxiv.org/abs/2205.15428): of what masks and predictions hold,
                before and after, the share in which the prediction changed otherwise than the mask, place by place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.data.case import IGNORE
from segue.data.target import Target
from segue.errors import BadInput
from segue.evaluation.judging.subject import Labels, Subject, Truths
from segue.evaluation.judging.table import Table
from segue.evaluation.predicting.decision import true_masks
from segue.evaluation.predicting.frame import Frame
from segue.evaluation.predicting.predict import Picture, Predictor
from segue.evaluation.predicting.stack import Stack
from segue.evaluation.stressing.canvases import Masks, canvases, decided, demand_canvases, opened, rank
from segue.executors.progress import Progress
from segue.variations.address import Address
from segue.variations.drawn import Drawn
from segue.variations.opencv import render
from segue.variations.variation import Variation

DRAWS = 4  # of each case


@dataclass(frozen=True)
class Steadiness:
    """Of one case and class; not a number where nothing is found and nothing is there."""

    case: str
    class_name: str
    unsteady: float
    inconsistency: float


@dataclass(frozen=True)
class Steady:
    """Of a set of cases and one class."""

    class_name: str
    variation: str
    cases: int
    unsteady: float  # means over cases
    inconsistency: float
    rank: (
        float  # Spearman's correlation of unsteadiness with Dice over cases that have the class; not a number: too few
    )

    @property
    def told(self) -> str:
        rank = "" if math.isnan(self.rank) else f"; unsteadiness and Dice have a rank correlation {self.rank:+.2f}"
        return (
            f"{self.class_name}, varied by {self.variation}: unsteady {self.unsteady:.3f}, inconsistency (SIS) "
            f"{self.inconsistency:.3f} over {self.cases:,} cases{rank}"
        )

    def as_json(self) -> dict[str, Any]:
        numbers = {name: getattr(self, name) for name in ("unsteady", "inconsistency", "rank")}
        known = {name: None if math.isnan(value) else value for name, value in numbers.items()}
        return {"class": self.class_name, "variation": self.variation, "cases": self.cases, **known}


def steadiness(
    predictor: Predictor,
    subjects: Sequence[Subject],
    names: Sequence[str],
    *,
    frame: Frame,
    target: Target,
    variation: Variation,
    threshold: float = 0.5,
    seed: int = 0,
    progress: bool = False,
    tick: Callable[[], None] = lambda: None,
) -> Iterator[Steadiness]:
    """Of each subject, called as in `names`, and each class that was annotated there."""
    demand_canvases(frame, "how steady it is")
    truths = Truths(keep=0)
    with Progress("varying", len(subjects), shown=progress) as shown:
        for subject, name in zip(subjects, names, strict=True):
            tick()
            given, truth = opened(subject, name, frame, truths)
            key = [Address(seed, "steadiness", 0, 0, name, view) for view in range(DRAWS)]
            drawn = variation.draw(frame.size, key)
            if "mix" in drawn.parts:
                raise BadInput("cutmix: of two images mixed nobody can say how steady the prediction of one is")
            found = followed(predictor, given, truth, drawn, frame=frame, target=target, threshold=threshold)
            for class_name in subject.annotated(target):
                yield Steadiness(name, class_name, *found[class_name])
            shown.advance()


def followed(
    predictor: Predictor,
    given: Picture | Stack,
    truth: Labels,
    drawn: Drawn,
    *,
    frame: Frame,
    target: Target,
    threshold: float = 0.5,
) -> dict[str, tuple[float, float]]:
    """By class: unsteady, inconsistency. Of a volume all its slices together, each varied alike."""
    sums = {name: np.zeros(4, np.int64) for name in target.foreground}
    nothing = Drawn.identity(1, frame.size)
    for levels, labels, onto in canvases(given, truth, frame):
        clean = render(nothing, 0, levels, labels, frame.size, frame.padding, onto=onto)
        varied = [render(drawn, draw, levels, labels, frame.size, frame.padding, onto=onto) for draw in range(drawn.n)]
        said = decided(predictor, [clean.image, *(one.image for one in varied)], target, threshold)
        shown = np.stack([one.valid for one in varied])
        before = np.stack([said[name][0] for name in target.foreground])
        carried, known = drawn.carry(
            np.repeat(before[None].astype(np.uint8), drawn.n, 0), valid=np.repeat(clean.valid[None], drawn.n, 0)
        )
        for number, name in enumerate(target.foreground):
            here, there = (carried[:, number] == 1) & known & shown, said[name][1:] & known & shown
            sums[name][:2] += np.count_nonzero(here ^ there), np.count_nonzero(here | there)
        _against_masks(sums, said, clean.labels, [one.labels for one in varied], target)
    return {name: (_share(*some[:2]), _share(*some[2:])) for name, some in sums.items()}


def _against_masks(
    sums: dict[str, npt.NDArray[np.int64]],
    said: dict[str, Masks],
    labels: Labels | None,
    varied: Sequence[Labels | None],
    target: Target,
) -> None:
    assert labels is not None
    true = true_masks(labels, target)
    for draw, each in enumerate(varied, 1):
        assert each is not None
        counts, true_after = (labels != IGNORE) & (each != IGNORE), true_masks(each, target)
        for name in target.foreground:
            four = (true[name], true_after[name], said[name][0], said[name][draw])
            unlike = np.logical_xor.reduce(four) & counts
            sums[name][2:] += np.count_nonzero(unlike), np.count_nonzero(np.logical_or.reduce(four) & counts)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def summarised(found: Sequence[Steadiness], table: Table, variation: str) -> tuple[Steady, ...]:
    """By class, with how unsteadiness goes along with Dice."""
    dice = {(row.case, row.class_name): row.scores.dice for row in table if row.scores.present}
    told = []
    for name in dict.fromkeys(one.class_name for one in found):
        own = [one for one in found if one.class_name == name]
        pairs = [
            (one.unsteady, dice[one.case, name])
            for one in own
            if (one.case, name) in dice and not math.isnan(one.unsteady)
        ]
        told.append(
            Steady(
                name, variation, len(own), _mean([one.unsteady for one in own]),
                _mean([one.inconsistency for one in own]), rank(pairs),
            )
        )  # fmt: skip
    return tuple(told)


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) / len(known) if known else math.nan
