"""`segue evaluate`: how good a run is at home and elsewhere, a table for each set of cases, by the one judge."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segue.data.dataset import Dataset
from segue.data.images import jpeg
from segue.data.splitting.split import Split
from segue.errors import BadInput
from segue.evaluation.judging.amounts import Agreement, agreements
from segue.evaluation.judging.calibrate import Calibration
from segue.evaluation.judging.judge import judge
from segue.evaluation.judging.metrics import METRICS, NOTHING
from segue.evaluation.judging.subject import Subject, subjects, unique_names
from segue.evaluation.judging.summary import Summary, summarise
from segue.evaluation.judging.table import Table
from segue.evaluation.predicting.decision import PLAIN, Decision
from segue.evaluation.showing.shown import overlays, picked
from segue.evaluation.stressing.corruption import Stressed, told
from segue.evaluation.stressing.disagreement import Disagreeing
from segue.evaluation.stressing.steadiness import Steady
from segue.executors import Ledger
from segue.experiment import seen
from segue.experiment.fitted import Fitted, store_at
from segue.experiment.load import Model, load
from segue.experiment.predictor import Predictor
from segue.experiment.report import report, story
from segue.experiment.settings import EvaluateSettings
from segue.experiment.stress import Stress, demand_known
from segue.files import atomic, write_json
from segue.words import count, some

CASES, SUMMARY, _UNFINISHED = "cases.csv", "summary.json", "unfinished-"
_QUALITY = 88  # of pictures


@dataclass(frozen=True)
class Evaluation:
    """Of one set of cases."""

    name: str
    folder: Path
    table: Table
    summaries: tuple[Summary, ...]
    about: Mapping[str, Any]
    amounts: tuple[Agreement, ...] = ()  # of volumes: in millilitres against truth
    steady: tuple[Steady, ...] = ()  # how predictions follow a variation, where one was asked for
    disagreeing: tuple[Disagreeing, ...] = ()  # of several that predict together, where that was asked for
    calibration: Calibration | None = None  # what probabilities are worth, where that was asked for
    spoilt: tuple[Stressed, ...] = ()  # Dice under corruptions, where they were asked for

    @property
    def spoilt_told(self) -> list[str]:
        return told(self.spoilt)

    def as_json(self) -> dict[str, Any]:
        return {**self.about, "folder": str(self.folder), "summaries": [one.as_json() for one in self.summaries]}


@dataclass(frozen=True)
class Evaluated:
    run: Path
    sets: tuple[Evaluation, ...]
    page: Path
    gaps: tuple[str, ...] = ()  # elsewhere against home, in sentences

    def as_json(self) -> dict[str, Any]:
        sets = [one.as_json() for one in self.sets]
        return {"run": str(self.run), "page": str(self.page), "sets": sets, "gaps": list(self.gaps)}


def evaluate(
    run: Path | str,
    on: Sequence[Path | str] | Path | str,
    *,
    settings: EvaluateSettings | None = None,
    skip_bad: bool = False,
    progress: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Evaluated:
    """Judge a run (or a folder of folds) on datasets, each by itself.

    Of a dataset that it was trained on, the test part is judged, or the validation part where there is no test; of any
    other, every case with a mask.
    """
    found = judged(run, on, settings=settings, skip_bad=skip_bad, progress=progress, say=say)
    folder = found[0].folder.parent.parent
    names = {one.name for one in found}
    known = story(folder)
    gaps = tuple(sentence for one in known.sets if one.name in names for sentence in one.gaps)
    return Evaluated(folder, tuple(found), report(folder, told=known), gaps)


def judged(
    run: Path | str, on: Sequence[Path | str] | Path | str, *, settings: EvaluateSettings | None = None,
    skip_bad: bool = False, progress: bool = False, say: Callable[[str], None] = lambda line: None,
) -> list[Evaluation]:  # fmt: skip
    """The tables alone, without a page of the run."""
    settings = settings or EvaluateSettings()
    demand_known(settings.vary, settings.spoil)
    model = load(run, settings.weights).views(*settings.views)
    if settings.disagree:
        model.demand_several()
    predictor = model.predictor(None if settings.device == "auto" else settings.device)
    if not all(one.finished for one in model.runs):
        say(f"! {model.folder}: is not finished; this is its state so far")
    fitted = Fitted(model, predictor, settings, say)
    decision = fitted.decision() if settings.chosen else PLAIN
    calibration = fitted.calibration(progress) if settings.calibrate else None
    datasets = [Dataset.open(one) for one in ([on] if isinstance(on, str | Path) else on)]
    if not datasets:
        raise BadInput("there is nothing to evaluate on", hint="segue evaluate RUN --on DATASET")
    return [
        _on(model, predictor, dataset, decision, calibration, settings, model.folder, skip_bad, progress, say)
        for dataset in datasets
    ]


def _on(
    model: Model, predictor: Predictor, dataset: Dataset, decision: Decision, calibration: Calibration | None,
    settings: EvaluateSettings, folder: Path, skip_bad: bool, progress: bool, say: Callable[[str], None],
) -> Evaluation:  # fmt: skip
    home = model.learnt_from(dataset.name)
    part, split = _part(dataset, home, settings)
    known = seen.of_runs(model.runs, dataset)
    chosen = subjects(
        dataset, model.target, split=split, part="" if part == "all" else part, store=store_at(home),
        same={**model.runs[0].config["same"], **settings.same}, seen=known,
    )  # fmt: skip
    masks, images = (sum(subject.seen == what for subject in chosen) for what in (seen.MASKS, seen.IMAGES))
    if images:
        say(
            f"! {dataset.name}: of {count(images, 'case')} of {len(chosen)} the image or a copy was looked at in training, "
            "without its mask; they are put apart"
        )
    if masks:
        say(
            f"! {dataset.name}: {count(masks, 'case')} of {len(chosen)} or a copy of them was trained on; they are put apart"
        )
    name = dataset.name if part == "all" else f"{dataset.name}-{part}"
    where = folder / "evaluation" / name
    of_what = _of_what(model, chosen, decision, settings)
    with Ledger.open(where / f"{_UNFINISHED}{of_what}.jsonl") as ledger:
        if ledger.finished:
            say(f"going on with {dataset.name}: {count(len(ledger.finished), 'case')} of {len(chosen)} are judged")
        verdict = judge(
            predictor, chosen, frame=model.frame, target=model.target, decision=decision, tolerance=settings.tolerance,
            progress=progress, skip_bad=skip_bad, ledger=ledger,
        )  # fmt: skip
    summaries, amounts = summarise(verdict.table, intervals=METRICS), agreements(verdict.table)
    lost = [one.class_name for one in summaries if one.present and one.means["dice"] < NOTHING]
    if lost:
        say(f"! {dataset.name}: {some(lost)}: hardly found at all; comparing such numbers says nothing")
    asked = Stress(predictor, chosen, verdict, model, decision, where, progress)
    steady = asked.steadiness(settings.vary)
    apart = asked.disagreement(settings.disagree)
    worth = asked.calibration(calibration)
    spoilt = asked.spoilt(settings.spoil, where / f"{_UNFINISHED}spoilt-{of_what}.jsonl")
    about = {
        "set": name, "dataset": dataset.name, "part": part, "home": home is not None,
        "seen": _all_seen(chosen), "split": split.hash if split else "",
        "decision": decision.as_json(), "views": list(settings.views), "weights": settings.weights,
        "left_out": dict(verdict.left_out), "amounts": [one.as_json() for one in amounts],
        "steadiness": [one.as_json() for one in steady], "disagreement": [one.as_json() for one in apart],
        "calibration": None if worth is None else worth.as_json(), "spoilt": [one.as_json() for one in spoilt],
        "overlays": _pictures(predictor, chosen, verdict.table, model, decision, where / "overlays"),
    }  # fmt: skip
    verdict.table.write(where / CASES)
    write_json(where / SUMMARY, {**about, "summaries": [one.as_json() for one in summaries]})
    for rest in where.glob(f"{_UNFINISHED}*"):
        rest.unlink()
    return Evaluation(name, where, verdict.table, summaries, about, amounts, steady, apart, worth, spoilt)


def _all_seen(cases: Sequence[Subject]) -> str:
    """What training has seen of every one of them."""
    return next((what for what in (seen.MASKS, seen.IMAGES) if all(case.seen == what for case in cases)), "")


def _of_what(model: Model, cases: Sequence[Subject], decision: Decision, settings: EvaluateSettings) -> str:
    """What scores hang on, in short: an evaluation that was interrupted goes on only with the same."""
    said = json.dumps([
        [stamp for run in model.runs for stamp in run.stamps], decision.as_json(), settings.model_dump(mode="json"),
        [(one.dataset.name, one.case.case, one.case.digest, one.case.mask) for one in cases],
    ])  # fmt: skip
    return hashlib.blake2b(said.encode(), digest_size=6).hexdigest()


def _pictures(
    predictor: Predictor, cases: Sequence[Subject], table: Table, model: Model, decision: Decision, where: Path
) -> list[dict[str, Any]]:
    """Of the worst, the median and the best; what each file shows."""
    names = dict(zip((case.case for case in unique_names(cases)), cases, strict=True))
    shown = [(mark, case, dice) for mark, some in picked(table).items() for case, dice in some]
    drawn = overlays(
        predictor, [names[case] for _, case, _ in shown], frame=model.frame, target=model.target, decision=decision
    )
    shutil.rmtree(where, ignore_errors=True)
    written = []
    for number, ((mark, case, dice), (_, picture)) in enumerate(zip(shown, drawn, strict=True)):
        path = where / f"{mark}-{number}.jpg"
        with atomic(path, "wb") as file:
            file.write(jpeg(picture, _QUALITY))
        written.append({"file": path.name, "case": case, "mark": mark, "dice": dice})
    return written


def _part(dataset: Dataset, home: Mapping[str, str] | None, settings: EvaluateSettings) -> tuple[str, Split | None]:
    """Which cases, and the split that says so."""
    if home is None and settings.part in ("auto", "all"):
        return "all", None
    split = Split.open(dataset, home["split"] if home is not None else settings.split)
    if home is not None and split.hash != home["hash"]:
        raise BadInput(
            f"{dataset.folder}: its split {split.name!r} is not the one that was trained with "
            f"({split.hash}, not {home['hash']})",
            hint="Its test cases may have been trained on.",
        )
    if settings.part != "auto":
        return settings.part, split
    labelled = [part for part in ("test", "validation") if any(case in split.labelled for case in split.cases(part))]
    return (labelled[0] if labelled else "all"), split
