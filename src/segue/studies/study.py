"""A study as its file tells it.

question: Does training on what changes hold up better elsewhere than augmentation?
data: datasets/kvasir-seg                    # what is learnt from
elsewhere: [datasets/clinicdb, datasets/polypgen]   # other places, which judge
fixed: {network.encoder: resnet18, size: 128, looks: 10000}
axes:
  training:                                  # values with a name, a bunch of settings each
    two views: {method: two-view, variation: natural}
    change: {method: consistency, variation: natural}
  loop.rate: [0.0003, 0.001]                 # or a setting and its values
repeats: 3
compare: [change against two views]          # declared before anything ran; all else is exploration
target: {at_least: 0.85}                     # of the metric, at home; {metric: hd95, at_most: 10}, {metric: loss, at_most: .3}
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from segue.config import Settings, Strict, load
from segue.errors import BadInput, nearest
from segue.evaluation.judging.metrics import METRICS
from segue.experiment.settings import several
from segue.studies.axes import Axis, axis
from segue.studies.searching.settings import Search

MetricName = Literal["dice", "iou", "sensitivity", "precision", "nsd", "hd95", "assd"]
_AGAINST = re.compile(r"^(?P<side>.+?) against (?P<reference>.+)$")


LOSS = "loss"  # of training, in its last epoch


class Target(Strict):
    metric: MetricName | Literal["", "loss"] = ""  # empty: the study's
    on: str = ""  # the set; empty: at home
    at_least: float | None = None
    at_most: float | None = None  # of what is better when it is lower

    @property
    def bound(self) -> float:
        found = self.at_least if self.at_most is None else self.at_most
        assert found is not None
        return found

    def demand_sense(self, metric: str) -> None:
        """Whether the bound is on the side on which its metric is good."""
        lower = metric == LOSS or not METRICS[metric].higher_is_better
        told = "the training's loss" if metric == LOSS else METRICS[metric].told
        if (self.at_least is None) == (self.at_most is None):
            raise BadInput(
                f"target: {'at_most' if lower else 'at_least'} says what {told} is to reach, and nothing else does"
            )
        if lower != (self.at_most is not None):
            better, bound = ("lower", "at_most") if lower else ("higher", "at_least")
            raise BadInput(f"target: {told} is better when it is {better}", hint=f"target: {{{bound}: {self.bound:g}}}")
        if metric != LOSS and not METRICS[metric].distance and not 0 < self.bound <= 1:
            raise BadInput(
                f"target: {told} lies from 0 to 1, and {self.bound:g} does not", hint=f"{self.bound / 100:g}?"
            )
        if metric == LOSS and self.on:
            raise BadInput(f"target: the loss is that of training, and not of {self.on!r}")


class Declared(Strict):
    """Two values of one axis; all else is equal."""

    axis: str
    side: str
    reference: str


class Study(Settings):
    question: str
    data: tuple[str, ...]
    elsewhere: tuple[str, ...] = ()
    fixed: dict[str, Any] = Field(default_factory=dict)
    axes: dict[str, Any] = Field(default_factory=dict)
    table: str = ""  # a CSV, beside this file, whose rows are runs, beside the axes or instead of them
    columns: dict[str, str] = Field(default_factory=dict)  # of the table: a column -> its setting; "" for people alone
    repeats: Annotated[int, Field(ge=1, le=1000)] = 3  # of each: seeds, which draw a label budget's patients too
    compare: tuple[str, ...] = ()
    metric: MetricName = "dice"
    margin: Annotated[float, Field(gt=0)] | None = (
        None  # a difference that does not matter; by default the metric's own
    )
    part: Literal["auto", "validation", "test", "all"] = "auto"  # of the data that judges at home
    spoil: tuple[str, ...] = ()  # corruptions; "all": all there are
    vary: str = ""  # a variation under which it is told how steady predictions are
    target: Target | None = None
    search: Search | None = None

    _several = field_validator("data", "elsewhere", "spoil", mode="before")(several)

    @property
    def matching(self) -> float:
        """The margin within which two match."""
        return METRICS[self.metric].margin if self.margin is None else self.margin

    @property
    def varied(self) -> list[Axis]:
        return [axis(name, given) for name, given in self.axes.items()]

    def declared(self, axes: Sequence[Axis]) -> tuple[Declared, ...]:
        """What is compared, by the axes that it stands in."""
        return tuple(_declared(told, axes) for told in self.compare)


def read(file: Path) -> Study:
    found = load(Study, file)
    if found.target is not None:
        found.target.demand_sense(found.target.metric or found.metric)
    if not found.data:
        raise BadInput(f"{file}: data: names no dataset")
    both = next((one for one in found.elsewhere if one in found.data), None)
    if both is not None:
        raise BadInput(f"{file}: elsewhere: {both} is what is learnt from", hint="Home judges by itself: leave it out.")
    if not found.axes and not found.table:
        raise BadInput(
            f"{file}: has no axes and no table, so there is nothing to compare", hint="axes: {method: [...]}"
        )
    return found.model_copy(update={"table": str(file.parent / found.table)}) if found.table else found


def _declared(told: str, axes: Sequence[Axis]) -> Declared:
    match = _AGAINST.match(told.strip())
    if match is None:
        raise BadInput(f"compare: {told!r} is not of the form 'VALUE against VALUE'")
    side, reference = (match[name].strip() for name in ("side", "reference"))
    for name in (side, reference):
        where = [one.name for one in axes if name in one.values]
        if not where:
            raise BadInput(
                f"compare: no axis has a value {name!r}: {nearest(name, [each for one in axes for each in one.values])}"
            )
        if len(where) > 1:
            raise BadInput(f"compare: {name!r} is a value of {' and of '.join(where)}; give one of them another name")
    found = [one.name for one in axes if side in one.values and reference in one.values]
    if not found:
        raise BadInput(f"compare: {side!r} and {reference!r} are not of one axis, so more than one thing would differ")
    if side == reference:
        raise BadInput(f"compare: {told!r} compares it with itself")
    return Declared(axis=found[0], side=side, reference=reference)
