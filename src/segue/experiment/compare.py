"""`segue compare`: runs side by side on the cases that all were judged on, with a sentence that says what may be said."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from segue.errors import BadInput, nearest
from segue.evaluation.comparing.compare import compare as compare_tables
from segue.evaluation.comparing.compared import Comparison, qualified
from segue.evaluation.judging.table import Table
from segue.evaluation.showing.overlays import legend
from segue.experiment import results
from segue.experiment.comparison import comparison_story
from segue.experiment.differing import differing
from segue.experiment.ways import caveats, doubts, known, learnt
from segue.files import atomic
from segue.report.comparison_page import comparison_page
from segue.training.run import Run

Arm = Path | str | Sequence[Path | str]  # one run, or several of one kind that differ by their seed


@dataclass(frozen=True)
class Compared:
    sets: Mapping[str, Comparison]
    page: Path | None
    settings: Mapping[str, Mapping[str, str]]  # that differ, by side
    doubts: tuple[str, ...]  # whether it is the comparison that was meant

    def as_json(self) -> dict[str, Any]:
        return {
            "page": str(self.page) if self.page else None,
            "doubts": list(self.doubts),
            "settings": {key: dict(by) for key, by in self.settings.items()},
            "sets": {name: found.as_json() for name, found in self.sets.items()},
        }


def compare(
    *arms: Arm,
    on: Sequence[str] = (),
    metric: str = "dice",
    margin: float | None = None,
    class_name: str | None = None,
    every_pair: bool = False,
    out: Path | str | None = None,
) -> Compared:
    """Each arm against the first, on each set that all were evaluated on (or those named in `on`).

    Args:
        arms: runs; several of one arm as a list, or as one word with commas, `name=` before it where it is to have one.
        on: names of sets, as `segue evaluate` printed them.
        metric: by which; the table tells all.
        margin: a difference that does not matter; what lies within it "matches".
        class_name: only this one; else the mean of all.
        every_pair: each against each, instead of against the first.
        out: where to write a page with the differences of every patient.
    """
    sides = _sides(arms)
    found = _common(sides, on)
    tables = {name: _tables(sides, name) for name in found}
    pairs: Literal["all", "reference"] = "all" if every_pair else "reference"
    trained = known(sides)
    sets = {
        name: compare_tables(
            each,
            metric=metric,
            class_name=class_name,
            margin=margin,
            pairs=pairs,
            leave_out_trained=True,
            learnt={side: [run.masks for run in runs] for side, runs in trained.items()},
        )
        for name, each in tables.items()
    }
    sets = {name: qualified(found, caveats(trained)) for name, found in sets.items()}
    settings = differing(sides)
    doubtful = tuple(doubts(trained))
    page = Path(out) if out is not None else None
    if page is not None:
        with atomic(page) as file:
            story = comparison_story(
                sets, tables, settings=settings, learnt=learnt(trained), doubts=doubtful,
                pictures={name: _pictures(sides, name) for name in sets},
                outlines=legend(Run.open(next(iter(sides.values()))[0]).target),
            )  # fmt: skip
            file.write(comparison_page(story).html())
    return Compared(sets, page, settings, doubtful)


def _sides(arms: Sequence[Arm]) -> dict[str, list[Path]]:
    sides: dict[str, list[Path]] = {}
    for arm in arms:
        told, runs = _told(arm) if isinstance(arm, str | Path) else ("", list(map(Path, arm)))
        for run in runs:
            if not run.is_dir():
                raise BadInput(f"{run}: there is no such run")
        name = told or _name([run.name for run in runs])
        if any({run.resolve() for run in runs} & {run.resolve() for run in others} for others in sides.values()):
            raise BadInput(f"{runs[0]}: is given twice", hint="segue compare RUN ANOTHER-RUN")
        if name in sides:  # two folders of one name
            name = str(runs[0])
        sides[name] = runs
    if len(sides) < 2:
        raise BadInput("a comparison needs two runs at least", hint="segue compare RUN ANOTHER-RUN")
    return sides


def _told(arm: str | Path) -> tuple[str, list[Path]]:
    """`name=run,run`, or without a name."""
    name, _, runs = str(arm).rpartition("=")
    if not name or Path(arm).is_dir():
        name, runs = "", str(arm)
    return name, [Path(run.strip()) for run in runs.split(",") if run.strip()]


def _name(runs: Sequence[str]) -> str:
    """Of several, what their names have in common."""
    if len(runs) == 1:
        return runs[0]
    alike = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*runs, strict=False))
    common = "".join(letters[0] for letters in alike).rstrip("-_. ")
    return f"{common} ({len(runs)} runs)" if common else f"{runs[0]} and {len(runs) - 1} more"


def _tables(sides: Mapping[str, Sequence[Path]], name: str) -> dict[str, list[Table]]:
    return {side: [Table.read(run / "evaluation" / name / "cases.csv") for run in runs] for side, runs in sides.items()}


def _pictures(sides: Mapping[str, Sequence[Path]], name: str) -> dict[str, dict[str, str]]:
    """By side and case, of what the first run's evaluation drew."""
    drawn = {side: results.overlays(runs[0] / "evaluation" / name) for side, runs in sides.items()}
    return {side: {one.case: one.picture for one in each} for side, each in drawn.items()}


def _common(sides: Mapping[str, Sequence[Path]], on: Sequence[str]) -> list[str]:
    judged = {
        run: {path.parent.name for path in (run / "evaluation").glob("*/cases.csv")}
        for runs in sides.values()
        for run in runs
    }
    common = set.intersection(*judged.values())
    if not common:
        run, sets = min(judged.items(), key=lambda pair: len(pair[1]))
        told = f"was judged on {', '.join(sorted(sets))} only" if sets else "was not judged yet"
        raise BadInput(
            f"{run}: {told}, so there are no cases in common", hint=f"segue evaluate {run} --on DATASET judges it."
        )
    for name in on:
        if name not in common:
            raise BadInput(f"not all of these runs were judged on {name!r}: {nearest(name, common)}")
    return sorted(on or common)
