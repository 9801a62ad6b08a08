"""The stress test: the same cases judged again, spoilt in one way after another, at five levels of each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from segue.data.geometry import Fit, pyramid
from segue.data.target import Target
from segue.evaluation.judging.judge import judge
from segue.evaluation.judging.subject import Subject
from segue.evaluation.judging.summary import summarise
from segue.evaluation.judging.table import Table
from segue.evaluation.predicting.decision import Decision
from segue.evaluation.predicting.frame import Frame
from segue.evaluation.predicting.predict import Picture, Predictor
from segue.evaluation.predicting.stack import Stack
from segue.executors import Ledger, Outcome
from segue.executors.progress import Progress
from segue.files import without_nan
from segue.variations.address import Address
from segue.variations.corruptions import LEVELS, corruption
from segue.variations.presets import none
from segue.variations.variation import Variation

NOTHING = none()
CLEAN = 0  # the level of what is not spoilt


@dataclass(frozen=True)
class Stressed:
    """Of a class: Dice over patients, of cases that have it and that training has not seen, so spoilt."""

    corruption: str
    level: int  # 0: as it is
    class_name: str
    dice: float
    low: float
    high: float
    patients: int

    def as_json(self) -> dict[str, Any]:
        return without_nan(self)


@dataclass(frozen=True, eq=False)
class Spoilt(Subject):
    """A subject whose image is spoilt as it was stored, before anything is made of it for the network."""

    variation: Variation = NOTHING

    @classmethod
    def of(cls, subject: Subject, variation: Variation) -> Spoilt:
        return cls(**{each.name: getattr(subject, each.name) for each in fields(Subject)}, variation=variation)

    def picture(self, frame: Frame) -> Picture | Stack:
        given = super().picture(frame)
        pixels = given.levels[0][None] if isinstance(given, Picture) else given.voxels
        # All slices of a volume alike.
        address = Address(0, "corruption", 0, 0, self.case.case)
        size = (pixels.shape[1], pixels.shape[2])
        done = self.variation.draw(size, [address] * len(pixels)).images(pixels)
        if isinstance(given, Stack):
            return Stack(done, given.placement, given.name)
        return Picture(pyramid(done[0], Fit(size, size)), given.native, given.name)


def stressed(
    predictor: Predictor,
    subjects: Sequence[Subject],
    names: Sequence[str],
    clean: Table,
    *,
    frame: Frame,
    target: Target,
    decision: Decision,
    ledger: Ledger,
    progress: bool = False,
) -> Iterator[Stressed]:
    """By corruption, level and class; level 0 is what the clean table says. What stands in the ledger is not judged again."""
    plain = list(_of(clean, "", CLEAN))
    with Progress("spoiling", len(names) * len(LEVELS), shown=progress) as shown:
        for name in names:
            yield from (Stressed(**{**asdict(one), "corruption": name}) for one in plain)
            for level in LEVELS:
                key = f"{name} {level}"
                if key not in ledger.finished:
                    spoilt = [Spoilt.of(one, corruption(name, level)) for one in subjects]
                    table = judge(predictor, spoilt, frame=frame, target=target, decision=decision, quick=True).table
                    found = [asdict(one) for one in _of(table, name, level)]
                    ledger.write(Outcome(key, found))
                else:
                    found = ledger.finished[key]
                yield from (Stressed(**one) for one in found)
                shown.advance()


def _of(table: Table, name: str, level: int) -> Iterator[Stressed]:
    unseen = [row for row in table if not row.seen]
    for one in summarise(unseen, intervals=("dice",)):
        low, high = one.intervals["dice"]
        yield Stressed(name, level, one.class_name, one.means["dice"], low, high, one.present_patients)


def told(found: Sequence[Stressed]) -> list[str]:
    """A sentence a class: how much is lost on average, and to what most."""
    sentences = []
    for name in dict.fromkeys(one.class_name for one in found):
        own = [one for one in found if one.class_name == name and not math.isnan(one.dice)]
        clean = next((one.dice for one in own if one.level == CLEAN), math.nan)
        spoilt = [one for one in own if one.level != CLEAN]
        if not spoilt:
            continue
        means = {
            kind: math.fsum(one.dice for one in spoilt if one.corruption == kind) / len(LEVELS)
            for kind in dict.fromkeys(one.corruption for one in spoilt)
        }
        worst = min(means, key=lambda kind: means[kind])
        mean = math.fsum(means.values()) / len(means)
        sentences.append(
            f"{name}: a Dice of {clean:.3f} as it is, {mean:.3f} spoilt (mean of {len(means)} corruptions at {len(LEVELS)} "
            f"levels), lowest under {worst}: {means[worst]:.3f}"
        )
    return sentences
