"""Verbs that train and predict: `segue train`, `predict`, `networks`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segue.cli import tell
from segue.words import count

if TYPE_CHECKING:
    from segue.experiment.predict import Predictions
    from segue.experiment.settings import TrainSettings


def add_to(app: typer.Typer) -> None:
    for verb in (train, predict, networks):
        app.command()(verb)


def train(
    data: Annotated[str, typer.Option(metavar="DATASET[,...]", help="Datasets; several are learnt together.")],
    out: tell.RunOut = None,
    labels: Annotated[
        str | None, typer.Option(help="Label budget: patients, a percentage, or all.", show_default="all")
    ] = None,
    draw: Annotated[int | None, typer.Option(help="Of a budget, which patients: others for each number.")] = None,
    minutes: tell.Minutes = None,
    epochs: Annotated[float | None, typer.Option(help="Or: passes over the training images.")] = None,
    looks: tell.Looks = None,
    architecture: Annotated[str | None, typer.Option(help="See `segue networks`.", show_default="unet")] = None,
    encoder: Annotated[str | None, typer.Option(help="See `segue networks`.", show_default="resnet18")] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="Encoder: imagenet, a .safetensors file, none.", show_default="none"),
    ] = None,
    init: Annotated[str | None, typer.Option(metavar="RUN", help="Start from a run or a .safetensors file.")] = None,
    size: Annotated[
        str | None, typer.Option(help="Canvas: its long side, or HEIGHTxWIDTH.", show_default="from the data")
    ] = None,
    variation: Annotated[
        str | None, typer.Option(help="How images vary, as 'flips + affine(rotate=15)'.", show_default="weak")
    ] = None,
    painter: Annotated[
        str | None, typer.Option(metavar="RUN", help="Of a variation that paints: `segue inpaint fit`.")
    ] = None,
    loss: Annotated[str | None, typer.Option(help="A sum, as 'dice + 0.5*focal'.", show_default="dice + ce")] = None,
    method: Annotated[
        str | None, typer.Option(help="supervised, two-view, consistency, semi, distil.", show_default="supervised")
    ] = None,
    unlabelled: Annotated[
        str | None,
        typer.Option(metavar="DATASET[,...]", help="Of semi and distil: more images, their masks not looked at."),
    ] = None,
    teachers: Annotated[
        str | None, typer.Option(metavar="RUN[,...]", help="Of distil: runs that say together what is to be said.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Which of the datasets' splits.", show_default="split")] = None,
    fold: Annotated[int | None, typer.Option(help="This fold of the split validates.")] = None,
    folds: Annotated[
        int | None, typer.Option(min=2, help="So many runs, each validated on its own part; they predict together.")
    ] = None,
    rate: Annotated[str | None, typer.Option(help="Learning rate, or find.", show_default="0.001")] = None,
    batch: Annotated[int | None, typer.Option(help="Images of a step.", show_default="as the size allows")] = None,
    seed: tell.Seed = None,
    devices: tell.Devices = None,
    track: tell.Track = None,
    fresh: tell.Fresh = False,
    config: tell.Config = None,
    settings: tell.Set = None,
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """Train a network. The same command again goes on where it was."""
    with tell.errors_told(json, debug):
        from segue.experiment.settings import TrainSettings

        given = {
            "data": data, "labels": labels, "draw": draw, "minutes": minutes, "epochs": epochs, "looks": looks,
            "network.architecture": architecture, "network.encoder": encoder, "network.weights": weights, "init": init,
            "size": size, "variation": variation, "painter": painter, "loss": loss, "method": method, "unlabelled": unlabelled,
            "teachers": teachers,
            "split": split, "fold": fold, "loop.rate": rate, "loop.batch": batch,
            "loop.seed": seed, "machine.devices": devices,
        }  # fmt: skip
        asked = tell.asked(TrainSettings, config, given, settings)  # before all that a training needs is read
        from segue.executors.progress import duration
        from segue.experiment.train import train as learn

        if folds is not None:
            _train_folds(asked, folds, out, fresh, track or [], json)
            return
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
        scores = ", ".join(f"{name} {value:.3f}" for name, value in about["validation"].items())
        took = "" if done.already else f" in {duration(done.seconds)}"
        best = f"; best on validation at epoch {about['best_epoch']}: {scores}" if scores else ""
        tell.say(f"{count(about['steps'], 'step')}{took}{best}")
        tell.say(f"Written: {folder}")
        tell.next_command(f"segue evaluate {tell.quoted(folder)} --on {tell.quoted(asked.data[0])}")


def _train_folds(asked: TrainSettings, folds: int, out: Path | None, fresh: bool, track: list[str], json: bool) -> None:
    from segue.experiment.folds import train_folds

    done = train_folds(
        asked, folds, out, fresh=fresh, track=track, progress=not json, say=(lambda line: None) if json else tell.say
    )
    if json:
        tell.as_json(done.as_json())
        return
    for summary in done.summaries:
        whom = count(summary.present_patients, summary.whom)
        tell.say(f"out of fold: Dice of {summary.class_name} {summary.means['dice']:.3f} over {whom}")
    tell.say(f"Written: {done.folder}")
    tell.next_command(f"segue evaluate {tell.quoted(done.folder)} --on ANOTHER-DATASET")


def predict(
    run: tell.RunFolder,
    images: Annotated[list[Path], typer.Argument(metavar="IMAGES...", help="Files or folders.")],
    out: Annotated[Path, typer.Option(help="Where the masks go.")] = Path("predictions"),
    views: Annotated[list[str] | None, typer.Option(help="Average over test-time variations: flips, rot90.")] = None,
    threshold: Annotated[float, typer.Option(help="A pixel is of the class from here on.")] = 0.5,
    modality: Annotated[
        str, typer.Option(help="Of volumes whose files do not tell, where it matters: CT, MR.", show_default=False)
    ] = "",
    dicom: Annotated[
        bool, typer.Option("--dicom-seg", help="Of DICOM series: a DICOM-SEG instead of a NIfTI file.")
    ] = False,
    disagree: Annotated[
        bool,
        typer.Option("--disagree", help="Of an ensemble or folds: a picture of where members do not say the same."),
    ] = False,
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """Masks of images, in each image's own geometry."""
    with tell.errors_told(json, debug):
        from segue.evaluation.predicting.decision import Decision
        from segue.experiment.predict import predict as draw

        decision = Decision(threshold=threshold)
        done = draw(
            run, images, out, views=views or [], decision=decision, modality=modality, dicom=dicom, disagree=disagree,
            progress=not json,
        )  # fmt: skip
        if json:
            tell.as_json(done.as_json())
            return
        for written in done.written:
            if written.error:
                tell.warn(written.error)
        _tell_found(done)
        tell.say(count(done.count, "mask"), *([f"Written: {out}"] if done.count else []))
        if done.count < len(done.written):
            raise typer.Exit(1)


def _tell_found(done: Predictions) -> None:
    """By class: in how many images, and of volumes how much."""
    well = [one for one in done.written if not one.error]
    for name in well[0].shares if well else ():
        there = [one for one in well if one.shares[name] > 0]
        amounts = [one.millilitres[name] for one in there if name in one.millilitres]
        much = f", {sum(amounts) / len(amounts):.1f} mL on average" if amounts else ""
        tell.say(f"  {name}: found in {len(there):,} of {len(well):,}{much}")


def networks(
    like: Annotated[str, typer.Option(help="Encoders whose names match, as '*resnet*'.")] = "*",
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """The architectures, and the encoders that go into them."""
    with tell.errors_told(json, debug):
        from segue.networks import catalogue

        architectures, encoders = catalogue.architectures(), catalogue.encoders(like)
        if json:
            listed = {"architectures": architectures, "encoders": encoders}
            tell.as_json({kind: [vars(one) for one in found] for kind, found in listed.items()})
            return
        if like == "*":
            tell.table(["architecture", ""], [[one.name, one.what] for one in architectures])
            tell.say("", f"  {len(encoders):,} encoders; --like '*resnet*' lists some of them.")
        elif any(one.parameters for one in encoders):
            sizes = [[one.name, f"{one.parameters / 1e6:.1f} M" if one.parameters else "-"] for one in encoders]
            tell.table(["encoder", "parameters"], sizes, right={1})
        else:
            tell.say(*(f"  {one.name}" for one in encoders))
            tell.say(
                "", f"  {len(encoders):,} encoders like {like}; of {catalogue.FEW} or fewer the parameters are told."
            )
        tell.next_command("segue train --data DATASET --architecture unet++ --encoder resnet34")
