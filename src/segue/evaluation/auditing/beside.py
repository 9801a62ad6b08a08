"""What was expected beside what is so, once masks of a place have become known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from segue.data.case import whom
from segue.evaluation.auditing.estimate import Case, Site
from segue.evaluation.auditing.fit import of_patients
from segue.evaluation.auditing.trial import AUDIT, Judged, judged
from segue.evaluation.judging.table import Table


@dataclass(frozen=True)
class Beside:
    """Of one class, over the cases that have it and were audited and judged."""

    class_name: str
    cases: int
    true: float
    expected: float
    inside: bool  # the true mean lies in the place's interval
    whom: str  # what means are over: patients, scenes or images
    covered: float  # share of cases whose Dice lies in their own
    judged: Judged

    @property
    def told(self) -> str:
        lies = "inside" if self.inside else "outside"
        one = self.judged
        return (
            f"{self.class_name}: with masks the mean Dice over {self.whom}s is {self.true:.3f} ({self.expected:.3f} was "
            f"expected of these {self.cases:,} images), {lies} the interval; single images were off by {one.of_cases:.3f} "
            f"(correlation {one.r:.2f}), and {self.covered:.0%} lie in intervals of their own."
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "class": self.class_name, "cases": self.cases, "true": self.true, "expected": self.expected,
            "inside": self.inside, "covered": self.covered, **{f"case_{k}": v for k, v in self.judged.as_json().items()},
        }  # fmt: skip


def beside(sites: Sequence[Site], cases: Sequence[Case], table: Table) -> tuple[Beside, ...]:
    rows = {(row.case, row.class_name): row for row in table if row.scores.present and row.seen != "masks"}
    found = []
    for site in sites:
        own = [one for one in cases if (one.case, one.class_name) in rows and one.class_name == site.class_name]
        if not own:
            continue
        true = np.array([rows[one.case, one.class_name].scores.dice for one in own])
        said = np.array([one.dice for one in own])
        share = of_patients([rows[one.case, one.class_name].who for one in own])
        mean = float(share @ true)
        covered = float(share @ np.array([one.low <= dice <= one.high for one, dice in zip(own, true, strict=True)]))
        found.append(
            Beside(
                site.class_name, len(own), mean, float(share @ said), site.low <= mean <= site.high,
                whom(rows[one.case, one.class_name] for one in own), covered,
                judged(AUDIT, [(said, true, share)]),
            )
        )  # fmt: skip
    return tuple(found)
