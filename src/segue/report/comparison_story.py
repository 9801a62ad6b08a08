"""What the page of a comparison is told: numbers and words, whoever found them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from segue.report.page import Estimate


@dataclass(frozen=True, kw_only=True)
class Side:
    name: str
    mean: float
    runs: int = 1
    deviation: float = math.nan  # of the runs' means
    others: Mapping[str, float] = field(default_factory=dict)  # further measures by their names in words


@dataclass(frozen=True, kw_only=True)
class Lost:
    """A case in which one side is far behind the other."""

    case: str
    name: str  # of the class
    value: float
    other: float
    picture: str = ""  # data URI


@dataclass(frozen=True, kw_only=True)
class Pair:
    side: str
    reference: str
    difference: Estimate  # side less reference
    p: float
    p_adjusted: float
    p_wilcoxon: float
    rank_biserial: float
    standardised: float
    verdict: str
    sentence: str
    differences: tuple[float, ...]  # of each patient
    side_loses: tuple[Lost, ...] = ()  # the worst first
    reference_loses: tuple[Lost, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Group:
    """Cases of a set that training has seen equally much of."""

    set: str
    seen_by: str = ""  # models of which some stage saw the images
    unit: str = ""  # of distances
    cases: int
    patients: int
    whom: str = "patient"  # or image, where no patient is known
    sides: tuple[Side, ...]
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """What a side learnt from."""

    way: str  # by what sets it apart from others; empty where there is but one
    masks: int
    patients: bool = True  # that is how many; False: images


@dataclass(frozen=True, kw_only=True)
class ComparisonStory:
    title: str
    metric: str  # in words
    higher_is_better: bool = True
    margin: float
    test: str = "permutation"
    groups: tuple[Group, ...]
    notes: tuple[str, ...] = ()
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # that differ: by side
    learnt: Mapping[str, Learnt] = field(default_factory=dict)  # by side, where it is known
    outlines: tuple[tuple[tuple[int, int, int], str], ...] = ()  # legend of the pictures
    commands: tuple[str, ...] = ()
