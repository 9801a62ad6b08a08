"""Verbs that train and judge: `segue train`, `evaluate`, `compare`, `predict`, `networks`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segue.cli import tell
from segue.cli.sets import tell_sets, tell_stress
from segue.words import count

if TYPE_CHECKING:
    from segue.experiment.predict import Predictions
    from segue.experiment.settings import TrainSettings

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]


def add_to(app: typer.Typer) -> None:
    for verb in (train, ensemble, evaluate, judge, compare, predict, networks):
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
        str | None, typer.Option(help="supervised, two-view, consistency, semi.", show_default="supervised")
    ] = None,
    unlabelled: Annotated[
        str | None, typer.Option(metavar="DATASET[,...]", help="Of semi: more images, their masks not looked at.")
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
        tell.say(
            f"out of fold: Dice of {summary.class_name} {summary.means['dice']:.3f} over {summary.present_patients:,}"
        )
    tell.say(f"Written: {done.folder}")
    tell.next_command(f"segue evaluate {tell.quoted(done.folder)} --on ANOTHER-DATASET")


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
    run: RunFolder,
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
    disagree: Annotated[
        bool, typer.Option("--disagree", help="Of an ensemble or folds: where members do not say the same.")
    ] = False,
    spoil: Annotated[
        list[str] | None,
        typer.Option(metavar="CORRUPTION", help="What is left under it at five levels, such as blur; or all."),
    ] = None,
    same: Annotated[
        list[str] | None,
        typer.Option(metavar="THEIRS=OURS", help="A class that is called otherwise there; may be given often."),
    ] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Go on without cases that cannot be read.")] = False,
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
            chosen = [place for place, title in enumerate(found.columns) if title in _SHOWN or place == 2]
            cells = [[row[place] for place in chosen] for row in found.cells()]
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
_SHOWN = ("model", "runs", "difference", "95 % interval", "p (Holm)", "patients")


def predict(
    run: RunFolder,
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
