"""`segue report`: a run's folder as one page that holds everything and fetches nothing. Also of a run that is not finished."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from segue.data.case import read_table
from segue.errors import BadInput
from segue.evaluation.judging.metrics import FAILED_DICE, NOTHING
from segue.evaluation.showing.overlays import legend
from segue.experiment import results
from segue.experiment.fitted import DECISION
from segue.experiment.members import members_of
from segue.experiment.settings import TrainSettings
from segue.files import atomic, read_json
from segue.report.run_page import run_page
from segue.report.story import DEFAULT, Dataset, Epoch, Member, Part, RunStory, Setting, Thresholds
from segue.training.run import CONFIG, ENVIRONMENT, Run
from segue.words import count, some

PAGE = "report.html"
FINDER = "rate-finder.csv"
WORDS = {"dice": "Dice", "iou": "IoU"}
_PARTS = ("train", "train and validation in turns", "validation", "test", "unused", "left out")
# Of a training that follows images without masks, and of one that asks for consistency.
_SHARES = ("fitted", "sure", "shift", "kept", "agreement")
_NO_LOSS = ("epoch", "step", "rate", "images_per_second", "validation", "validation_seconds", *_SHARES)


def report(run_folder: Path | str, out: Path | str | None = None, *, told: RunStory | None = None) -> Path:
    """Write `report.html` into the run's folder (or a folder of folds), or to `out`; `told`: its story, if known."""
    folder = Path(run_folder)
    written = run_page(told or story(folder)).html()
    path = Path(out) if out is not None else folder / PAGE
    with atomic(path) as file:
        file.write(written)
    return path


def story(folder: Path) -> RunStory:
    """Everything that the page says, read from the folder."""
    runs = members_of(folder)
    first, several = runs[0], len(runs) > 1
    if first.pretraining:
        raise BadInput(
            f"{folder}: is a pre-training, and its page is another", hint=f"segue embed {folder} --on DATASET"
        )
    first.demand_segmenter()
    about, config, loop = first.about, first.config, first.config.get("loop", {})
    sets = results.read(folder / "evaluation", first.target)
    trained = [epochs_of(run.metrics()) for run in runs]
    select = str(config.get("select", "dice"))
    network = about.get("network", {})
    return RunStory(
        name=folder.resolve().name,
        finished=all(run.finished for run in runs),
        method=str(config.get("method", "")),
        network=f"{network['architecture']} on {network['encoder']}" if "encoder" in network else "",
        what="volume" if about.get("frame", {}).get("volumes") else "image",
        parameters=int(about.get("parameters", 0)),
        started_from=str(about.get("weights_from", "")),
        adapted=_adapted(about),
        taught=tuple(dict.fromkeys(filter(None, (about.get("adapted", {}).get(key) for key in ("weak", "strong"))))),
        classes=first.target.foreground,
        steps=int(loop.get("steps", 0)),
        looks=sum(int(run.about.get("looks", 0)) for run in runs),
        passes=passes(config, about),
        best=None if several else best_of(first, trained[0], WORDS.get(select, select)),
        select=WORDS.get(select, select),
        failure=FAILED_DICE,
        nothing=NOTHING,
        datasets=tuple(_datasets(about.get("data", []))),
        parts=tuple(_parts(runs)),
        epochs=() if several else trained[0],
        members=tuple(_members(runs, trained, WORDS.get(select, select))) if several else (),
        finder=_finder(first.folder / FINDER),
        rate=float(loop["rate"]) if isinstance(loop.get("rate"), int | float) else None,
        thresholds=_thresholds(folder / DECISION),
        sets=tuple(one for one, _ in sets),
        outlines=legend(first.target),
        strata=results.strata({one.name: table for one, table in sets}),
        settings=tuple(_settings(about.get("asked", {}), config)),
        environment=_environment(first, config),
        commands=tuple(_commands(folder, runs)),
        next=tuple(
            _next(folder, [*about.get("data", []), *about.get("adapted", {}).get("to", [])], evaluated=bool(sets))
        ),
    )


def _adapted(about: Mapping[str, Any]) -> str:
    """Of a run that went on at another hospital."""
    told = about.get("adapted")
    if told is None:
        return ""
    sites = some([f"{one['name']} ({count(one['images'], 'image')})" for one in told["to"]])
    return f"{Path(told['from']).name}, adapted to {sites} without masks, {told['how']},"


def passes(config: Mapping[str, Any], about: Mapping[str, Any]) -> float:
    loop, devices = config.get("loop", {}), config.get("machine", {}).get("devices", 1)
    try:
        return int(loop["steps"]) * int(loop["batch"]) * int(loop["accumulate"]) * int(devices) / int(about["train"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return 0.0  # of a folder that tells less


def epochs_of(lines: Sequence[Mapping[str, Any]]) -> tuple[Epoch, ...]:
    return tuple(
        Epoch(
            number=int(line["epoch"]),
            step=int(line["step"]),
            losses={name: float(value) for name, value in line.items() if name not in _NO_LOSS and _number(value)},
            scores={_told(name): float(value) for name, value in line.get("validation", {}).items()},
            rate=_maybe(line, "rate"),
            **{name: _maybe(line, name) for name in _SHARES},
        )
        for line in lines
    )


def _maybe(line: Mapping[str, Any], name: str) -> float | None:
    return float(line[name]) if name in line else None


def _number(value: object) -> bool:
    return isinstance(value, int | float)


def _told(score: str) -> str:
    first, *rest = score.split(" ", 1)
    return " ".join([WORDS.get(first, first), *rest])


def best_of(run: Run, epochs: Sequence[Epoch], select: str) -> int | None:
    """The epoch whose weights were kept; so far, where the run goes on."""
    judged = [epoch for epoch in epochs if math.isfinite(epoch.scores.get(select, math.nan))]
    if not judged:
        return None
    if run.finished and _number(run.about.get("best_epoch")):
        return int(run.about["best_epoch"])
    return max(judged, key=lambda epoch: epoch.scores[select]).number


def _members(runs: Sequence[Run], trained: Sequence[tuple[Epoch, ...]], select: str) -> Iterable[Member]:
    for run, epochs in zip(runs, trained, strict=True):
        yield Member(name=run.name, epochs=epochs, best=best_of(run, epochs, select))


def _datasets(data: Iterable[Mapping[str, str]]) -> Iterable[Dataset]:
    for one in data:
        yield Dataset(
            name=one.get("name", ""), folder=one.get("folder", ""), split=one.get("split", ""), how=one.get("how", ""),
            hash=one.get("hash", ""),
        )  # fmt: skip


def _parts(runs: Sequence[Run]) -> Iterable[Part]:
    plays: dict[tuple[str, str], set[str]] = {}
    rows: dict[tuple[str, str], Mapping[str, str]] = {}
    for run in runs:
        for row in run.cases():
            key = row["dataset"], row["case"]
            plays.setdefault(key, set()).add(row["part"])
            rows[key] = row
    groups: dict[tuple[str, str], list[Mapping[str, str]]] = {}
    for key, parts in plays.items():
        part = _PARTS[1] if {"train", "validation"} <= parts else min(parts, key=_order)
        groups.setdefault((key[0], part), []).append(rows[key])
    for (dataset, part), inside in sorted(groups.items(), key=lambda item: (item[0][0], _order(item[0][1]))):
        yield Part(
            dataset=dataset, part=part, images=len(inside), learnt=part in _PARTS[:2],
            patients=len({(row["site"], row["patient"]) for row in inside if row["patient"]}),
            unknown=sum(not row["patient"] for row in inside), sites=len({row["site"] for row in inside if row["site"]}),
        )  # fmt: skip


def _order(part: str) -> int:
    return _PARTS.index(part) if part in _PARTS else len(_PARTS)


def _finder(path: Path) -> tuple[tuple[float, float], ...]:
    if not path.exists():
        return ()
    try:
        return tuple((float(row["rate"]), float(row["loss"])) for row in read_table(path))
    except (KeyError, ValueError) as error:
        raise BadInput(f"{path}: is not what a run writes ({error})") from None


def _thresholds(path: Path) -> Thresholds | None:
    """What `segue evaluate` chose on validation, where it was asked to."""
    if not path.exists():
        return None
    try:
        found = read_json(path)
        tried, scores = zip(*found["curve"], strict=True) if found["curve"] else ((), ())
        chosen = float(found["decision"]["threshold"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path}: is not what an evaluation writes ({error})") from None
    return Thresholds(tried=tried, scores={"Dice": scores}, chosen=chosen) if tried else None


def _settings(asked: Mapping[str, Any], config: Mapping[str, Any]) -> Iterable[Setting]:
    default, wanted = _flat(json.loads(TrainSettings(data=()).model_dump_json())), _flat(asked)
    for key, value in _flat(config).items():
        origin = DEFAULT
        if key in wanted and wanted[key] != default.get(key):
            origin = "asked for" if wanted[key] == value else f"asked for: {_text(wanted[key])}"
        elif key in wanted and wanted[key] != value:
            origin = "found out"
        elif key not in wanted and value != default.get(key):  # only an adaptation is not asked for all settings
            origin = "as the run had it that was adapted, or found out"
        yield Setting(key=key, value=_text(value), origin=origin)


def _flat(given: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in given.items():
        if isinstance(value, dict) and value:
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if value is None or value in ({}, ""):
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _environment(run: Run, config: Mapping[str, Any]) -> dict[str, str]:
    found, machine = results.keys(run.folder / ENVIRONMENT), config.get("machine", {})
    packages = ", ".join(f"{name} {version}" for name, version in found.get("packages", {}).items() if version)
    speeds = sorted(line["images_per_second"] for line in run.metrics() if "images_per_second" in line)
    version = [str(found.get("segue", "")), f"({found['commit']})" if found.get("commit") else ""]
    return {
        "Device": str(machine.get("device", "")),
        "Accelerator": str(found.get("accelerator", "")),
        "Threads": str(machine.get("threads", found.get("threads", ""))),
        "Precision": str(machine.get("precision", "")),
        "Images per second": f"{speeds[len(speeds) // 2]:.1f} in training" if speeds else "",
        "Python": str(found.get("python", "")),
        "Segue": " ".join(filter(None, version)),
        "Processor": str(found.get("processor", "")),
        "System": str(found.get("system", "")),
        "Packages": packages,
    }


def _commands(folder: Path, runs: Sequence[Run]) -> Iterable[str]:
    asked = results.keys(runs[0].folder / ENVIRONMENT).get("command", [])
    if len(asked) > 1 and asked[1] in ("train", "adapt"):
        yield "# as it was asked for"
        yield shlex.join(map(str, asked))
        yield ""
    if "adapted" in runs[0].about:
        return
    yield "# with all settings as they were resolved"
    for run in runs:
        again = folder.parent / f"{folder.name}-again" / (run.name if len(runs) > 1 else "")
        yield shlex.join(["segue", "train", "--config", str(run.folder / CONFIG), "--out", str(again)])


def _next(folder: Path, data: Sequence[Mapping[str, str]], *, evaluated: bool) -> Iterable[str]:
    if not evaluated:
        at_home = [word for one in data for word in ("--on", one.get("folder", ""))]
        yield shlex.join(["segue", "evaluate", str(folder), *at_home]) + " --on ANOTHER_DATASET"
        return
    yield shlex.join(["segue", "compare", str(folder)]) + " ANOTHER_RUN"
    yield shlex.join(["segue", "predict", str(folder)]) + " IMAGES"
