"""`segue study ...`: a question in a file, and the runs that answer it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segue.cli import tell
from segue.words import count

if TYPE_CHECKING:
    from segue.studies.plan import Plan
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


@app.command()
def plan(file: File, out: Out = None, json: tell.Json = False, debug: tell.Debug = False) -> None:
    """What would run, and what is shared. Nothing is opened and nothing is trained."""
    with tell.errors_told(json, debug):
        from segue.studies.plan import plan as lay
        from segue.studies.running import folder_of
        from segue.studies.study import read

        found = lay(read(file), folder_of(file, out).parent)
        if json:
            tell.as_json(found.as_json())
            return
        _tell_plan(found)
        tell.next_command(f"segue study run {tell.quoted(file)}")


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
        users = sum(name in entry.before for entry in found.names.values())
        what = name.partition("-")[0]
        tell.say(f"  {what}: once, of {', '.join(asked.data)}, for {count(users, 'run')}")
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
def status(file: File, out: Out = None, json: tell.Json = False, debug: tell.Debug = False) -> None:
    """How far it has come, while it runs or not."""
    with tell.errors_told(json, debug):
        from segue.studies.standing import status as standing

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

        done = draw(file, out)
        if json:
            tell.as_json(done.as_json())
            return
        found = done.answer
        tell.say(*tell.wrapped(found.sentence), *tell.wrapped(found.target))
        tell.say("", f"Written: {done.page}")


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
    parts = [f"{number:,} {what}" for what in ("done", "failed", "begun", "waiting") if (number := found.total(what))]
    left = "" if math.isnan(found.left) or not found.left else f"; {duration(found.left)} of work left"
    tell.say("", f"  {', '.join(parts)}{left}")
    for name, error in list(found.errors.items())[:_SHOWN]:
        tell.warn(f"{name}: {error}")
