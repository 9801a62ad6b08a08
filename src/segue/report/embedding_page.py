"""The page of an encoder that was pre-trained without labels: whether it tells images apart, by what, and which it takes for
alike. Whoever calls has measured; here it is drawn and told."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from segue.report.drawing import colour, drawing, legend_above, short_names
from segue.report.figures import Bytes, jpeg
from segue.report.page import Bar, Cell, Estimate, Figure, Noted, Page, Percent, Section, Tile
from segue.report.run_warnings import SHORT
from segue.words import count, percent, short, some

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMED = 12  # values with a colour of their own
_POINTS = 2000  # of a drawing; more would only be a blot, and megabytes
_FEWEST = 15  # of a value, however many the others have
_ROUNDS = 6  # in which points are drawn, so that no value lies on top of all others
_GREY, _HUES = 7, 7  # the cycle's last colour is for what is not told apart; the seven before it are for values
_MARKS = ("o", "^")  # of the first seven values, and of the next
_SHOWN = 256  # pixels of a picture's long side

_MEANS = {
    "partition": (
        "A partition is where along the body a slice lies. Recognising it is good: it was learnt from anatomy, without a mask."
    ),
    "dataset": (
        "Recognising the dataset is neither good nor bad where datasets show different organs; where they show the same, it "
        "is like recognising the site. Where their images have other shapes, the padding alone tells."
    ),
    "site": (
        "Recognising the site is not a virtue: what gives it away is the look of a scanner or a hospital, and what rests on "
        "that fails at the next one. Here, near chance is good."
    ),
}


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Images as points of a plane."""

    name: str
    x: str
    y: str
    places: npt.NDArray[np.floating]  # (n, 2)


@dataclass(frozen=True, kw_only=True)
class Guess:
    """How often a label is guessed from the nearest images of other patients."""

    what: str  # "partition", "dataset", "site"
    accuracy: float
    chance: float
    n: int


@dataclass(frozen=True, kw_only=True)
class Shown:
    picture: Bytes  # (height, width, 3), RGB
    dataset: str
    case: str
    partition: int = -1


@dataclass(frozen=True, kw_only=True)
class Query:
    """An image, and the nearest of other patients, the nearest first."""

    image: Shown
    nearest: tuple[Shown, ...]


@dataclass(frozen=True, kw_only=True)
class EmbeddingStory:
    title: str
    encoder: str  # which, and what it has learnt so far, in words
    dimensions: int
    steps: int = 0  # that it has learnt for; 0: not told
    datasets: Sequence[str]  # this and the next four: one entry an image
    sites: Sequence[str]  # empty: not told
    units: Sequence[str]
    whom: str = "patient"  # what units are: patients, or where none is known scenes or images
    partitions: Sequence[int]  # -1: of what has no axis
    volumes: Sequence[str]  # empty: a picture
    spread: float
    effective_rank: float
    uniformity: float
    alignment: float = math.nan
    collapsed: str = ""  # a sentence without its full stop
    layouts: tuple[Layout, ...] = ()
    guesses: tuple[Guess, ...] = ()
    queries: tuple[Query, ...] = ()


def principal_layout(places: npt.NDArray[np.floating], shares: Sequence[float]) -> Layout:
    first, second = (
        f"{name} component ({percent(share)} of the variance)"
        for name, share in zip(("first", "second"), shares, strict=False)
    )
    return Layout(name="Principal components", x=first, y=second, places=places)


def embedding_page(story: EmbeddingStory) -> Page:
    page = Page(story.title, _lead(story))
    page.section("What to mind").warnings(_warnings(story))
    _embedded(page.section("What was embedded", count(len(story.datasets), "image")), story)
    _measures(page.section("Measures"), story)
    for layout in story.layouts:
        _map(page.section(layout.name), story, layout)
    _guesses(page.section("Guessed from neighbours"), story)
    _nearest(page.section("Nearest images", count(len(story.queries), "example")), story)
    return page


def _warnings(story: EmbeddingStory) -> Iterator[tuple[str, str]]:
    if story.collapsed:
        told = f"{story.collapsed[0].upper()}{story.collapsed[1:]}."
        yield told, "Look at its training first: the other numbers and the pictures of this page mean little."
    if 0 < story.steps < SHORT:
        yield (
            f"It has learnt for {count(story.steps, 'step')}.",
            "That is hardly any training: this is how a network sees that knows next to nothing.",
        )


def _lead(story: EmbeddingStory) -> str:
    names = sorted(set(story.datasets))
    held = f"{count(len(story.datasets), 'image')} of {some(names)} as {count(story.dimensions, 'number')} each"
    found = f"It has collapsed: {story.collapsed}." if story.collapsed else "Nothing has collapsed."
    return f"{story.encoder} sees {held}. {found}" if names else f"{story.encoder} was shown no images."


def _embedded(section: Section, story: EmbeddingStory) -> None:
    columns = {} if story.whom == "image" else {f"{story.whom}s": story.units}
    columns |= {"volumes": story.volumes, "sites": story.sites}
    told = {name: entries for name, entries in columns.items() if any(entries)}
    rows: list[list[Cell]] = []
    for name, images in sorted(Counter(story.datasets).items()):
        mine = [i for i, dataset in enumerate(story.datasets) if dataset == name]
        rows.append([short(name), images, *(len({entries[i] for i in mine} - {""}) for entries in told.values())])
    section.table(["dataset", "images", *told], rows)


def _measures(section: Section, story: EmbeddingStory) -> None:
    most = max(1, min(story.dimensions, len(story.datasets) - 1))
    rows = [
        (
            "spread", f"{story.spread:.3f}",
            "How far apart images point. 0: all look the same to the encoder, it has collapsed. About 1: no direction is "
            "preferred. Higher is better.",
        ),
        (
            "effective rank", f"{story.effective_rank:.1f}",
            f"How many directions are made use of, of {most:,} that there are. 1: all images lie on a line. Higher is better, "
            "but only beside a spread above 0: of a point it says nothing. (A pre-training tells that of its projection, "
            "which has fewer.)",
        ),
        (
            "uniformity", f"{round(story.uniformity, 2) + 0.0:.2f}",
            "How evenly images fill the sphere of directions. 0: all at one place; about −4: evenly. Lower is better, as "
            "long as images that are alike stay together.",
        ),
        (
            "alignment", f"{story.alignment:.3f}",
            "How far apart two views of one image lie. 0: the variation does not matter; 2: they have nothing in common. "
            "Lower is better, but only beside a spread above 0: collapsed, all views agree.",
        ),
    ]  # fmt: skip
    known = [(name, value.replace("-", "\N{MINUS SIGN}"), means) for name, value, means in rows if value != "nan"]
    section.table(("measure", "value", "what it means"), [(a, Noted(b, "", number=True), c) for a, b, c in known])


def _map(section: Section, story: EmbeddingStory, layout: Layout) -> None:
    if not len(layout.places):
        return
    section.text("Each point is an image; points that lie close to each other look alike to the encoder.")
    if story.collapsed:
        section.text("The axes are scaled to what little difference there is: do not read patterns into them.")
    section.figures(_maps(story, layout))


def _maps(story: EmbeddingStory, layout: Layout) -> Iterator[Figure]:
    partitions = [f"partition {one}" if one >= 0 else "" for one in story.partitions]
    drawn = 0
    for what, values in (("dataset", story.datasets), ("partition", partitions), ("site", story.sites)):
        if len(set(values) - {""}) > 1:
            drawn += 1
            yield _figure(layout, values, what)
    if not drawn:
        yield _figure(layout, ["images"] * len(layout.places), "")


def _figure(layout: Layout, values: Sequence[str], what: str) -> Figure:
    groups = _groups(values, what)
    shown = sum(len(group.rows) for group in groups)
    words = f"Coloured by {what}." if what else "All images."
    if shown < len(values):
        words += f" {shown:,} of {count(len(values), 'image')} are drawn."
    names = f" {', '.join(short(group.name) for group in groups)}." if what else ""
    return Figure(_scatter(layout, groups), f"{layout.name}, {layout.x} and {layout.y}. {words}{names}", words)


@dataclass(frozen=True)
class _Group:
    """Points that look alike."""

    name: str
    hue: str
    mark: str
    rows: list[int]  # those to draw


def _groups(values: Sequence[str], what: str) -> list[_Group]:
    rows: dict[str, list[int]] = {}
    for row, value in enumerate(values):
        rows.setdefault(value, []).append(row)
    untold = rows.pop("", [])
    # The largest first, but partitions as they lie: 10 after 9.
    order = sorted(rows, key=lambda name: (len(name) if what == "partition" else -len(rows[name]), name))
    named, rest = order[:_NAMED], order[_NAMED:]
    looks = [
        (name, colour(place % _HUES), _MARKS[place // _HUES], rows[name]) for place, name in enumerate(named)
    ] + [
        (f"{len(rest):,} others", colour(_GREY), _MARKS[0], [row for name in rest for row in rows[name]]),
        ("none" if what == "partition" else "not told", colour(_GREY), _MARKS[1], untold),
    ]  # fmt: skip
    return [
        _Group(name, hue, mark, _thinned(found, _POINTS / len(values))) for name, hue, mark, found in looks if found
    ]


def _thinned(rows: Sequence[int], share: float) -> list[int]:
    kept = min(len(rows), max(_FEWEST, round(share * len(rows))))
    return [rows[place] for place in np.linspace(0, len(rows) - 1, kept).astype(int)]


def _scatter(layout: Layout, groups: Sequence[_Group]) -> str:
    names = short_names([group.name for group in groups])
    size = 2.6 if sum(len(group.rows) for group in groups) > 400 else 3.8

    def draw(axes: Axes) -> None:
        for turn in range(_ROUNDS):
            for group in groups:
                across, up = layout.places[group.rows[turn::_ROUNDS]].T
                axes.plot(across, up, group.mark, color=group.hue, markersize=size, alpha=0.6, markeredgewidth=0)
        for name, group in zip(names, groups, strict=True):
            label = f" {name}" if name.startswith("_") else name  # a legend leaves out what begins so
            axes.plot([], [], group.mark, color=group.hue, markersize=6, label=label)
        axes.set_xlabel(layout.x)
        axes.set_ylabel(layout.y, rotation_mode="anchor")
        axes.margins(0.06)
        if len(groups) > 1:
            legend_above(axes, names)

    return drawing(draw, height=3.8 + 0.19 * len(groups) * (len(groups) > 1))


def _guesses(section: Section, story: EmbeddingStory) -> None:
    found = [guess for guess in story.guesses if guess.n]
    if not found:
        return
    section.text(
        "Each image's label, guessed by a vote of the images that the encoder finds nearest, none of them of the same "
        f"{story.whom}. By chance is what always guessing the commonest label would give."
    )
    section.table(
        ("label", "guessed right", "by chance", "images"),
        [
            (short(guess.what), Bar(Estimate(guess.accuracy), percent=True, hue=place), Percent(guess.chance), guess.n)
            for place, guess in enumerate(found)
        ],
    )
    section.text(*(_MEANS[guess.what] for guess in found if guess.what in _MEANS))


def _nearest(section: Section, story: EmbeddingStory) -> None:
    if story.queries:
        section.text(
            "First the image that was asked for, then those that the encoder finds most like it among other "
            f"{story.whom}s, the nearest first. Alike in anatomy is good; alike in borders, brightness or letters is not."
        )
    for query in story.queries:
        section.heading(short(query.image.case), short(query.image.dataset))
        section.pictures(
            _tile(shown, str(place) if place else "asked for")
            for place, shown in enumerate((query.image, *query.nearest))
        )


def _tile(shown: Shown, mark: str) -> Tile:
    where = [f"partition {shown.partition}"] * (shown.partition >= 0)
    caption = "\n".join((short(shown.dataset), short(shown.case), *where))
    return Tile(((_picture(shown.picture), f"{shown.case} of {shown.dataset}"),), caption, mark)


def _picture(picture: Bytes) -> str:
    height, width = picture.shape[:2]
    scale = min(1.0, _SHOWN / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return jpeg(np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8))
