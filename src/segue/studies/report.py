"""`segue study report`: the study's page and its tables, of whatever is done."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segue.evaluation.judging.metrics import METRICS
from segue.evaluation.judging.summary import over_runs
from segue.experiment.comparison import estimate, verdict
from segue.files import atomic
from segue.report.study_page import Arm, Compared, StudyStory, study_page
from segue.studies.answer import Answer, Ranked, Said, answer
from segue.studies.book import Book
from segue.studies.evidence import ELSEWHERE, Done, Evidence
from segue.studies.plan import plan
from segue.studies.reaching import limited
from segue.studies.running import folder_of
from segue.studies.study import read
from segue.training.run import Run
from segue.words import count, some

PAGE = "answer.html"
_FEW = 3  # repeats, below which runs do not tell how far they lie apart


@dataclass(frozen=True)
class Reported:
    page: Path
    answer: Answer

    def as_json(self) -> dict[str, Any]:
        found = self.answer
        return {
            "page": str(self.page), "answer": found.sentence,
            "target": vars(found.reached) if found.reached else None,
            "declared": [
                {"side": one.declared.side, "reference": one.declared.reference, "place": one.place, "pairs": one.pairs,
                 "difference": one.found.difference, "interval": list(one.found.interval), "p": one.found.p_adjusted,
                 "verdict": one.found.verdict, "sentence": one.found.sentence, "images_seen_by": list(one.seen_by)}
                for one in found.declared
            ],
            "rankings": {
                place: [{"arm": one.arm, "mean": one.mean, "runs": one.runs, "level": one.level} for one in ranked]
                for place, ranked in found.rankings.items()
            },
        }  # fmt: skip


def report(file: Path | str, out: Path | str | None = None) -> Reported:
    study, folder = read(Path(file)), folder_of(file, out)
    evidence = Evidence.of(plan(study, folder.parent), Book.read(folder), folder.parent)
    found = answer(evidence)
    found = replace(found, reached=limited(evidence, found.reached))
    page = folder / PAGE
    with atomic(page) as written:
        written.write(study_page(_story(evidence, found, f"{file}")).html())
    return Reported(page, found)


def _story(evidence: Evidence, found: Answer, file: str) -> StudyStory:
    study = evidence.plan.study
    ranking = {place: {one.arm: one for one in ranked} for place, ranked in found.rankings.items()}
    return StudyStory(
        question=study.question, answer=found.sentence, target=found.reached.sentence if found.reached else "",
        metric=METRICS[study.metric].told,
        margin=study.margin, home=evidence.home, main=evidence.main, where=evidence.where(evidence.main),
        places=list(evidence.places),
        axes={axis.name: list(axis.values) for axis in evidence.plan.axes},
        declared=[_compared(one, evidence) for one in found.declared],
        arms=[_arm(evidence, one.arm, ranking) for one in found.rankings[evidence.main]],
        failed=[(_called(evidence, name), fate.error) for name, fate in evidence.failed.items()],
        waiting=evidence.waiting, runs=len(evidence.plan.names), repeats=study.repeats,
        cautions=list(_cautions(evidence, found)),
        every=[(one.name, one.arm, one.repeat) for one in evidence.plan.entries],
        commands=[f"segue study run {file}", f"segue study report {file}"],
    )  # fmt: skip


def _compared(one: Said, evidence: Evidence) -> Compared:
    found = one.found
    seen = f" (images seen by {', '.join(one.seen_by)})" if one.seen_by else ""
    return Compared(
        told=f"{one.declared.side} against {one.declared.reference}", place=one.place + seen,
        main=one.place in list(evidence.places)[:2], mean=found.mean, reference=found.mean_of_reference,
        difference=estimate(found),
        verdict=verdict(found), p=found.p_adjusted, sentence=found.sentence,
    )  # fmt: skip


def _arm(evidence: Evidence, name: str, ranking: dict[str, dict[str, Ranked]]) -> Arm:
    runs = evidence.arms[name]
    told = [one.fate.told for one in runs]
    fresh = [each["trained"] / 60 for each in told if not each["already"]]
    return Arm(
        name=name, runs=len(runs), means={place: by[name].mean for place, by in ranking.items()},
        deviations={place: by[name].deviation for place, by in ranking.items()},
        best={place: _standing(by[name]) for place, by in ranking.items()},
        minutes=statistics.fmean(fresh) if fresh else math.nan, parameters=told[0]["parameters"],
        peak=max(each["peak"] for each in told),
        images=list(over_runs(evidence.fresh(runs, evidence.main), evidence.plan.study.metric).values()),
    )  # fmt: skip


def _standing(one: Ranked) -> str:
    if one.against_best is None:
        return "the best"
    return "level with it" if one.level else f"worse by {abs(one.against_best.difference):.3f}"


def _called(evidence: Evidence, name: str) -> str:
    one = evidence.plan.names[name]
    return f"{one.arm}, repeat {one.repeat} ({name})"


def _cautions(evidence: Evidence, found: Answer) -> Iterator[tuple[str, str]]:
    study = evidence.plan.study
    if evidence.failed:
        told = f"{count(len(evidence.failed), 'run')} failed: what that would have said is missing."
        yield told, "`segue study run FILE --retry` tries again."
    if evidence.waiting:
        yield f"{count(evidence.waiting, 'run')} not done yet: this is so far.", ""
    if study.repeats < _FEW:
        yield (
            f"{count(study.repeats, 'repeat')} of each: how far runs lie apart is hardly known.",
            "`repeats: 3` tells.",
        )
    lost = sorted({one.lost for one in found.declared if one.lost})
    if lost:
        yield f"A declared comparison lacks up to {count(lost[-1], 'pair')} of runs.", ""
    if evidence.plan.before and study.repeats > 1:
        yield (
            f"What runs begin from ({some(list(evidence.plan.before))}) was trained once for all repeats.",
            "What another one of it would give is in no interval.",
        )
    made = sorted({_commit(one) for one in evidence.done})
    if len(made) > 1:
        yield f"Runs were made by {len(made)} versions of Segue ({some(made)}).", ""
    for place in (one for one in evidence.sets if evidence.seen(one)):
        told = f"{count(len(evidence.seen(place)), 'case')} of {place}, which some run has looked at in training,"
        yield f"{told} count in no mean and no ranking.", "Declared comparisons tell of them by themselves."
    if ELSEWHERE in evidence.places:
        names = evidence.places[ELSEWHERE]
        yield (
            f"Elsewhere is the mean over the patients of {', '.join(names)}: who has more of them counts for more.",
            "",
        )


def _commit(one: Done) -> str:
    made = Run(one.folder).environment
    return f"{made['segue']} {made['commit']}".strip()
