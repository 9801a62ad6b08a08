"""What the page of a run is told: numbers and words, whoever found them. Nothing here knows of training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from segue.report.page import Estimate

DEFAULT = "default"  # where a setting is from, of which nobody has said anything


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One that the run learnt from."""

    name: str
    folder: str = ""
    split: str = ""
    how: str = ""  # the split in words
    hash: str = ""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Cases of a dataset that play one part in the run."""

    dataset: str
    part: str
    images: int
    patients: int  # known ones
    unknown: int  # images of which no patient is known
    sites: int = 0
    learnt: bool = False  # its masks were learnt from


@dataclass(frozen=True, kw_only=True)
class Epoch:
    number: int
    step: int
    losses: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)  # of validation, by the measure's name in words
    rate: float | None = None
    fitted: float | None = None  # Dice of the masks' worst class in training, where images without masks are followed
    sure: float | None = None  # share of the pixels without masks whose targets were followed
    shift: float | None = None  # of logits, until what is followed has as much of each class as the masks
    kept: float | None = None  # of what was found in the beginning, where images alone are followed: how much still is
    agreement: float | None = None  # IoU of predictions on training images, where consistency is asked for


@dataclass(frozen=True, kw_only=True)
class Result:
    """One class of one set, and cases of which training has seen equally much."""

    name: str  # of the class
    seen: str = ""  # nothing, "images" or "masks"
    cases: int
    patients: int  # that have the structure, or if none has, that have not
    patients_known: bool = True  # if not, images were taken for patients
    present: int  # cases that have the structure
    absent: int = 0
    missed: int = 0  # of those that have it: nothing was predicted
    uncounted: int = 0  # cases in which no pixel counts
    dice: Estimate
    iou: Estimate
    failures: Estimate  # share of the cases with the structure whose Dice is below a bound
    false_positives: Estimate  # share of the cases without it in which something was predicted
    others: Mapping[str, float] = field(default_factory=dict)  # further measures by their names in words
    per_case: tuple[float, ...] = ()  # Dice of each case with the structure


@dataclass(frozen=True, kw_only=True)
class Subgroup:
    """Cases of one set that agree in a column of their table."""

    value: str
    name: str  # of the class
    seen: str = ""
    patients: int
    patients_known: bool = True
    present: int
    absent: int = 0
    dice: Estimate
    failures: Estimate
    false_positives: Estimate


@dataclass(frozen=True, kw_only=True)
class Miss:
    """One of the cases that were done worst."""

    case: str
    name: str  # of the class
    dice: float
    numbers: Mapping[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Overlay:
    picture: str  # data URI
    case: str
    mark: str = ""  # best, median, worst
    told: str = ""


@dataclass(frozen=True)
class Amount:
    """How large a structure is said to be against truth."""

    name: str
    what: str  # volume, ejection fraction
    unit: str
    number: int
    lost: int  # of which it is not to be had, because nothing was found
    truth: float  # mean
    bias: float
    low: float  # limits of agreement
    high: float


@dataclass(frozen=True)
class Steady:
    """How predictions follow a variation of their images."""

    name: str
    variation: str
    cases: int
    unsteady: float | None
    inconsistency: float | None
    rank: float | None  # correlation of unsteadiness with Dice


@dataclass(frozen=True)
class Disagreeing:
    """Where networks that predict together do not say the same."""

    name: str
    members: int
    cases: int
    disagreement: float | None
    rank: float | None  # its correlation with Dice


@dataclass(frozen=True)
class Calibrated:
    """What probabilities are worth, as they are and after a temperature."""

    name: str
    temperature: float
    before: float
    after: float
    in_doubt: float
    doubt_before: float | None
    doubt_after: float | None
    curve_before: tuple[tuple[float, float], ...]  # (said, so)
    curve_after: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Spoilt:
    """Dice of a class under a corruption, by level; level 0 is as it is."""

    name: str
    corruption: str
    dice: Mapping[int, float]


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """A set of cases that the run was judged on."""

    name: str
    dataset: str = ""
    part: str = ""  # validation, test, all
    home: bool = False  # of a dataset that it learnt from
    decision: str = ""  # threshold and what comes after, in words
    unit: str = ""  # of distances
    results: tuple[Result, ...] = ()
    subgroups: Mapping[str, tuple[Subgroup, ...]] = field(default_factory=dict)  # by the column's name
    worst: tuple[Miss, ...] = ()
    overlays: tuple[Overlay, ...] = ()
    left_out: int = 0  # cases that could not be read
    amounts: tuple[Amount, ...] = ()  # of volumes
    steady: tuple[Steady, ...] = ()
    disagreeing: tuple[Disagreeing, ...] = ()
    calibrated: tuple[Calibrated, ...] = ()
    spoilt: tuple[Spoilt, ...] = ()
    gaps: tuple[str, ...] = ()  # against home, a sentence a class

    @property
    def strange(self) -> tuple[Result, ...]:
        """Of cases that training never saw and that have the structure."""
        return tuple(result for result in self.results if not result.seen and result.present)


@dataclass(frozen=True, kw_only=True)
class Stratum:
    told: str
    results: Mapping[str, tuple[Estimate, int]]  # by set: Dice and how many cases


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """What validation said for each threshold that was tried."""

    tried: tuple[float, ...]
    scores: Mapping[str, tuple[float, ...]]
    chosen: float


@dataclass(frozen=True, kw_only=True)
class Setting:
    key: str
    value: str
    origin: str = DEFAULT  # or asked for, found out


@dataclass(frozen=True, kw_only=True)
class Member:
    """One of several networks that predict together."""

    name: str
    epochs: tuple[Epoch, ...]
    best: int | None = None


@dataclass(frozen=True, kw_only=True)
class RunStory:
    name: str
    finished: bool = True
    method: str = ""
    network: str = ""  # in words
    what: str = "image"  # that it learnt from: image or volume
    parameters: int = 0
    started_from: str = ""
    adapted: str = ""  # from what to where and how, in words
    taught: tuple[str, ...] = ()  # variations that it was taught to follow where nobody has drawn masks
    classes: tuple[str, ...] = ()  # that are scored
    steps: int = 0  # that were to be done
    looks: int = 0  # at images, each view one, in the steps that were done
    passes: float = 0.0  # over the training images, in all steps
    best: int | None = None  # number of the epoch that was kept
    select: str = "Dice"  # what it was chosen by, as in the epochs' scores
    failure: float = 0.5  # the Dice below which a case counts as failed
    nothing: float = 0.05  # the mean Dice below which a class was not found
    datasets: tuple[Dataset, ...] = ()
    parts: tuple[Part, ...] = ()
    epochs: tuple[Epoch, ...] = ()
    members: tuple[Member, ...] = ()  # instead of epochs
    finder: tuple[tuple[float, float], ...] = ()  # (rate, loss)
    rate: float | None = None
    thresholds: Thresholds | None = None
    sets: tuple[Evaluated, ...] = ()
    outlines: tuple[tuple[tuple[int, int, int], str], ...] = ()  # legend of the overlays: colour and what it shows
    strata: Mapping[str, tuple[Stratum, ...]] = field(default_factory=dict)  # by class
    settings: tuple[Setting, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    commands: tuple[str, ...] = ()
    next: tuple[str, ...] = ()  # commands that are still to be done

    @property
    def trained_on(self) -> int:
        return sum(part.images for part in self.parts if part.learnt)

    @property
    def done(self) -> int:
        """Steps."""
        return max((own[-1].step for own in (self.epochs, *(one.epochs for one in self.members)) if own), default=0)

    @property
    def ordered(self) -> tuple[Evaluated, ...]:
        return (*self.home, *self.elsewhere)

    @property
    def scored(self) -> tuple[str, ...]:
        """The classes that any set has results of."""
        return tuple(dict.fromkeys(result.name for one in self.sets for result in one.results))

    @property
    def home(self) -> tuple[Evaluated, ...]:
        return tuple(one for one in self.sets if one.home)

    @property
    def elsewhere(self) -> tuple[Evaluated, ...]:
        return tuple(one for one in self.sets if not one.home)
