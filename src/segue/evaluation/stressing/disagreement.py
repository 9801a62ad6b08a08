"""Where networks that predict together do not say the same: without a mask, of each case and class, the share of what two of
them find that only one finds, the mean over all pairs. Seen on the network's own canvas."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from segue.data.target import Target
from segue.evaluation.judging.subject import Subject, Truths
from segue.evaluation.judging.table import Table
from segue.evaluation.predicting.frame import Frame
from segue.evaluation.predicting.predict import Predictor
from segue.evaluation.stressing.canvases import canvases, decided, demand_canvases, opened, rank
from segue.executors.progress import Progress
from segue.variations.drawn import Drawn
from segue.variations.opencv import render


@dataclass(frozen=True)
class Disagreement:
    """Of one case and class; not a number where no two find anything."""

    case: str
    class_name: str
    disagreement: float


@dataclass(frozen=True)
class Disagreeing:
    """Of a set of cases and one class."""

    class_name: str
    members: int
    cases: int
    disagreement: float  # the mean over cases
    rank: (
        float  # Spearman's correlation of disagreement with Dice over cases that have the class; not a number: too few
    )

    @property
    def told(self) -> str:
        goes = "" if math.isnan(self.rank) else f"; disagreement and Dice have a rank correlation {self.rank:+.2f}"
        return (
            f"{self.class_name}: {self.members} members disagree on {self.disagreement:.3f} of what they find over "
            f"{self.cases:,} cases{goes}"
        )

    def as_json(self) -> dict[str, Any]:
        numbers = {name: getattr(self, name) for name in ("disagreement", "rank")}
        known = {name: None if math.isnan(value) else value for name, value in numbers.items()}
        return {"class": self.class_name, "members": self.members, "cases": self.cases, **known}


def disagreement(
    members: Sequence[Predictor],
    subjects: Sequence[Subject],
    names: Sequence[str],
    *,
    frame: Frame,
    target: Target,
    threshold: float = 0.5,
    progress: bool = False,
    tick: Callable[[], None] = lambda: None,
) -> Iterator[Disagreement]:
    """Of each subject, called as in `names`, and each class that was annotated there."""
    demand_canvases(frame, "where its members disagree")
    truths, nothing = Truths(keep=0), Drawn.identity(1, frame.size)
    with Progress("asking each", len(subjects), shown=progress) as shown:
        for subject, name in zip(subjects, names, strict=True):
            tick()
            given, truth = opened(subject, name, frame, truths)
            sums = {each: np.zeros((2, math.comb(len(members), 2)), np.int64) for each in target.foreground}
            for levels, labels, onto in canvases(given, truth, frame):
                seen = render(nothing, 0, levels, labels, frame.size, frame.padding, onto=onto)
                said = [decided(member, [seen.image], target, threshold) for member in members]
                for each in target.foreground:
                    for pair, (one, other) in enumerate(itertools.combinations(said, 2)):
                        first, second = (which[each][0] & seen.valid for which in (one, other))
                        sums[each][:, pair] += np.count_nonzero(first ^ second), np.count_nonzero(first | second)
            for each in subject.annotated(target):
                only, any_of = sums[each]
                shares = only[any_of > 0] / any_of[any_of > 0]
                yield Disagreement(name, each, float(shares.mean()) if len(shares) else math.nan)
            shown.advance()


def summarised(found: Sequence[Disagreement], table: Table, members: int) -> tuple[Disagreeing, ...]:
    """By class, with how disagreement goes along with Dice."""
    dice = {(row.case, row.class_name): row.scores.dice for row in table if row.scores.present}
    told = []
    for name in dict.fromkeys(one.class_name for one in found):
        own = [one for one in found if one.class_name == name]
        known = [one for one in own if not math.isnan(one.disagreement)]
        pairs = [(one.disagreement, dice[one.case, name]) for one in known if (one.case, name) in dice]
        mean = math.fsum(one.disagreement for one in known) / len(known) if known else math.nan
        told.append(Disagreeing(name, members, len(own), mean, rank(pairs)))
    return tuple(told)
