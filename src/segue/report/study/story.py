"""What the page of a study is told: numbers, words and pictures, whoever found them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from segue.report.page import Estimate
from segue.report.palette import Colour
from segue.report.story import Stratum

Line = tuple[Sequence[float], Sequence[float], Sequence[float]]  # of several runs the mean, the least, the most


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Declared before anything ran."""

    told: str  # X against Y
    place: str
    main: bool  # one of those that answer; else a single place by itself
    difference: Estimate
    mean: float
    reference: float
    verdict: str
    p: float  # after Holm
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Arm:
    name: str
    runs: int
    means: Mapping[str, float]  # by place
    deviations: Mapping[str, float]  # of runs, as a share of the mean, by place
    best: Mapping[str, str]  # by place: best, level with it, or worse
    minutes: float  # of training, on average
    parameters: int
    peak: float  # bytes
    images: Sequence[float]  # at the main place: of each the mean over runs
    lost: Estimate | None = None  # from home to the main place, as a share of home


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A run, whatever has become of it."""

    name: str
    arm: str
    values: Mapping[str, str]  # by axis
    repeat: int
    state: str  # done, failed, not done
    why: str = ""  # it failed
    means: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # by place and metric
    seconds: float | None = None
    parameters: int | None = None
    peak: float | None = None  # bytes


@dataclass(frozen=True, kw_only=True)
class Course:
    """How an arm's trainings went."""

    name: str
    looks: Sequence[float]  # images seen, after each epoch
    loss: Line
    scores: Line | None  # of validation
    first_loss: float
    last_loss: float
    best_epoch: float | None  # the mean over runs
    epochs: int
    best: float | None  # of validation
    last: float | None
    fitted: float | None  # of the first repeat, on some of the images that it learnt from
    gap: float | None  # that less its best of validation
    climbing: int  # runs that were not at their plateau
    rising: int  # runs whose loss rose in the end
    runs: int


@dataclass(frozen=True)
class Rivals:
    """Each of some arms against each, adjusted for all pairs."""

    names: Sequence[str]
    p: Mapping[tuple[str, str], float]  # the better one first
    letters: Mapping[str, str]  # arms that share one cannot be told apart
    of: int  # arms there are


@dataclass(frozen=True, kw_only=True)
class Effect:
    """Of a value of an axis against the first one, over all else."""

    axis: str
    value: str
    reference: str
    mean: float
    of_reference: float
    difference: Estimate
    pairs: int
    p: float  # after Holm
    verdict: str


@dataclass(frozen=True, kw_only=True)
class Pictured:
    """A case as every arm saw it."""

    case: str
    place: str
    why: str  # it was chosen
    shown: Sequence[tuple[str, str, str]]  # what it is, a data URI, its number in words
    volume: bool = False  # several cuts on one picture


@dataclass(frozen=True)
class Foretold:
    """Whether what is known at home goes along with what comes out elsewhere, over runs."""

    points: Mapping[str, Sequence[tuple[float, float]]]  # what is known at home -> it and the main place's mean, by run
    ranks: Mapping[str, Estimate]  # Spearman's


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A trial of a search."""

    number: int
    state: str  # done, pruned, over, failed
    drawn: Mapping[str, str]  # by dimension
    score: float | None  # on validation
    at: float  # how far it came, of its steps
    minutes: float
    parameters: int
    peak: float  # bytes
    why: str  # it failed


@dataclass(frozen=True, kw_only=True)
class SearchStory:
    begin: str  # the arm that it began from
    called: str  # the arm that its best is
    select: str  # of validation
    wanted: int
    ended: bool
    trials: Sequence[Tried]
    best: tuple[int, float] | None  # trial, score
    fresh: int = 0  # seeds on which the best was trained again
    again: float | None = None  # validation's mean there
    begun: float | None = None  # likewise of where it began


@dataclass(frozen=True, kw_only=True)
class StudyStory:
    question: str
    answer: str
    target: str
    metric: str
    higher_is_better: bool
    overlap: bool  # the metric lies from 0 to 1
    margin: float
    home: str
    main: str  # the place that the answer is about
    where: str  # that is, in words
    judged: str  # over how many cases
    places: Sequence[str]
    axes: Mapping[str, Sequence[str]]
    declared: Sequence[Compared]
    arms: Sequence[Arm]  # the best first, at the main place
    failed: Sequence[tuple[str, str]]  # what it was, why
    waiting: int
    repeats: int
    cautions: Sequence[tuple[str, str]]
    every: Sequence[Ran]
    commands: Sequence[str]
    rivals: Rivals | None = None
    effects: Sequence[Effect] = ()
    budgets: Mapping[str, Mapping[str, Mapping[int, tuple[float, float]]]] = field(
        default_factory=dict
    )  # by place, rest, masks
    courses: Sequence[Course] = ()
    select: str = ""  # what validation told
    sizes: Mapping[str, Sequence[Stratum]] = field(default_factory=dict)  # by class
    fixed: Sequence[Pictured] = ()
    worst: Sequence[Pictured] = ()
    outlines: Sequence[tuple[Colour, str]] = ()
    unseen_arms: int = 0  # that are not pictured
    foretold: Foretold | None = None
    search: SearchStory | None = None
    files: Sequence[str] = ()  # of the tables
