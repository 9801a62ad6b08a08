"""Estimates judged where nothing was learnt for them: each family of known groups is left out once, and what is expected of it
is held against what was so. The audit and its rivals in one table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.evaluation.auditing.fit import HOME, Lessons, of_patients
from segue.evaluation.auditing.rivals import CONSTANT, rivals
from segue.files import without_nan

Floats = npt.NDArray[np.float64]

Pair = tuple[Floats, Floats, Floats]  # of the cases of a group: what is expected, what is so, their shares of the mean

AUDIT = "audit"
FEWEST = 8  # cases of which a correlation is told


@dataclass(frozen=True)
class Judged:
    """One way to estimate, of one class, over all groups that were left out."""

    name: str
    off: float  # |expected - true| mean Dice of a group: the mean over groups
    worst: float
    bias: float  # expected - true, the mean over groups
    of_cases: float  # |expected - true| of a case, the mean over groups of the mean over cases
    r: float  # correlation with the true Dice over the cases of a group, the mean over groups
    aurc: float  # 1 - Dice of the most trusted cases, the mean over how many of them; less is better

    def as_json(self) -> dict[str, Any]:
        return without_nan(self)


@dataclass(frozen=True)
class Held:
    """A group that was left out with its family."""

    group: str
    cases: int
    true: float
    expected: Mapping[str, float]  # by way to estimate


def trial(lessons: Lessons, *, of: Sequence[str] = ()) -> tuple[tuple[Judged, ...], tuple[Held, ...]]:
    """`of`: only families of these names are left out; empty: each but home, which all rivals need."""
    ways: dict[str, list[Pair]] = {}
    held = []
    for family in lessons.left_out:
        if family.family not in of if of else family.family == HOME:
            continue
        others = rivals(lessons.without(family.family))
        groups = np.array([one.group for one in family.known])
        for group in dict.fromkeys(groups.tolist()):
            where = np.flatnonzero(groups == group)
            own, true = [family.known[place] for place in where], family.truth[where]
            evidence, share = [one.evidence for one in own], of_patients([one.who for one in own])
            said = {AUDIT: family.expected[where]} | {name: estimate(evidence) for name, estimate in others.items()}
            for name, expected in said.items():
                ways.setdefault(name, []).append((expected, true, share))
            means = {name: float(share @ each) for name, each in said.items()}
            held.append(Held(group, len(own), float(share @ true), means))
    return tuple(judged(name, pairs) for name, pairs in ways.items()), tuple(held)


def judged(name: str, groups: Sequence[Pair]) -> Judged:
    gaps = np.array([share @ (expected - true) for expected, true, share in groups])
    rs = [_r(expected, true) for expected, true, _ in groups]
    known = [r for r in rs if not math.isnan(r)]
    return Judged(
        name, float(np.abs(gaps).mean()), float(np.abs(gaps).max()), float(gaps.mean()),
        float(np.mean([np.abs(expected - true).mean() for expected, true, _ in groups])),
        float(np.mean(known)) if known else math.nan,
        float(np.mean([aurc(expected, true) for expected, true, _ in groups])),
    )  # fmt: skip


def _r(one: Floats, other: Floats) -> float:
    if len(one) < FEWEST or np.ptp(one) < 1e-9 or np.ptp(other) < 1e-9:
        return math.nan
    return float(np.corrcoef(one, other)[0, 1])


def aurc(trust: Floats, dice: Floats) -> float:
    """The area under the curve of risk over coverage; cases of equal trust share theirs."""
    order = np.argsort(-trust, kind="stable")
    risk, sorted_ = 1 - dice[order], trust[order]
    # What is equally trusted may come in any order: each gets the mean of its equals.
    _, start, counts = np.unique(-sorted_, return_index=True, return_counts=True)
    for first, number in zip(start, counts, strict=True):
        risk[first : first + number] = risk[first : first + number].mean()
    return float((np.cumsum(risk) / np.arange(1, len(risk) + 1)).mean())


def earned(found: Sequence[Judged]) -> bool:
    """Whether the audit beats the constant, and may so speak."""
    off = {one.name: one.off for one in found}
    return AUDIT in off and off[AUDIT] < off[CONSTANT]
