"""`segue audit`: how good a run will be at a place where there are no masks, how far that may be off, and whether it can be
known at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from segue import variations
from segue.data.case import Case, write_rows
from segue.data.dataset import Dataset
from segue.errors import BadInput
from segue.evaluation.auditing.beside import Beside, beside
from segue.evaluation.auditing.estimate import Expected, expected
from segue.evaluation.auditing.evidence import Observed
from segue.evaluation.auditing.fit import Lessons
from segue.evaluation.auditing.trial import trial
from segue.evaluation.auditing.verdict import FEWEST, verdict
from segue.evaluation.judging.subject import Subject, images_alone
from segue.evaluation.judging.table import Table
from segue.executors.progress import Progress
from segue.experiment import seen
from segue.experiment.auditing.audited import Audit, Audited, Trials
from segue.experiment.auditing.story import story
from segue.experiment.auditing.verify import Verified, demand_enough, drawn_before, verify
from segue.experiment.auditing.worth import FOLDER, Eyes, Worth, home_of, worth
from segue.experiment.fitted import Fitted, store_at
from segue.experiment.load import Model, load
from segue.experiment.settings import AuditSettings, EvaluateSettings
from segue.experiment.telling import Say, silent
from segue.files import atomic, write_json
from segue.report.audit_page import audit_page
from segue.training.run import Run
from segue.words import count, plain

CASES, SUMMARY = "cases.csv", "summary.json"
_USUAL = "everyday"  # how images are varied where nobody says
_FOLLOW = ("semi", "distil")  # methods that learn from images without masks
_OF_CASES = ("found", "promised", "together", "certain", "steady", "members")  # of the evidence, in the table of cases


def audit(
    run: Path | str,
    on: Sequence[Path | str] | Path | str,
    *,
    settings: AuditSettings | None = None,
    skip_bad: bool = False,
    progress: bool = False,
    say: Say = silent,
) -> Audited:
    """Of each dataset by itself; its masks, where it has some, are not read."""
    settings = settings or AuditSettings()
    demand_enough(settings.verify)
    model = load(run, settings.weights)
    for one in model.runs:
        one.demand_finished()
    predictor = model.predictor(None if settings.device == "auto" else settings.device)
    fitted = Fitted(model, predictor, EvaluateSettings(weights=settings.weights), say)
    settings = settings.model_copy(update={"vary": how_varied(model.runs, settings.vary, say)})
    variation = variations.parse(settings.vary)
    places = [
        _place(model, Dataset.open(one), fitted, settings.same, say)
        for one in ([on] if isinstance(on, str | Path) else on)
    ]
    if not places:
        raise BadInput("there is nothing to audit", hint="segue audit RUN --on DATASET")
    home = home_of(model, fitted)
    eyes = Eyes.of(model, predictor, fitted, variation)
    known = worth(eyes, home, settings, progress=progress, say=say)
    others = [Dataset.open(folder).name for folder in settings.known]
    lessons = {name: Lessons(own) for name, own in known.known.items()}
    trials = {name: _trials(own, others) for name, own in lessons.items()}
    found = [_on(eyes, place, known, lessons, trials, settings, skip_bad, progress) for place in places]
    return Audited(model.folder, tuple(found))


def how_varied(runs: Sequence[Run], asked: str, say: Say) -> str:
    if asked != "auto":
        variations.parse(asked)  # before anything is opened
        return asked
    if any(run.about.get("adapted") for run in runs):
        say(
            "an adapted run is asked by variations that it was not taught to follow: audit the one before by --vary apart too"
        )
        return "apart"
    if any(run.config["method"] in _FOLLOW and run.config["unlabelled"] for run in runs):
        say(
            "it has learnt from images without masks to follow variations, so it is asked by others: --vary apart for all"
        )
        return "apart"
    return _USUAL


@dataclass(frozen=True)
class Place:
    dataset: Dataset
    cases: tuple[Case, ...]
    seen: int  # of them, the image was looked at in training


def _place(model: Model, dataset: Dataset, fitted: Fitted, same: Mapping[str, str], say: Say) -> Place:
    """Without what was learnt from: of it the answer is known by heart."""
    if (volumes := dataset.cases[0].volume) != (model.frame.volumes is not None):
        kinds = ("volumes", "pictures") if volumes else ("pictures", "volumes")
        raise BadInput(f"{dataset.name}: holds {kinds[0]}, and the network was trained on {kinds[1]}")
    if dataset.card.classes:  # what somebody has named is something else, or ours under another name
        model.target.table(dataset.card.classes, where=dataset.name, same={**model.runs[0].config["same"], **same})
    known = seen.of_runs(model.runs, dataset)
    home = {one.case.case for one in fitted.cases if one.dataset.name == dataset.name}
    learnt = [case for case, what in known.items() if what == seen.MASKS]
    cases = tuple(case for case in dataset.cases if case.case not in home and known.get(case.case) != seen.MASKS)
    if learnt:
        say(
            f"! {dataset.name}: {count(len(learnt), 'case')} of {len(dataset.cases)} or a copy of them was trained on, such "
            f"as {learnt[0]!r}; they are left out"
        )
    if not cases:
        raise BadInput(f"{dataset.name}: training has seen every case of it, so an audit would say nothing")
    fresh = tuple(case for case in cases if case.case not in known)
    looked = len(cases) - len(fresh)
    if not looked:
        return Place(dataset, cases, 0)
    told = f"! {dataset.name}: of {count(looked, 'case')} of {len(cases)} the image was looked at in training"
    if len(fresh) >= FEWEST:
        say(f"{told}; the others are audited")
        return Place(dataset, fresh, 0)
    say(told)
    return Place(dataset, cases, looked)


def _trials(lessons: Lessons, places: Sequence[str]) -> Trials:
    """Spoilt copies are judged by what home alone teaches."""
    home = Lessons([one for one in lessons.known if one.family not in places]) if places else lessons
    own, held = trial(home)
    theirs = trial(lessons, of=places)[0] if len(places) > 1 else ()
    return Trials(own, held, theirs)


def _on(
    eyes: Eyes, place: Place, known: Worth, lessons: Mapping[str, Lessons], trials: Mapping[str, Trials],
    settings: AuditSettings, skip_bad: bool, progress: bool,
) -> Audit:  # fmt: skip
    model, dataset = eyes.model, place.dataset
    subjects = images_alone(dataset, place.cases, store=store_at(model.learnt_from(dataset.name)))
    found, left_out = _observed(eyes, subjects, skip_bad, progress)
    whose = {case.case: case.who for case in place.cases}
    said = expected([(one.case, whose[one.case], one.evidence or {}) for one in found], lessons)
    looks = {one.case: one.look for one in found if one.look is not None}
    judgement = verdict(said, known.looks, looks, {name: each.corruptions for name, each in trials.items()})
    usual = settings.vary == _USUAL
    asked = {plain(settings.vary): not usual, "painter": settings.painter, "zoom": settings.zoom}
    where = model.folder / FOLDER / "-".join([dataset.name, *(name for name, given in asked.items() if given)])
    done = Audit(
        dataset.name, dataset.folder, where, said, whose, judgement, trials, left_out, place.seen,
        _truth(model, dataset, said),
        _verified(eyes, dataset, said, whose, settings, model.folder / FOLDER / dataset.name),
    )  # fmt: skip
    _write(where / CASES, found, said, whose, judgement.distances)
    write_json(where / SUMMARY, done.as_json())
    with atomic(done.page) as file:
        file.write(audit_page(story(eyes, known, done, subjects, settings.vary)).html())
    return done


def _truth(model: Model, dataset: Dataset, said: Expected) -> tuple[Beside, ...]:
    """Where the run was evaluated on this place: what its masks say."""
    for name in (dataset.name, f"{dataset.name}-test"):
        path = model.folder / "evaluation" / name / CASES
        if path.is_file():
            return beside(said.sites, said.cases, Table.read(path))
    return ()


def _verified(
    eyes: Eyes, dataset: Dataset, said: Expected, whose: Mapping[str, str], settings: AuditSettings, where: Path
) -> Verified | None:
    """Of cases that were drawn before, too, where nobody asks for others."""
    masks = settings.verify or drawn_before(where)
    if not masks:
        return None
    return verify(eyes.model, eyes.predictor, dataset, said, whose, masks, settings.same, where)


def _observed(
    eyes: Eyes, subjects: Sequence[Subject], skip_bad: bool, progress: bool
) -> tuple[list[Observed], dict[str, str]]:
    found, left_out = list[Observed](), dict[str, str]()
    with Progress("auditing", len(subjects), shown=progress) as shown:
        for one in eyes.observe(subjects):
            shown.advance(failed=bool(one.error))
            if not one.error:
                found.append(one)
            elif skip_bad:
                left_out[one.case] = one.error
            else:
                raise BadInput(f"{one.case}: {one.error}", hint="--skip-bad audits the others.")
    if not found:
        raise BadInput(f"none of the {len(subjects)} images can be read, so nothing can be audited")
    return found, left_out


def _write(
    path: Path, found: Sequence[Observed], said: Expected, whose: Mapping[str, str], distances: Mapping[str, float]
) -> None:
    evidence = {(one.case, name): each for one in found for name, each in (one.evidence or {}).items()}
    heads = ["case", "patient", "class", "expected", "low", "high", "there", *_OF_CASES, "distance"]
    rows = []
    for one in said.cases:
        numbers = [one.dice, one.low, one.high, one.there]
        numbers += [getattr(evidence[one.case, one.class_name], name) for name in _OF_CASES]
        told = [f"{value:.4f}" if value == value else "" for value in (*numbers, distances[one.case])]
        rows.append([one.case, whose[one.case], one.class_name, *told])
    with atomic(path) as file:
        write_rows(file, [heads, *rows])
