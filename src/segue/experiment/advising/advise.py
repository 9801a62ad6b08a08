"""`segue advise`: what to do with so many images, masks, patients and sites, how long it takes here, what is unknown."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segue.data.dataset import Dataset, as_dataset
from segue.errors import BadInput
from segue.evaluation.comparing.budget_curve import FEWEST, RUNS, BudgetCurve, Expected
from segue.executors.progress import duration
from segue.experiment.advising.budgets import curve_of
from segue.experiment.advising.facts import Beside, Facts
from segue.experiment.advising.probe import Timed, machine, timed
from segue.experiment.advising.route import FEW, FOLDS, HONEST, Route, route, unknown
from segue.experiment.opening import demand_own_names
from segue.experiment.telling import Say, silent
from segue.networks import VOLUMES
from segue.training.machine import best_device
from segue.words import count, percent, some

MASKS = 20  # of which it is told what they would bring: a day's work for someone who knows how
_LONG = 60  # minutes that a first training may take
_EVERYTHING = "everything"  # a split in which every mask is learnt from


@dataclass(frozen=True)
class Gain:
    """What the next masks would bring; without numbers, why that is not known."""

    told: str
    patients: int = 0  # more to learn from
    now: Expected | None = None
    then: Expected | None = None
    difference: Expected | None = None


@dataclass(frozen=True)
class Advice:
    facts: Facts
    beside: tuple[Beside, ...]
    route: Route
    machine: str
    probed: bool
    times: tuple[Timed, ...]
    notes: tuple[str, ...]  # what the probe had to say
    gain: Gain
    unknown: tuple[str, ...]
    commands: tuple[str, ...]

    @property
    def blocks(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """To be read: a head and its lines."""
        return (
            (f"What is there: {self.facts.dataset.name}", tuple(_counted(self.facts, self.beside))),
            ("What to do", (*self.route.reasons, *_next(self.facts, self.route))),
            ("How long it takes", tuple(_lasting(self))),
            (f"What {MASKS} more masks would bring", (self.gain.told,)),
            ("What cannot be known", self.unknown),
        )

    def as_json(self) -> dict[str, Any]:
        facts = self.facts
        return {
            "dataset": str(facts.dataset.folder), "images": len(facts.cases), "masks": len(facts.masked),
            "patients": facts.patients(facts.cases), "patients_with_masks": facts.annotated, "patients_from": facts.known,
            "sites": list(facts.sites), "volumes": facts.volumes, "size": list(facts.size), "spacing": list(facts.steps),
            "labels": facts.labels, "foreground": facts.foreground, "split": facts.split.counts() if facts.split else None,
            "beside": [asdict(one) for one in self.beside], "route": asdict(self.route), "machine": self.machine,
            "times": [one.as_json() for one in self.times], "notes": list(self.notes), "gain": asdict(self.gain),
            "annotate_next": facts.next, "unknown": list(self.unknown), "commands": list(self.commands),
        }  # fmt: skip


def advise(
    dataset: Dataset | Path | str,
    *,
    labels: str = "all",
    beside: Sequence[Path | str] = (),
    runs: Sequence[Path | str] = (),
    probe: bool = True,
    say: Say = silent,
) -> Advice:
    """What to do with a dataset, counted from its table; nothing is written.

    Args:
        dataset: the dataset, or where it is.
        labels: a label budget: what to do if there were no other masks to learn from.
        beside: more datasets whose images could be looked at.
        runs: trainings of this dataset on several label budgets, evaluated on its test part: what more masks would bring.
        probe: take a few steps of the networks, to know how long they take here.
        say: is told in sentences what goes on.
    """
    facts = Facts.of(as_dataset(dataset), labels)
    others = tuple(Beside.of(facts, one) for one in dict.fromkeys(map(Path, beside)))
    demand_own_names(one.name for one in others)
    way = route(facts, others, on_cpu=best_device() == "cpu")
    gain, curve = _gain(facts, list(dict.fromkeys(map(Path, runs))))
    times: list[Timed] = []
    notes: list[str] = []
    if probe:
        say("a few steps, to see how fast this machine is ...")
        times = timed(facts, way, _given(facts, way), notes.append)
    return Advice(
        facts, others, way, machine(), probe, tuple(times), tuple(notes), gain,
        tuple(unknown(facts, way, curve.spread if curve is not None else None)), tuple(_commands(facts, way, times)),
    )  # fmt: skip


# What is there


def _counted(facts: Facts, beside: Sequence[Beside]) -> list[str]:
    kind = "volume" if facts.volumes else "image"
    size = " x ".join(map(str, facts.size))
    axes = "slices x rows x columns" if facts.volumes else "rows x columns"
    steps = f", {' x '.join(f'{step:.3g}' for step in facts.steps)} mm" if facts.steps else ""
    drawn = f", which usually cover {percent(facts.foreground)} of theirs" if facts.foreground else ""
    known = f"known from {facts.known}" if facts.known else "not known"
    sites = f"{count(len(facts.sites), 'site')}: {some(facts.sites)}" if facts.sites else "no site is named"
    without = f"{count(len(facts.cases) - len(facts.masked), kind)} without"
    aside = f" ({len(facts.aside):,} of them as if, by --labels {facts.labels})" if facts.aside else ""
    lines = [
        f"{count(len(facts.cases), kind)}, usually {size} ({axes}{steps})",
        f"{count(len(facts.masked), 'mask')}{drawn}; {without}{aside}",
    ]
    if facts.known:
        lines.append(
            f"{count(facts.patients(facts.cases), 'patient')}, {facts.annotated:,} with masks, {known}; {sites}"
        )
    else:
        lines.append(f"patients are {known}: {count(facts.annotated, facts.unit)} with masks counted instead; {sites}")
    if facts.split is not None:
        parts = ", ".join(f"{part} {numbers['patients']:,}" for part, numbers in facts.split.counts().items())
        folds = f"; {len(set(facts.split.folds.values()))} folds" if facts.split.folds else ""
        made = "split" if facts.saved else "as segue data split would have it: split"
        lines.append(f"{made} {facts.split.how}, {facts.unit}s: {parts}{folds}")
    else:
        lines.append("not split" + (" since the table changed" if facts.stale else ""))
    for one in beside:
        tests = f", {one.of_tests:,} of them of what this one is judged by" if one.of_tests else ""
        copies = f"{one.copies:,} copied from these{tests}" if one.copies else "none of them a copy of these"
        lines.append(f"beside it {one.name}: {count(one.images, 'image')} to look at, {copies}")
    return lines


def _next(facts: Facts, way: Route) -> list[str]:
    """Whom to annotate."""
    if not facts.next or way.method == "supervised":
        return []
    wanted = FEW + HONEST if way.judged == "nothing" else MASKS
    return [f"Annotate next, drawn at random: {some(facts.next[:wanted])} (--json has all, in order)."]


# How long


def _lasting(advice: Advice) -> list[str]:
    if not advice.times:
        return ["There is nothing to train yet." if advice.probed else "Not tried: --no-probe."]
    lines = [f"{one.what:<9}{duration(one.seconds):<12}{one.told}" for one in advice.times]
    if long := [one.what for one in advice.times if _long(one)]:
        lines.append(
            f"The commands ask for so many looks of {' and of '.join(long)} that each run takes some {_LONG} minutes: enough "
            "to see whether it works."
        )
    whence = f"A guess from a few steps on {advice.machine}."
    notes = [note.removeprefix("! ") for note in advice.notes]
    return [*lines, whence, *(f"{note[:1].upper()}{note[1:]}." for note in notes)]


def _long(one: Timed) -> bool:
    return one.what != "prepare" and one.seconds / one.runs > 60 * _LONG


# What more masks bring


def _gain(facts: Facts, runs: Sequence[Path]) -> tuple[Gain, BudgetCurve | None]:
    if not facts.annotated:
        return Gain("Everything: there is none yet."), None
    curve = curve_of(facts, runs) if runs else None
    if curve is None:
        return Gain(_how_to_know(facts, runs)), None
    now = facts.learnt
    more = max(1, round(MASKS * now / len(facts.part("train"))))
    try:
        here, there, gained = curve.at(now), curve.at(now + more), curve.gain(now, now + more)
    except BadInput as error:
        more_masks = " Train on all masks that there are: --labels all." if curve.budgets[-1] < now else ""
        return Gain(f"Not known: {error.message}.{more_masks}"), curve
    again = (
        f" No budget was learnt from twice, so runs are taken to differ by {RUNS:.2g}; --seed 1 --draw 1 would tell."
    )
    luck = "" if curve.repeated else again
    told = (
        f"{MASKS} more masks ({count(more, facts.unit)}) would bring Dice from about {here.value:.2f} to {there.value:.2f} "
        f"(95 % {there.low:.2f} to {there.high:.2f}), a gain of {gained.value:.3f} ({gained.low:.3f} to {gained.high:.3f}), "
        f"as far as {count(curve.runs, 'run')} on {', '.join(map(str, curve.budgets))} {facts.unit}s and "
        f"{count(curve.patients, f'test {facts.unit}')} can tell.{luck}"
    )
    return Gain(told, more, here, there, gained), curve


def _how_to_know(facts: Facts, runs: Sequence[Path]) -> str:
    there = f"{count(len(runs), 'run')} of fewer than {FEWEST} different budgets draw no curve" if runs else "Not known"
    if not facts.part("test"):
        return f"{there}: a curve needs a test part, and there is none."
    most = facts.learnt
    budgets = sorted({max(1, round(most / 16)), max(2, round(most / 4)), most})
    if most < FEWEST:
        return f"{there}: with {count(most, facts.unit)} to learn from there are no {FEWEST} budgets to draw a curve through."
    whole = "all" if facts.labels == "all" else str(most)
    first, *others = [whole if budget == most else str(budget) for budget in budgets]
    train = _line(["train", "--data", str(facts.dataset.folder), "--labels", first])
    return (
        f"{there}: {train}, and the same with {' and '.join(others)}, each judged by segue evaluate, would tell: "
        "segue advise --runs RUN,RUN,RUN."
    )


# The commands


def _given(facts: Facts, way: Route) -> dict[str, Any]:
    """Settings of the training beyond what is usual."""
    given: dict[str, Any] = {"network": {"architecture": VOLUMES}} if way.patches else {}
    return {**given, "variation": "mr"} if facts.volumes and facts.modality == "MR" else given


def _commands(facts: Facts, way: Route, times: Sequence[Timed]) -> list[str]:
    data, name = str(facts.dataset.folder), facts.dataset.name
    encoder, run = f"runs/{name}-encoder", f"runs/{name}-{'folds' if way.judged == 'folds' else 'first'}"
    looks = {one.what: ["--looks", str(_fitting(one))] for one in times if one.looks}
    commands, split = _split(facts, way)
    if way.pool:
        commands.append(["pretrain", "--data", ",".join(way.pool), *looks.get("pretrain", []), "--out", encoder])
    if not way.method:
        scan = ["data", "scan", facts.dataset.card.root, *facts.dataset.card.options, "--out", data]
        return [*map(_line, [*commands, scan, ["advise", data]])]
    given = _given(facts, way)
    train = ["train", "--data", data, *(["--split", split] if split != "split" else []), *looks.get("train", [])]
    train += ["--labels", facts.labels] if facts.labels != "all" else []
    train += ["--architecture", VOLUMES] if way.patches else []
    train += ["--variation", given["variation"]] if "variation" in given else []
    train += ["--folds", str(FOLDS)] if way.judged == "folds" else []
    plain = [*train, "--out", f"{run}-masks-alone"]
    train += ["--method", "semi"] if way.method == "semi" else []
    train += ["--unlabelled", ",".join(way.unlabelled)] if way.unlabelled else []
    train += ["--init", encoder] if way.pool else []
    commands.append([*train, "--out", run])
    if way.judged == "eye":
        return [*map(_line, [*commands, ["predict", run, facts.dataset.card.root, "--out", f"masks/{name}"]])]
    runs = [run]
    if way.method == "semi" or way.pool:  # whether images without masks help is found out, not believed
        commands.append(plain)
        runs = [plain[-1], run]
    commands += [["evaluate", one, "--on", data] for one in runs] if way.judged == "test" else []
    commands += [["compare", *runs]] if len(runs) > 1 else []
    return [*map(_line, commands)]


def _fitting(one: Timed) -> int:
    """Looks that do not take too long, as two digits: a training beside it takes as many, whatever its method."""
    most = one.looks * min(1.0, 60 * _LONG * one.runs / one.seconds)
    return int(round(most, 1 - math.floor(math.log10(most))))


def _split(facts: Facts, way: Route) -> tuple[list[list[str]], str]:
    """What splits it, and the name of the split. `segue train --folds` makes its own."""
    data, there = str(facts.dataset.folder), facts.split is not None and facts.saved
    if way.judged in ("nothing", "folds"):
        return [], "split"
    if way.judged == "test" or facts.published:
        return ([], "split") if there else ([["data", "split", data]], "split")
    nothing = ["--test", "0", "--validation", "0"]
    if not there:
        return [["data", "split", data, *nothing]], "split"
    if len(facts.part("train")) == len(facts.masked):
        return [], "split"
    return [["data", "split", data, *nothing, "--name", _EVERYTHING]], _EVERYTHING


def _line(words: Sequence[str]) -> str:
    return shlex.join(["segue", *words])
