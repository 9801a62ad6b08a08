"""`segue study report`: the study's page and its tables, of whatever is done."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from segue.data.case import write_rows
from segue.errors import BadInput
from segue.evaluation.judging.metrics import METRICS
from segue.evaluation.judging.summary import over_runs
from segue.experiment.comparison import estimate, verdict
from segue.experiment.results import strata
from segue.files import atomic
from segue.report.story import Stratum
from segue.report.study.page import study_page
from segue.report.study.sheets import every_number, sheets
from segue.report.study.story import Arm, Compared, Ran, StudyStory
from segue.studies.answer import Answer, Ranked, Said, answer
from segue.studies.book import Book
from segue.studies.evidence import ELSEWHERE, Done, Evidence
from segue.studies.findings.courses import courses
from segue.studies.findings.effects import budgets, effects
from segue.studies.findings.fitting import fitted
from segue.studies.findings.places import foretold, lost
from segue.studies.findings.rivals import rivals
from segue.studies.findings.searching import search
from segue.studies.findings.shown import shown
from segue.studies.reaching import limited
from segue.studies.running import folder_of, planned
from segue.studies.study import read
from segue.training.run import Run
from segue.words import count, some

PAGE, TABLES = "answer.html", "tables"
_FEW = 3  # repeats, below which runs do not tell how far they lie apart


@dataclass(frozen=True)
class Reported:
    page: Path
    tables: tuple[Path, ...]
    answer: Answer

    def as_json(self) -> dict[str, Any]:
        found = self.answer
        return {
            "page": str(self.page), "tables": [str(path) for path in self.tables], "answer": found.sentence,
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


def report(file: Path | str, out: Path | str | None = None, *, progress: bool = False) -> Reported:
    study, folder = read(Path(file)), folder_of(file, out)
    evidence = Evidence.of(planned(study, folder), Book.read(folder), folder.parent)
    found = answer(evidence)
    found = replace(found, reached=limited(evidence, found.reached))
    story = _story(evidence, found, f"{file}", folder, progress)
    tables = tuple(_written(story, folder / TABLES))
    page = folder / PAGE
    with atomic(page) as written:
        written.write(study_page(replace(story, files=[f"{TABLES}/{path.name}" for path in tables])).html())
    return Reported(page, tables, found)


def _written(story: StudyStory, folder: Path) -> Iterator[Path]:
    """Each table thrice; of the runs all numbers, where the page has room for a few."""
    for name, sheet in sheets(story).items():
        all_of_it = every_number(story) if name == "runs" else sheet
        paths = [folder / f"{name}.{ending}" for ending in ("csv", "md", "tex")]
        with atomic(paths[0]) as written:
            write_rows(written, all_of_it.records)
        for path, text in zip(paths[1:], (sheet.markdown(), sheet.latex()), strict=True):
            with atomic(path) as written:
                written.write(text)
        yield from paths


def _story(evidence: Evidence, found: Answer, file: str, folder: Path, progress: bool) -> StudyStory:
    study, metric = evidence.plan.study, METRICS[evidence.plan.study.metric]
    ranking = {place: {one.arm: one for one in ranked} for place, ranked in found.rankings.items()}
    order = [one.arm for one in found.rankings[evidence.main]]
    pictures = shown(evidence, order, folder, progress)
    select, trained = courses(evidence, order, fitted(evidence, order, folder, progress))
    main = evidence.values(evidence.main, study.metric)
    return StudyStory(
        question=study.question, answer=found.sentence, target=found.reached.sentence if found.reached else "",
        metric=metric.told, higher_is_better=metric.higher_is_better, overlap=not metric.distance, margin=study.matching,
        home=evidence.home, main=evidence.main, where=evidence.where(evidence.main),
        judged=f"{count(main.cases, 'case')} of {count(len(main.patients), 'patient')}",
        places=list(evidence.places),
        axes={axis.name: list(axis.values) for axis in evidence.plan.axes},
        declared=[_compared(one, evidence) for one in found.declared],
        arms=[_arm(evidence, arm, ranking) for arm in order],
        failed=[(_called(evidence, name), fate.error) for name, fate in evidence.failed.items()],
        waiting=evidence.waiting, repeats=study.repeats,
        cautions=list(_cautions(evidence, found, pictures.why_not)),
        every=list(_every(evidence)),
        commands=[f"segue study run {file}", f"segue study report {file}"],
        rivals=rivals(evidence, order), effects=list(effects(evidence)),
        budgets=budgets(evidence, list(dict.fromkeys((evidence.home, evidence.main)))),
        courses=trained, select=select, sizes=_sizes(evidence, order),
        fixed=pictures.fixed, worst=pictures.worst, outlines=pictures.outlines, unseen_arms=pictures.left,
        foretold=foretold(evidence), search=search(evidence, folder),
    )  # fmt: skip


def _sizes(evidence: Evidence, order: Sequence[str]) -> dict[str, tuple[Stratum, ...]]:
    rows = {arm: [row for table in evidence.fresh(evidence.arms[arm], evidence.main) for row in table] for arm in order}
    return strata(rows, evidence.plan.study.metric)


def _every(evidence: Evidence) -> Iterator[Ran]:
    means = _means(evidence)
    done = {(one.entry.arm, one.entry.repeat): one.fate.told for one in evidence.done}
    for one in evidence.plan.entries:
        told = done.get((one.arm, one.repeat), {})
        failed = evidence.failed.get(one.name)
        yield Ran(
            name=one.name, arm=one.arm, values=one.values, repeat=one.repeat,
            state="done" if told else "failed" if failed else "not done", why=failed.error if failed else "",
            means=means.get((one.arm, one.repeat), {}), seconds=told.get("trained"),
            parameters=told.get("parameters"), peak=told.get("peak"),
        )  # fmt: skip


def _means(evidence: Evidence) -> dict[tuple[str, int], dict[str, dict[str, float]]]:
    """By arm and repeat, place and metric."""
    found: dict[tuple[str, int], dict[str, dict[str, float]]] = {}
    for place in evidence.places:
        for metric in METRICS.values():
            with suppress(BadInput):  # no case is one that it is for
                values = evidence.values(place, metric.name).values
                for arm, runs in evidence.arms.items():
                    for one, mean in zip(runs, values[arm].mean(axis=1), strict=True):
                        of_run = found.setdefault((arm, one.entry.repeat), {})
                        of_run.setdefault(place, {})[metric.told] = float(mean)
    return found


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
        lost=lost(evidence, name),
    )  # fmt: skip


def _standing(one: Ranked) -> str:
    if one.against_best is None:
        return "the best"
    return "level with it" if one.level else f"worse by {abs(one.against_best.difference):.3f}"


def _called(evidence: Evidence, name: str) -> str:
    one = evidence.plan.names[name]
    return f"{one.arm}, repeat {one.repeat} ({name})"


def _cautions(evidence: Evidence, found: Answer, no_pictures: str) -> Iterator[tuple[str, str]]:
    study = evidence.plan.study
    if evidence.failed:
        told = f"{count(len(evidence.failed), 'run')} failed: what that would have said is missing."
        yield told, "`segue study run FILE --retry` tries again."
    if evidence.waiting:
        yield f"{count(evidence.waiting, 'run')} not done yet: this is so far.", ""
    if evidence.home.endswith("-validation") and Run(evidence.done[0].folder).about["validation"]:
        yield (
            f"{evidence.home} is what epochs were chosen by, so at home every arm looks better than it is.",
            "`segue data split` with a test part, or `fixed: {validation: none}`.",
        )
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
    if no_pictures:
        yield f"No case can be shown: {no_pictures}.", ""
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
