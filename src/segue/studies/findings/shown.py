"""Pictures of the same cases by every arm. Drawn once and kept in the study's folder."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from segue.data.case import IGNORE
from segue.data.images import jpeg
from segue.errors import BadInput
from segue.evaluation.judging.metrics import METRICS
from segue.evaluation.judging.subject import Subject
from segue.evaluation.judging.table import Table
from segue.evaluation.predicting.decision import PLAIN, Decision
from segue.evaluation.showing.overlays import Bytes, legend
from segue.evaluation.showing.shown import overlays, picked
from segue.executors.progress import Progress
from segue.files import atomic, read_json
from segue.report.palette import Colour
from segue.report.study.story import Pictured
from segue.studies.evidence import Done, Evidence
from segue.studies.findings.shapes import Shape, shape, spread
from segue.studies.judged import judged
from segue.training.run import Run

FOLDER = "pictures"
ARMS, EACH, WORST = 8, 3, 3  # arms; cases at home, and as many elsewhere; and of those that were done worst
_SIDE, _CUTS = 320, 640  # pixels of a picture, and of one with a volume's cuts
_QUALITY = 85


@dataclass(frozen=True)
class Shown:
    fixed: tuple[Pictured, ...] = ()
    worst: tuple[Pictured, ...] = ()
    outlines: tuple[tuple[Colour, str], ...] = ()
    left: int = 0  # arms that are not pictured
    why_not: str = ""  # there are none


@dataclass(frozen=True)
class _Case:
    place: str  # a single set
    subject: Subject
    why: str

    @property
    def name(self) -> str:
        return self.subject.case.case


def shown(evidence: Evidence, order: Sequence[str], folder: Path, progress: bool) -> Shown:
    """`order`: arms, the best first."""
    arms = list(order[:ARMS])
    runs = [evidence.first(arm) for arm in arms]
    try:
        first = Run.open(runs[0].folder)
        fixed = [each for place in _where(evidence) for each in _fixed(evidence, first, evidence.places[place])]
        worst = list(_worst(evidence, first, runs[0]))
        drawn = _drawn([*fixed, *worst], arms, runs, folder, progress)
    except BadInput as error:
        return Shown(why_not=error.message)
    told = tuple(_pictured(each, evidence, arms, runs, drawn) for each in (*fixed, *worst))
    return Shown(told[: len(fixed)], told[len(fixed) :], legend(first.target), len(order) - len(arms))


def _where(evidence: Evidence) -> list[str]:
    return [place for place in dict.fromkeys((evidence.home, evidence.main)) if place in evidence.places]


def _fixed(evidence: Evidence, run: Run, sets: Sequence[str]) -> Iterator[_Case]:
    """By their masks, of all sets of a place together."""
    found: list[tuple[str, Subject, Shape]] = []
    for name in sets:
        for subject in judged(evidence, run, name):
            truth = subject.truth()
            one = shape((truth > 0) & (truth != IGNORE))
            if one is not None:
                found.append((name, subject, one))
    names = [(f"{name}/{subject.case.case}", f"{name}/{subject.case.who}", one) for name, subject, one in found]
    for place in spread(names, EACH):
        name, subject, one = found[place]
        yield _Case(name, subject, one.told)


def _worst(evidence: Evidence, run: Run, best: Done) -> Iterator[_Case]:
    for name in evidence.places[evidence.main]:
        subjects = {one.case.case: one for one in judged(evidence, run, name)}
        table = Table.of(row for row in best.table(name) if row.case in subjects)
        if len(table):
            for case, dice in picked(table, WORST)["worst"]:
                yield _Case(name, subjects[case], f"Dice {dice:.3f} by the best arm")


def _drawn(
    cases: Sequence[_Case], arms: Sequence[str], runs: Sequence[Done], folder: Path, progress: bool
) -> dict[tuple[str, str, str], Path]:
    """By arm, place and case."""
    where = folder / FOLDER
    opened = {arm: Run.open(one.folder) for arm, one in zip(arms, runs, strict=True)}
    found = {
        (arm, each.place, each.name): where / f"{_key(run, each)}.jpg" for arm, run in opened.items() for each in cases
    }
    todo = {key: each for arm in arms for each in cases if not found[key := (arm, each.place, each.name)].exists()}
    if todo:
        with Progress("drawing", len(todo), shown=progress) as told:
            for arm, place in dict.fromkeys((arm, place) for arm, place, _ in todo):
                some = [each for (of, at, _), each in todo.items() if (of, at) == (arm, place)]
                for each, picture in _predicted(opened[arm], place, some):
                    _write(found[arm, place, each.name], picture, _CUTS if each.subject.case.volume else _SIDE)
                    told.advance()
    for rest in set(where.glob("*.jpg")) - set(found.values()):
        rest.unlink()
    return found


def _key(run: Run, one: _Case) -> str:
    """What a picture hangs on."""
    said = repr((run.name, run.stamps, one.place, one.name, one.subject.case.digest, _SIDE, _CUTS))
    return f"{run.name}-{hashlib.blake2b(said.encode(), digest_size=8).hexdigest()}"


def _predicted(run: Run, place: str, cases: Sequence[_Case]) -> Iterator[tuple[_Case, Bytes]]:
    from segue.experiment.load import load

    about = read_json(run.folder / "evaluation" / place / "summary.json")
    decision = Decision.from_json(about["decision"]) if about.get("decision") else PLAIN
    model = load(run.folder, about.get("weights") or "best").views(*about.get("views", ()))
    subjects = [each.subject for each in cases]
    pictures = overlays(
        model.predictor(), subjects, frame=model.frame, target=model.target, decision=decision, long_side=_SIDE
    )
    for each, (_, picture) in zip(cases, pictures, strict=True):
        yield each, picture


def _write(path: Path, picture: Bytes, side: int) -> None:
    height, width = picture.shape[:2]
    scale = min(1.0, side / max(height, width))
    small = cv2.resize(picture, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    with atomic(path, "wb") as file:
        file.write(jpeg(np.asarray(small, np.uint8), _QUALITY))


def _pictured(
    one: _Case, evidence: Evidence, arms: Sequence[str], runs: Sequence[Done], drawn: dict[tuple[str, str, str], Path]
) -> Pictured:
    tiles, metric = [], METRICS[evidence.plan.study.metric]
    for arm, run in zip(arms, runs, strict=True):
        rows = [row for row in run.table(one.place) if row.case == one.name]
        value = sum(row.value(metric.name) for row in rows) / len(rows)
        data = base64.b64encode(drawn[arm, one.place, one.name].read_bytes()).decode()
        tiles.append((arm, f"data:image/jpeg;base64,{data}", f"{metric.told} {value:.3f}"))
    return Pictured(case=one.name, place=one.place, why=one.why, shown=tiles, volume=one.subject.case.volume)
