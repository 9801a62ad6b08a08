"""The page of a painter: how real it looks, in numbers, and in pictures that one looks at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from segue.report.page import Cell, Page, Section, Tile
from segue.words import count, short

SEEN_THROUGH = 0.95  # of the area under the curve: who does not see through a mean colour sees through nothing
_TOLD = 0.75  # up to which a network that is trained for it hardly tells

Picture = tuple[str, str]  # a data URI and what it shows


@dataclass(frozen=True)
class Filled:
    name: str
    off: float
    lesions: float
    healthy: float
    ssim: float
    told: float


@dataclass(frozen=True, kw_only=True)
class Far:
    """Fréchet distances, as an encoder sees holes."""

    encoder: str
    real: float  # of one half of the images from the other
    fills: tuple[float, ...]
    deviation: float  # of what the painter lies beyond real ones, over the halvings
    way: float  # from real ones to a mean colour
    times: int  # that images were halved
    directions: int
    taught: bool  # the painter learnt from this very encoder
    seen: int  # held-back images that the encoder has looked at


@dataclass(frozen=True)
class Shown:
    caption: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, kw_only=True)
class PainterStory:
    title: str
    what: str  # is painted
    made: str  # from how many images, in how many steps
    fills: tuple[Filled, ...]  # the painter is the last
    variety: float
    windows: int
    far: Far | None
    holes: tuple[Shown, ...]
    edits: tuple[Shown, ...]
    commands: Sequence[str] = ()


def painter_page(story: PainterStory) -> Page:
    page = Page(story.title, _lead(story))
    page.section("What to mind").warnings(warnings(story))
    _numbers(page.section("How real it looks", count(story.windows, "held-back window")), story)
    page.section("Edits", "held-back images").text(
        f"An image with its mask's outline, and the same after an edit: {story.what} was added, altered, taken away, or "
        "painted anew in its place. Only pixels within the hole differ."
    ).pictures(map(_tile, story.edits), large=True)
    page.section("Holes", "held-back images").text(
        "A window as it is; its hole, with the outline of what is to be there; and what was painted, twice, with two noises."
    ).pictures(map(_tile, story.holes), large=True)
    if story.commands:
        page.section("What to do with it").commands(*story.commands)
    return page


def _lead(story: PainterStory) -> str:
    best = story.fills[-1]
    if story.fills[0].told < SEEN_THROUGH:
        return f"A painter of {story.what}, from {story.made}. How real it looks cannot be said: see below."
    how = (
        "hardly told from real ones by a network that is trained to"
        if best.told <= _TOLD
        else "told from real ones by a network that is trained to"
    )
    told = f"area under the curve {best.told:.2f} (.5: never)"
    return f"A painter of {story.what}, from {story.made}. What it paints is {how}: {told}."


def warnings(story: PainterStory) -> list[tuple[str, str]]:
    found = []
    if story.fills[0].told < SEEN_THROUGH:
        found.append((
            f"Who tells apart does not see through a mean colour ({story.fills[0].told:.2f}).",
            "Its word on the painter means nothing: there are too few images to teach it.",
        ))  # fmt: skip
    if story.far is not None and story.far.taught:
        found.append((
            "The Fréchet distance is told by the encoder that the painter learnt from.",
            "It has learnt to please it: another one (--encoder RUN) says more.",
        ))  # fmt: skip
    if story.far is not None and story.far.seen:
        found.append((
            f"The encoder of the Fréchet distance has looked at {count(story.far.seen, 'held-back image')}.",
            "What it knows by heart may look more real to it than any other picture, painted or not.",
        ))  # fmt: skip
    if story.fills[-1].off >= story.fills[0].off:
        found.append((
            "The painter is no nearer to what was there than a mean colour.", "It has learnt too little: more looks.",
        ))  # fmt: skip
    if story.variety < 0.005:
        found.append((
            "Two draws give nearly one picture.", "A higher inpainting.variety makes its pictures differ.",
        ))  # fmt: skip
    return found


def _numbers(section: Section, story: PainterStory) -> None:
    section.text(
        "In the same holes of images that the painter has not learnt from. Off is the mean distance to the colour that was "
        "there, as a share of all colours: only one of those that could have been there, so that the nearest is not the most "
        "real. Told apart is how well a network, trained for it on other images, tells filled windows from real ones: .5 is "
        "never, 1 always. " + _of_distances(story.far)
    )
    far = [math.nan] * len(story.fills) if story.far is None else story.far.fills
    rows: list[list[Cell]] = [
        [
            one.name, f"{one.off:.3f}", _share(one.lesions), _share(one.healthy), f"{one.ssim:.3f}",
            f"{one.told:.2f}", _share(distance),
        ]
        for one, distance in zip(story.fills, far, strict=True)
    ]  # fmt: skip
    if story.far is not None:
        rows.append(["other real ones", *["–"] * 5, f"{story.far.real:.3f}"])
    head = ["fill", "off", f"of {short(story.what)}", "of what is around it", "SSIM", "told apart", "Fréchet"]
    section.table(head, rows)
    section.text(f"Two draws of one window differ by {story.variety:.3f} on average.")
    if story.far is not None:
        section.text(in_words(story.far))


def in_words(far: Far) -> str:
    beyond = far.fills[-1] - far.real
    told = f"By the Fréchet distance the painter lies {beyond:.3f} (± {far.deviation:.3f}) beyond real ones"
    return told + (f": {far.way:.0%} of the way to a mean colour." if math.isfinite(far.way) else ".")


def _of_distances(far: Far | None) -> str:
    if far is None:
        return "The Fréchet distance was not measured: it takes an encoder (segue inpaint look RUN --encoder RUN)."
    return (
        f"Fréchet is how far the holes of one half of the images are from those of the other half as {far.encoder} sees "
        f"them: the mean over {far.times} halvings, in the {count(far.directions, 'direction')} in which they differ most. "
        "Real ones are not at 0 from other real ones, and nothing needs to be nearer than these."
    )


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _tile(shown: Shown) -> Tile:
    return Tile(shown.pictures, shown.caption)
