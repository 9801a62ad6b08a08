"""What a comparison says, in words: more than luck, not more than luck, matches, or too small to tell."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from segue.evaluation.judging.metrics import NOTHING, Metric
from segue.evaluation.statistics import ALPHA
from segue.words import count, short

if TYPE_CHECKING:
    from segue.evaluation.comparing.compared import Difference

NEITHER = "nothing found"
EQUAL = "equal"
TOO_SMALL = "n too small"
MORE = "more than luck"
MATCHES = "matches"
NOT_MORE = "not more than luck"
_OVERLAPS = ("dice", "iou")
VERDICTS = (NEITHER, EQUAL, TOO_SMALL, MORE, MATCHES, NOT_MORE)


def sentence(found: Difference, metric: Metric, unit: str) -> str:
    side, reference = short(found.side), short(found.reference)
    whom = count(found.patients, found.whom) + ("" if found.whom == "patient" else " of unknown patients")
    level, interval = found.level, found.interval
    if found.verdict == MATCHES:
        level, interval = found.matching_level, found.matching_interval
    numbers = (
        f"{metric.told} {number(found.mean, metric, unit)} against {number(found.mean_of_reference, metric, unit)}"
        f" ({_signed(found.difference, metric)}{_interval(level, interval, metric)})"
    )
    if found.verdict == NEITHER:
        told = "neither has found the structure, so there is nothing to compare"
        return f"{side} against {reference}: {told}: {numbers}; {whom}."
    if found.verdict == EQUAL:
        return f"{side} and {reference} are equal in {'every one of ' if found.patients > 1 else ''}{whom}."
    if found.verdict == TOO_SMALL:
        few = f"with {whom}" if found.differing == found.patients else f"with {found.differing:,} of {whom} that differ"
        among = f" among {found.comparisons} comparisons" if found.comparisons > 1 else ""
        return (
            f"{side} against {reference}: n too small: {few} no difference can pass p < {ALPHA:g}{among}; "
            f"{_needed(found, metric, unit)}. {numbers}."
        )
    if found.verdict == MORE:
        better = "better" if found.better else "worse"
        small = f", yet by less than {margin(found.margin, metric, unit)}" if found.within_margin else ""
        return f"{side} is {better} than {reference}, more than luck{small}: {numbers}; {_p(found)}; {whom}."
    if found.verdict == MATCHES:
        return f"{side} matches {reference} within {margin(found.margin, metric, unit)}: {numbers}; {whom}."
    return f"{side} against {reference}: not more than luck: {numbers}; {_p(found)}; {whom}; {_needed(found, metric, unit)}."


def neither(mean: float, reference: float, metric: Metric) -> bool:
    """However sure it is that one of them finds a little more."""
    return metric.name in _OVERLAPS and max(mean, reference) < NOTHING


def number(value: float, metric: Metric, unit: str) -> str:
    return f"{value:.2f} {unit}" if metric.distance else f"{value:.3f}"


def margin(value: float, metric: Metric, unit: str) -> str:
    return f"{value:g} {unit}" if metric.distance else f"{value:g}"


def _signed(value: float, metric: Metric) -> str:
    plain = f"{value:+.{2 if metric.distance else 3}f}"
    return plain if float(plain) else plain[1:]  # neither +0 nor -0


def _interval(level: float, bounds: tuple[float, float], metric: Metric) -> str:
    if math.isnan(bounds[0]):
        return ""
    return f", {100 * level:.3g} % interval {_signed(bounds[0], metric)} to {_signed(bounds[1], metric)}"


def _p(found: Difference) -> str:
    p = found.p_adjusted
    told = "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"
    return f"{told} after Holm over {found.comparisons} comparisons" if found.comparisons > 1 else told


def _needed(found: Difference, metric: Metric, unit: str) -> str:
    size = margin(float(f"{max(abs(found.difference), found.margin):.2g}"), metric, unit)
    if found.needed is None:
        if found.runs_vary:
            return f"more {found.whom}s alone could not show a difference of {size}: more runs of each would be needed"
        return f"two {found.whom}s at least are needed to say how many would show a difference of {size}"
    if found.needed <= found.patients:
        return f"a difference of {size} would mostly have shown with so many"
    return f"about {count(found.needed, found.whom)} would be needed to show a difference of {size}"
