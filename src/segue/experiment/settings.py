"""What one training can be told. Everything that is "auto" is found out before the first step and written into the run."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from segue.config import Auto, Settings
from segue.methods.settings import (
    BesideSettings,
    ConsistencySettings,
    ContrastSettings,
    DistilSettings,
    InpaintingSettings,
    MaskedSettings,
    SemiSettings,
    SiteSettings,
)  # fmt: skip
from segue.networks import NetworkSettings
from segue.training.machine import MachineSettings
from segue.training.settings import LoopSettings

Positive = Annotated[float, Field(gt=0)]
Side = Annotated[int, Field(ge=1, le=4096)]


def several(given: object) -> object:
    """Folders with commas between them."""
    if isinstance(given, str) and given != "auto":
        return tuple(part for part in given.split(",") if part)
    return given


def budget(given: object) -> str:
    """Such as 5, 10% or all."""
    if not re.fullmatch(r"all|0*[1-9]\d*|(?!0+(\.0*)?%)\d+(\.\d+)?%", str(given).strip().lower()):
        raise ValueError("write a number of patients, a percentage like 10%, or all")
    return str(given)


def canvas(given: object) -> object:
    """Such as 192x256."""
    return tuple(given.split("x")) if isinstance(given, str) and "x" in given else given


class TrainSettings(Settings):
    data: tuple[str, ...]  # dataset folders; classes match by name
    stores: tuple[str, ...] | Auto = "auto"  # auto: stores/NAME, prepared where it is missing
    split: str = "split"
    fold: Annotated[int, Field(ge=0)] | None = None  # of the split's folds: this one validates
    labels: str = "all"  # a label budget: "5" patients, "10%", "all"
    draw: int | None = None  # which patients a budget holds; None: those of the split's own seed
    # What epochs are chosen by. With a budget auto is none: who has three masks has no hundred to choose by. "budget": as many
    # patients as the budget has.
    validation: Literal["all", "budget", "none"] | Auto = "auto"
    # More datasets, whose masks nobody looks at; for methods that learn from images too.
    unlabelled: tuple[str, ...] = ()
    same: dict[str, str] = Field(default_factory=dict)  # a class of a later dataset -> its name in the first

    regions: dict[str, tuple[str, ...]] = Field(default_factory=dict)  # each a union of classes; they may overlap

    method: str = "supervised"
    semi: SemiSettings = SemiSettings()
    site: SiteSettings = SiteSettings()
    consistency: ConsistencySettings = ConsistencySettings()
    distil: DistilSettings = DistilSettings()
    teachers: tuple[str, ...] = ()  # of distil: finished runs, ensembles or folds, that say together what is to be said
    variation: str = "weak"
    loss: str = "dice + ce"
    network: NetworkSettings = NetworkSettings()
    init: str = ""  # a run or a .safetensors file to start from

    # Canvas: height and width; one number: its long side; three: a patch of a volume (slices, rows, columns).
    size: tuple[Side, Side] | tuple[Side, Side, Side] | Annotated[int, Field(ge=32, le=4096)] | Auto = "auto"
    painter: str = ""  # of a variation that paints: the run of `segue inpaint fit`
    padding: Literal["constant", "reflect", "ignore"] = "constant"
    neighbours: Annotated[int, Field(ge=0, le=8)] = 0  # volumes: slices on either side that are seen as channels
    balance: Annotated[float, Field(gt=0, lt=1)] | None = None  # share of images with foreground in a batch
    # How long, one of: passes over the training cases; images that are looked at, each view one; minutes, which are turned
    # into steps before the first one; loop.steps.
    epochs: Positive | None = None
    looks: Annotated[int, Field(ge=1)] | None = None
    minutes: Positive | None = None
    select: Literal["dice", "iou"] = "dice"

    loop: LoopSettings = LoopSettings()
    machine: MachineSettings = MachineSettings()

    _several = field_validator("data", "stores", "unlabelled", "teachers", mode="before")(several)
    _canvas = field_validator("size", mode="before")(canvas)

    _budget = field_validator("labels", mode="before")(budget)

    @property
    def beside(self) -> BesideSettings | None:
        """Of a method that looks at images without their masks: what it was told of them."""
        return {"semi": self.semi, "distil": self.distil}.get(self.method)


class AdaptSettings(Settings):
    """Of `segue adapt`; all else is as it was in the run, or as the method has it (experiment/adapting/request.py)."""

    run: str
    to: tuple[str, ...] = ()  # datasets of the other hospital, whose masks nobody looks at
    source_free: bool = False  # what the run learnt from is not opened
    only_statistics: bool = False  # no step is taken: batch norms alone learn what images look like there
    more: dict[str, Any] = Field(default_factory=dict)  # settings of the training, otherwise than in the run

    _several = field_validator("to", mode="before")(several)

    @property
    def data(self) -> tuple[str, ...]:
        """What a run's name is made of."""
        return self.run, *self.to


class PretrainSettings(Settings):
    data: tuple[str, ...]  # dataset folders, pictures and volumes of any kind
    stores: tuple[str, ...] | Auto = "auto"
    split: str = "split"  # only what it has for training is looked at; a dataset without one is looked at as a whole
    images: Annotated[int, Field(ge=1)] | None = None  # at most, each dataset an equal share, of whole patients

    method: Literal["contrast", "simclr", "local", "masked"] = "contrast"
    contrast: ContrastSettings = ContrastSettings()
    masked: MaskedSettings = MaskedSettings()
    variation: str = "pretext"
    network: NetworkSettings = NetworkSettings()
    init: str = ""

    size: tuple[Side, Side] | Annotated[int, Field(ge=32, le=4096)] | Auto = "auto"
    padding: Literal["constant", "reflect", "ignore"] = "constant"
    neighbours: Annotated[int, Field(ge=0, le=8)] = 0
    epochs: Positive | None = None
    looks: Annotated[int, Field(ge=1)] | None = None
    minutes: Positive | None = None

    loop: LoopSettings = LoopSettings()
    machine: MachineSettings = MachineSettings()

    _several = field_validator("data", "stores", mode="before")(several)
    _canvas = field_validator("size", mode="before")(canvas)


class InpaintSettings(Settings):
    data: tuple[str, ...]
    stores: tuple[str, ...] | Auto = "auto"
    split: str = "split"  # only what it has for training is learnt from
    labels: str = "all"
    draw: int | None = None
    what: str = ""  # the class that is painted; empty: the only one

    inpainting: InpaintingSettings = InpaintingSettings()
    encoder: str = ""  # of inpainting.perceptual: a run of `segue pretrain` or `segue train`
    variation: str = "weak"
    width: Annotated[int, Field(ge=4, le=256)] = 16  # channels of the painter's first map
    side: Annotated[int, Field(ge=32, le=1024, multiple_of=32)] = 128  # of the windows that it sees
    size: tuple[Side, Side] | Annotated[int, Field(ge=32, le=4096)] | Auto = "auto"  # of the images they are cut from
    epochs: Positive | None = None
    looks: Annotated[int, Field(ge=1)] | None = None
    minutes: Positive | None = None

    loop: LoopSettings = LoopSettings()
    machine: MachineSettings = MachineSettings()

    _several = field_validator("data", "stores", mode="before")(several)
    _canvas = field_validator("size", mode="before")(canvas)

    _budget = field_validator("labels", mode="before")(budget)


class EvaluateSettings(Settings):
    part: Literal["auto", "train", "validation", "test", "all"] = "auto"
    split: str = "split"
    views: tuple[Literal["flips", "rot90"], ...] = ()  # test-time variations
    chosen: bool = False  # threshold and clean-up as validation would have them, instead of .5 and none
    vary: str = ""  # a variation: how steady predictions are under it
    disagree: bool = False  # of several that predict together: where they do not say the same
    calibrate: bool = False  # what probabilities are worth, before and after a temperature that validation gives
    spoil: tuple[str, ...] = ()  # corruptions: how much Dice is left under them at each level; "all": all there are
    tolerance: Positive = 2.0  # of NSD, in mm or pixels
    weights: Literal["best", "last"] = "best"
    same: dict[str, str] = Field(default_factory=dict)
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"


class AuditSettings(Settings):
    # How each image is varied, to see whether its prediction follows. auto: everyday, or of an adapted run, which was taught
    # to follow some of that, apart.
    vary: str = "auto"
    known: tuple[str, ...] = ()  # datasets of other places with masks: what evidence was worth there
    painter: str = ""  # a run of `segue inpaint fit`: copies of validation with painted lesions teach too
    zoom: bool = False  # copies that show all larger or smaller teach too
    verify: Annotated[int, Field(ge=0)] = 0  # so many cases are drawn to be masked; 0: none
    weights: Literal["best", "last"] = "best"
    same: dict[str, str] = Field(default_factory=dict)  # of these datasets: a class -> its name in the run
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"

    _several = field_validator("known", mode="before")(several)
