"""Threshold and post-processing, chosen on validation cases: whatever is fitted sees no test case.

Every combination is tried on every case on its native grid, in one pass over the probabilities, of which none is kept:
a threshold's components are counted once, and dropping the small ones is a sum over them. What is chosen by is the one
number that training chooses its epoch by: Dice, mean over patients of all cases, then over classes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.data.splitting.dealing import LEFT_OUT
from segue.data.splitting.split import Split
from segue.data.target import Target
from segue.errors import BadInput, SegueError
from segue.evaluation.judging.judge import nothing, predicted
from segue.evaluation.judging.overlap import of_areas
from segue.evaluation.judging.subject import Labels, Subject, Truths, counted, unique_names
from segue.evaluation.predicting.decision import PLAIN, Decision, filled, masks, parts_of, plain_decision, true_masks
from segue.evaluation.predicting.frame import Frame
from segue.evaluation.predicting.predict import Predictor
from segue.evaluation.predicting.probabilities import Maps
from segue.executors.progress import Progress
from segue.words import count

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
SMALLEST = (0.0, 0.0001, 0.0003, 0.001, 0.003, 0.01)  # shares of the image
FILL = (False, True)
WORTH = 0.0005  # a gain in Dice below this is no reason to leave what is simpler
FLAT = 0.005  # thresholds that lose less than this belong to the flat part of the curve


@dataclass(frozen=True)
class Choice:
    decision: Decision
    dice: float  # of it
    plain: float  # of a threshold of 0.5 and nothing after
    best: float  # of the best combination, which may be less simple
    curve: tuple[tuple[float, float], ...]  # (threshold, Dice), the rest as chosen; empty where there is no threshold
    after: tuple[tuple[float, bool, float], ...]  # (smallest, fill, Dice) at the chosen threshold
    flat: tuple[float, float]  # the thresholds around the chosen one that lose less than 0.005
    cases: int
    patients: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def told(self) -> str:
        """In a sentence or two."""
        decision = self.decision
        after = [f"components under {decision.smallest:.2%} of the image dropped"] if decision.smallest else []
        after += ["holes filled"] if decision.fill else []
        rule = f"threshold {decision.threshold:g}" if self.curve else "the most probable class"
        said = f"{', '.join([rule, *after])}: Dice {self.dice:.3f} on {count(self.cases, 'case')}"
        if decision != PLAIN:
            said += f", {self.dice - self.plain:+.3f} against {'0.5' if self.curve else 'it'} alone"
        if self.curve:
            low, high = self.flat
            told = f"thresholds from {low:g} to {high:g}" if high > low else "no other threshold"
            said += f"; {told} {'come' if high > low else 'comes'} within {FLAT:g}"
        return said


def choose(
    predictor: Predictor,
    subjects: Sequence[Subject],
    *,
    frame: Frame,
    target: Target,
    part: str = "validation",
    split: Split | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
    smallest: Sequence[float] = SMALLEST,
    fill: Sequence[bool] = FILL,
    batch: int | None = None,
    tick: Callable[[], None] = nothing,
    progress: bool = False,
) -> Choice:
    """`part`: what all subjects must be of; with folds that is "train", of which the model has not seen the fold."""
    allowed(subjects, part, split)
    grid = Grid(target, thresholds, smallest, fill)
    truths, cases = Truths(keep=0), unique_names(subjects)
    found: list[npt.NDArray[np.float64]] = []
    with Progress("choosing", len(subjects), shown=progress) as shown:
        for number, said in predicted(predictor, subjects, frame=frame, target=target, batch=batch, tick=tick):
            tick()
            if isinstance(said, SegueError):
                raise BadInput(f"{cases[number].case}: {said.message}")
            dice = grid.dice(said.whole(), truths.of(subjects[number], said.size))
            known = subjects[number].annotated(target)
            dice[:, [name not in known for name in target.foreground]] = np.nan
            found.append(dice)
            shown.advance()
    return grid.chosen(np.stack(found), [case.who for case in cases])


def allowed(subjects: Sequence[Subject], part: str = "validation", split: Split | None = None) -> None:
    """Nothing is fitted on a test case, nor on one of which nobody knows what it is for."""
    if not subjects:
        raise BadInput("no case is given to choose on")
    if part in ("test", LEFT_OUT):
        raise BadInput(f"part {part!r}: nothing may be chosen on it")
    if split is not None:
        split.refuse_test(subject.case.case for subject in subjects)
    for subject in subjects:
        name = f"{subject.dataset.name}: case {subject.case.case!r}"
        if subject.part in ("test", LEFT_OUT):
            raise BadInput(f"{name} is of the part {subject.part!r}; nothing may be chosen on it")
        if subject.part != part:
            raise BadInput(
                f"{name} is of {f'the part {subject.part!r}' if subject.part else 'no part of a split'}, not of {part!r}",
                hint="subjects(dataset, target, split=split, part='validation') gives those to choose on.",
            )


class Grid:
    """All combinations, in the order threshold, fill, smallest; without thresholds where the most probable class wins."""

    def __init__(
        self, target: Target, thresholds: Sequence[float], smallest: Sequence[float], fill: Sequence[bool]
    ) -> None:
        self.target = target
        self.thresholded = not target.exclusive or target.logits == 1
        # What is simplest is always among them.
        self.thresholds = sorted({0.5, *thresholds}) if self.thresholded else [0.5]
        self.fill, self.smallest = sorted({False, *fill}), sorted({0.0, *smallest})
        self.decisions = [
            Decision(threshold, smallest, fill)
            for threshold, fill, smallest in itertools.product(self.thresholds, self.fill, self.smallest)
        ]

    def dice(self, maps: Maps, truth: Labels) -> npt.NDArray[np.float64]:
        """(combinations, classes) of one case."""
        counts, true = counted(truth), true_masks(truth, self.target)
        found = []
        for threshold in self.thresholds:
            labels = plain_decision(maps, self.target, threshold)
            before: npt.NDArray[np.float64] | None = None
            for fill in self.fill:
                after = self._filled(labels) if fill else labels
                if before is None or not np.array_equal(after, labels):
                    before = self._by_size(after, true, counts)
                found.append(before)
        return np.concatenate(found)

    def _filled(self, labels: Labels) -> Labels:
        return filled(labels) if self.target.exclusive else np.stack([filled(region) for region in labels])

    def _by_size(
        self, labels: Labels, true: dict[str, npt.NDArray[np.bool_]], counts: npt.NDArray[np.bool_] | None
    ) -> npt.NDArray[np.float64]:
        """(sizes, classes)"""
        found = np.empty((len(self.smallest), len(true)))
        everything = labels.size if self.target.exclusive else labels[0].size
        number = everything if counts is None else int(np.count_nonzero(counts))
        for column, (name, mask) in enumerate(masks(labels, self.target).items()):
            areas, parts, box = parts_of(mask)
            inside = parts if counts is None else np.where(counts[box], parts, 0)
            predicted_by = areas if counts is None else np.bincount(inside.ravel(), minlength=len(areas))
            both_by = np.bincount(inside[true[name][box]], minlength=len(areas))
            in_truth = int(np.count_nonzero(true[name]))
            for row, smallest in enumerate(self.smallest):
                kept = areas >= smallest * everything
                kept[0] = False
                scores = of_areas(int(both_by[kept].sum()), int(predicted_by[kept].sum()), in_truth, number)
                found[row, column] = scores.dice
        return found

    def chosen(self, dice: npt.NDArray[np.float64], who: Sequence[str]) -> Choice:
        """`dice`: (cases, combinations, classes); `who`: the patient of each case."""
        values = _mean_over_patients(dice, who)
        best = float(values.max())
        good = [number for number, value in enumerate(values) if value >= best - WORTH]
        number = min(good, key=lambda number: _simple(self.decisions[number], -float(values[number])))
        decision = self.decisions[number]
        value = dict(zip(self.decisions, values.tolist(), strict=True))
        along = [(t, value[Decision(t, decision.smallest, decision.fill)]) for t in self.thresholds]
        return Choice(
            decision=decision,
            dice=value[decision],
            plain=value[PLAIN],
            best=best,
            curve=tuple(along) if self.thresholded else (),
            after=tuple(
                (smallest, fill, value[Decision(decision.threshold, smallest, fill)])
                for fill in self.fill
                for smallest in self.smallest
            ),
            flat=_flat(along, decision.threshold),
            cases=len(who),
            patients=len(set(who)),
        )


def _simple(decision: Decision, worse: float) -> tuple[float, ...]:
    """First what does least after the threshold, then the threshold nearest to a half."""
    after = decision.fill + (decision.smallest > 0)
    return (after, abs(decision.threshold - 0.5), decision.smallest, worse)


def _mean_over_patients(dice: npt.NDArray[np.float64], who: Sequence[str]) -> npt.NDArray[np.float64]:
    """(combinations,): as `summary.chosen_by` does it. Cases in which nothing of a class counts do not count for it."""
    patients = sorted(set(who))
    place = np.array([patients.index(each) for each in who])
    known = ~np.isnan(dice)
    totals = np.zeros((len(patients), *dice.shape[1:]))
    counts = np.zeros_like(totals)
    np.add.at(totals, place, np.where(known, dice, 0))
    np.add.at(counts, place, known)
    there = counts > 0
    of_patients = np.where(there, totals / np.maximum(counts, 1), 0)
    classes = there.any(axis=(0, 1))
    if not classes.any():
        raise BadInput("no pixel of the given cases counts, so nothing can be chosen on them")
    means = of_patients.sum(axis=0)[:, classes] / there.sum(axis=0)[:, classes]
    return np.asarray(means.mean(axis=1), np.float64)


def _flat(curve: Sequence[tuple[float, float]], threshold: float) -> tuple[float, float]:
    thresholds = [each for each, _ in curve]
    low = high = thresholds.index(threshold)
    least = curve[low][1] - FLAT
    while low > 0 and curve[low - 1][1] >= least:
        low -= 1
    while high + 1 < len(curve) and curve[high + 1][1] >= least:
        high += 1
    return thresholds[low], thresholds[high]
