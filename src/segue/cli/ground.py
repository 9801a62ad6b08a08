"""Verbs that need no data: `segue doctor`, `segue demo`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from segue.cli import tell


def add_to(app: typer.Typer) -> None:
    app.command()(doctor)
    app.command()(demo)
    app.callback(invoke_without_command=True)(version)


def version(
    context: typer.Context, show: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False
) -> None:
    if show:
        from segue.version import __version__

        print(__version__)
        raise typer.Exit()
    del context


def doctor(json: tell.Json = False, debug: tell.Debug = False) -> None:
    """Versions, device, memory, extras, and what to do about each."""
    with tell.errors_told(json, debug):
        from segue.checkup import doctor as examine

        found = examine()
        if json:
            tell.as_json(found.as_json())
        else:
            width = max(len(line.what) for line in found.lines)
            for line in found.lines:
                tell.say(f"  {line.what.ljust(width)}  {line.found}")
                if line.advice:
                    tell.say(f"  {' ' * width}  -> {line.advice}")
            tell.say("", "All that is needed is here." if found.well else "Something that is needed is missing.")
            tell.next_command("segue demo")
        if not found.well:
            sys.exit(1)


def demo(
    out: Annotated[Path, typer.Option(help="Where everything is made.")] = Path("demo"),
    full: Annotated[
        bool, typer.Option("--full", help="Ten times as long, and fails if the effects are not there.")
    ] = False,
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """The whole story, on made data. Two hospitals, few and many masks, judged at home and elsewhere."""
    with tell.errors_told(json, debug):
        from segue.demonstration import demo as play

        told = play(out, full=full, say=(lambda line: None) if json else print)
        if json:
            tell.as_json(told.as_json())
        else:
            tell.say("", "Pages to open:", *(f"  {name.ljust(12)} {path}" for name, path in told.pages.items()))
            tell.next_command("segue data scan YOUR-FOLDER")
