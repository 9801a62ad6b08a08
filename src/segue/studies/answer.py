"""What a study says: what was declared before anything ran, adjusted together; then a ranking of all arms, as exploration."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from segue.evaluation.comparing import sentence
from segue.evaluation.comparing.compare import as_family, compare
from segue.evaluation.comparing.compared import Comparison, Difference
from segue.evaluation.judging.metrics import METRICS
from segue.studies.evidence import Done, Evidence
from segue.studies.reaching import Reached, reached
from segue.studies.study import Declared
from segue.words import count, some


@dataclass(frozen=True)
class Said:
    """Of a declared comparison, at a place."""

    declared: Declared
    place: str
    found: Difference
    pairs: int  # of runs that differ by nothing else
    lost: int  # pairs of which one has failed or is not done
    seen_by: tuple[str, ...] = ()  # who has looked at these images in training


@dataclass(frozen=True)
class Ranked:
    arm: str
    place: str
    mean: float
    runs: int
    deviation: float  # of runs, as a share of the mean
    against_best: Difference | None  # None: it is the best
    level: bool  # it cannot be told from the best


@dataclass(frozen=True)
class Answer:
    sentence: str
    declared: tuple[Said, ...]
    rankings: dict[str, tuple[Ranked, ...]]  # by place, the best first
    reached: Reached | None = None  # the target


def answer(evidence: Evidence) -> Answer:
    declared = tuple(_declared(evidence))
    rankings = {place: tuple(_ranking(evidence, place)) for place in evidence.places}
    return Answer(_sentence(evidence, declared, rankings[evidence.main]), declared, rankings, reached(evidence))


# Declared


def _declared(evidence: Evidence) -> Iterator[Said]:
    """At home and elsewhere, all as one family; each other place by itself as another."""
    asked = [(one, *pairs_of(evidence, one)) for one in evidence.plan.declared]
    asked = [each for each in asked if each[1]]
    names = list(evidence.places)
    for places in (names[:2], names[2:]):
        several = [(told, place) for told in asked for place in places]
        each = [
            compared(evidence, declared, pairs, place, len(several)) for (declared, pairs, _), place in several
        ]  # fmt: skip
        for ((declared, pairs, lost), place), found in zip(several, as_family(each), strict=True):
            for group in found.groups:
                for difference in group.differences:
                    yield Said(declared, place, difference, len(pairs), lost, group.images_seen_by)


def pairs_of(evidence: Evidence, declared: Declared) -> tuple[dict[str, tuple[Done, Done]], int]:
    """Runs that differ in nothing but what is compared, by what they have in common; and of how many one is missing."""
    sides: dict[str, dict[str, Done]] = {}
    for one in evidence.done:
        rest = [value for name, value in one.entry.values.items() if name != declared.axis]
        alike = ", ".join([*rest, f"repeat {one.entry.repeat}"])
        sides.setdefault(alike, {})[one.entry.values[declared.axis]] = one
    wanted = sum(entry.values[declared.axis] == declared.side for entry in evidence.plan.entries)
    both = {
        alike: (found[declared.side], found[declared.reference])
        for alike, found in sides.items()
        if {declared.side, declared.reference} <= set(found)
    }
    return both, wanted - len(both)


def compared(
    evidence: Evidence,
    declared: Declared,
    pairs: Mapping[str, tuple[Done, Done]],
    place: str,
    family: int,
    *,
    fresh: bool = False,
) -> Comparison:
    """`fresh`: without what any run of the study has seen, else what these have seen is told by itself."""
    study, tables = evidence.plan.study, evidence.fresh if fresh else evidence.tables
    sides = {
        declared.reference: [other for _, other in pairs.values()],
        declared.side: [one for one, _ in pairs.values()],
    }
    return compare(
        {name: tables(runs, place) for name, runs in sides.items()}, metric=study.metric, margin=study.matching,
        leave_out_trained=True, learnt={name: list(pairs) for name in sides}, family=family,
        described=(),
    )  # fmt: skip


# Exploration


def _ranking(evidence: Evidence, place: str) -> Iterator[Ranked]:
    """Means and tests of the same cases: those that no run has seen."""
    study, metric = evidence.plan.study, METRICS[evidence.plan.study.metric]
    means = {arm: values.mean(axis=1).tolist() for arm, values in evidence.values(place, metric.name).values.items()}
    order = sorted(means, key=lambda arm: statistics.fmean(means[arm]), reverse=metric.higher_is_better)
    best = order[0]
    found: dict[str, Difference] = {}
    if len(order) > 1:
        tables = {arm: evidence.fresh(runs, place) for arm, runs in evidence.arms.items()}
        each = compare(tables, metric=metric.name, margin=study.matching, reference=best, described=())
        found = {one.side: one for one in each.groups[0].differences}
    for arm in order:
        own, mean = means[arm], statistics.fmean(means[arm])
        against = found.get(arm)
        yield Ranked(
            arm, place, mean, len(own), statistics.stdev(own) / mean if len(own) > 1 and mean else float("nan"), against,
            against is None or against.verdict != sentence.MORE or against.better,
        )  # fmt: skip


# In words


def _sentence(evidence: Evidence, declared: Sequence[Said], ranking: Sequence[Ranked]) -> str:
    said = [one for one in declared if one.place == evidence.main and not one.seen_by]
    told = _of_declared(evidence, said) if said else _of_ranking(evidence, ranking)
    counts = (len(evidence.failed), "failed"), (evidence.waiting, "not done")
    lacking = " and ".join(f"{number:,} {what}" for number, what in counts if number)
    return f"{told} Of {count(len(evidence.plan.names), 'run')} {lacking}." if lacking else told


def _of_declared(evidence: Evidence, said: Sequence[Said]) -> str:
    """The first in full, of the others their verdicts."""
    first, *others = said
    runs = f"{count(first.pairs, 'pair')} of runs"
    full = f"{evidence.where(first.place)}: {first.found.sentence[:-1]}; {runs}."
    if begin := _came_back(evidence, first.declared):
        full = f"The search has found nothing better than {begin}, where it began: these are the same runs."
    rest = "; ".join(
        f"{one.declared.side} against {one.declared.reference}: {one.found.verdict}"
        + (f" ({one.found.difference:+.3f})" if one.found.verdict == sentence.MORE else "")
        for one in others
    )
    return f"{full} And {rest}." if rest else full


def _came_back(evidence: Evidence, declared: Declared) -> str:
    """Where a search began, if its best are the very runs of that."""
    search = evidence.plan.study.search
    if search is None or {declared.side, declared.reference} != {search.called, search.begin}:
        return ""
    one, other = (
        {entry.name for entry in evidence.plan.entries if entry.values[declared.axis] == value}
        for value in (search.called, search.begin)
    )
    return search.begin if one == other else ""


def _of_ranking(evidence: Evidence, ranking: Sequence[Ranked]) -> str:
    best, *others = ranking
    metric = METRICS[evidence.plan.study.metric]
    head = f"{evidence.where(best.place)}: {best.arm} has the best {metric.told} ({best.mean:.3f})"
    if not others:
        return f"{head}; there is nothing beside it."
    level = [one.arm for one in others if one.level]
    apart = len(others) - len(level)
    parts = [
        f"{some(level)} cannot be told from it" if level else "",
        f"{apart:,} {'is' if apart == 1 else 'are'} worse, more than luck" if apart else "",
    ]
    return f"{head}; {'; '.join(filter(None, parts))}. Nothing was declared before, so this is exploration."
