"""`segue cover`: whether a variation is enough for a site: which of its images lie within what a run sees of its own images
and of varied copies of them, without a mask; by severity, by what is varied, and which images are left outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segue import variations
from segue.data.case import write_rows
from segue.errors import BadInput
from segue.evaluation.stressing.coverage import Floats, Space, measured
from segue.executors.progress import Progress
from segue.experiment.covering.covered import CONTROL, DRAWS, PLAIN, WHOLE, Bank, Covered, SiteCovered
from segue.experiment.covering.images import Home, Images, Site, home_of, site_of
from segue.experiment.covering.look import Eye
from segue.experiment.covering.told import in_words, page_of
from segue.experiment.members import one_encoder
from segue.experiment.pretraining.represent import at_once
from segue.experiment.telling import Say, silent
from segue.files import atomic, write_json
from segue.report.coverage_page import coverage_page
from segue.training.run import Run
from segue.variations.families import Family, families_of
from segue.variations.variation import Variation
from segue.words import plain

SEVERITIES = (0.25, 0.5, 0.75, 1.0)
_SOURCE, _HELD, _SITE = 300, 300, 500  # images at most

USUAL = "natural"  # what is asked about where nobody says
FOLDER, CASES, SUMMARY = "coverage", "cases.csv", "summary.json"


def cover(
    run: Path | str,
    on: Sequence[Path | str] | Path | str,
    *,
    variation: str = USUAL,
    progress: bool = False,
    say: Say = silent,
) -> Covered:
    """How much of each site lies within what a run's encoder sees of its source and of varied copies of it."""
    found, asked = one_encoder(run, "segue cover"), variations.parse(variation)
    families = _families(asked, variation)
    folders = [on] if isinstance(on, str | Path) else list(on)
    if not folders:
        raise BadInput("there is no site to look at", hint="segue cover RUN --on DATASET")
    eye = Eye.of(found)
    channels = eye.network.channels
    home = home_of(found, channels, most=_SOURCE, held=_HELD)
    sites = [site_of(found, home, one, channels, most=_SITE, say=say, progress=progress) for one in folders]
    _demand_own(sites)
    if len(home.held) < 19:
        say(f"! {found.name}: {len(home.held)} images are held back, and 19 would be needed to tell of 95 % of them")
    views = _views(asked, families)
    total = sum(at_once(len(one)) for one in (home.source, home.held, *(site.images for site in sites)))
    with Progress("looking", total + len(views) * at_once(len(home.source)), shown=progress) as shown:
        banks, held, placed = _looked(eye, home, sites, views, shown.advance)
    done = []
    for site, places in zip(sites, placed, strict=True):
        patients = len({image.unit for image in site.images})
        against = {one.name: measured(one.name, places, held, one.places, patients) for one in banks}
        sentence = in_words(site.dataset.name, variation, against, families)
        one = SiteCovered(site.dataset.name, _where(found, site, variation), site, against, sentence)
        _write(one, home, banks, variation)
        with atomic(one.page) as file:
            file.write(coverage_page(page_of(found, eye, home, banks, one, variation, families, DRAWS)).html())
        done.append(one)
    return Covered(found.folder, variation, len(home.source), len(home.held), tuple(done))


def _where(run: Run, site: Site, variation: str) -> Path:
    """Another variation of the same site has a folder of its own, as audits have it."""
    name = site.dataset.name
    return run.folder / FOLDER / (name if variation == USUAL else f"{name}-{plain(variation)}")


def _families(asked: Variation, expression: str) -> tuple[str, ...]:
    found = families_of(asked)
    for family, why in (("painting", "asks for masks"), ("mixing", "puts two images into one")):
        if family in found:
            raise BadInput(f"variation: {expression!r} {why}, and here images are looked at one by one, without masks")
    if not found:
        raise BadInput(f"variation: {expression!r} does nothing, so there is nothing that it could cover")
    return found


def _demand_own(sites: Sequence[Site]) -> None:
    names = [site.dataset.name for site in sites]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BadInput(f"two of the sites have the name {twice!r}", hint="Change `name` in one's dataset.yaml.")


def _views(asked: Variation, families: Sequence[str]) -> dict[str, Variation]:
    """The varied banks by name: a control that changes nothing about a case, severities of all, each family at full."""
    found: dict[str, Variation] = {CONTROL: variations.parse("flips")}
    found |= {f"severity {each:g}": Family(variation=asked.scaled(each)) for each in SEVERITIES}
    return found | {each: Family(variation=asked, family=each) for each in families}


def _looked(
    eye: Eye, home: Home, sites: Sequence[Site], views: dict[str, Variation], tick: Callable[[], None]
) -> tuple[list[Bank], Floats, list[Floats]]:
    """All banks, and where the images that are held back and those of each site lie."""
    examples = _examples(home.source)
    (plain,) = eye.sees(examples, tick=tick)
    space = Space.of(plain)
    source = space.places(plain, "the source")
    (back,) = eye.sees(_examples(home.held), tick=tick)
    held = space.places(back, "what is held back")
    placed = [space.places(eye.sees(_examples(site.images), tick=tick)[0], site.dataset.name) for site in sites]
    banks = [Bank(PLAIN, None, source)]
    for name, variation in views.items():
        copies = [space.places(one, name) for one in eye.sees(examples, [variation] * DRAWS, tick=tick)]
        banks.append(Bank(name, variation, np.concatenate([source, *copies])))
    return banks, held, placed


def _examples(images: Images) -> list[Any]:
    return [image.example for image in images]


def _write(one: SiteCovered, home: Home, banks: Sequence[Bank], variation: str) -> None:
    whole, plain = one.found[WHOLE], one.found[PLAIN]
    bank = next(each for each in banks if each.name == WHOLE)
    rows: list[list[object]] = []
    for place in np.argsort(-whole.distances, kind="stable").tolist():
        image = one.site.images[place]
        near, draw = bank.origin(int(whole.nearest[place]), len(home.source))
        rows.append([
            image.case.case, "" if image.slice is None else image.slice, image.case.patient, image.case.site, image.seen,
            f"{whole.distances[place]:.4f}", int(whole.distances[place] <= 1), f"{plain.distances[place]:.4f}",
            int(plain.distances[place] <= 1), home.source[near].name, "" if draw is None else draw + 1,
        ])  # fmt: skip
    with atomic(one.folder / CASES) as file:
        write_rows(file, [_COLUMNS, *rows])
    write_json(one.folder / SUMMARY, {"variation": variation, "draws": DRAWS, **one.as_json()})


_COLUMNS = (
    "case", "slice", "patient", "site", "seen", "distance", "covered", "distance_without", "covered_without", "nearest",
    "nearest_draw",
)  # fmt: skip
