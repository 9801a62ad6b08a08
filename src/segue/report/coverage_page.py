"""The page of a variation at a site: how much of the site lies within what training sees, by severity and by what is varied,
and the images that lie outside. Whoever calls has measured; here it is drawn and told."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from segue.report.curves import covered
from segue.report.figures import histogram
from segue.report.page import Bar, Cell, Estimate, Figure, Page, Percent, Section, Tile
from segue.words import count, of_all, percent, short

_FEW = 19  # held-back images, below which 95 % of them cannot be told
_BINS, _FARTHEST = 32, 2.0  # of the distances' histogram; what lies farther stands in its last bin

Picture = tuple[str, str]  # a data URI and what it shows


@dataclass(frozen=True, kw_only=True)
class Share:
    """What of a site one bank covers."""

    name: str
    estimate: Estimate
    middle: float  # distance of the median image, in radii
    farther: float  # the chance that an image lies farther than a held-back one of home
    severity: float = math.nan  # of the whole variation; of anything else none


@dataclass(frozen=True)
class Beside:
    """An image of the site, and the nearest that training sees."""

    caption: str
    pictures: tuple[Picture, ...]
    mark: str = ""


@dataclass(frozen=True, kw_only=True)
class SiteStory:
    name: str
    images: int
    every: int  # that it has
    units: int  # patients, or whatever is known of what hangs together
    whom: str  # what these are
    told: str  # in a sentence
    seen: str = ""  # a sentence without its full stop
    reference: float
    luck: tuple[float, float]
    plain: Share
    control: Share
    severities: tuple[Share, ...]
    families: tuple[Share, ...]
    without: Sequence[float] = ()  # distances in radii, one an image
    distances: Sequence[float] = ()
    outside: tuple[Beside, ...] = ()
    inside: tuple[Beside, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CoverageStory:
    title: str
    variation: str
    encoder: str
    source: int
    held: int
    how: str  # they were held back
    draws: int
    site: SiteStory
    steps: int = 0
    commands: Sequence[str] = field(default=())


def coverage_page(story: CoverageStory) -> Page:
    site = story.site
    page = Page(story.title, site.told)
    page.section("What to mind").warnings(_warnings(story))
    _whole_site(page.section("How much is covered", count(site.images, "image")), story)
    _shares(page.section("By severity and by what is varied"), site)
    _pictures(page.section("Outside", _outside(site)), site)
    _contrast(page.section("Covered"), site)
    _measured(page.section("How it is measured"), story)
    if story.commands:
        page.section("What to do next").commands(*story.commands)
    return page


def _whole(site: SiteStory) -> Share:
    return site.severities[-1]


def _outside(site: SiteStory) -> str:
    out = sum(each > 1 for each in site.distances)
    return of_all(out, site.images, "image") if out else "none"


def _warnings(story: CoverageStory) -> Iterator[tuple[str, str]]:
    site = story.site
    if site.seen:
        yield f"{site.name}: {site.seen}.", "What a network has looked at lies nearer to what it knows."
    if _whole(site).estimate.value < site.plain.estimate.value - 0.02:
        yield (
            f"{site.name}: covered less with the variation than without it.",
            "It brings home's own images nearer, and not this site's: it varies what does not differ here.",
        )
    if story.held < _FEW:
        yield (
            f"Only {count(story.held, 'image')} of the source are held back.",
            f"What is near is then told by the farthest of them, and the shares of this page are rough: of {_FEW} or more, "
            "95 % would tell it.",
        )
    yield (
        "Coverage is not Dice.",
        "It is told in the features of one network, by what this network looks at. An image outside may be found well, and "
        "one inside badly: judge the network by masks where there are any, and look at the pictures.",
    )


def _whole_site(section: Section, story: CoverageStory) -> None:
    site = story.site
    images = count(site.images, "image") if site.images == site.every else of_all(site.images, site.every, "image")
    section.facts([
        (f"covered by {short(story.variation)}", Bar(_whole(site).estimate, percent=True)),
        ("without", Percent(site.plain.estimate.value)),
        ("if it were home", f"{percent(site.luck[0])} to {percent(site.luck[1])}"), ("looked at", images),
        *([] if site.whom == "image" else [("of", count(site.units, site.whom))]),
    ])  # fmt: skip
    together = (
        "copies of each other" if site.whom == "image" else f"images of one {site.whom}, and copies of each other,"
    )
    section.text(
        f"The share of a site's images that lie no farther from what training sees than {percent(site.reference)} of home's "
        "own held-back images do. If it were home: where 95 of 100 samples of as many images of home itself would lie. "
        f"The interval counts {together} as one."
    )


def _shares(section: Section, site: SiteStory) -> None:
    rows: list[list[Cell]] = [_row("as it is", "images of the source alone", site.plain, 7)]
    rows.append(_row("flips", "as many copies, of what changes nothing: what number alone brings", site.control, 7))
    rows += [_row(f"severity {one.severity:g}", "all of it", one, 0) for one in site.severities]
    rows += [_row(one.name, "alone, at severity 1", one, 1) for one in site.families]
    section.table(["varied by", "", "covered", "median distance", "farther than home"], rows)
    section.text(
        "The median distance is told in radii: up to 1 an image is covered. Farther than home is how often an image of the "
        "site lies farther than a held-back one of home: .5 is like home, 1 always. Each row has a radius of its own, from "
        "the same held-back images, so that more copies do not cover more by being many."
    )
    section.figures(_figures(site))


def _row(name: str, what: str, share: Share, hue: int) -> list[Cell]:
    return [name, what, Bar(share.estimate, percent=True, hue=hue), share.middle, f"{share.farther:.2f}"]


def _figures(site: SiteStory) -> Iterator[Figure]:
    points = [(0.0, site.plain.estimate), *((one.severity, one.estimate) for one in site.severities)]
    told = ", ".join(f"{percent(one.value)} at {severity:g}" for severity, one in points)
    yield Figure(
        covered(
            [severity for severity, _ in points],
            [(one.value, *_ends(one)) for _, one in points],
            reference=site.reference, luck=site.luck, control=site.control.estimate.value,
        ),
        f"Share covered over severity: {told}.",
        "Share covered over severity. The band around the line is its interval, the grey one where home itself would lie; "
        "dotted: as many copies by flips alone.",
    )  # fmt: skip
    edges = np.linspace(0, _FARTHEST, _BINS + 1)
    series = {
        name: np.histogram(np.minimum(values, _FARTHEST), edges)[0].tolist()
        for name, values in (("as it is", site.without), ("varied", site.distances))
    }
    yield Figure(
        histogram(edges.tolist(), series, x="distance in radii", y="images", colours=(7, 0)),
        "How far the site's images lie, without and with the variation.",
        f"How far images lie: up to 1 they are covered. Those beyond {_FARTHEST:g} stand in the last bin.",
    )


def _ends(one: Estimate) -> tuple[float, float]:
    return (one.value if one.low is None else one.low, one.value if one.high is None else one.high)


def _pictures(section: Section, site: SiteStory) -> None:
    if site.outside:
        section.text(
            "The farthest, each beside the nearest that training sees, varied as it is seen there. Ask what differs: colour, "
            "sharpness, the form of the frame, instruments, or anatomy that home does not have. The first three can be "
            "varied; anatomy cannot, and such images belong among those to annotate."
        ).pictures(map(_tile, site.outside))


def _contrast(section: Section, site: SiteStory) -> None:
    if site.inside:
        section.text("For contrast some that are covered, spread over all of them, from the nearest on.")
        section.pictures(map(_tile, site.inside))


def _tile(beside: Beside) -> Tile:
    return Tile(beside.pictures, beside.caption, beside.mark)


def _measured(section: Section, story: CoverageStory) -> None:
    section.facts([
        ("encoder", story.encoder), ("variation", story.variation), ("images of the source", story.source),
        ("varied copies of each", story.draws), ("held back", story.held), ("how", story.how),
    ])  # fmt: skip
    section.text(
        "Each image becomes a row of numbers: of every level of the encoder the mean of each channel over the picture, and "
        "how far its places differ, all levels counting alike. Directions are scaled by how far the source's own images "
        "spread along them. A bank is the source and its varied copies; an image's distance is that to the nearest of them. "
        "The radius of a bank is the distance that 95 % of the held-back images do not exceed.",
        "Where a site or the source has more images than are counted here, these are a sample that is always the same.",
    )
