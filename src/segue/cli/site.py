"""Verbs for another hospital: `segue audit`, `cover`, `adapt`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segue.cli import tell
from segue.words import count

if TYPE_CHECKING:
    from segue.experiment.auditing.audited import Audit


def add_to(app: typer.Typer) -> None:
    for verb in (audit, cover, adapt):
        app.command()(verb)


def audit(
    run: tell.RunFolder,
    on: Annotated[list[Path], typer.Option(metavar="DATASET", help="A place; masks are not read. May be given often.")],
    known: Annotated[
        list[str] | None,
        typer.Option(metavar="DATASET", help="Another place with masks, to learn from; may be given often."),
    ] = None,
    painter: Annotated[
        str | None,
        typer.Option(
            metavar="PAINTER", help="Validation with lesions that this one paints (`segue inpaint fit`) teaches too."
        ),
    ] = None,
    vary: Annotated[
        str | None,
        typer.Option(
            metavar="VARIATION",
            help="How images are varied, to see who follows.",
            show_default="everyday, or apart",
        ),
    ] = None,
    verify: Annotated[
        int | None, typer.Option(metavar="N", help="Draw so many cases to mask; once masked, what they prove.")
    ] = None,
    same: tell.Same = None,
    skip_bad: tell.SkipBad = False,
    config: tell.Config = None,
    settings: tell.Set = None,
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """How good a run will be where there are no masks. With an interval, or why it cannot be known."""
    with tell.errors_told(json, debug):
        from segue.experiment.settings import AuditSettings

        given = {"known": ",".join(known) if known else None, "painter": painter, "vary": vary, "verify": verify}
        asked = tell.asked(AuditSettings, config, given, [*(f"same.{pair}" for pair in same or []), *(settings or [])])
        from segue.experiment.auditing.audit import audit as look

        done = look(
            run, on, settings=asked, skip_bad=skip_bad, progress=not json, say=(lambda line: None) if json else tell.say
        )
        if json:
            tell.as_json(done.as_json())
            return
        for one in done.audits:
            _tell(one)
        last, place = done.audits[-1], tell.quoted(on[-1])
        if last.verified is None and len(last.whose) > _MASKS:
            tell.next_command(f"segue audit {tell.quoted(run)} --on {place} --verify {_MASKS}")
        elif last.verified is not None and last.verified.missing:
            tell.next_command("masks for these, segue data scan of the folder with them, and the same command again")
        else:
            tell.next_command(f"segue predict {tell.quoted(run)} IMAGES --out masks")


def _tell(one: Audit) -> None:
    tell.say("", f"{one.name}:")
    for line in (*one.told, *one.verdict.notes):
        tell.say(*tell.wrapped(line))
    if one.verified is not None and one.verified.missing:
        told = (
            f"{len(one.verified.missing)} of {len(one.verified.chosen)} drawn cases have no mask yet; which they are stands "
            f"in {one.verified.table}. Mask them, scan the folder again, and give the same command."
        )
        tell.say(*tell.wrapped(told))
    tell.say("")
    names = list(one.trials)
    rows = [
        [
            *([name] if len(names) > 1 else []),
            way.name,
            f"{way.off:.3f}",
            f"{way.worst:.3f}",
            tell.number(way.r, 2),
            f"{way.aurc:.3f}",
        ]
        for name in names
        for way in one.trials[name].corruptions
    ]
    head = [*(["class"] if len(names) > 1 else []), "way", "off", "at worst", "r of cases", "risk"]
    tell.table(head, rows, right=set(range(len(head) - 4, len(head))))
    tell.say(
        "", "  Copies of validation, each kind left out once. Off: from the true mean Dice; risk: 1 - Dice among those",
        "  most trusted. The audit speaks only where it beats the constant.", "", f"Written: {one.page}",
    )  # fmt: skip


_MASKS = 20  # that one is asked to draw


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
        tell.say("", *(f"Written: {site.page}" for site in done.sites))
        tell.next_command(
            f"segue evaluate {tell.quoted(run)} --on {tell.quoted(on[0])} --vary {tell.quoted(variation)}"
        )


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
        tell.say(
            f"      or without masks: segue audit {folder} {sites}, and segue audit {tell.quoted(run)} {sites} --vary apart"
        )
