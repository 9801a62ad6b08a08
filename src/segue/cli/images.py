"""Verbs that need no masks: `segue advise`, `pretrain`, `embed`, `release`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from segue.cli import tell
from segue.words import count


def add_to(app: typer.Typer) -> None:
    for verb in (advise, pretrain, embed, release):
        app.command()(verb)


def advise(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="The folder that `segue data scan` wrote.")],
    beside: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="DATASET[,...]", help="More images to look at; may be given often."),
    ] = None,
    runs: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RUN[,...]", help="Runs on several label budgets, evaluated: what more masks would bring."
        ),
    ] = None,
    labels: Annotated[
        str, typer.Option(help="As if only these had masks to learn from: patients or a percentage.")
    ] = "all",
    probe: Annotated[bool, typer.Option(help="Take a few steps, to know how long training takes here.")] = True,
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """What to do with so many images, masks, patients and sites. How long it takes, and what stays unknown."""
    with tell.errors_told(json, debug):
        from segue.experiment.advising.advise import advise as counsel

        others, judged = ([one for text in given or () for one in text.split(",") if one] for given in (beside, runs))
        done = counsel(
            dataset, labels=labels, beside=others, runs=judged, probe=probe,
            say=(lambda line: None) if json else tell.say,
        )  # fmt: skip
        if json:
            tell.as_json(done.as_json())
            return
        for head, lines in done.blocks:
            tell.say("", head, *(part for line in lines for part in tell.wrapped(line)))
        first, *rest = done.commands
        tell.next_command(first)
        tell.say(*(f"      {command}" for command in rest))


def pretrain(
    data: Annotated[str, typer.Option(metavar="DATASET[,...]", help="Datasets, of pictures and volumes alike.")],
    out: tell.RunOut = None,
    method: Annotated[
        str | None, typer.Option(help="contrast, simclr, local, masked.", show_default="contrast")
    ] = None,
    positives: Annotated[
        str | None,
        typer.Option(help="Of contrast, who is alike: images, partitions, across.", show_default="partitions"),
    ] = None,
    minutes: tell.Minutes = None,
    epochs: Annotated[float | None, typer.Option(help="Or: passes over the images.")] = None,
    looks: tell.Looks = None,
    architecture: Annotated[
        str | None, typer.Option(help="As in training later; see `segue networks`.", show_default="unet")
    ] = None,
    encoder: Annotated[str | None, typer.Option(help="Likewise.", show_default="resnet18")] = None,
    weights: Annotated[
        str | None, typer.Option(help="Encoder: imagenet, a .safetensors file, none.", show_default="none")
    ] = None,
    init: Annotated[str | None, typer.Option(metavar="RUN", help="Go on from another run's weights.")] = None,
    size: Annotated[
        str | None, typer.Option(help="Canvas: its side, or HEIGHTxWIDTH.", show_default="128, on a GPU 224")
    ] = None,
    variation: Annotated[str | None, typer.Option(help="How views of an image differ.", show_default="pretext")] = None,
    rate: Annotated[float | None, typer.Option(help="Learning rate.", show_default="0.0003")] = None,
    batch: Annotated[int | None, typer.Option(help="Images of a step.", show_default="as the method needs")] = None,
    seed: tell.Seed = None,
    devices: tell.Devices = None,
    track: tell.Track = None,
    fresh: tell.Fresh = False,
    config: tell.Config = None,
    settings: tell.Set = None,
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """Train an encoder on images without masks. The same command again goes on where it was."""
    with tell.errors_told(json, debug):
        from segue.experiment.settings import PretrainSettings

        given = {
            "data": data, "method": method, "contrast.positives": positives, "minutes": minutes, "epochs": epochs,
            "looks": looks, "network.architecture": architecture, "network.encoder": encoder, "network.weights": weights,
            "init": init, "size": size, "variation": variation, "loop.rate": rate, "loop.batch": batch, "loop.seed": seed,
            "machine.devices": devices,
        }  # fmt: skip
        asked = tell.asked(PretrainSettings, config, given, settings)  # before all that a training needs is read
        from segue.executors.progress import duration
        from segue.experiment.pretraining.pretrain import pretrain as learn
        from segue.experiment.telling import watched

        done = learn(
            out=out, settings=asked, fresh=fresh, track=track or [], progress=not json,
            say=(lambda line: None) if json else tell.say,
        )  # fmt: skip
        if json:
            tell.as_json(done.as_json())
            return
        about, folder = done.run.about, done.run.folder
        if done.already:
            tell.say("It is there already, trained with the same settings: nothing was done.")
        took = "" if done.already else f" in {duration(done.seconds)}"
        tell.say(f"{count(about['steps'], 'step')}{took}; {watched(about['watched'])}")
        tell.say(f"Written: {folder}")
        tell.next_command(f"segue embed {tell.quoted(folder)} --on {tell.quoted(asked.data[0])}")
        tell.say(f"      {_begun_from(folder, asked.data)}")


def _begun_from(run: Path, looked_at: Sequence[Path | str]) -> str:
    """Of the datasets that were looked at, one that has masks; it may be that none has."""
    from segue.data.dataset import Dataset

    masked = next((one for one in looked_at if any(case.labelled for case in Dataset.open(one).cases)), None)
    data = "DATASET-WITH-MASKS" if masked is None else tell.quoted(masked)
    return f"segue train --data {data} --init {tell.quoted(run)} --out runs/after"


def embed(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, pre-trained or trained.")],
    on: Annotated[list[Path], typer.Option(metavar="DATASET", help="Whose images; may be given often.")],
    out: Annotated[Path | None, typer.Option(help="The page.", show_default="RUN/embedding.html")] = None,
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """How an encoder sees images: a map of them, and which it takes for alike. No masks are needed."""
    with tell.errors_told(json, debug):
        from segue.experiment.pretraining.embed import embed as look

        done = look(run, on, out, progress=not json, say=(lambda line: None) if json else tell.say)
        if json:
            tell.as_json(done.as_json())
            return
        tell.say(
            f"{done.images:,} images",
            *(f"  {name.replace('_', ' ')} {value:.2f}" for name, value in done.numbers.items()),
            *(
                f"  {one.what} told by neighbours {one.accuracy:.2f} (chance {one.chance:.2f})"
                for one in done.guesses
                if one.n
            ),
        )
        tell.say(f"Written: {done.page}")
        tell.next_command(_begun_from(run, on))


def release(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a pre-training.")],
    out: Annotated[Path, typer.Option(help="The folder to hand on.")],
    results: Annotated[
        list[Path] | None,
        typer.Option(metavar="RUN", help="Evaluated runs that began from it, for its card; may be given often."),
    ] = None,
    licence: Annotated[str, typer.Option(help="Of the weights.", show_default="not stated")] = "",
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """A pre-trained encoder as a folder to hand on: weights, a card with data, compute and results, and no image."""
    with tell.errors_told(json, debug):
        from segue.experiment.pretraining.release import WEIGHTS
        from segue.experiment.pretraining.release import release as pack

        done = pack(run, out, results=results or [], licence=licence)
        if json:
            tell.as_json(done.as_json())
            return
        tell.say(f"Written: {done.folder}")
        tell.next_command(f"segue train --data DATASET --init {tell.quoted(done.folder / WEIGHTS)}")
