"""Ways to train: runs of one way differ by how much they learnt from, how long it took them, and luck."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from segue.experiment.differing import read
from segue.report.comparison_story import Learnt
from segue.training.run import CONFIG, Run

_BUDGET = ("data", "labels", "draw", "loop.seed")
_LENGTH = ("minutes", "epochs", "loop.steps", "loop.epoch_steps", "loop.batch", "loop.accumulate", "loop.save_minutes")
_ASIDE = (*_BUDGET, *_LENGTH, "machine.", "stores", "validation", "select")
_NOTHING = ("null", "[]")


def way(run: Run) -> dict[str, str]:
    """What was asked for, but for what may differ."""
    return {key: json.dumps(value) for key, value in read(run.about["asked"]).items() if not key.startswith(_ASIDE)}


def learnt(sides: Mapping[str, Sequence[Path]]) -> dict[str, Learnt]:
    """Of each side of a comparison whose runs are of one way and learnt from equally many."""
    found: dict[str, tuple[dict[str, str], int, bool]] = {}
    for side, folders in sides.items():
        if not all((folder / CONFIG).exists() for folder in folders):
            continue  # of folds, or of masks that something else has made
        runs = [Run.open(folder) for folder in folders]
        several = [(way(run), *_units(run)) for run in runs if run.about.get("asked")]
        if len(several) == len(runs) and all(one == several[0] for one in several):
            found[side] = several[0]
    names = _names([of for of, _, _ in found.values()])
    return {
        side: Learnt(way=name, masks=masks, patients=known)
        for (side, (_, masks, known)), name in zip(found.items(), names, strict=True)
    }


def doubts(sides: Mapping[str, Sequence[Path]]) -> Iterator[str]:
    """What makes it another comparison than was meant, perhaps."""
    known = {side: [Run.open(run) for run in runs if (run / CONFIG).exists()] for side, runs in sides.items()}
    steps = {int(run.about.get("steps", 0)) for runs in known.values() for run in runs} - {0}
    if len(steps) > 1:
        yield (
            f"They took other numbers of steps ({min(steps):,} to {max(steps):,}): what differs may be no more than how long "
            "each has learnt."
        )
    for side, runs in known.items():
        budgets = sorted({_units(run)[0] for run in runs})
        if len(budgets) > 1:
            some = ", ".join(f"{one:,}" for one in budgets)
            yield f"{side}: its runs learnt from other numbers of masks ({some}), and their mean is of no way to train."
        lost = sum(
            not any("sure" in line for line in run.metrics()) for run in runs if run.config.get("method") == "semi"
        )
        if lost:
            which = "it" if len(runs) == 1 else f"{lost:,} of its {len(runs):,} runs"
            yield f"{side}: {which} never followed an image without a mask: with more steps it is another method."


def masks_of(folder: Path) -> str:
    """A name of the masks that a run learnt from; empty where nobody knows them."""
    if not (folder / CONFIG).exists():
        return ""
    rows = sorted((row["dataset"], row["case"]) for row in Run.open(folder).cases() if row["part"] == "train")
    return hashlib.blake2b(json.dumps(rows).encode(), digest_size=8).hexdigest()


def _units(run: Run) -> tuple[int, bool]:
    """Patients that it learnt from; images, where one's patient is not known."""
    rows = [row for row in run.cases() if row["part"] == "train"]
    known = all(row["patient"] for row in rows)
    return len({(row["dataset"], row["site"], row["patient" if known else "case"]) for row in rows}), known


def _names(ways: Sequence[Mapping[str, str]]) -> list[str]:
    """By as few settings as tell them apart."""
    chosen: list[str] = []
    told = 1
    for key in dict.fromkeys(key for one in ways for key in one):
        apart = len({tuple(one.get(name) for name in (*chosen, key)) for one in ways})
        if apart > told:
            chosen, told = [*chosen, key], apart
    return [", ".join(filter(None, (_said(key, one.get(key, "null")) for key in chosen))) for one in ways]


def _said(key: str, text: str) -> str:
    value = json.loads(text)
    if key == "init" and value:
        return f"from {Path(value).name}"
    return value if isinstance(value, str) else "" if text in _NOTHING else f"{key}={text}"
