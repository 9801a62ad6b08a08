"""`segue inpaint ...`: a painter of lesions, from masks to cases that never were."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segue.cli import tell
from segue.words import count

app = typer.Typer(
    help="A painter of lesions: learn it, look at it, put it to use.", no_args_is_help=True, rich_markup_mode=None
)

Painter = Annotated[Path, typer.Argument(metavar="RUN", help="The folder that `segue inpaint fit` wrote.")]


@app.command()
def fit(
    data: Annotated[str, typer.Option(metavar="DATASET[,...]", help="Datasets with masks.")],
    out: tell.RunOut = None,
    what: Annotated[str | None, typer.Option(help="The class that is painted, where there are several.")] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            metavar="RUN", help="Learns from what its encoder sees too: with --set inpainting.perceptual=0.1."
        ),
    ] = None,
    minutes: tell.Minutes = None,
    epochs: Annotated[float | None, typer.Option(help="Or: passes over the training images.")] = None,
    looks: tell.Looks = None,
    rate: Annotated[float | None, typer.Option(help="Learning rate.", show_default="0.0005")] = None,
    batch: Annotated[int | None, typer.Option(help="Windows of a step.", show_default="8")] = None,
    seed: tell.Seed = None,
    devices: tell.Devices = None,
    track: tell.Track = None,
    fresh: tell.Fresh = False,
    config: tell.Config = None,
    settings: tell.Set = None,
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """Train a painter from a dataset's masks. The same command again goes on where it was."""
    with tell.errors_told(json, debug):
        from segue.experiment.settings import InpaintSettings

        given = {
            "data": data, "what": what, "encoder": encoder, "minutes": minutes, "epochs": epochs, "looks": looks,
            "loop.rate": rate, "loop.batch": batch, "loop.seed": seed, "machine.devices": devices,
        }  # fmt: skip
        asked = tell.asked(InpaintSettings, config, given, settings)
        from segue.executors.progress import duration
        from segue.experiment.inpainting.fit import fit as learn

        done = learn(
            out=out, settings=asked, fresh=fresh, track=track or [], progress=not json,
            say=(lambda line: None) if json else tell.say,
        )  # fmt: skip
        about, folder = done.run.about, done.run.folder
        if json:
            tell.as_json({"run": str(folder), "already": done.already, "steps": about["steps"], "held": about["held"]})
            return
        if done.already:
            tell.say("It is there already, trained with the same settings: nothing was done.")
        took = "" if done.already else f" in {duration(done.seconds)}"
        tell.say(f"{count(about['steps'], 'step')}{took}", f"Written: {folder}")
        tell.next_command(f"segue inpaint look {tell.quoted(folder)}")


@app.command()
def look(
    run: Painter,
    encoder: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Of segue pretrain or segue train: in its eyes the Fréchet distance is told.",
            show_default="it is not told",
        ),
    ] = None,
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """How real it looks, in images that it has not learnt from. A page, with two fills that have learnt nothing beside it."""
    with tell.errors_told(json, debug):
        from segue.experiment.inpainting.look import look as judge

        done = judge(run, encoder=encoder, progress=not json, say=(lambda line: None) if json else tell.say)
        if json:
            tell.as_json(done.as_json())
            return
        rows = [[one.name, f"{one.off:.3f}", f"{one.ssim:.3f}", f"{one.told:.2f}"] for one in done.quality.fills]
        head, far = ["fill", "off", "SSIM", "told apart"], done.quality.far
        if far is not None:
            head.append("Fréchet")
            rows = [[*row, f"{distance:.3f}"] for row, distance in zip(rows, far.fills.values(), strict=True)]
            rows.append(["other real ones", "", "", "", f"{far.real:.3f}"])
        tell.say(f"{done.quality.windows:,} windows of held-back images, the same holes filled by", "")
        tell.table(head, rows, right={1, 2, 3, 4})
        tell.say("", "  off: distance to the colours that were there; told apart: .5 never, 1 always")
        tell.say(*(f"  {line}" for line in done.told), "", f"Written: {done.page}")
        mean, *_, painted = done.quality.fills
        if painted.off < mean.off:
            tell.next_command(f"segue train --data DATASET --variation 'paint + natural' --painter {tell.quoted(run)}")
        else:
            tell.next_command("segue inpaint fit --data DATASET with more --looks")


@app.command()
def apply(
    run: Painter,
    on: Annotated[Path, typer.Option(metavar="DATASET", help="Into whose images.")],
    out: Annotated[Path, typer.Option(help="A new folder.")],
    number: Annotated[
        int | None, typer.Option("--count", min=1, help="How many.", show_default="one of each image")
    ] = None,
    edit: Annotated[
        str, typer.Option(metavar="VARIATION", help="Which edits, as 'paint(add=1, alter=0, repaint=0)'.")
    ] = "paint",
    seed: Annotated[int, typer.Option(help="Other edits, other textures.")] = 0,
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """Write painted cases with their masks. Each with its source and what was done to it."""
    with tell.errors_told(json, debug):
        from segue import variations
        from segue.errors import BadInput
        from segue.experiment.inpainting.apply import apply as paint
        from segue.variations.paint import Paint

        drawn = variations.parse(edit)
        if not isinstance(drawn, Paint):
            raise BadInput(
                f"edit: {edit!r} is more than paint", hint="The other variations come when it is learnt from."
            )
        done = paint(run, on, out, count=number or 0, edit=drawn, seed=seed, progress=not json)
        if json:
            tell.as_json(done.as_json())
            return
        told = ", ".join(f"{how_many:,} {kind}" for kind, how_many in done.edits.items())
        tell.say(f"{count(done.count, 'case')}: {told}", f"Written: {done.folder}")
        labels = ",".join(f"{value}={name}" for value, name in done.classes.items())
        tell.next_command(f"segue data scan {tell.quoted(done.folder)} --labels {tell.quoted(labels)}")
