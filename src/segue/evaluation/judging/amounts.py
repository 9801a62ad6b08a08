"""How large a structure is said to be against how large it is, in millilitres, and of hearts how much of its blood a ventricle
throws out: bias and limits of agreement after Bland and Altman. A mask may overlap well and still be too large each time.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from segue.evaluation.judging.table import Row, Table
from segue.words import count

_LIMITS = 1.96  # standard deviations: 95 % of differences that are spread normally
_FEWEST = 3  # differences that have a spread
_CAVITY = "ventricle"  # classes that are called so throw something out
_FULL, _EMPTY = "ED", "ES"  # the times of a beat


@dataclass(frozen=True)
class Agreement:
    class_name: str
    what: str  # volume, or ejection fraction
    unit: str  # mL, or points of a hundred
    truth: float  # mean
    bias: float  # predicted - true, mean
    low: float  # limits of agreement
    high: float
    number: int
    whom: str  # case, or patient
    lost: int = 0  # patients in whom it was not found where it is, so that nothing follows

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def told(self) -> str:
        lost = f"; not to be had of {count(self.lost, self.whom)}, in whom it was not found" if self.lost else ""
        if math.isnan(self.bias):
            return f"{self.class_name}: {self.what}{lost}"
        which = "as large as" if not round(self.bias, 1) else f"{abs(self.bias):.1f} {self.unit}"
        than = "" if not round(self.bias, 1) else " larger than" if self.bias > 0 else " smaller than"
        return (
            f"{self.class_name}: {self.what} {which}{than} in truth ({self.truth:.1f} {self.unit}) on average, limits of "
            f"agreement {self.low:+.1f} to {self.high:+.1f}; {count(self.number, self.whom)}{lost}"
        )


def agreements(table: Table) -> tuple[Agreement, ...]:
    """By class; of cases that training has not seen, and whose voxels have a size."""
    rows = [row for row in table if row.voxel_ml and not row.seen and row.scores.counted_pixels]
    return tuple(found for name in dict.fromkeys(row.class_name for row in rows) for found in _of_class(name, rows))


def _of_class(name: str, rows: list[Row]) -> Iterator[Agreement]:
    own = [row for row in rows if row.class_name == name]
    pairs = [(row.scores.truth_pixels * row.voxel_ml, row.scores.predicted_pixels * row.voxel_ml) for row in own]
    yield from _agreement(name, "volume", "mL", pairs, "case")
    if _CAVITY in name.lower():
        found = list(_fractions(own))
        pairs = [pair for pair in found if pair is not None]
        yield from _agreement(name, "ejection fraction", "points", pairs, "patient", len(found) - len(pairs))


def _fractions(rows: list[Row]) -> Iterator[tuple[float, float] | None]:
    """True and predicted, of patients with both times and with blood when they are full; None: nothing of it was found. More
    than all and less than nothing cannot be thrown out, whatever two bad masks would have it."""
    beats: dict[str, dict[str, Row]] = {}
    for row in rows:
        beats.setdefault(row.who, {})[row.column("time").upper()] = row
    for beat in beats.values():
        if {_FULL, _EMPTY} <= set(beat):
            full, empty = beat[_FULL].scores, beat[_EMPTY].scores
            if not full.truth_pixels:
                continue
            if not full.predicted_pixels:
                yield None
                continue
            voxels = beat[_EMPTY].voxel_ml / beat[_FULL].voxel_ml
            true = 100 * (1 - empty.truth_pixels * voxels / full.truth_pixels)
            yield true, min(100.0, max(0.0, 100 * (1 - empty.predicted_pixels * voxels / full.predicted_pixels)))


def _agreement(
    name: str, what: str, unit: str, pairs: list[tuple[float, float]], whom: str, lost: int = 0
) -> Iterator[Agreement]:
    if len(pairs) < _FEWEST:
        if lost:
            yield Agreement(name, what, unit, math.nan, math.nan, math.nan, math.nan, len(pairs), whom, lost)
        return
    differences = [said - true for true, said in pairs]
    bias, spread = statistics.fmean(differences), _LIMITS * statistics.stdev(differences)
    truth = statistics.fmean(true for true, _ in pairs)
    yield Agreement(name, what, unit, truth, bias, bias - spread, bias + spread, len(pairs), whom, lost)
