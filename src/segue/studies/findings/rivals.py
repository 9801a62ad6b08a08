"""Each arm against each, adjusted for all pairs; and groups of arms that cannot be told apart."""

from __future__ import annotations

import string
from collections.abc import Collection, Sequence

from segue.evaluation.comparing import sentence
from segue.evaluation.comparing.compare import compare
from segue.report.study.story import Rivals
from segue.studies.evidence import Evidence

MOST = 20  # arms: their pairs grow with the square


def rivals(evidence: Evidence, order: Sequence[str]) -> Rivals | None:
    """Of the best ones at the main place; `order`: the best first."""
    study, names = evidence.plan.study, order[:MOST]
    if len(names) < 2:
        return None
    tables = {arm: evidence.fresh(evidence.arms[arm], evidence.main) for arm in names}
    compared = compare(tables, metric=study.metric, margin=study.matching, pairs="all", described=())
    found = compared.groups[0].differences
    apart = {frozenset((one.side, one.reference)) for one in found if one.verdict == sentence.MORE}
    p = {(one.reference, one.side): one.p_adjusted for one in found}
    return Rivals(names, p, letters(names, apart), len(order))


def letters(names: Sequence[str], apart: Collection[frozenset[str]]) -> dict[str, str]:
    """As tables of trials have them (insert and absorb, Piepho 2004): two share a letter where they are not apart."""
    groups = [frozenset(names)]
    for pair in sorted(apart, key=lambda one: sorted(map(names.index, one))):
        split = [group - {name} for group in groups if pair <= group for name in pair]
        several = [group for group in groups if not pair <= group] + split
        groups = [one for number, one in enumerate(several) if not _absorbed(one, number, several)]
    ordered = sorted(groups, key=lambda group: sorted(map(names.index, group)))
    told = dict(zip(ordered, string.ascii_lowercase + string.ascii_uppercase, strict=False))
    return {name: "".join(letter for group, letter in told.items() if name in group) for name in names}


def _absorbed(one: frozenset[str], number: int, several: Sequence[frozenset[str]]) -> bool:
    """Whether another says as much: a larger one, or an equal one before it."""
    return any(one < other or (one == other and place < number) for place, other in enumerate(several))
