"""Models side by side: is the difference more than luck, do they match, or are there too few patients to tell?

    found = compare({"baseline": table, "ours": [run_1, run_2, run_3]}, metric="dice", margin=0.01)
    print(found.sentences[0])

Nothing but numbers goes in and comes out: what draws the patients' differences finds them in the result.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from segue.errors import BadInput, nearest
from segue.evaluation import statistics
from segue.evaluation.comparing import sentence
from segue.evaluation.comparing.compared import Comparison, Difference, Group, Model
from segue.evaluation.comparing.pairing import Floats, Key, Paired, Side, aligned, paired
from segue.evaluation.judging.metrics import METRICS, Metric, metric_named
from segue.evaluation.judging.summary import patient_mean, rows_for
from segue.evaluation.judging.table import Row, Table
from segue.evaluation.statistics import ALPHA
from segue.words import count, short, some

Test = Literal["permutation", "wilcoxon"]
_PAIRS = 3  # of runs: two tell so little of their spread that intervals would hold the truth in 9 studies of 10


def compare(
    tables: Mapping[str, Table | Sequence[Table]],
    *,
    metric: str = "dice",
    reference: str | None = None,
    pairs: Literal["reference", "all"] = "reference",
    class_name: str | None = None,
    margin: float | None = None,
    test: Test = "permutation",
    seed: int = 0,
    draws: int = statistics.DRAWS,
    leave_out_trained: bool = False,
    learnt: Mapping[str, Sequence[str]] | None = None,
    family: int = 0,
    described: Collection[str] = tuple(METRICS),
) -> Comparison:
    """Each model, a table or one for each of its runs, against the reference (the first, if none is named) or all pairs.

    Without a class all are averaged. The margin within which models match has a default for each metric. `learnt` says from
    which masks each run of a model learnt: which ones these were is luck that runs of two models may share, run by run. Of
    several comparisons that answer one question, `family` is how many differences they tell, and `as_family` adjusts them.
    `described`: by which metrics models are described beside the one that is compared.
    """
    measured = metric_named(metric)
    if reference is not None and reference not in tables:
        raise BadInput(f"the reference {reference!r} is none of the models ({nearest(reference, tables)})")
    if margin is not None and not 0 < margin < math.inf:
        raise BadInput(f"a margin of {margin} is none: it is the difference that does not matter, above 0")
    if pairs not in ("reference", "all"):
        raise BadInput(f"pairs are {pairs!r} ({nearest(pairs, ('reference', 'all'))})")
    if test not in ("permutation", "wilcoxon"):
        raise BadInput(f"{test!r} is no test ({nearest(test, ('permutation', 'wilcoxon'))})")
    for name, masks in (learnt or {}).items():
        if name not in tables or len(masks) != (1 if isinstance(tables[name], Table) else len(tables[name])):
            raise BadInput(
                f"{name!r}: it is said of {count(len(masks), 'run')} what they learnt from, and there are others"
            )
    sides, left_out = aligned(tables, class_name=class_name, leave_out_trained=leave_out_trained)
    first = reference or next(iter(sides))
    names = list(sides)
    if pairs == "all":
        couples = [(other, one) for one, other in itertools.combinations(names, 2)]
    else:
        couples = [(name, first) for name in names if name != first]
    how = _How(
        measured, margin or measured.margin, test, seed, draws, class_name or "", learnt or {}, family, described
    )
    groups = [_group(sides, seen_by, keys, couples, how) for seen_by, keys in _by_seen(sides)]
    found = tuple(group for group in groups if group is not None)
    if not found:
        raise BadInput(f"no case is one that {measured.told} is for: the structure is {_lacking(measured)} all of them")
    unit = next(row.scores.unit for row in sides[first][0].values())
    return Comparison(
        metric, class_name, unit, how.margin, seed, found, tuple(_notes(sides, left_out, found, how))
    )  # fmt: skip


@dataclass(frozen=True)
class _How:
    metric: Metric
    margin: float
    test: Test
    seed: int
    draws: int
    class_name: str
    learnt: Mapping[str, Sequence[str]]
    family: int
    described: Collection[str]

    def partners(self, side: str, reference: str) -> list[int] | None:
        """Of each run of `side` that of `reference` which learnt from the same masks; None: they are not matched."""
        own, others = self.learnt.get(side, ()), list(self.learnt.get(reference, ()))
        if len(own) < _PAIRS or len(set(own)) < len(own) or sorted(own) != sorted(others):
            return None
        return [others.index(masks) for masks in own]

    def shared(self, side: str, reference: str) -> int:
        """Masks that runs of both learnt from."""
        return len(set(self.learnt.get(side, ())) & set(self.learnt.get(reference, ())))


def _by_seen(sides: Mapping[str, Side]) -> list[tuple[tuple[str, ...], list[Key]]]:
    first = next(iter(sides.values()))[0]
    seen: dict[bool, list[Key]] = {False: [], True: []}
    by: dict[str, None] = {}
    for key in first:
        who = [name for name, runs in sides.items() if any(rows[key].seen for rows in runs)]
        seen[bool(who)].append(key)
        by |= dict.fromkeys(who)
    ordered = tuple(name for name in sides if name in by)
    return [(names, keys) for names, keys in (((), seen[False]), (ordered, seen[True])) if keys]


def _group(
    sides: Mapping[str, Side],
    seen_by: tuple[str, ...],
    keys: list[Key],
    couples: list[tuple[str, str]],
    how: _How,
) -> Group | None:
    values = paired(sides, keys, how.metric)
    if not values.patients:
        return None
    rows = [next(iter(sides.values()))[0][key] for key in keys]
    whom = _whom(rows)
    comparisons = max(how.family, len(couples))
    measured = [_measure(values, couple, whom, comparisons, how, seen_by) for couple in couples]
    return Group(
        seen_by,
        values.cases,
        len(values.patients),
        tuple(_model(name, runs, keys, values.values[name], how.described) for name, runs in sides.items()),
        tuple(_adjusted(measured, how.metric, rows[0].scores.unit)),
    )


def as_family(several: Sequence[Comparison]) -> list[Comparison]:
    """Differences that are looked at together are adjusted together: those on cases that no model has seen as one family, and
    what images were seen of as another."""
    for seen in (False, True):
        places = [
            (one, number) for one, found in enumerate(several) for number, group in enumerate(found.groups)
            if bool(group.images_seen_by) == seen
        ]  # fmt: skip
        whole = [found for one, number in places for found in several[one].groups[number].differences]
        if not whole:
            continue
        metric, unit = METRICS[several[0].metric], several[0].unit
        left = iter(_adjusted(whole, metric, unit))
        for one, number in places:
            groups = list(several[one].groups)
            own = tuple(itertools.islice(left, len(groups[number].differences)))
            groups[number] = replace(groups[number], differences=own)
            several = [*several[:one], replace(several[one], groups=tuple(groups)), *several[one + 1 :]]
    return list(several)


def _adjusted(measured: Sequence[Difference], metric: Metric, unit: str) -> Iterator[Difference]:
    """With what may be said of each, as one of so many."""
    for found, p in zip(measured, statistics.holm([found.p for found in measured]), strict=True):
        told = replace(found, p_adjusted=p)
        told = replace(told, verdict=_verdict(told, metric))
        yield replace(told, sentence=sentence.sentence(told, metric, unit))


def _measure(
    paired_: Paired, couple: tuple[str, str], whom: str, comparisons: int, how: _How, seen_by: tuple[str, ...]
) -> Difference:
    """Not judged yet."""
    side, reference = couple
    one, other = paired_.values[side], paired_.values[reference]
    partners = how.partners(side, reference)
    if partners is not None:
        other = other[partners]
    values, others = one.mean(axis=0), other.mean(axis=0)
    differences = np.round(values - others, 12)
    address = (how.metric.name, how.class_name, *seen_by, side, reference)
    spread = statistics.spread_of_difference(
        one, other, statistics.addressed(how.seed, "spread", *address), matched=partners is not None, draws=how.draws
    )
    p_wilcoxon = statistics.wilcoxon(differences)
    p = p_wilcoxon
    if how.test == "permutation":
        p = statistics.permutation(differences, statistics.addressed(how.seed, "permutation", *address))
    if max(len(one), len(other)) > 1 and not math.isnan(spread.error):
        p = max(p, spread.p)  # patients and runs must both allow it
    matching = 1 - 2 * ALPHA / comparisons
    bounds = spread.interval(matching)
    mean = float(differences.mean())
    of_runs = statistics.run_variance(one) + statistics.run_variance(other)
    if partners is not None:
        of_runs = statistics.run_variance(one - other)
    deviation = float(differences.std(ddof=1)) if len(differences) > 1 else math.nan
    return Difference(
        side=side, reference=reference, cases=paired_.cases, patients=len(differences), whom=whom,
        mean=float(values.mean()), mean_of_reference=float(others.mean()), difference=mean,
        level=1 - ALPHA, interval=_possible(spread.interval(), how.metric), error=spread.error,
        p=p, p_adjusted=p, p_wilcoxon=p_wilcoxon, test=how.test, comparisons=comparisons,
        smallest_p=statistics.smallest_p(int(np.count_nonzero(differences)), how.test),
        rank_biserial=statistics.rank_biserial(differences), standardised=statistics.standardised(differences),
        higher=int((differences > 0).sum()), equal=int((differences == 0).sum()),
        lower=int((differences < 0).sum()), better=(mean > 0) == how.metric.higher_is_better,
        margin=how.margin, matching_level=matching, matching_interval=bounds,
        within_margin=-how.margin < bounds[0] and bounds[1] < how.margin,
        runs_vary=of_runs > 0,
        needed=None if math.isnan(deviation) else statistics.needed(
            max(abs(mean), how.margin), deviation, of_runs=of_runs, alpha=ALPHA / comparisons
        ),
        verdict="", who=paired_.patients, values=tuple(map(float, values)), values_of_reference=tuple(map(float, others)),
    )  # fmt: skip


def _possible(interval: tuple[float, float], metric: Metric) -> tuple[float, float]:
    """Of two shares the difference is at most 1, whatever a handful of runs would have it be."""
    low, high = interval
    return interval if metric.distance else (max(low, -1.0), min(high, 1.0))


def _verdict(found: Difference, metric: Metric) -> str:
    low, high = found.interval
    if sentence.neither(found.mean, found.mean_of_reference, metric):
        return sentence.NEITHER
    if found.equal == found.patients:
        return sentence.EQUAL
    if statistics.smallest_p(found.patients, found.test) * found.comparisons >= ALPHA:
        return sentence.TOO_SMALL
    if found.p_adjusted < ALPHA and (low > 0 or high < 0):
        return sentence.MORE
    if found.within_margin:
        return sentence.MATCHES
    return sentence.TOO_SMALL if found.smallest_p * found.comparisons >= ALPHA else sentence.NOT_MORE


def _model(name: str, runs: Side, keys: Iterable[Key], values: Floats, described: Collection[str]) -> Model:
    kept = list(keys)
    means = values.mean(axis=1)
    return Model(
        name,
        len(runs),
        float(means.mean()),
        float(means.std(ddof=1)) if len(means) > 1 else math.nan,
        {each: _described([[rows[key] for key in kept] for rows in runs], each) for each in described},
    )


def _described(runs: list[list[Row]], metric: str) -> float:
    means = [patient_mean(rows_for(rows, metric), lambda row: row.value(metric)) for rows in runs]
    return math.fsum(means) / len(means)


def _notes(sides: Mapping[str, Side], left_out: int, groups: tuple[Group, ...], how: _How) -> Iterable[str]:
    rows = next(iter(sides.values()))[0].values()
    classes = list(dict.fromkeys(row.class_name for row in rows))
    if how.class_name:
        yield f"Of {short(how.class_name)} alone."
    elif len(classes) > 1:
        yield f"The mean of {some(classes)}. Each can be compared for itself (--class)."
    if all(len(runs) == 1 for runs in sides.values()):
        yield "One run of each: this is about these very networks, not about how they were trained. Several runs tell."
    elif single := [name for name, runs in sides.items() if len(runs) == 1]:
        yield f"A single run of {', '.join(single)}: what another of it would give is not in the interval."
    couples = dict.fromkeys((each.side, each.reference) for group in groups for each in group.differences)
    if matched := sum(how.partners(*couple) is not None for couple in couples):
        which = "" if matched == len(couples) else f" ({matched} of {count(len(couples), 'comparison')})"
        yield f"Runs that learnt from the same masks are compared as pairs{which}."
    elif any(0 < how.shared(*couple) < _PAIRS for couple in couples if len(sides[couple[0]]) > 1):
        yield f"Runs that learnt from the same masks are pairs only where there are {_PAIRS} or more, and all have a partner."
    nameless = {row.case: row.who for row in rows if not row.patient}
    if nameless:
        scenes = len(set(nameless.values()))
        counted = (
            "each counts as its own"
            if scenes == len(nameless)
            else f"copies and frames of one scene count once ({scenes:,})"
        )
        yield f"No patient is known for {count(len(nameless), 'image')}: {counted}, which may promise too much."
    if left_out:
        yield f"{count(left_out, 'case')} left out, whose masks were trained with."
    uncounted = len({row.case for row in rows if row.scores.empty == "uncounted"})
    if uncounted:
        yield f"{count(uncounted, 'case')} without a pixel that counts."
    for group in groups:
        if group.images_seen_by:
            yield (
                f"Of {count(group.cases, 'case')} {', '.join(group.images_seen_by)} had seen the images, without masks: "
                "their numbers stand apart."
            )


def _whom(rows: Iterable[Row]) -> str:
    """What one value in the comparison is of."""
    rows = list(rows)
    if any(row.patient for row in rows):
        return "patient"
    return "scene" if any(row.group for row in rows) else "image"


def _lacking(metric: Metric) -> str:
    return "in none of" if metric.where == "present" else "in"
