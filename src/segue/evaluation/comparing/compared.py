"""The result of a comparison: models, differences, the patients behind them; as cells of a table and as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from segue.evaluation.judging.metrics import METRICS


@dataclass(frozen=True)
class Model:
    """One side of the comparison, described."""

    name: str
    runs: int
    mean: float  # of the compared metric: over patients, then over runs
    run_deviation: float  # of the runs' means; not a number for a single run
    means: Mapping[str, float]  # every metric likewise, not tested

    @property
    def deviation(self) -> float:
        """The coefficient of deviation of runs: alike at home and apart elsewhere, and training has not settled what counts
        there (underspecification)."""
        return self.run_deviation / self.mean if self.mean else math.nan


@dataclass(frozen=True)
class Difference:
    """Of one model from its reference, in the compared metric."""

    side: str
    reference: str
    cases: int
    patients: int
    whom: str  # "patient", or "image" where no patient is known
    mean: float
    mean_of_reference: float
    difference: float  # side less reference
    level: float
    interval: tuple[float, float]
    error: float  # standard error
    p: float
    p_adjusted: float
    p_wilcoxon: float
    test: str
    comparisons: int  # that Holm adjusted for
    smallest_p: float  # that this test could say of so many
    rank_biserial: float
    standardised: float
    higher: int  # patients in whom the side's number is the higher one
    equal: int
    lower: int
    better: bool  # the mean difference is in the right direction
    margin: float
    matching_level: float
    matching_interval: tuple[float, float]
    within_margin: bool
    runs_vary: bool
    needed: int | None  # patients; none: patients alone cannot show it
    verdict: str
    who: tuple[str, ...]
    values: tuple[float, ...]  # of each patient, the mean over runs
    values_of_reference: tuple[float, ...]
    sentence: str = ""

    @property
    def differing(self) -> int:
        return self.patients - self.equal

    @property
    def differences(self) -> tuple[float, ...]:
        return tuple(one - other for one, other in zip(self.values, self.values_of_reference, strict=True))


@dataclass(frozen=True)
class Group:
    """Cases that training has seen equally much of: none of it, or their images (without masks) by these models."""

    images_seen_by: tuple[str, ...]
    cases: int
    patients: int
    models: tuple[Model, ...]
    differences: tuple[Difference, ...]


def qualified(found: Comparison, caveats: Mapping[str, str]) -> Comparison:
    """With what must not be left out of a sentence on these sides."""

    def told(one: Difference) -> Difference:
        said = [caveats[side] for side in (one.side, one.reference) if side in caveats]
        return replace(one, sentence=" ".join([one.sentence, *said])) if said else one

    groups = (replace(group, differences=tuple(map(told, group.differences))) for group in found.groups)
    return replace(found, groups=tuple(groups))


@dataclass(frozen=True)
class Comparison:
    metric: str
    class_name: str | None
    unit: str
    margin: float
    seed: int
    groups: tuple[Group, ...]  # cases of which no model has seen the image come first
    notes: tuple[str, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """Of all groups; where images were seen, they say so."""
        return tuple(
            found.sentence if not group.images_seen_by else f"Images seen: {found.sentence}"
            for group in self.groups
            for found in group.differences
        )

    @property
    def columns(self) -> tuple[str, ...]:
        metric = METRICS[self.metric]
        unit = f", {self.unit}" if metric.distance else ""
        return (
            "model", "runs", f"{metric.told}{unit}", "deviation of runs", "reference", "difference", "95 % interval", "p",
            "p (Holm)", "p (Wilcoxon)", "rank-biserial", "standardised", "verdict", "images seen by", "cases", "patients",
        )  # fmt: skip

    def cells(self) -> list[tuple[str, ...]]:
        """A row for each model and group, then for each further comparison of it; numbers as they are printed."""
        rows = []
        for group in self.groups:
            seen = ", ".join(group.images_seen_by)
            for model in group.models:
                own = [found for found in group.differences if found.side == model.name]
                apart = "" if math.isnan(model.deviation) else f"{model.deviation:.1%}"
                head = (model.name, str(model.runs), _told(model.mean), apart)
                tail = (seen, str(group.cases), str(group.patients))
                rows += [(*head, *_cells(found), *tail) for found in own] or [(*head, *[""] * 9, *tail)]
        return rows

    def as_json(self) -> dict[str, Any]:
        plain: dict[str, Any] = _plain(self)
        return plain | {"sentences": list(self.sentences)}


def _told(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"


def _cells(found: Difference) -> tuple[str, ...]:
    low, high = found.interval
    return (
        found.reference, f"{found.difference:+.3f}", "" if math.isnan(low) else f"{low:+.3f} to {high:+.3f}",
        f"{found.p:.2g}", f"{found.p_adjusted:.2g}", f"{found.p_wilcoxon:.2g}", f"{found.rank_biserial:+.2f}",
        "" if math.isnan(found.standardised) else f"{found.standardised:+.2f}", found.verdict,
    )  # fmt: skip


def _plain(value: Any) -> Any:
    """What JSON can hold: no number that is none, none without bound."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if hasattr(value, "__dataclass_fields__"):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    return value
