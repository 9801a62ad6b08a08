"""`segue data ...`: from any folder of images to a dataset that one can trust."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segue.cli import tell
from segue.words import count

if TYPE_CHECKING:
    from segue.data.copies.leaks import Leaks
    from segue.data.scanning.scanned import Scan
    from segue.data.splitting.split import Split

app = typer.Typer(
    help="Look at data, find what is wrong with it, split it, prepare it.", no_args_is_help=True, rich_markup_mode=None
)

Dataset = Annotated[Path, typer.Argument(metavar="DATASET", help="The folder that `segue data scan` wrote.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Go on without files that cannot be read, and count them.")]


@app.command()
def scan(
    path: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where the images lie. They are neither moved nor renamed.")
    ],
    out: Annotated[Path | None, typer.Option(help="Where to write the dataset.", show_default="datasets/NAME")] = None,
    name: Annotated[str | None, typer.Option(help="What to call it.", show_default="the folder's name")] = None,
    layout: Annotated[str | None, typer.Option(help="Read it as this layout (see `segue data known`).")] = None,
    image: Annotated[
        str | None, typer.Option(metavar="TEMPLATE", help="E.g. '{site}/img/{patient}_{case}.jpg'.")
    ] = None,
    mask: Annotated[
        str | None, typer.Option(metavar="TEMPLATE", help="E.g. '{site}/gt/{patient}_{case}_seg.png'.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(metavar="VALUE=NAME,...", help="What mask values mean: 0=background,255=polyp.")
    ] = None,
    modality: Annotated[
        str | None, typer.Option(help="What all of it is, where files do not tell: CT, MR, ...")
    ] = None,
    skip_bad: SkipBad = False,
    workers: tell.Workers = None,
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """What is there, and what is wrong with it. Pairing, label values, sizes, patients, sites, copies."""
    with tell.errors_told(json, debug):
        from segue.data.scanning.scan import scan as look_through

        found = look_through(
            path, out, name=name, layout=layout, image=image, mask=mask, labels=labels, modality=modality, skip_bad=skip_bad,
            workers=workers, progress=not json,
        )  # fmt: skip
        if json:
            tell.as_json(found.as_json())
        else:
            _tell_scan(found, debug)
        if found.dataset is None:
            raise typer.Exit(2)


def _tell_scan(found: Scan, debug: bool) -> None:
    from segue.data.dataset import patients
    from segue.data.scanning.scanned import sizes, spacings

    unlabelled = len(found.cases) - found.labelled
    tell.say(f"{found.root}", f"  layout     {found.layout}: {found.why}")
    tell.say(f"  images     {len(found.cases):,}: {found.labelled:,} with a mask, {unlabelled:,} without")
    known = patients(found.cases)
    whence = found.dataset.card.patients_from if found.dataset else ""
    tell.say(f"  patients   {known:,}" + (f" ({whence})" if whence else "") if known else "  patients   none is known")
    if found.sites:
        shown = ", ".join(found.sites[:8]) + (", ..." if len(found.sites) > 8 else "")
        tell.say(f"  sites      {len(found.sites):,}: {shown}")
    counted = list(sizes(found.cases).items())
    shown = ", ".join(f"{size} ({count:,})" for size, count in counted[:4])
    shown += f", and {len(counted) - 4:,} more" if len(counted) > 4 else ""
    volumes = any(case.volume for case in found.cases)
    tell.say(f"  sizes      {shown}" + (", as columns x rows x slices" if volumes else ""))
    if between := list(spacings(found.cases).items()):
        shown = ", ".join(f"{mm} mm ({count:,})" for mm, count in between[:3])
        tell.say(f"  spacing    {shown}" + (f", and {len(between) - 3:,} more" if len(between) > 3 else ""))
    tell.say(f"  labels     {found.labels_in_words}")
    if found.classes:
        tell.say("")
        rows = [
            [str(number), name, f"{found.masks_with_class.get(number, 0):,}"] for number, name in found.classes.items()
        ]
        tell.table(["class", "name", "masks with it"], rows, right={0, 2})
    if found.pairs:
        kinds: dict[str, int] = {}
        for pair in found.pairs:
            kinds[pair.kind] = kinds.get(pair.kind, 0) + 1
        words = {"exact": "with equal pixels", "copy": "in disguise", "frame": "maybe frames of one scene"}
        told = ", ".join(f"{kinds[kind]:,} {words[kind]}" for kind in words if kind in kinds)
        tell.say(
            "", f"  seen twice {count(len(found.groups), 'group')} of images that must stay together; pairs: {told}"
        )
    tell.say("")
    for warning in found.warnings:
        tell.warn(warning)
    if found.bad:
        tell.warn(f"{len(found.bad):,} bad:")
        for file, reason in found.bad[:20]:
            tell.say(f"    {file}: {reason}")
        if len(found.bad) > 20:
            tell.say(f"    and {len(found.bad) - 20:,} more (--json lists all)")
    if debug:
        for case, trace in found.traces.items():
            tell.say("", f"{case}:", *trace.splitlines())
    if found.dataset is None:
        tell.say("Nothing was written. Mend or remove these files, or go on without them:")
        tell.next_command(tell.again("--skip-bad"))
        return
    tell.say(f"Written: {found.dataset.folder}")
    if not found.labelled:
        folder = tell.quoted(found.dataset.folder)
        tell.next_command(f"segue audit RUN --on {folder}")
        tell.say(
            f"      segue predict RUN {tell.quoted(found.root)} --out masks",
            f"      segue adapt RUN --to {folder}",
            f"      segue train --data DATASET-WITH-MASKS --method semi --unlabelled {folder}",
            f"      segue pretrain --data {folder}",
        )
        return
    tell.next_command(f"segue data explore {tell.quoted(found.dataset.folder)}")


@app.command()
def known(
    name: Annotated[str | None, typer.Argument(help="One of them, in full.")] = None,
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """The public datasets that can be read as published. Where they are, on which terms, which tree."""
    with tell.errors_told(json, debug):
        import textwrap

        from segue.data.adapters import ADAPTERS
        from segue.errors import BadInput, nearest

        public = {key: adapter.known for key, adapter in ADAPTERS.items() if adapter.known}
        if name is not None and name not in public:
            raise BadInput(f"{name!r} is not among the known datasets: {nearest(name, public)}")
        if json:
            import dataclasses

            chosen = public if name is None else {name: public[name]}
            tell.as_json({key: dataclasses.asdict(about) for key, about in chosen.items() if about})
        elif name is None:
            width = max(map(len, public))
            for key, about in public.items():
                tell.say(f"  {key.ljust(width)}  {about.about if about else ''}")
            others = [key for key in ADAPTERS if key not in public]
            tell.say("", f"And any folder that reads as {', '.join(others)}, or by --image and --mask templates.")
            tell.next_command("segue data known NAME")
        elif about := public[name]:
            tell.say(about.about, "")
            for what in ("home", "access", "licence", "citation"):
                tell.say(f"  {what.ljust(9)} {getattr(about, what)}")
            tree = textwrap.dedent(about.tree).strip().splitlines()
            tell.say("", "  expected tree:", *(f"    {line}" for line in tree))
            tell.next_command("segue data scan FOLDER")


@app.command()
def unpack(
    archive: Annotated[Path, typer.Argument(help="A zip or tar file.")],
    to: Annotated[Path, typer.Option("--to", help="A new folder.")],
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """Unpack an archive with every member checked, or not at all."""
    with tell.errors_told(json, debug):
        from segue.data.scanning.unpack import unpack as extract

        done = extract(archive, to)
        if json:
            tell.as_json(done.as_json())
        else:
            tell.say(f"{done.files:,} files, {tell.amount(done.bytes)}", f"Written: {done.folder}")
            tell.next_command(f"segue data scan {tell.quoted(done.folder)}")


@app.command()
def leaks(
    dataset: Dataset,
    against: Annotated[
        Path | None, typer.Option(metavar="DATASET", help="Another dataset: is one of its images among ours?")
    ] = None,
    other: Annotated[Path | None, typer.Argument(metavar="[DATASET]", help="The same as --against.")] = None,
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """Images seen twice. In one dataset, or on both sides of a comparison."""
    with tell.errors_told(json, debug):
        from segue.data.copies.leaks import leaks as search
        from segue.errors import BadInput

        if against is not None and other is not None:
            raise BadInput(f"one other dataset at a time: {other} or {against}")
        found = search(dataset, against or other)
        if json:
            tell.as_json(found.as_json())
        else:
            _tell_leaks(found)


def _tell_leaks(found: Leaks) -> None:
    where = f"within {found.ours}" if found.ours == found.theirs else f"between {found.ours} and {found.theirs}"
    if not found.pairs:
        tell.say(f"No image is seen twice {where}.")
        return
    tell.say(f"{count(len(found.pairs), 'pair')} {where}:", "")
    rows = [
        [tell.printable(pair.a), tell.printable(pair.b), pair.kind, f"{pair.score:.2f}", pair.how]
        for pair in sorted(found.pairs, key=lambda pair: -pair.score)[:40]
    ]
    tell.table(["one", "other", "kind", "score", "how"], rows, right={3})
    if len(found.pairs) > 40:
        tell.say(f"  and {len(found.pairs) - 40:,} more (--json lists all)")
    if found.ours != found.theirs:
        tell.say(
            "", "A test there is honest only without these images, or with their like left out of the training here."
        )


@app.command()
def split(
    dataset: Dataset,
    test: Annotated[float | None, typer.Option(help="Share for the test.", show_default="0.2")] = None,
    validation: Annotated[float | None, typer.Option(help="Share for validation.", show_default="0.1")] = None,
    folds: Annotated[int | None, typer.Option(help="Folds for cross-validation instead of a validation part.")] = None,
    leave_site_out: Annotated[str | None, typer.Option(metavar="SITE", help="This site is the test.")] = None,
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="A split.csv, or nnU-Net's splits_final.json.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed, another split.", show_default="0")] = None,
    by_patient: Annotated[
        bool, typer.Option("--by-patient", help="Split anew even where the publisher has split.")
    ] = False,
    name: Annotated[str, typer.Option(help="A dataset may have several splits.")] = "split",
    config: tell.Config = None,
    settings: tell.Set = None,
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """Train, validation and test, by patient. Copies kept together, label budgets nested, stored with a hash."""
    with tell.errors_told(json, debug):
        from segue.config import load
        from segue.data.splitting.split import SplitSettings
        from segue.data.splitting.split import split as divide

        given = {"test": test, "validation": validation, "folds": folds, "leave_site_out": leave_site_out, "seed": seed}
        pairs = [f"{key}={value}" for key, value in given.items() if value is not None]
        pairs += ["published=false"] if by_patient else []
        resolved = load(SplitSettings, Path(config) if config else None, [*pairs, *(settings or [])])
        made = divide(dataset, settings=resolved, source=source, name=name)
        if json:
            tell.as_json(made.as_json())
        else:
            _tell_split(made, dataset)


def _tell_split(made: Split, dataset: Path) -> None:
    tell.say(f"{made.dataset}: {made.how} (seed {made.settings.seed}, hash {made.hash})", "")
    rows = [
        [part, f"{count['cases']:,}", f"{count['labelled']:,}", f"{count['patients']:,}"]
        for part, count in made.counts().items()
    ]
    tell.table(["part", "images", "with mask", f"{made.whom}s"], rows, right={1, 2, 3})
    if made.folds:
        sizes = [sum(fold == number for fold in made.folds.values()) for number in sorted(set(made.folds.values()))]
        tell.say("", f"  folds: {', '.join(map(str, sizes))} images")
    masked = bool(made.labelled)
    if masked:
        budgets = [f"{amount}: {len(made.budget(amount)):,}" for amount in made.budgets]
        tell.say("", f"  label budgets ({made.whom}s: labelled images), each inside the next: {', '.join(budgets)}")
    tell.say("")
    for warning in made.warnings:
        tell.warn(warning)
    tell.say(f"Written: {dataset / made.name}.csv")
    tell.next_command(f"segue {'data prepare' if masked else 'pretrain --data'} {tell.quoted(dataset)}")


@app.command()
def prepare(
    dataset: Dataset,
    out: Annotated[Path | None, typer.Option(help="Where to write the store.", show_default="stores/NAME")] = None,
    size: Annotated[
        int | None, typer.Option(help="Cap of the long side in pixels.", show_default="proposed from the data")
    ] = None,
    spacing: Annotated[
        str | None,
        typer.Option(
            metavar="SLICExROWxCOLUMN",
            help="Of volumes, in mm; 0 leaves an axis.",
            show_default="proposed from the data",
        ),
    ] = None,
    window: Annotated[
        str | None, typer.Option(metavar="LOW,HIGH", help="Of CT, in HU.", show_default="proposed from the data")
    ] = None,
    channels: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="Of volumes with several.", show_default="all")
    ] = None,
    n4: Annotated[bool, typer.Option("--n4", help="Of MR: take out the coil's slow change of brightness.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Replace a store made with other settings.")] = False,
    skip_bad: SkipBad = False,
    on: tell.On = "local",
    workers: tell.Workers = None,
    config: tell.Config = None,
    settings: tell.Set = None,
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """A memory-mapped store to train from. Parallel, resumable, whole or not there."""
    with tell.errors_told(json, debug):
        from segue.config import load
        from segue.data.preparing.prepare import plan
        from segue.data.preparing.prepare import prepare as make
        from segue.data.preparing.settings import PrepareSettings
        from segue.executors.progress import duration

        told = (("size", size), ("spacing", spacing), ("window", window), ("channels", channels))
        pairs = [f"{key}={value}" for key, value in told if value]
        pairs += ["n4=true"] if n4 else []
        resolved = load(PrepareSettings, Path(config) if config else None, [*pairs, *(settings or [])])
        planned = plan(dataset, out, settings=resolved)
        if not json:
            tell.say(
                f"{count(len(planned.dataset.cases), 'image')}: {planned.kind.told}. "
                f"{tell.amount(planned.bytes)} at {planned.target}, {duration(planned.seconds)} or so"
            )
        done = make(planned, skip_bad=skip_bad, fresh=fresh, on=on, workers=workers, progress=not json)
        if json:
            tell.as_json(done.as_json())
            return
        for case, reason in sorted(done.left_out.items()):
            tell.warn(f"left out: {case}: {reason}")
        if done.already:
            tell.say("It is there already, made from the same images and settings.")
        else:
            tell.say(f"{count(done.store.card.cases, 'image')} in {duration(done.seconds)}")
        tell.say(f"Written: {done.target}")
        tell.next_command(f"segue data leaks {tell.quoted(dataset)} --against ANOTHER-DATASET")


@app.command()
def export(
    dataset: Dataset,
    out: Annotated[Path, typer.Option(help="Where to write it: of nnU-Net, the folder nnUNet_raw.")],
    to: Annotated[str, typer.Option(help="For whom: nnunet.")] = "nnunet",
    number: Annotated[int, typer.Option(help="Of the dataset there.")] = 1,
    split: Annotated[str, typer.Option(help="By which split.")] = "split",
    workers: tell.Workers = None,
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """The dataset as another tool wants it. Its predictions are judged by `segue judge`."""
    with tell.errors_told(json, debug):
        from segue.data.export import FORMATS
        from segue.data.export import export as write
        from segue.errors import BadInput, nearest

        if to not in FORMATS:
            raise BadInput(f"--to {to!r} is not known: {nearest(to, FORMATS)}")
        done = write(dataset, out, number=number, split=split, workers=workers, progress=not json)
        if json:
            tell.as_json(done.as_json())
            return
        tell.say(
            f"{count(done.training, 'case')} to train on, {count(done.test, 'case')} to test on", f"Written: {done.folder}",
            "splits_final.json goes to nnUNet_preprocessed, so that both learn from the same cases.",
        )  # fmt: skip
        tell.next_command(f"segue judge PREDICTIONS --on {tell.quoted(dataset)}")


@app.command()
def explore(
    dataset: Dataset,
    out: Annotated[Path | None, typer.Option(help="The page.", show_default="DATASET/explore.html")] = None,
    workers: tell.Workers = None,
    json: tell.Json = False,
    debug: tell.Debug = False,
) -> None:
    """One page to look at. Sizes, foreground, colours per site, copies, contact sheet, warnings in words."""
    with tell.errors_told(json, debug):
        from segue.data.dataset import Dataset as Opened
        from segue.data.exploring.explore import explore as draw

        page = draw(dataset, out, workers=workers, progress=not json)
        if json:
            tell.as_json({"page": str(page)})
        else:
            tell.say(f"Written: {page}")
            divided = (dataset / "split.csv").exists()
            masked = any(case.labelled for case in Opened.open(dataset).cases)
            verb = "audit RUN --on" if not masked else "train --data" if divided else "data split"
            tell.next_command(f"segue {verb} {tell.quoted(dataset)}")
