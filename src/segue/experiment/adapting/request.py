"""What an adaptation is, as settings of a training: those of the run that it begins from, but for what is said here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from segue.config import validate
from segue.errors import BadInput, nearest
from segue.experiment.settings import AdaptSettings, TrainSettings
from segue.training.run import Run

SOURCE, SITE, STATISTICS = "with source", "source-free", "only statistics"

LOOKS, FEWEST = 1 / 3, 1000  # of those that the run took itself; and at least so many
_RATE = 1 / 3  # likewise: who is nearly there goes in smaller steps
_RAMP = 0.1  # of the training, until what follows counts whole; the network can say something from the first step on
_LENGTHS = ("epochs", "looks", "minutes")
# What may be said anew; all else is of the run, or there would be another network, or other cases to be judged by.
_FREE = (*_LENGTHS, "semi", "site", "variation", "painter", "loss", "loop", "machine", "stores", "select", "validation")


def form(asked: AdaptSettings) -> str:
    return STATISTICS if asked.only_statistics else SITE if asked.source_free else SOURCE


def wanted(asked: AdaptSettings, run: Run) -> TrainSettings:
    """As a training that begins from the run."""
    more = {key: _plain(value) for key, value in asked.more.items()}
    _demand_free(asked, more)
    alone = form(asked) != SOURCE
    config = run.config
    given: dict[str, Any] = {
        **config, "method": "site" if alone else "semi", "init": str(run.folder),
        "network": {**config["network"], "weights": "none"},  # all of them are the run's
        "unlabelled": list(asked.to if alone else dict.fromkeys([*config["unlabelled"], *asked.to])),
        "teachers": [],
        "validation": "none",  # nothing at home tells which moment is the best one elsewhere
        "epochs": None, "looks": None, "minutes": None, "loop": _loop(run, more.get("loop", {})), "machine": {},
    }  # fmt: skip
    if alone:
        given |= {"stores": "auto", "balance": None, "painter": ""}
    else:
        ours = config["semi"] if config["method"] == "semi" else {}
        given["semi"] = {**ours, "warm": 0.0, "ramp": _RAMP, "fitted": 0.0, "own": False}
    for key, value in more.items():
        given[key] = {**given.get(key, {}), **value} if isinstance(value, Mapping) else value
    if not any(name in more for name in _LENGTHS) and given["loop"]["steps"] == "auto":
        given["looks"] = max(FEWEST, round(LOOKS * int(run.about.get("looks", 0))))
    return validate(TrainSettings, given, where="segue.adapt")


def _loop(run: Run, more: Mapping[str, Any]) -> dict[str, Any]:
    """The run's, at a gentler rate, of a length of its own."""
    loop, said = dict(run.config["loop"]), run.about["asked"]
    ratio = float(loop["encoder_rate"]) / float(loop["rate"])
    rate = more.get("rate", _RATE * float(loop["rate"]))
    batch = said.get("more", said).get("loop", {}).get("batch", "auto")
    loop |= {
        "rate": rate, "encoder_rate": ratio * rate if isinstance(rate, int | float) else "auto", "steps": "auto",
        "epoch_steps": "auto", "average": "auto", "patience": 0,
    }  # fmt: skip
    # Images beside those with masks may need another; what was found for a machine is found for this one.
    return loop if batch != "auto" else {**loop, "batch": "auto", "accumulate": 1}


def _demand_free(asked: AdaptSettings, more: Mapping[str, Any]) -> None:
    for key in more:
        if key not in _FREE:
            known = key in TrainSettings.model_fields
            told = "is that of the run that is adapted" if known else f"is no setting: {nearest(key, _FREE)}"
            raise BadInput(f"segue.adapt: {key} {told}", hint=f"What may be set anew: {', '.join(_FREE)}.")
    unread = "site" if form(asked) == SOURCE else "semi"
    if unread in more and form(asked) != STATISTICS:
        raise BadInput(
            f"segue.adapt: {unread} is read {'with --source-free' if unread == 'site' else 'where the source is there'} only"
        )
    steps = [key for key in (*_LENGTHS, "loop", "semi", "site") if key in more]
    if asked.only_statistics and steps:
        raise BadInput(f"segue.adapt: {steps[0]} is given, and only statistics are learnt anew, which takes no step")


def _plain(value: Any) -> Any:
    return value.model_dump(exclude_unset=True) if isinstance(value, BaseModel) else value
