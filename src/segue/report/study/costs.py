"""What an arm costs in time, parameters and memory, and which nothing beats in both."""

from __future__ import annotations

import math
from collections.abc import Callable

from segue.report import figures
from segue.report.page import Figure, Section
from segue.report.study.story import Arm, StudyStory

Cost = Callable[[Arm], float]
_COSTS: dict[str, Cost] = {
    "minutes": lambda one: one.minutes,
    "parameters, M": lambda one: one.parameters / 1e6,
    "memory, GB": lambda one: one.peak / 1e9,
}


def costs(section: Section, story: StudyStory) -> None:
    fronts = {what: front(story, cost) for what, cost in _COSTS.items()}
    section.text(
        "On the front lies what nothing else beats in both: as good for less, or better for as much. What is the same for all "
        "is not drawn."
    )
    section.table(
        ("", "arm", story.metric, *_COSTS, "on the front of"),
        [
            [
                number, one.name, one.means[story.main], *(cost(one) for cost in _COSTS.values()),
                ", ".join(what.partition(",")[0] for what, names in fronts.items() if one.name in names),
            ]
            for number, one in enumerate(story.arms, 1)
        ],
    )  # fmt: skip
    if len(story.arms) < 3:
        return
    drawn = []
    for what, cost in _COSTS.items():
        points = {f"{number}": (cost(one), one.means[story.main]) for number, one in enumerate(story.arms, 1)}
        known = {number: point for number, point in points.items() if not math.isnan(point[0])}
        if len({x for x, _ in known.values()}) < 2:
            continue  # nothing to weigh
        best = [f"{number}" for number, one in enumerate(story.arms, 1) if one.name in fronts[what]]
        words = (
            f"{story.where}: {story.metric} over {what}. A point is an arm, by its number above; the line is the front."
        )
        drawn.append(Figure(figures.fronts(known, best, x=what, y=story.metric), words, words))
    section.figures(drawn)


def front(story: StudyStory, cost: Cost) -> set[str]:
    sign = 1 if story.higher_is_better else -1
    values = {one.name: (sign * one.means[story.main], cost(one)) for one in story.arms if not math.isnan(cost(one))}
    return {
        name
        for name, (mean, price) in values.items()
        if not any(
            other >= mean and cheaper <= price and (other > mean or cheaper < price)
            for other, cheaper in values.values()
        )
    }
