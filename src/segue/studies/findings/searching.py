"""What a study's search tried, and what its best has on seeds that it had not seen."""

from __future__ import annotations

import statistics
from pathlib import Path

from segue.experiment.report import WORDS
from segue.report.study.story import SearchStory, Tried
from segue.studies.axes import named
from segue.studies.evidence import Evidence
from segue.studies.searching.found import searched
from segue.training.run import Run


def search(evidence: Evidence, folder: Path) -> SearchStory | None:
    told, found = evidence.plan.study.search, searched(evidence.plan, folder)
    if told is None or found is None or evidence.plan.begun is None:
        return None
    select = evidence.plan.begun.settings.select
    best, again = found.best, _validated(evidence, told.called, select)
    return SearchStory(
        begin=told.begin, called=told.called, select=WORDS.get(select, select), wanted=told.trials, ended=found.ended,
        trials=[
            Tried(
                number=one.number, state=one.state, drawn={name: named(value) for name, value in one.drawn.items()},
                score=one.score, at=one.at, minutes=one.seconds / 60, parameters=one.parameters, peak=one.peak,
                why=one.error if one.state == "failed" else "",
            )
            for one in found.all
        ],
        best=None if best is None or best.score is None else (best.number, best.score),
        fresh=len(again), again=_mean(again), begun=_mean(_validated(evidence, told.begin, select)),
    )  # fmt: skip


def _validated(evidence: Evidence, arm: str, select: str) -> list[float]:
    """By run."""
    told = [Run(one.folder).about["validation"] for one in evidence.arms.get(arm, [])]
    return [one[select] for one in told if select in one]


def _mean(values: list[float]) -> float | None:
    return statistics.fmean(values) if values else None
