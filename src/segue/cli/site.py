"""Verbs for another hospital: `segue cover`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segue.cli import tell


def add_to(app: typer.Typer) -> None:
    for verb in (cover,):
        app.command()(verb)


def cover(
    run: tell.RunFolder,
    on: Annotated[list[Path], typer.Option(metavar="DATASET", help="The site, masks or none; may be given often.")],
    variation: Annotated[str, typer.Option(help="Whether it is enough: a preset, or an expression.")] = "natural",
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """How much of a site lies within what training sees, varied images included. No masks are needed."""
    with tell.errors_told(json, debug):
        from segue.experiment.covering.cover import cover as lay

        done = lay(run, on, variation=variation, progress=not json, say=(lambda line: None) if json else tell.say)
        if json:
            tell.as_json(done.as_json())
            return
        for site in done.sites:
            tell.say("", f"{site.name}, {len(site.site.images):,} images")
            rows = [
                [
                    one.bank,
                    f"{100 * one.share:.0f} %",
                    f"{100 * one.low:.0f} to {100 * one.high:.0f} %",
                    f"{one.farther:.2f}",
                ]
                for one in site.coverages
            ]
            tell.table(["varied by", "covered", "", "farther than home"], rows, right={1, 2, 3})
            tell.say("", *tell.wrapped(site.sentence))
        tell.say("", *(f"Written: {site.folder}" for site in done.sites), f"Written: {done.page}")
        tell.next_command(
            f"segue evaluate {tell.quoted(run)} --on {tell.quoted(on[0])} --vary {tell.quoted(variation)}"
        )
