"""`segue data explore`: one page that shows a dataset: what is in it, what is wrong with it, how its sites differ."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from segue.data.case import IGNORE, Case
from segue.data.dataset import DUPLICATES, Dataset, as_dataset, patients
from segue.data.exploring import measure
from segue.data.exploring.measure import Look, Survey, largest, survey
from segue.data.preparing.propose import LARGEST, working_size, working_spacing
from segue.data.scanning.doubts import doubts
from segue.errors import BadInput
from segue.files import atomic
from segue.report import figures
from segue.report.page import Cell, Figure, Page, Percent, Swatch, Tile
from segue.words import count, of_all, percent, short, some

PAGE = "explore.html"
_SITES, _LINES, _BOXES = 40, 7, 24  # sites in a table, in a histogram, in a figure of boxes
_FEW = 10  # images of a site, below which its numbers are mostly chance
_DIFFERENT = 0.8  # of a site's distance: what is usually called a large effect
_RARE = 5  # masks with a class, below which nothing can be learnt of it


def explore(
    dataset: Dataset | Path | str,
    out: Path | str | None = None,
    *,
    sample: int = 2000,
    workers: int | None = None,
    progress: bool = False,
) -> Path:
    """Write `explore.html` beside the table, or to `out`. At most `sample` images and as many masks are measured."""
    found = as_dataset(dataset)
    if not found.cases:
        raise BadInput(f"{found.folder}: has no cases")
    volumes = sum(case.volume for case in found.cases)
    if 0 < volumes < len(found.cases):
        raise BadInput(f"{found.folder}: holds frames and volumes; scan them apart")
    if sample < 1:
        raise BadInput(f"sample {sample}: at least one image must be measured")
    written = _composed(survey(found, sample, workers, progress)).html()
    path = Path(out) if out is not None else found.folder / PAGE
    with atomic(path) as file:
        file.write(written)
    return path


def _composed(found: Survey) -> Page:
    page = Page(found.dataset.name, _lead(found))
    _glance(page, found)
    warnings = [*doubts(found.cases, found.pairs), *_warnings(found), *_warnings_of_sites(found)]
    page.section("What to mind", count(len(warnings), "warning")).warnings(warnings)
    _pictures(page, found)
    _labels(page, found)
    _foreground(page, found)
    _grids(page, found) if found.cases[0].volume else _sizes(page, found)
    _colour(page, found)
    _brightness(page, found)
    _sites(page, found)
    _copies(page, found)
    _unreadable(page, found)
    _how(page, found)
    return page


def _lead(found: Survey) -> str:
    card, cases, labelled = found.dataset.card, found.cases, len(found.labelled)
    kind = ", ".join(filter(None, (card.modality, card.anatomy)))
    masks = f"{labelled:,} with a mask and {len(cases) - labelled:,} without"
    if labelled in (0, len(cases)):
        masks = f"{'all' if labelled else 'none'} with a mask"
    known, sites = patients(cases), len({case.site for case in cases if case.site})
    unknown = sum(not case.patient for case in cases)
    who = f"{count(known, 'patient')} known" if known else "No patient is known"
    if known and unknown:
        who += f", but not for {count(unknown, 'image')}"
    where = count(sites, "site") if sites else "no site is told"
    return f"{count(len(cases), 'image')}{f' ({kind})' if kind else ''}, {masks}. {who}; {where}."


def _glance(page: Page, found: Survey) -> None:
    card, cases = found.dataset.card, found.cases
    parts = Counter(case.part for case in cases if case.part)
    facts: list[tuple[str, Cell]] = [
        ("Images", len(cases)),
        ("With a mask", len(found.labelled)),
        ("Unlabelled", len(cases) - len(found.labelled)),
        ("Known patients", patients(cases) or "none"),
        ("Images without a known patient", sum(not case.patient for case in cases)),
        ("Sites", len({case.site for case in cases if case.site}) or "none told"),
        ("Channels", ", ".join(card.channels)),
        ("Numbers", {"uint8": "8 bits", "uint16": "16 bits"}.get(card.dtype, card.dtype)),
        ("Layout", card.layout),
        ("Published parts", ", ".join(f"{part} {count:,}" for part, count in sorted(parts.items()))),
        ("Images lie in", card.root),
        ("Patients are known from", card.patients_from),
        ("Sites are known from", card.sites_from),
        ("Licence", card.licence),
        ("To be cited", card.citation),
        ("Home", card.home),
    ]
    page.section("At a glance").facts([(name, value) for name, value in facts if value != ""])


def _warnings(found: Survey) -> Iterator[tuple[str, str]]:
    """What shows only when the images are looked at, beside the doubts that the table raises."""
    rare = [row.name for row in found.classes if row.number and row.masks < _RARE]
    if rare and len(found.masks) >= 4 * _RARE:
        yield (
            f"{count(len(rare), 'class')} in fewer than {_RARE} masks: {some(rare)}.",
            "Too few to train and to test on: annotate more of them, or join classes.",
        )
    counted = Counter(seen.channels for seen in found.seen.values())
    if len(counted) > 1:
        told = ", ".join(f"{count(number, 'channel')} in {images:,}" for number, images in sorted(counted.items()))
        yield f"Images differ in their channels: {told}.", "Grey ones are repeated to the network's channels."
    if found.unreadable:
        yield (
            f"{count(len(found.unreadable), 'case')} could not be read.",
            f"Files changed or vanished since the scan: `segue data scan {found.dataset.card.root}` looks again.",
        )


def _warnings_of_sites(found: Survey) -> Iterator[tuple[str, str]]:
    far = [name for name, look in _ordered(found) if (look.distance or 0) >= _DIFFERENT and look.images >= _FEW]
    if far:
        two = len(found.by_site) == 2
        yield (
            f"{'The two sites look different' if two else 'Unlike the other sites look'}: {some(sorted(far))}.",
            "A model may do worse there: `segue data split --leave-site-out SITE` makes that measurable.",
        )
    bare = [site for site, inside in found.by_site.items() if not any(case.labelled for case in inside)]
    if found.labelled and bare:
        yield (
            f"No mask at {count(len(bare), 'site')}: {some(bare)}.",
            "How well a model does there can only be estimated, until some of its images are annotated.",
        )


def _pictures(page: Page, found: Survey) -> None:
    several = len(found.by_site) > 1
    tiles = [_tile(found, case, site=several) for case in found.sheet if case.case in found.seen]
    if tiles:
        told = "Chosen evenly from the table, not at random."
        if found.labelled:
            told = (
                f"Chosen evenly from all {'sites and ' * several}sizes of the foreground. Lines are the masks' borders."
            )
        if found.dataset.card.dtype == "uint16":
            told += " Pictures of 16 bits are shown from their darkest to their brightest hundredth."
        page.section("Pictures", f"{len(tiles):,} of {len(found.cases):,}").text(told).pictures(tiles)


def _tile(found: Survey, case: Case, *, site: bool) -> Tile:
    stratum = found.stratum(case)
    share = (
        f"{percent(case.foreground)} foreground" if case.foreground else f"{stratum} mask".replace("unlabelled", "no")
    )
    told = ", ".join(filter(None, (case.site if site else "", share if case.foreground else "")))
    mark = {"unlabelled": "unlabelled", "empty": "empty mask"}.get(stratum, "") if found.labelled else ""
    caption = short(case.case) + (f"\n{told}" if told else "")
    return Tile(((found.seen[case.case].picture, f"{case.case}: {share}"),), caption, mark)


def _labels(page: Page, found: Survey) -> None:
    card, masks = found.dataset.card, found.masks
    if card.labels is None or not masks:
        return
    raw: dict[int, list[str]] = {}
    if card.labels.how == "threshold":
        raw = {0: [f"0 to {card.labels.threshold}"], 1: [f"above {card.labels.threshold}"]}
    for value, number in (*card.labels.values.items(), *card.labels.colours.items()):
        raw.setdefault(number, []).append(str(value))
    rows: list[tuple[Cell, ...]] = []
    for row in found.classes:
        typical = None if row.typical is None else Percent(row.typical)
        values = ", ".join(raw.get(row.number, ["–"]))
        rows.append((row.number, row.name, values, row.masks, Percent(row.share), typical))
    if IGNORE in raw and IGNORE not in card.classes:
        rows.append((IGNORE, "does not count", ", ".join(raw[IGNORE]), None, None, None))
    section = page.section("Labels", count(len(card.classes) - (0 in card.classes), "class"))
    section.table(
        ("id", "class", "values in the files", "masks with it", "share of all pixels", "median where present"),
        rows,
        f"Counted in {of_all(len(masks), len(found.labelled), 'mask')}.",
    )
    pieces = Counter(min(seen.components, 5) for seen in masks)
    if len(pieces) > 1:
        heights = {"5 or more" if number == 5 else f"{number}": pieces[number] for number in range(max(pieces) + 1)}
        told = "; ".join(f"{count(number, 'mask')} with {name}" for name, number in heights.items() if number)
        drawn = figures.bars(heights, x="connected pieces", y="masks")
        section.heading("Pieces of the foreground in a mask")
        section.figures([Figure(drawn, f"Bars: {told}.", f"{told}. What touches at a corner is one piece.")])
    elif len(masks) > 1:
        section.text(
            f"The foreground of every mask has {count(max(pieces), 'piece')}{' or more' * (max(pieces) == 5)}."
        )
    specks, speckled = sum(seen.specks for seen in masks), sum(seen.specks > 0 for seen in masks)
    if specks:
        section.text(
            f"{count(speckled, 'mask')} {'has' if speckled == 1 else 'have'} specks besides, {specks:,} in all: "
            "pieces smaller than a ten-thousandth of the picture, which are slips of the pen or traces of JPEG rather "
            "than findings. They are not counted as pieces."
        )


def _foreground(page: Page, found: Survey) -> None:
    if len(found.labelled) < 2:
        return
    sites = measure.by_site(found.labelled)
    sizes = {site: [case.foreground for case in inside if case.foreground] for site, inside in sites.items()}
    every = [size for inside in sizes.values() for size in inside]
    section = page.section("Size of the foreground", f"median {percent(float(np.median(every)))}" if every else "")
    told = "Each point is a mask that is not empty; a box reaches from quarter to quarter, with the median in it."
    if found.cuts:
        small, large = map(percent, found.cuts)
        told += f" Dotted lines part the thirds of all masks: small is below {small}, large from {large} on."
    if every:
        shown = largest(sites, _BOXES)
        values = {_or_all(site, sites): [100 * size for size in sizes[site]] for site in shown}
        drawn = figures.groups(values, x="foreground, percent of the picture", cuts=[100 * cut for cut in found.cuts])
        section.figures(
            [
                Figure(
                    drawn, "Foreground of each mask by site; numbers are in the table below.", told + _cap(shown, sites)
                )
            ]
        )
    kinds = ("empty", "small", "medium", "large") if found.cuts else ("empty",)
    rows: list[tuple[Cell, ...]] = []
    for site in largest(sites, _SITES):
        strata = Counter(found.stratum(case) for case in sites[site])
        middle = Percent(np.median(sizes[site])) if sizes[site] else None
        rows.append((_or_all(site, sites), len(sites[site]), *(strata[kind] for kind in kinds), middle))
    section.table(("site", "masks", *kinds, "median if not empty"), rows, f"How many masks.{_cap(rows, sites)}")


def _or_all(site: str, sites: Mapping[str, object]) -> str:
    return "all images" if len(sites) == 1 and site == measure.NO_SITE else site


def _cap(shown: Sequence[object], sites: Mapping[str, object]) -> str:
    return f" Shown are the {len(shown)} largest of {len(sites):,} sites." if len(shown) < len(sites) else ""


def _grids(page: Page, found: Survey) -> None:
    """Of volumes: shapes and spacings, and at which they would be prepared."""
    cases = found.cases
    for title, told in (
        ("Sizes", lambda case: f"{case.width} × {case.height} × {case.depth}"),
        ("Spacings", lambda case: " × ".join(f"{step:g}" for step in reversed(case.steps)) + " mm"),
    ):
        frequent = Counter(map(told, cases)).most_common()
        section = page.section(title, frequent[0][0] if len(frequent) == 1 else f"{len(frequent):,} of them")
        note = f"The 10 most frequent of {len(frequent):,}." if len(frequent) > 10 else "All of them."
        rows = [(name, number, Percent(number / len(cases))) for name, number in frequent[:10]]
        section.table(("columns × rows × slices", "volumes", "share"), rows, note)
    between, *plane = working_spacing(cases)
    slices = f"slices of {between:g} mm" if between else "slices as they are, because they are thick"
    section.heading("Proposed spacing", f"{plane[0]:g} mm").text(
        f"The middle one of all, within slices and between them: {slices}. `segue data prepare` takes it unless told "
        "another."
    )


def _brightness(page: Page, found: Survey) -> None:
    """Of volumes, site by site."""
    by_site: dict[str, list[tuple[float, float, float]]] = {}
    for case in found.cases:
        seen = found.seen.get(case.case)
        if seen is not None and seen.percentiles is not None:
            by_site.setdefault(case.site or measure.NO_SITE, []).append(seen.percentiles)
    if not by_site:
        return
    unit = (
        "Hounsfield units"
        if found.dataset.card.modality.upper() == "CT"
        else "no unit: each volume is scaled by its own"
    )
    rows: list[tuple[Cell, ...]] = []
    for site, inside in sorted(by_site.items()):
        values = np.array(inside)
        told = [f"{low:.4g} to {high:.4g}" for low, high in zip(values.min(axis=0), values.max(axis=0), strict=True)]
        rows.append((site, len(inside), *told))
    every = sum(map(len, by_site.values()))
    section = page.section("Brightness", count(every, "volume"))
    section.table(
        ("site", "volumes", "1st percentile", "median", "99th percentile"), rows, f"Of the first channel; {unit}."
    )


def _sizes(page: Page, found: Survey) -> None:
    cases = found.cases
    sizes = Counter((case.width, case.height) for case in cases)
    frequent = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))
    first = "{} × {}".format(*frequent[0][0])
    section = page.section("Sizes", first if len(sizes) == 1 else count(len(sizes), "size"))
    if len(sizes) == 1:
        section.text(f"{'Every image is' if len(cases) > 1 else 'The image is'} {first} pixels (width × height).")
    else:
        aspects = np.array([case.width / max(1, case.height) for case in cases])
        counts, edges = np.histogram(aspects, bins=np.linspace(0.98 * aspects.min(), 1.02 * aspects.max(), 25))
        grid = 1 if len(sizes) <= 200 else max(1, max(map(max, sizes)) // 40)
        near = Counter((width // grid * grid, height // grid * grid) for width, height in sizes.elements())
        drawn = figures.scatter(
            [(*size, count) for size, count in sorted(near.items())], x="width, pixels", y="height, pixels"
        )
        rounded = f" Sizes are rounded down to {grid} pixels." if grid > 1 else ""
        ratios = figures.histogram(edges.tolist(), {"images": counts.tolist()}, x="width ÷ height", y="images")
        told = f"Aspect ratio, median {np.median(aspects):.2f}; above 1 is wider than high."
        section.figures(
            [
                Figure(
                    drawn,
                    f"Widths and heights; most frequent is {first}.",
                    f"The area of a point is how many.{rounded}",
                ),
                Figure(ratios, f"Aspect ratios from {aspects.min():.2f} to {aspects.max():.2f}.", told),
            ]
        )
        section.table(
            ("width × height", "images", "share"),
            [("{} × {}".format(*size), count, Percent(count / len(cases))) for size, count in frequent[:10]],
            f"The 10 most frequent of {len(sizes):,} sizes." if len(sizes) > 10 else "All sizes.",
        )
    size = working_size(cases)
    sides = sorted(max(case.width, case.height) for case in cases)
    smaller = sum(side < size for side in sides) / len(sides)
    capped = f", and {LARGEST} is the most that is proposed" if sides[len(sides) // 4] > LARGEST else ""
    section.heading("Proposed working size", f"long side {size} pixels").text(
        f"At least three quarters of the images have a long side of {sides[len(sides) // 4]:,} pixels or more, and "
        f"networks want multiples of 32{capped}. {percent(smaller) if smaller else 'None'} of the images would have "
        f"to be enlarged to reach it. `segue data prepare` takes this size unless told another."
    )


def _colour(page: Page, found: Survey) -> None:
    if not found.colours:
        return
    colours, full, named = found.colours, found.full, found.dataset.card.channels
    every = [colour for inside in colours.values() for colour in inside]
    channels = max(len(colour.mean) for colour in every)
    names = [*named[:channels], *(f"channel {i + 1}" for i in range(len(named), channels))]
    edges = np.linspace(0, full + 1, measure.LEVELS + 1).tolist()
    unit = "percent of the pixels"
    lines = largest(colours, _LINES)
    pools = {site: colours[site] for site in lines} if len(colours) > 1 else {}
    if len(colours) > len(lines):
        pools["all other sites"] = [colour for site in colours if site not in lines for colour in colours[site]]
    shares = {site: 100 * measure.shares(inside, channels, full) for site, inside in (pools or {"": every}).items()}
    drawn, boxed = [], []
    if pools:
        for i, name in enumerate(names):
            series = {site: share[i].tolist() for site, share in shares.items()}
            told = f"{name.capitalize()} from 0 to {full}, a line for each site."
            drawn.append(
                Figure(figures.histogram(edges, series, x=name, y=unit), f"Histogram of {name} by site.", told)
            )
    else:
        hues = [{"red": 1, "green": 2, "blue": 0}.get(name, i) for i, name in enumerate(names)]
        series = dict(zip(names, shares[""].tolist(), strict=True))
        told = f"Histogram of {', '.join(names)}."
        drawn.append(Figure(figures.histogram(edges, series, x="intensity", y=unit, colours=hues), told, told))
    boxes = largest(colours, _BOXES) if len(every) > 1 else []
    bright = {_or_all(site, colours): [100 * c.mean.mean() / c.scale(full) for c in colours[site]] for site in boxes}
    contrast = {_or_all(site, colours): [100 * c.contrast / c.scale(full) for c in colours[site]] for site in boxes}
    for values, what, told in (
        (bright, "Mean brightness", "Mean brightness of each image."),
        (contrast, "Contrast", "Contrast of each image: how far its pixels' brightness spreads (standard deviation)."),
    ):
        if values:
            image = figures.groups(values, x=f"{what.lower()}, percent of the scale")
            boxed.append(Figure(image, f"{what} of each image by site.", told + _cap(boxes, colours)))
    border = float(np.mean([colour.black for colour in every]))
    first = {1: "the first is", 3: "the first three are"}.get(channels, "some are")
    section = page.section("Intensity and colour").text(
        f"Measured on {of_all(len(every), len(found.cases), 'image')}, made smaller first. Black pixels (darker "
        "than a tenth of the image's own brightest: the surroundings of an endoscope's view, the air around a head) "
        f"are left out; {percent(border) if border else 'none'} of the pixels are."
        + (f" Of {len(named)} channels {first} shown." if len(named) > channels else "")
    )
    section.figures(drawn).figures(boxed)
    if len(colours) == 1:
        look = next(iter(found.looks.values()))
        light = [("Brightness", Percent(look.brightness)), ("Contrast", Percent(look.contrast))]
        section.facts([("Mean colour", Swatch(*look.mean)), *light])
        section.text("All images count as one site, so there are no sites to compare.")


def _ordered(found: Survey) -> list[tuple[str, Look]]:
    """The most different first; what is mostly chance last."""
    looks = [(site, found.looks[site]) for site in largest(found.colours, _SITES)]
    return sorted(looks, key=lambda item: (item[1].images < _FEW, -(item[1].distance or 0.0), item[0]))


def _sites(page: Page, found: Survey) -> None:
    if len(found.looks) < 2:
        return
    rows: list[tuple[Cell, ...]] = []
    for site, look in _ordered(found):
        cases = found.by_site[site]
        sizes = Counter(f"{case.width} × {case.height}" for case in cases)
        words = look.words if look.images >= _FEW else "few images"
        light = (Swatch(*look.mean), Percent(look.brightness), Percent(look.contrast), Percent(look.black))
        counts = (len(cases), sum(case.labelled for case in cases), patients(cases) or None)
        rows.append((site, look.distance, words, *counts, *light, min(sizes, key=lambda size: (-sizes[size], size))))
    section = page.section("Sites compared", count(len(found.by_site), "site")).text(
        "Distance says how far a site's mean colour, contrast and black border lie from those of all other sites, "
        "in units of how far images of one site lie from their own mean: near 0 sites look alike, from 0.8 on a "
        "site looks different, and from 2 on few of its images could be another site's. With fewer than "
        f"{_FEW} images it is mostly chance."
    )
    counts_of = ("images", "masks", "patients known")
    lights = ("colour", "brightness", "contrast", "black", "usual size")
    told = f"The most different first.{_cap(rows, found.by_site)}"
    section.table(("site", "distance", "beside the others", *counts_of, *lights), rows, told)
    for site, _ in _ordered(found):
        tiles = [_tile(found, case, site=False) for case in found.site_rows.get(site, ()) if case.case in found.seen]
        if tiles:
            section.heading(site, count(len(found.by_site[site]), "image")).pictures(tiles)


_KINDS = {
    "exact": "the pixels are equal",
    "copy": "encoded anew, rescaled, recoloured, flipped, turned or cropped",
    "frame": "files that follow each other by name and show one scene",
}


def _copies(page: Page, found: Survey) -> None:
    if not (found.dataset.folder / DUPLICATES).exists():
        return
    section = page.section("Copies", count(len(found.pairs), "pair"))
    if not found.pairs:
        section.text("No image was found twice, neither as it is nor changed.")
        return
    groups = Counter(case.group for case in found.cases if case.group)
    kinds = Counter(pair.kind for pair in found.pairs)
    tiles = []
    for pair in found.shown_pairs:
        both = [found.dataset.by_name[name] for name in (pair.a, pair.b)]
        if all(case.case in found.seen for case in both):
            parts = " / ".join(case.part or "no part" for case in both) if both[0].part != both[1].part else ""
            told = ", ".join(filter(None, (f"{pair.kind} {pair.score:.2f}", pair.how, parts)))
            pictures = tuple((found.seen[case.case].picture, case.case) for case in both)
            tiles.append(Tile(pictures, f"{short(pair.a)}\n{short(pair.b)}\n{told}"))
    section.text(
        f"{count(sum(groups.values()), 'image')} in {count(len(groups), 'group')} are copies of each other or frames "
        "of one scene; `segue data split` never parts a group. The score says how far two pictures agree; 1 is equal."
        + (f" Shown are {len(tiles)} pairs of all kinds and scores." if len(tiles) < len(found.pairs) else "")
    )
    rows = [(kind, count, _KINDS.get(kind, "")) for kind, count in sorted(kinds.items())]
    section.table(("kind", "pairs", "what it means"), rows, f"All are in {DUPLICATES}.").pictures(tiles)


def _unreadable(page: Page, found: Survey) -> None:
    if skipped := found.dataset.skipped:
        more = f" The first {_SITES} of them; skipped.csv holds all." if len(skipped) > _SITES else ""
        section = page.section("Left out by the scan", count(len(skipped), "file"))
        section.table(("file", "reason"), skipped[:_SITES], f"They are no cases of this dataset.{more}")
    if found.unreadable:
        more = f" The first {_SITES} of them." if len(found.unreadable) > _SITES else ""
        section = page.section("Could not be read", count(len(found.unreadable), "case"))
        section.table(("case", "reason"), found.unreadable[:_SITES], f"Neither measured nor shown.{more}")


def _how(page: Page, found: Survey) -> None:
    folder, card = shlex.quote(str(found.dataset.folder)), found.dataset.card
    page.section("How this was made").commands(
        f"{shlex.join(['segue', 'data', 'scan', card.root, *card.options])} --out {folder}",
        f"segue data explore {folder}",
        "",
        "# next: who is for training, who for the test",
        f"segue data split {folder}",
    ).text(
        "Nothing here is random: the same dataset gives the same page. It holds pictures, so who may not see the "
        "images may not see the page. It names no patients, but cases by their files' names, and these may."
    )
