"""Ways to train: runs of one way differ by how much they learnt from, how long it took them, and luck."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from segue.experiment.differing import read
from segue.report.comparison_story import Learnt
from segue.training.run import CONFIG, Run
from segue.words import short

_BUDGET = ("data", "labels", "draw", "loop.seed")
_LENGTH = (
    "minutes",
    "epochs",
    "looks",
    "loop.steps",
    "loop.epoch_steps",
    "loop.batch",
    "loop.accumulate",
    "loop.save_minutes",
)
_ASIDE = (*_BUDGET, *_LENGTH, "machine.", "stores", "validation", "select")
_NOTHING = ("null", "[]")
_ALIKE = 1.1  # times as many looks are as many


def way(run: Run) -> dict[str, str]:
    """What was asked for, but for what may differ."""
    return {key: json.dumps(value) for key, value in read(run.about["asked"]).items() if not key.startswith(_ASIDE)}


@dataclass(frozen=True)
class Known:
    """A run, and the rows of what it learnt from, read once."""

    run: Run
    rows: tuple[Mapping[str, str], ...]

    @classmethod
    def of(cls, folder: Path) -> Known:
        run = Run.open(folder)
        return cls(run, tuple(row for row in run.cases() if row["part"] == "train"))

    @property
    def patients(self) -> bool:
        """Whether all of them are known."""
        return all(row["patient"] for row in self.rows)

    @property
    def units(self) -> int:
        """Patients that it learnt from; images, where one's patient is not known."""
        what = "patient" if self.patients else "case"
        return len({(row["dataset"], row["site"], row[what]) for row in self.rows})

    @property
    def masks(self) -> str:
        """A name of the masks that it learnt from."""
        cases = sorted((row["dataset"], row["case"]) for row in self.rows)
        return hashlib.blake2b(json.dumps(cases).encode(), digest_size=8).hexdigest()

    @property
    def never_followed(self) -> bool:
        return self.run.config.get("method") == "semi" and not any("sure" in line for line in self.run.metrics())


def known(sides: Mapping[str, Sequence[Path]]) -> dict[str, list[Known]]:
    """The runs of each side; not of folds, nor of masks that something else has made."""
    return {
        side: [Known.of(folder) for folder in folders]
        for side, folders in sides.items()
        if all((folder / CONFIG).exists() for folder in folders)
    }


def learnt(sides: Mapping[str, Sequence[Known]]) -> dict[str, Learnt]:
    """Of each side of a comparison whose runs are of one way and learnt from equally many."""
    ways: dict[str, dict[str, str]] = {}
    for side, runs in sides.items():
        several = [(way(one.run), one.units, one.patients) for one in runs if one.run.about.get("asked")]
        if len(several) == len(runs) and all(one == several[0] for one in several):
            ways[side] = several[0][0]
    names = zip(ways, _names(list(ways.values())), strict=True)
    return {
        side: Learnt(way=name, masks=sides[side][0].units, patients=sides[side][0].patients) for side, name in names
    }


def doubts(sides: Mapping[str, Sequence[Known]]) -> Iterator[str]:
    """What makes it another comparison than was meant, perhaps."""
    yield from _unequal(sides)
    for side, runs in sides.items():
        budgets = sorted({one.units for one in runs})
        if len(budgets) > 1:
            some = ", ".join(f"{one:,}" for one in budgets)
            yield f"{side}: its runs learnt from other numbers of masks ({some}), and their mean is of no way to train."
        if lost := sum(one.never_followed for one in runs):
            which = "it" if len(runs) == 1 else f"{lost:,} of its {len(runs):,} runs"
            yield f"{side}: {which} never followed an image without a mask, for want of steps: that is masks alone."


def caveats(sides: Mapping[str, Sequence[Known]]) -> dict[str, str]:
    """Of sides that are not what they are called: what has to stand in each sentence on them."""
    return {
        side: f"But {short(side)} never followed an image without a mask: this says nothing of following."
        for side, runs in sides.items()
        if all(one.never_followed for one in runs)
    }


def _unequal(sides: Mapping[str, Sequence[Known]]) -> Iterator[str]:
    """A step of one method is not a step of another: work is counted in looks."""
    looks, steps = _most(sides, "looks", "looks_before"), _most(sides, "steps")
    if len(looks) == len(sides):
        if max(looks.values()) > _ALIKE * min(looks.values()):
            told = ", ".join(f"{short(side)} {count:,}" for side, count in looks.items())
            yield (
                f"They looked at other numbers of images, each view one, with what they began or learnt from ({told}): what "
                f"differs may be no more than the work that went into each.{_mended(sides)}"
            )
    elif len(set(steps.values())) > 1:
        yield (
            f"They took other numbers of steps ({min(steps.values()):,} to {max(steps.values()):,}): what differs may be no "
            "more than how long each has learnt."
        )


def _mended(sides: Mapping[str, Sequence[Known]]) -> str:
    """What makes it equal: not what others have looked at before."""
    before = any(one.run.about.get("looks_before") for runs in sides.values() for one in runs)
    return "" if before else " --looks makes it the same for any method."


def _most(sides: Mapping[str, Sequence[Known]], what: str, more: str = "") -> dict[str, int]:
    """Of the runs of each side that tell it."""
    told = {side: [one.run.about for one in runs if what in one.run.about] for side, runs in sides.items()}
    return {
        side: max(int(about[what]) + int(about.get(more, 0)) for about in several)
        for side, several in told.items()
        if several
    }


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
