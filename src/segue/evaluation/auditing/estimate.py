"""What is expected of a place without masks: of each case and of all of them, with how far that may be off.

A place's mean is as uncertain as expectations were of groups that nothing was learnt from, and as its own few cases make it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from segue.evaluation.auditing.evidence import Evidence
from segue.evaluation.auditing.fit import HOME, Fit, Known, Lessons, Margins, of_patients, spread
from segue.files import without_nan

Floats = npt.NDArray[np.float64]

_UNKNOWN = 0.05  # of a place's mean: spoilt copies of home are no hospital, and say less of one than they seem to
LEVEL = 0.9  # of intervals: a place that lies outside is one in ten


@dataclass(frozen=True)
class Case:
    """What is expected of one case and class, where the class is there."""

    case: str
    class_name: str
    dice: float
    low: float
    high: float
    there: float  # how probably it is
    found: bool


@dataclass(frozen=True)
class Site:
    """What is expected of a place, of one class."""

    class_name: str
    cases: int
    dice: float  # the mean over cases that have the class
    low: float
    high: float
    home: float  # the true mean of validation as it is
    there: float  # expected share of cases that have the class; not a number: all are taken to
    false_positives: float  # of those that have not, the expected share in which it is found; not a number: not known
    found: float  # share of cases in which anything is found
    elsewhere: bool = False  # whether another place than home taught what to expect

    def as_json(self) -> dict[str, Any]:
        return without_nan(self)


@dataclass(frozen=True)
class Expected:
    sites: tuple[Site, ...]  # by class
    cases: tuple[Case, ...]


def expected(
    seen: Sequence[tuple[str, str, Mapping[str, Evidence]]],
    lessons: Mapping[str, Lessons],
    *,
    level: float = LEVEL,
) -> Expected:
    """`seen`: case, who, and evidence by class; `lessons`: by class, what evidence was worth where masks are known."""
    sites, cases = list[Site](), list[Case]()
    for name, own in lessons.items():
        evidence = [of_classes[name] for *_, of_classes in seen]
        fit, margins = own.fit, Margins.of(own.left_out, level)
        dices, there = fit.dices(evidence), fit.there(evidence)
        around = spread(dices)
        low, high = (np.clip(dices + at * around, 0, 1) for at in (margins.low, margins.high))
        found = np.array([one.found > 0 for one in evidence])
        low, high = np.where(found, low, 0.0), np.where(found, high, 0.0)
        rows = zip(seen, dices.tolist(), low.tolist(), high.tolist(), there.tolist(), found.tolist(), strict=True)
        cases += [Case(case, name, *numbers) for (case, *_), *numbers in rows]
        sites.append(_site(name, [who for _, who, _ in seen], dices, there, found, fit, margins, own.known, level))
    return Expected(tuple(sites), tuple(cases))


def _site(
    name: str, whose: Sequence[str], dices: Floats, there: Floats, found: npt.NDArray[np.bool_], fit: Fit,
    margins: Margins, known: Sequence[Known], level: float,
) -> Site:  # fmt: skip
    home = [one for one in known if one.group == HOME and one.present]
    share = of_patients(whose) * there
    mean = float(np.average(dices, weights=share)) if share.sum() > 0 else math.nan
    # Cases of one patient hang together: as many speak as there are patients.
    own = (float(np.average((dices - mean) ** 2, weights=share)) + margins.of_cases**2) / len(set(whose))
    elsewhere = any(not one.made for one in known)
    of_places = margins.of_groups if elsewhere else max(margins.of_groups, _UNKNOWN)
    reach = float(special.stdtrit(margins.freedom, (1 + level) / 2)) * math.sqrt(of_places**2 + own)
    absent = 1 - there
    known_absent = fit.presence is not None and absent.sum() > 0
    return Site(
        class_name=name, cases=len(dices), dice=mean, low=max(0.0, mean - reach), high=min(1.0, mean + reach),
        home=float(of_patients([one.who for one in home]) @ [one.dice for one in home]) if home else math.nan,
        there=float(there.mean()) if fit.presence is not None else math.nan,
        false_positives=float(np.average(found, weights=absent)) if known_absent else math.nan,
        found=float(found.mean()), elsewhere=elsewhere,
    )  # fmt: skip
