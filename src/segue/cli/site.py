"""Verbs for another hospital: `segue adapt`."""

from __future__ import annotations

from typing import Annotated

import typer

from segue.cli import tell
from segue.words import count


def add_to(app: typer.Typer) -> None:
    for verb in (adapt,):
        app.command()(verb)


def adapt(
    run: tell.RunFolder,
    to: Annotated[
        list[str] | None,
        typer.Option(metavar="DATASET", help="The other hospital's images; may be given often.", show_default=False),
    ] = None,
    out: tell.RunOut = None,
    source_free: Annotated[
        bool, typer.Option("--source-free", help="Without opening what the run has learnt from.")
    ] = False,
    only_statistics: Annotated[
        bool, typer.Option("--only-statistics", help="No training: batch norms learn what images look like there.")
    ] = False,
    looks: Annotated[
        int | None,
        typer.Option(help="So many images looked at, each view one.", show_default="a third of the run's own"),
    ] = None,
    minutes: tell.Minutes = None,
    epochs: Annotated[float | None, typer.Option(help="Or: passes over the images of a batch.")] = None,
    rate: Annotated[float | None, typer.Option(help="Learning rate.", show_default="a third of the run's")] = None,
    batch: Annotated[int | None, typer.Option(help="Images of a step.", show_default="as the run had it")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed, another run.", show_default="the run's")] = None,
    devices: tell.Devices = None,
    track: tell.Track = None,
    fresh: tell.Fresh = False,
    config: tell.Config = None,
    settings: tell.Set = None,
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """Go on with a run at another hospital, without masks. The same command again goes on where it was."""
    with tell.errors_told(json, debug):
        from segue.experiment.settings import AdaptSettings

        given = {
            "run": str(run), "source_free": source_free or None, "only_statistics": only_statistics or None,
            "more.looks": looks, "more.minutes": minutes, "more.epochs": epochs, "more.loop.rate": rate,
            "more.loop.batch": batch, "more.loop.seed": seed, "more.machine.devices": devices,
        }  # fmt: skip
        more = [f"to=[{', '.join(tell.as_yaml(one) for one in to)}]"] if to else []
        more += [f"more.{pair}" for pair in settings or []]
        asked = tell.asked(AdaptSettings, config, given, more)
        from segue.executors.progress import duration
        from segue.experiment.adapting.adapt import adapt as go_on

        done = go_on(
            out=out, settings=asked, fresh=fresh, track=track or [], progress=not json,
            say=(lambda line: None) if json else tell.say,
        )  # fmt: skip
        if json:
            tell.as_json(done.as_json())
            return
        folder = tell.quoted(done.run.folder)
        if done.already:
            tell.say("It is there already, adapted with the same settings: nothing was done.")
        took = "" if done.already else f" in {duration(done.seconds)}"
        tell.say(f"{count(done.run.about['steps'], 'step')}{took}", f"Written: {done.run.folder}")
        sites = " ".join(f"--on {tell.quoted(one['folder'])}" for one in done.adapted["to"])
        tell.next_command(f"segue evaluate {folder} {sites}")
        tell.say(f"      segue compare {tell.quoted(run)} {folder}")
