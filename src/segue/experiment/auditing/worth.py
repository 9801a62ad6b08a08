"""What evidence was worth where masks are known: validation as it is, its copies spoilt in many ways, and other places.

It takes many passes, so it is kept in the run's folder; interrupted, it goes on with the group where it was.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segue.data.dataset import Dataset
from segue.errors import BadInput
from segue.evaluation.auditing.copies import Copy, Zoom
from segue.evaluation.auditing.evidence import Evidence, Observed, observe
from segue.evaluation.auditing.fit import HOME, Known
from segue.evaluation.auditing.looks import Look
from segue.evaluation.judging.calibrate import Calibration
from segue.evaluation.judging.judge import judge
from segue.evaluation.judging.subject import Subject, subjects, unique_names
from segue.evaluation.judging.table import Row
from segue.evaluation.statistics import addressed
from segue.evaluation.stressing.corruption import Spoilt
from segue.executors import Ledger, Outcome
from segue.executors.progress import Progress
from segue.experiment import seen
from segue.experiment.auditing.painted import EDITS, Painted, painting_for
from segue.experiment.fitted import Fitted
from segue.experiment.load import Model
from segue.experiment.predictor import Predictor
from segue.experiment.settings import AuditSettings
from segue.experiment.telling import Say, silent
from segue.training.run import Run
from segue.variations.corruptions import CORRUPTIONS, corruption
from segue.variations.variation import Variation
from segue.words import count

LEVELS = (1, 3, 5)  # of each corruption
TIMES = (0.5, 0.7, 1.4, 2.0)  # as large
ZOOM, PAINTED = "zoom", "painted"  # families
MOST = 200  # cases of validation, and of each other place, of which as many copies are made
FEWEST = 10  # below them nothing is learnt
FOLDER = "audit"  # in the run's


@dataclass(frozen=True)
class Group:
    name: str
    family: str
    cases: Sequence[Subject]
    by: str = ""  # what else it hangs on, in short

    @property
    def key(self) -> str:
        """Another place of that name, more cases, or another painter are asked anew."""
        return f"{self.name} {_names(self.cases)}{self.by}"


@dataclass(frozen=True)
class Worth:
    known: Mapping[str, tuple[Known, ...]]  # by class
    looks: Mapping[str, tuple[Look, ...]]  # by family


@dataclass(frozen=True)
class Eyes:
    """How a run sees a case: all that evidence hangs on."""

    model: Model
    predictor: Predictor
    members: Sequence[Predictor]
    calibration: Calibration
    variation: Variation

    @classmethod
    def of(cls, model: Model, predictor: Predictor, fitted: Fitted, variation: Variation) -> Eyes:
        several = model.apart() if len(model.members) > 1 else []
        return cls(model, predictor, several, fitted.calibration(), variation)

    def observe(self, cases: Sequence[Subject], tick: Callable[[], None] = lambda: None) -> Iterator[Observed]:
        names = [case.case for case in unique_names(cases)]
        return observe(
            self.predictor, cases, names, frame=self.model.frame, target=self.model.target, variation=self.variation,
            worth=self.calibration, members=self.members, tick=tick,
        )  # fmt: skip


def home_of(model: Model, fitted: Fitted) -> list[Subject]:
    """Validation cases with masks, by which all else is learnt; of too few that is told before anything is asked."""
    home = _some(fitted.cases, "home")
    trained = {(row["dataset"], row["case"]) for run in model.runs for row in run.cases() if row["part"] == "train"}
    if any((one.dataset.name, one.case.case) in trained for one in home):
        raise BadInput(
            f"{model.folder}: what one of its runs was watched by another has learnt from, so nothing shows what its "
            "evidence is worth",
            hint="Audit one of them, or an ensemble of runs of one split.",
        )
    if len(home) < FEWEST:
        raise BadInput(
            f"{model.folder}: has {len(home)} validation cases with masks; from fewer than {FEWEST} nobody learns what "
            "evidence is worth",
            hint="A larger validation part, before it is trained: segue data split DATASET --validation 0.2",
        )
    return home


def worth(
    eyes: Eyes, home: Sequence[Subject], settings: AuditSettings, *, progress: bool = False, say: Say = silent
) -> Worth:  # fmt: skip
    groups = groups_of(home, eyes.model, settings)
    found: dict[str, list[Known]] = {name: [] for name in eyes.model.target.foreground}
    looks: dict[str, list[Look]] = {}
    book = eyes.model.folder / FOLDER / f"known-{_of_what(eyes, home, settings)}.jsonl"
    with Ledger.open(book) as ledger, Progress("what evidence is worth", len(groups), shown=progress) as shown:
        if new := [group for group in groups if group.key not in ledger.finished]:
            say(
                f"what evidence is worth is asked once for this run: {count(len(new), 'group')} of {count(len(home), 'case')} "
                "with masks, each case seen five times"
            )
        for group in groups:
            kept = ledger.finished.get(group.key)
            if kept is None:
                kept = learnt(eyes, group)
                ledger.write(Outcome(group.key, kept))
            if group.family != PAINTED:  # whose images look as home's do
                looks.setdefault(group.family, []).extend(map(Look.from_json, kept["looks"]))
            for name, rows in kept["known"].items():
                found[name] += map(Known.from_json, rows)
            shown.advance()
    return Worth({name: tuple(own) for name, own in found.items()}, {name: tuple(own) for name, own in looks.items()})


def groups_of(home: Sequence[Subject], model: Model, settings: AuditSettings) -> list[Group]:
    grey = model.frame.voxel == 1
    found = [Group(HOME, HOME, home)]
    for name in CORRUPTIONS:
        if grey and name == "colour-cast":
            continue
        for level in LEVELS:
            spoilt = [Spoilt.of(one, corruption(name, level)) for one in home]
            found.append(Group(f"{name} {level}", name, spoilt))
    if settings.zoom:
        if model.frame.volumes is not None:
            raise BadInput("zoom: the network sees volumes, and only pictures are shown larger and smaller")
        found += [Group(f"{ZOOM} {times:g}", ZOOM, [Copy.of(one, Zoom(times)) for one in home]) for times in TIMES]
    if settings.painter:
        painting = painting_for(settings.painter, model, home)
        by = _short(json.dumps(Run.open(settings.painter).stamps))
        found += [
            Group(f"{PAINTED} {kind}", PAINTED, [Copy.of(one, Painted(painting, kind)) for one in home], by)
            for kind in EDITS
        ]
    for folder in settings.known:
        dataset = Dataset.open(folder)
        same = {**model.runs[0].config["same"], **settings.same}
        learnt_from = seen.of_runs(model.runs, dataset)
        cases = [
            one for one in subjects(dataset, model.target, same=same) if learnt_from.get(one.case.case) != seen.MASKS
        ]
        if len(cases) < FEWEST:
            raise BadInput(
                f"{dataset.name}: has {count(len(cases), 'case')} with masks that training has not seen; from fewer than "
                f"{FEWEST} nobody learns what evidence is worth"
            )
        found.append(Group(dataset.name, dataset.name, _some(cases, dataset.name)))
    return found


def _some(cases: Sequence[Subject], purpose: str) -> list[Subject]:
    """No more than enough, always the same."""
    if len(cases) <= MOST:
        return list(cases)
    chosen = addressed(0, "audit", purpose).choice(len(cases), MOST, replace=False)
    return [cases[number] for number in sorted(chosen)]


def learnt(eyes: Eyes, group: Group) -> dict[str, Any]:
    """Evidence, and what was so, as JSON."""
    model = eyes.model
    table = judge(eyes.predictor, group.cases, frame=model.frame, target=model.target, quick=True).table
    rows = {(row.case, row.class_name): row for row in table}
    known: dict[str, list[Any]] = {name: [] for name in model.target.foreground}
    looks = []
    for one in eyes.observe(group.cases):
        if one.look is None or one.evidence is None:
            raise BadInput(f"{one.case}: {one.error}")
        looks.append(one.look.as_json())
        for name, evidence in one.evidence.items():
            row = rows.get((one.case, name))
            if row is not None and row.scores.counted_pixels:
                known[name].append(_known(row, group, evidence).as_json())
    return {"known": known, "looks": looks}


def _known(row: Row, group: Group, evidence: Evidence) -> Known:
    scores = row.scores
    there, found, every = scores.truth_pixels, scores.predicted_pixels, scores.counted_pixels
    both = scores.dice * (there + found) / 2 if there and found else 0.0
    return Known(
        row.case, row.who, group.name, group.family, evidence, scores.present,
        scores.dice if scores.present else math.nan, (found - both) / max(1, found), (there - both) / max(1, every - found),
    )  # fmt: skip


def _of_what(eyes: Eyes, home: Sequence[Subject], settings: AuditSettings) -> str:
    """What it all hangs on, in short: other weights, another variation or other cases are asked anew."""
    weights = [stamp for run in eyes.model.runs for stamp in run.stamps]
    asked = settings.model_dump(mode="json", exclude={"known", "same", "verify", "painter", "zoom"})
    said = json.dumps([weights, asked, LEVELS, MOST, dict(eyes.calibration.temperatures), _names(home)])
    return _short(said)


def _names(cases: Sequence[Subject]) -> str:
    return _short(json.dumps([(one.dataset.name, one.case.case, one.case.digest, one.case.mask) for one in cases]))


def _short(said: str) -> str:
    return hashlib.blake2b(said.encode(), digest_size=6).hexdigest()
