"""Verbs that judge: `segue evaluate`, `judge`, `compare`, and `ensemble`, which makes one of several."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from segue.cli import tell
from segue.cli.sets import tell_sets, tell_stress


def add_to(app: typer.Typer) -> None:
    for verb in (ensemble, evaluate, judge, compare):
        app.command()(verb)


def ensemble(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN RUN...", help="Of any networks, of one canvas and classes.")
    ],
    out: Annotated[Path, typer.Option(help="A new folder that stands for them, wherever a run is asked for.")],
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """Runs that predict together from now on. The mean of what each says."""
    with tell.errors_told(json, debug):
        from segue.experiment.members import ensemble as join
        from segue.experiment.members import members_of

        folder = join(runs, out)
        members = members_of(folder)
        if json:
            tell.as_json({"folder": str(folder), "members": [str(run.folder) for run in members]})
            return
        tell.say(*(f"  {run.folder.resolve()}" for run in members), f"Written: {folder}")
        tell.next_command(f"segue evaluate {tell.quoted(folder)} --on DATASET --disagree")


def evaluate(
    run: tell.RunFolder,
    on: Annotated[list[Path], typer.Option(metavar="DATASET", help="Where to judge it; may be given often.")],
    part: Annotated[
        str | None,
        typer.Option(help="train, validation, test or all.", show_default="test at home, all elsewhere"),
    ] = None,
    views: Annotated[list[str] | None, typer.Option(help="Average over test-time variations: flips, rot90.")] = None,
    chosen: Annotated[
        bool, typer.Option("--chosen", help="Threshold and clean-up as chosen on validation, instead of .5 and none.")
    ] = False,
    vary: Annotated[
        str | None, typer.Option(metavar="VARIATION", help="How steady predictions are under it, such as natural.")
    ] = None,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="What probabilities are worth, and the temperature that mends them.")
    ] = False,
    disagree: Annotated[
        bool, typer.Option("--disagree", help="Of an ensemble or folds: where members do not say the same.")
    ] = False,
    spoil: Annotated[
        list[str] | None,
        typer.Option(metavar="CORRUPTION", help="What is left under it at five levels, such as blur; or all."),
    ] = None,
    same: tell.Same = None,
    skip_bad: tell.SkipBad = False,
    config: tell.Config = None,
    settings: tell.Set = None,
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """How good a run is, at home and elsewhere. A table of cases for each dataset, and the run's report."""
    with tell.errors_told(json, debug):
        from segue.config import load
        from segue.experiment.evaluate import evaluate as judge
        from segue.experiment.settings import EvaluateSettings

        pairs = [f"part={part}"] if part is not None else []
        pairs += [f"views=[{', '.join(views)}]"] if views else []
        pairs += ["chosen=true"] if chosen else []
        pairs += [f"vary={tell.as_yaml(vary)}"] if vary else []
        pairs += ["calibrate=true"] if calibrate else []
        pairs += ["disagree=true"] if disagree else []
        pairs += [f"spoil=[{', '.join(spoil)}]"] if spoil else []
        pairs += [f"same.{pair}" for pair in same or []]
        resolved = load(EvaluateSettings, Path(config) if config else None, [*pairs, *(settings or [])])
        done = judge(
            run, on, settings=resolved, skip_bad=skip_bad, progress=not json,
            say=(lambda line: None) if json else tell.say,
        )  # fmt: skip
        if json:
            tell.as_json(done.as_json())
            return
        tell_sets(done.sets)
        tell_stress(done.sets)
        for sentence in done.gaps:
            tell.say("", *tell.wrapped(sentence))
        tell.say("", f"Written: {done.page}")
        tell.next_command(f"segue compare {tell.quoted(run)} ANOTHER-RUN")


def judge(
    masks: Annotated[Path, typer.Argument(metavar="MASKS", help="A folder of masks, called as their cases are.")],
    on: Annotated[Path, typer.Option(metavar="DATASET", help="Whose cases they are.")],
    part: Annotated[
        str, typer.Option(help="train, validation, test or all.", show_default="test, where there is a split")
    ] = "auto",
    out: Annotated[Path | None, typer.Option(help="Where to write.", show_default="MASKS")] = None,
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """Masks that any tool has made, judged as a run's are. `segue compare` takes the folder as it takes a run."""
    with tell.errors_told(json, debug):
        from segue.experiment.judge import judge as weigh

        done = weigh(masks, on, part=part, out=out, progress=not json, say=(lambda line: None) if json else tell.say)
        if json:
            tell.as_json(done.as_json())
            return
        tell_sets([done])
        tell.say("", f"Written: {done.folder}")
        tell.next_command(f"segue compare RUN {tell.quoted(out or masks)}")


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN RUN...",
            help="The first is the reference. Of one kind: [NAME=]RUN,RUN,RUN.",
        ),
    ],
    on: Annotated[list[str] | None, typer.Option(metavar="SET", help="Only this set; may be given often.")] = None,
    metric: Annotated[str, typer.Option(help="By which: dice, iou, hd95, nsd...")] = "dice",
    margin: Annotated[
        float | None, typer.Option(help="A difference that does not matter.", show_default="0.01 of Dice")
    ] = None,
    class_name: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="Only this class.", show_default="the mean of all")
    ] = None,
    every_pair: Annotated[bool, typer.Option("--all-pairs", help="Each against each.")] = False,
    out: Annotated[Path, typer.Option(help="The page.")] = Path("comparison.html"),
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """Is the difference more than luck? Patient by patient. On the cases that all runs were judged on."""
    with tell.errors_told(json, debug):
        from segue.experiment.compare import compare as weigh

        replaced = " (what was there is replaced)" if out.exists() else ""
        done = weigh(
            *_words(runs),
            on=on or [],
            metric=metric,
            margin=margin,
            class_name=class_name,
            every_pair=every_pair,
            out=out,
        )
        if json:
            tell.as_json(done.as_json())
            return
        _tell_settings(done.settings, done.doubts)
        for name, found in done.sets.items():
            tell.say(f"{name}:", *(line for sentence in found.sentences for line in tell.wrapped(sentence)), "")
            rows = found.cells()
            said = [any(row[place] for row in rows) for place in range(len(found.columns))]
            chosen = [
                place for place, title in enumerate(found.columns) if said[place] and (title in _SHOWN or place == 2)
            ]
            cells = [[row[place] for place in chosen] for row in rows]
            tell.table([found.columns[place] for place in chosen], cells, right=set(range(1, len(chosen))))
            tell.say("", *(line for note in found.notes for line in tell.wrapped(note)), "")
        tell.say(f"Written: {done.page}{replaced}")


def _words(runs: Sequence[str]) -> list[str]:
    """Arms, where a blank after a comma has parted one."""
    return re.sub(r",\0", ",", "\0".join(runs)).strip(",").split("\0")


def _tell_settings(settings: Mapping[str, Mapping[str, str]], doubts: Sequence[str]) -> None:
    """What it is a comparison of."""
    for key, by in list(settings.items())[:_SETTINGS]:
        tell.say(f"  {key}: " + "; ".join(f"{side} {value}" for side, value in by.items()))
    if len(settings) > _SETTINGS:
        tell.say(f"  and {len(settings) - _SETTINGS} more settings differ (the page has all)")
    for doubt in doubts:
        tell.warn(doubt)
    if settings or doubts:
        tell.say("")


_SETTINGS = 6
_SHOWN = ("model", "runs", "deviation of runs", "difference", "95 % interval", "p (Holm)", "patients")
