"""A comparison as its page tells it: the result, and the cases in which one model is far behind the other."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping, Sequence

from segue.errors import BadInput
from segue.evaluation.comparing.compared import Comparison, Difference, Group
from segue.evaluation.comparing.sentence import MORE
from segue.evaluation.judging.metrics import METRICS, Metric
from segue.evaluation.judging.summary import over_runs
from segue.evaluation.judging.table import Table
from segue.report import comparison_story as told
from segue.report.page import Estimate
from segue.report.palette import Colour
from segue.words import short

_LOST = 5  # cases that are shown

Tables = Mapping[str, Table | Sequence[Table]]  # of each model
Pictures = Mapping[str, Mapping[str, str]]  # by side and case: data URIs
Outlines = Sequence[tuple[Colour, str]]
Values = dict[tuple[str, str], float]  # of case and class, the mean over runs


def comparison_story(
    sets: Mapping[str, Comparison],
    tables: Mapping[str, Tables],
    *,
    title: str = "",
    settings: Mapping[str, Mapping[str, str]] | None = None,
    learnt: Mapping[str, told.Learnt] | None = None,
    doubts: Sequence[str] = (),
    pictures: Mapping[str, Pictures] | None = None,
    outlines: Outlines = (),
    commands: Sequence[str] = (),
) -> told.ComparisonStory:
    """`sets`: by the set's name what came out, all by one metric and margin; `tables`: likewise what was compared; `pictures`:
    of some cases, with outlines that a legend tells."""
    if len({(found.metric, found.margin) for found in sets.values()}) != 1:
        raise BadInput("a page of a comparison needs sets, all compared by one metric and margin")
    found = next(iter(sets.values()))
    metric = METRICS[found.metric]
    models = dict.fromkeys(model.name for each in sets.values() for group in each.groups for model in group.models)
    differences = [each for one in sets.values() for group in one.groups for each in group.differences]
    return told.ComparisonStory(
        title=title or _title(list(models)),
        metric=metric.told,
        higher_is_better=metric.higher_is_better,
        margin=found.margin,
        test=differences[0].test if differences else "permutation",
        groups=tuple(
            group
            for name, each in sets.items()
            for group in _groups(name, each, tables[name], (pictures or {}).get(name, {}))
        ),
        notes=(*doubts, *_notes(sets)),
        settings=settings or {},
        learnt=learnt or {},
        outlines=tuple(outlines),
        commands=tuple(commands),
    )


def _title(models: Sequence[str]) -> str:
    *first, last = map(short, models)
    return f"{', '.join(first)} and {last}"


def _notes(sets: Mapping[str, Comparison]) -> Iterator[str]:
    for note in dict.fromkeys(note for found in sets.values() for note in found.notes):
        where = [name for name, found in sets.items() if note in found.notes]
        yield note if len(where) == len(sets) else f"{', '.join(map(short, where))}: {note}"


def _groups(name: str, found: Comparison, tables: Tables, pictures: Pictures) -> Iterator[told.Group]:
    metric, seen = METRICS[found.metric], _seen(tables)
    for group in found.groups:
        wanted = "images" if group.images_seen_by else ""
        cases = {case for case, how in seen.items() if max(how) == wanted}  # "", "images", "masks": each is more
        values = {side: _values(given, found, cases) for side, given in tables.items()}
        yield told.Group(
            set=name, seen_by=", ".join(group.images_seen_by), unit=found.unit if metric.distance else "",
            cases=group.cases, patients=group.patients, whom=group.differences[0].whom if group.differences else "patient",
            sides=tuple(_sides(group, metric)),
            pairs=tuple(_pair(each, metric, values, pictures) for each in group.differences),
        )  # fmt: skip


def _sides(group: Group, metric: Metric) -> Iterator[told.Side]:
    for model in group.models:
        others = {METRICS[name].told: mean for name, mean in model.means.items() if name != metric.name}
        yield told.Side(
            name=model.name, mean=model.mean, runs=model.runs, deviation=model.run_deviation, others=others
        )  # fmt: skip


def _seen(tables: Tables) -> dict[str, set[str]]:
    """Case -> how any of the models has seen it."""
    found: dict[str, set[str]] = {}
    for given in tables.values():
        for table in _runs(given):
            for row in table:
                found.setdefault(row.case, set()).add(row.seen)
    return found


def _values(given: Table | Sequence[Table], found: Comparison, cases: Container[str]) -> Values:
    values = over_runs(_runs(given), found.metric)
    return {
        (case, name): value
        for (case, name), value in values.items()
        if case in cases and found.class_name in (None, name)
    }


def _runs(given: Table | Sequence[Table]) -> Sequence[Table]:
    return [given] if isinstance(given, Table) else given


def _pair(found: Difference, metric: Metric, values: Mapping[str, Values], pictures: Pictures) -> told.Pair:
    side, reference = values[found.side], values[found.reference]
    return told.Pair(
        side=found.side, reference=found.reference,
        difference=estimate(found),
        p=found.p, p_adjusted=found.p_adjusted, p_wilcoxon=found.p_wilcoxon, rank_biserial=found.rank_biserial,
        standardised=found.standardised, verdict=verdict(found), sentence=found.sentence, differences=found.differences,
        side_loses=tuple(_lost(side, reference, metric, pictures.get(found.side, {}))),
        reference_loses=tuple(_lost(reference, side, metric, pictures.get(found.reference, {}))),
    )  # fmt: skip


def estimate(found: Difference) -> Estimate:
    low, high = found.interval
    return Estimate(found.difference) if math.isnan(low) else Estimate(found.difference, low, high)


def verdict(found: Difference) -> str:
    """To be read without the difference beside it."""
    return f"{'better' if found.better else 'worse'}, {MORE}" if found.verdict == MORE else found.verdict


def _lost(own: Values, others: Values, metric: Metric, pictures: Mapping[str, str]) -> list[told.Lost]:
    sign = 1 if metric.higher_is_better else -1
    gap = {key: sign * (own[key] - others[key]) for key in own if key in others}
    worst = [key for key in sorted(gap, key=lambda key: (gap[key], key)) if gap[key] < 0]
    return [
        told.Lost(
            case=case, name=name, value=own[case, name], other=others[case, name], picture=pictures.get(case, "")
        )
        for case, name in worst[:_LOST]
    ]  # fmt: skip
