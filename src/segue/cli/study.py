"""`segue study ...`: a question in a file, and the runs that answer it."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segue.cli import tell
from segue.words import count

if TYPE_CHECKING:
    from segue.studies.expected import Expected
    from segue.studies.plan import Plan
    from segue.studies.searching.found import Trials
    from segue.studies.standing import Standing

app = typer.Typer(
    help="A question in a file, and the runs that answer it.", no_args_is_help=True, rich_markup_mode=None
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="The study, as YAML.")]
Out = Annotated[
    Path | None,
    typer.Option(help="Its folder; runs lie beside it, shared with other studies.", show_default="runs/study-NAME"),
]
_SHOWN = 40  # arms
_AGAIN = 2.0  # seconds


@app.command()
def plan(
    file: File,
    out: Out = None,
    workers: tell.Workers = None,
    on: tell.On = "local",
    quick: Annotated[bool, typer.Option("--quick", help="Open nothing: not how long it takes, on what.")] = False,
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """What would run, what is shared, and what it takes here, by a few steps of each arm. Nothing is trained."""
    with tell.errors_told(json, debug):
        from segue.studies.running import folder_of, planned
        from segue.studies.study import read

        folder = folder_of(file, out)
        found = planned(read(file), folder)
        if not json:
            _tell_plan(found)
        expected = None
        if not quick:
            from segue.studies.expected import expect

            say = (lambda line: None) if json else tell.say
            say("")
            expected = expect(found, folder, workers=workers, on=on, progress=not json, say=say)
        if json:
            tell.as_json({**found.as_json(), **({} if expected is None else {"expected": expected.as_json()})})
            return
        if expected is not None:
            _tell_expected(expected)
        tell.next_command(f"segue study run {tell.quoted(file)}")


def _tell_expected(found: Expected) -> None:
    from segue.executors.progress import duration

    for told, runs in found.machines.items():
        tell.say(f"  {count(runs, 'run')} on {told}")
    beside = f", {found.side_by_side} at a time" if found.side_by_side > 1 else ""
    if not math.isnan(found.seconds):
        guessed = f"; {count(found.guessed, 'run')} taken to be like the others" if found.guessed else ""
        tell.say(f"  {duration(found.seconds)} of training or so{beside}{guessed}; judging comes on top")
        tell.say(f"  {found.bytes / 1e9:.1f} GB for runs, with their weights")
    for arm, error in found.errors.items():
        tell.warn(f"{arm}: {error}")


def _tell_plan(found: Plan) -> None:
    study = found.study
    tell.say(study.question, "")
    arms = list({entry.arm: entry for entry in found.entries}.values())
    rows = [[*entry.values.values(), str(study.repeats)] for entry in arms[:_SHOWN]]
    tell.table([*arms[0].values, "repeats"], rows, right={len(arms[0].values)})
    if len(arms) > _SHOWN:
        tell.say(f"  ... and {len(arms) - _SHOWN:,} more")
    tell.say(
        "", f"  {count(len(found.names), 'run')}, judged on {', '.join(dict.fromkeys((*study.data, *study.elsewhere)))}"
    )
    for name, asked in found.before.items():
        users = [entry for entry in found.names.values() if name in entry.before]
        each = [{entry.values[axis.name] for entry in users} for axis in found.axes]
        common = ", ".join(min(values) for values in each if len(values) == 1)
        what = f"{name.partition('-')[0]} ({common})" if common else name.partition("-")[0]
        tell.say(f"  {what}: once, of {', '.join(asked.data)}, for {count(len(users), 'run')}")
    if study.search is not None:
        tell.say(
            f"  search: {count(study.search.trials, 'trial')} from {study.search.begin} on, by validation; its best is"
        )
        tell.say(f"    {study.search.called}, trained again {count(study.repeats, 'time')} on fresh seeds")
    for told in found.declared:
        tell.say(f"  declared: {told.side} against {told.reference}, all else equal")


@app.command()
def run(
    file: File,
    out: Out = None,
    on: tell.On = "local",
    workers: tell.Workers = None,
    retry: Annotated[bool, typer.Option("--retry", help="Try again what has failed.")] = False,
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """Train and judge all of it, side by side. The same command again goes on where it was."""
    with tell.errors_told(json, debug):
        from segue.studies.running import run as bring
        from segue.studies.standing import status as standing

        done = bring(
            file,
            out,
            on=on,
            workers=workers,
            retry=retry,
            progress=not json,
            say=(lambda line: None) if json else tell.say,
        )
        found = standing(file, out)
        if json:
            tell.as_json(found.as_json())
        else:
            _tell_standing(found)
            tell.say("", f"Written: {done.folder}")
            tell.next_command(f"segue study report {tell.quoted(file)}")
        if not done.whole:
            raise typer.Exit(1)


@app.command()
def status(
    file: File,
    out: Out = None,
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, until all is done or Ctrl-C.")] = False,
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """How far it has come, while it runs or not."""
    with tell.errors_told(json, debug):
        from segue.studies.standing import status as standing

        found = standing(file, out)
        while watch and not json and found.total("waiting") + found.total("begun"):
            tell.clear()
            _tell_standing(found)
            time.sleep(_AGAIN)
            found = standing(file, out)
        if json:
            tell.as_json(found.as_json())
            return
        _tell_standing(found)
        if found.total("waiting") + found.total("begun"):
            tell.next_command(f"segue study run {tell.quoted(file)}")


@app.command()
def report(file: File, out: Out = None, json: tell.Json = False, debug: tell.Debug = False) -> None:
    """The answer, of whatever is done: a sentence with its interval, then a page with all that it rests on."""
    with tell.errors_told(json, debug):
        from segue.studies.report import report as draw

        done = draw(file, out, progress=not json)
        if json:
            tell.as_json(done.as_json())
            return
        found = done.answer
        target = found.reached.sentence if found.reached else ""
        tell.say(*tell.wrapped(found.sentence), *tell.wrapped(target))
        tell.say("", f"Written: {done.page}", f"Tables:  {done.tables[0].parent} (CSV, Markdown, LaTeX)")


def _tell_standing(found: Standing) -> None:
    from segue.executors.progress import duration

    study = found.plan.study
    sets = list(dict.fromkeys(name for arm in found.arms for name in arm.means))
    tell.say(study.question, "")
    rows = [
        [
            *arm.values.values(),
            f"{arm.done} of {study.repeats}",
            f"{arm.failed or ''}",
            *(tell.number(arm.means.get(name, math.nan)) for name in sets),
        ]
        for arm in found.arms[:_SHOWN]
    ]
    axes = list(found.arms[0].values)
    head = [*axes, "done", "failed", *(f"{study.metric} on {name}" for name in sets)]
    tell.table(head, rows, right=set(range(len(axes), len(head))))
    if len(found.arms) > _SHOWN:
        tell.say(f"  ... and {len(found.arms) - _SHOWN:,} more")
    for one in found.going[:_SHOWN]:
        where = "is judged" if one.judged else f"step {one.step:,} of {one.steps:,}" if one.steps else "begins"
        score = "" if one.score is None else f", {tell.number(one.score)} on validation"
        tell.say(f"  {one.arm}, repeat {one.repeat}: {where}{score}")
    if found.trials is not None:
        _tell_trials(found.trials, study.search.trials if study.search else 0)
    parts = [f"{number:,} {what}" for what in ("done", "failed", "begun", "waiting") if (number := found.total(what))]
    left = "" if math.isnan(found.left) or not found.left else f"; {duration(found.left)} of work left"
    tell.say("", f"  {', '.join(parts)}{left}")
    for name, error in list(found.errors.items())[:_SHOWN]:
        tell.warn(f"{name}: {error}")


def _tell_trials(found: Trials, wanted: int) -> None:
    from segue.studies.axes import named

    states = [f"{number:,} {what}" for what in ("pruned", "over", "failed") if (number := found.count(what))]
    rest = f", of which {', '.join(states)}" if states else ""
    tell.say("", f"  search: {len(found.all):,} of {wanted:,} trials{rest}")
    if found.best is not None:
        values = ", ".join(f"{name} {named(value)}" for name, value in found.best.drawn.items())
        tell.say(f"  best so far: {tell.number(found.best.score or 0.0)} on validation, by {values}")
