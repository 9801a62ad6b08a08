"""What `explore` measures: of one case in a worker, and of sites and the whole dataset from their cases.

The picture is made small first, which keeps means and hardly changes the spread. Its black border (around an
endoscope's view, around a head) says nothing about colour and is left out of it. The mask is taken as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from segue.data.case import IGNORE, Case
from segue.data.copies.leaks import Pair, read_pairs
from segue.data.dataset import Dataset
from segue.data.volumes import cuts
from segue.executors import LocalExecutor, Needs
from segue.report import figures

T = TypeVar("T")

LEVELS = 64  # bins of an intensity histogram
BLACK = 0.1  # of the picture's own brightest: darker is border (the black of video is 16 of 255)
NO_SITE = "no site"
SHEET, PAIRS, SITE_ROWS, ROW = 48, 24, 12, 6  # pictures: on the contact sheet, pairs, sites with a row, in a row
_FINE = 1024  # bins of 16 bits, until it is known how many of them are used
_SMALL = 256  # long side of what is measured
_SHOWN = 224  # and of what is shown
_PERCENTILES = (1, 50, 99)
_SPECK = 1e-4  # of the picture: smaller components are specks, not lesions

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Task:
    case: Case
    colour: bool  # measure the image
    mask: bool  # measure the mask
    picture: bool  # make the small picture


@dataclass(frozen=True, slots=True)
class Colour:
    """Of one image, in its own units: 0-255, or what 16 bits hold."""

    wide: bool  # 16 bits
    top: int  # the largest value
    mean: Floats  # a number a channel, 3 or 1, of all but black
    contrast: float  # spread of the brightness, of all but black
    black: float  # share of black pixels
    counts: npt.NDArray[np.uint32]  # (channels, LEVELS or _FINE), of all but black

    def scale(self, full: int) -> int:
        """The brightest value there can be, when it is `full` for images of 16 bits."""
        return full if self.wide else 255


@dataclass(frozen=True, slots=True)
class Seen:
    channels: int
    colour: Colour | None = None
    percentiles: tuple[float, float, float] | None = None  # of a volume
    pixels: Mapping[int, int] | None = None  # class -> pixels that count
    components: int = 0
    specks: int = 0
    picture: str = ""  # a data URI


def see(task: Task, dataset: Dataset) -> Seen:
    return _see_volume(task, dataset) if task.case.volume else _see_frame(task, dataset)


def _see_volume(task: Task, dataset: Dataset) -> Seen:
    """Brightness is told by percentiles: of MR it has no unit, of CT it is in Hounsfield units."""
    image = dataset.image(task.case)[..., 0]
    mask = dataset.mask(task.case) if task.case.labelled and (task.mask or task.picture) else None
    channels = len(dataset.card.channels)
    found: dict[str, Any] = {"channels": channels}
    if task.colour:
        few = image.reshape(-1)[:: max(1, image.size >> 20)]
        found["percentiles"] = tuple(np.percentile(few, _PERCENTILES).tolist())
    if mask is not None and task.mask:
        ids, counts = np.unique(mask[mask != IGNORE], return_counts=True)
        found["pixels"] = {int(number): int(count) for number, count in zip(ids, counts, strict=True)}
        numbers, _ = ndimage.label((mask != 0) & (mask != IGNORE), np.ones((3, 3, 3)))
        areas = np.bincount(numbers.ravel())[1:]
        found["specks"] = int((areas < _SPECK * mask.size).sum())
        found["components"] = len(areas) - found["specks"]
    if task.picture:
        found["picture"] = figures.jpeg(_montage(image, mask, task.case.steps))
    return Seen(**found)


def _montage(image: npt.NDArray[Any], mask: npt.NDArray[np.uint8] | None, steps: tuple[float, ...]) -> figures.Bytes:
    shown = cuts.grey(image)
    there = np.zeros(image.shape, np.bool_) if mask is None else (mask != 0) & (mask != IGNORE)
    rows = []
    for several in (cuts.slices_through(there)[1:2] or cuts.slices_through(there), cuts.cuts_across(there)):
        drawn = []
        for cut in several:
            down, across = cuts.steps_of(steps, cut)
            flat = cuts.plane(shown, cut)
            scale = _SHOWN / max(flat.shape[0] * down, flat.shape[1] * across)
            size = (max(1, round(flat.shape[1] * across * scale)), max(1, round(flat.shape[0] * down * scale)))
            picture = np.asarray(cv2.resize(flat, size, interpolation=cv2.INTER_LINEAR), np.uint8)
            drawn.append(_coloured(_picture(picture[..., None], None if mask is None else cuts.plane(mask, cut))))
        rows.append(cuts.beside(drawn, _SHOWN * 3 // 2, _SHOWN))
    return cuts.below(rows)


def _coloured(picture: figures.Bytes) -> figures.Bytes:
    return picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)


def _see_frame(task: Task, dataset: Dataset) -> Seen:
    image = dataset.image(task.case)
    first = image[..., :3] if image.shape[2] >= 3 else image[..., :1]
    mask = dataset.mask(task.case) if task.case.labelled and (task.mask or task.picture) else None
    found: dict[str, Any] = {"channels": image.shape[2]}
    if task.colour:
        found["colour"] = _colour(_shrunk(first, _SMALL))
    if mask is not None and task.mask:
        ids, counts = np.unique(mask[mask != IGNORE], return_counts=True)
        found["pixels"] = {int(number): int(count) for number, count in zip(ids, counts, strict=True)}
        found["components"], found["specks"] = _components(mask)
    if task.picture:
        found["picture"] = figures.jpeg(_picture(_enlarged(_shrunk(first, _SHOWN)), mask))
    return Seen(**found)


def _shrunk(image: npt.NDArray[Any], side: int) -> npt.NDArray[Any]:
    height, width = image.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    smaller = cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_AREA)
    return smaller.reshape(*smaller.shape[:2], -1)


def _enlarged(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Tiny pictures, so that the outlines do not hide them."""
    times = max(1, _SHOWN // max(image.shape[:2]))
    return image.repeat(times, axis=0).repeat(times, axis=1)


def _colour(image: npt.NDArray[Any]) -> Colour:
    wide = image.dtype == np.uint16
    brightest = image.max(axis=2)
    bright = brightest > BLACK * float(np.percentile(brightest, 99.5))
    pixels = image[bright] if bright.any() else image.reshape(-1, image.shape[2])
    bins, shift = (_FINE, 6) if wide else (LEVELS, 2)
    counts = [np.bincount(pixels[:, i] >> shift, minlength=bins) for i in range(pixels.shape[1])]
    return Colour(
        wide=wide,
        top=int(image.max()),
        mean=pixels.mean(axis=0, dtype=np.float64),
        contrast=float(pixels.mean(axis=1, dtype=np.float64).std()),
        black=1 - float(bright.mean()),
        counts=np.stack(counts).astype(np.uint32),
    )


def _components(mask: npt.NDArray[np.uint8]) -> tuple[int, int]:
    """How many pieces the foreground has, and how many specks besides."""
    foreground = ((mask != 0) & (mask != IGNORE)).astype(np.uint8)
    _, _, about, _ = cv2.connectedComponentsWithStats(foreground, connectivity=8)
    areas = about[1:, cv2.CC_STAT_AREA]
    specks = int((areas < _SPECK * mask.size).sum())
    return len(areas) - specks, specks


def _picture(image: npt.NDArray[Any], mask: npt.NDArray[np.uint8] | None) -> figures.Bytes:
    if image.dtype == np.uint16:  # no screen shows 16 bits: from the darkest hundredth to the brightest
        low, high = np.percentile(image, (1, 99))
        image = np.clip((image - low) * (255 / max(1.0, high - low)), 0, 255)
    shown: figures.Bytes = np.asarray(image, np.uint8)
    plain = shown[..., 0] if shown.shape[2] == 1 else shown
    if mask is None:
        return plain
    counted = np.where(mask == IGNORE, 0, mask).astype(np.uint8)
    smaller = cv2.resize(counted, plain.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return figures.contours(plain, smaller.astype(np.uint8))


def full_scale(colours: Sequence[Colour]) -> int:
    """The brightest value there can be: 255, or of 16 bits as many as are used, but at least 12."""
    tops = [colour.top for colour in colours if colour.wide]
    return max(4095, (1 << max(tops).bit_length()) - 1) if tops else 255


def shares(colours: Sequence[Colour], channels: int, full: int) -> Floats:
    """(channels, LEVELS): the share of pixels of each brightness from black to `full`; each image counts alike."""
    total = np.zeros((channels, LEVELS))
    for colour in colours:
        counts = colour.counts.astype(float)
        if colour.wide:
            used = (full + 1) * _FINE >> 16
            counts = counts[:, :used].reshape(len(counts), LEVELS, -1).sum(axis=2)
        total += np.broadcast_to(counts / counts.sum(axis=1, keepdims=True), total.shape)
    return total / len(colours)


@dataclass(frozen=True)
class Look:
    """How the images of a site look."""

    images: int  # that were measured
    mean: tuple[int, int, int]  # colour, 0-255
    brightness: float  # 0-1
    contrast: float  # 0-1
    black: float
    distance: float | None  # from all other sites; None where there is no other
    words: str  # in which way


# Difference from the others, in words: (below, above).
_WORDS = (
    ("darker", "brighter"), ("greener", "redder"), ("bluer", "yellower"), ("less contrast", "more contrast"),
    ("less black border", "more black border"),
)  # fmt: skip


def looks(by_site: Mapping[str, Sequence[Colour]], full: int) -> dict[str, Look]:
    """Each site against all others: the difference of their means, in units of how far images of one site lie apart."""
    rgb = {site: np.stack([_scaled(colour, full) for colour in colours]) for site, colours in by_site.items()}
    traits = {site: _traits(rgb[site], by_site[site], full) for site in by_site}
    inside = np.concatenate([one - one.mean(axis=0) for one in traits.values()])
    # A unit is at least one step of lightness or colour that an eye just sees; grey images have no colour to compare.
    unit = np.maximum(np.sqrt((inside**2).mean(axis=0)), 1.0)
    grey = all(np.allclose(colours, colours[:, :1]) for colours in rgb.values())
    speaking = [0, 3, 4] if grey else [0, 1, 2, 3, 4]
    total, count = sum(one.sum(axis=0) for one in traits.values()), len(inside)
    found = {}
    for site, colours in by_site.items():
        others = count - len(colours)
        distance, words = None, ""
        if others:
            rest = (total - traits[site].sum(axis=0)) / others
            steps = ((traits[site].mean(axis=0) - rest) / unit)[speaking]
            distance = float(np.sqrt((steps**2).mean()))
            strongest = [i for i in np.argsort(-abs(steps)) if abs(steps[i]) >= 0.5][:2]
            words = ", ".join(_WORDS[speaking[i]][int(steps[i] > 0)] for i in strongest)
        mean = rgb[site].mean(axis=0)
        found[site] = Look(
            images=len(colours),
            mean=tuple(round(255 * float(value)) for value in mean),  # type: ignore[arg-type]
            brightness=float(mean.mean()),
            contrast=float(traits[site][:, 3].mean() / 100),
            black=float(np.mean([colour.black for colour in colours])),
            distance=distance,
            words=words,
        )
    return found


def _scaled(colour: Colour, full: int) -> Floats:
    """Red, green and blue from 0 to 1."""
    scaled: Floats = np.broadcast_to(colour.mean / colour.scale(full), 3)
    return scaled


def _traits(rgb: Floats, colours: Sequence[Colour], full: int) -> Floats:
    """(images, 5): lightness, green to red, blue to yellow (CIELAB); contrast and black border in percent."""
    lab = cv2.cvtColor(rgb[None].astype(np.float32), cv2.COLOR_RGB2Lab)[0].astype(np.float64)
    contrast = [100 * colour.contrast / colour.scale(full) for colour in colours]
    joined: Floats = np.column_stack([lab, contrast, [100 * colour.black for colour in colours]])
    return joined


@dataclass(frozen=True)
class ClassRow:
    number: int
    name: str
    masks: int  # that have it
    share: float  # of all pixels that count
    typical: float | None  # median share in masks that have it


@dataclass(frozen=True)
class Survey:
    """All that the page tells."""

    dataset: Dataset
    pairs: tuple[Pair, ...]
    sheet: tuple[Case, ...]
    shown_pairs: tuple[Pair, ...]
    site_rows: Mapping[str, Sequence[Case]]
    seen: Mapping[str, Seen]
    unreadable: tuple[tuple[str, str], ...]  # (case, reason)

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        return self.dataset.cases

    @cached_property
    def labelled(self) -> list[Case]:
        return [case for case in self.cases if case.labelled]

    @cached_property
    def by_site(self) -> dict[str, list[Case]]:
        return by_site(self.cases)

    @cached_property
    def colours(self) -> dict[str, list[Colour]]:
        """Of the measured images, by site."""
        found: dict[str, list[Colour]] = {}
        for site, cases in self.by_site.items():
            for case in cases:
                if (seen := self.seen.get(case.case)) and seen.colour is not None:
                    found.setdefault(site, []).append(seen.colour)
        return found

    @cached_property
    def full(self) -> int:
        return full_scale([colour for colours in self.colours.values() for colour in colours])

    @cached_property
    def looks(self) -> dict[str, Look]:
        return looks(self.colours, self.full) if self.colours else {}

    @cached_property
    def masks(self) -> list[Seen]:
        return [seen for case in self.labelled if (seen := self.seen.get(case.case)) and seen.pixels is not None]

    @cached_property
    def classes(self) -> list[ClassRow]:
        """Every class of the card, as the measured masks have it."""
        counted = [(seen.pixels or {}, sum((seen.pixels or {}).values())) for seen in self.masks]
        every = sum(size for _, size in counted)
        found = []
        for number, name in sorted(self.dataset.card.classes.items()):
            inside = [pixels[number] / size for pixels, size in counted if pixels.get(number)]
            share = sum(pixels.get(number, 0) for pixels, _ in counted) / every if every else 0.0
            found.append(ClassRow(number, name, len(inside), share, float(np.median(inside)) if inside else None))
        return found

    @cached_property
    def cuts(self) -> list[float]:
        """Small, medium and large are the thirds of all masks that are not empty, as in `segue data split`."""
        sizes = sorted(case.foreground for case in self.labelled if case.foreground)
        return [sizes[len(sizes) // 3], sizes[2 * len(sizes) // 3]] if len(sizes) >= 3 else []

    def stratum(self, case: Case) -> str:
        if not case.labelled or case.foreground is None:
            return "unlabelled"
        if not case.foreground:
            return "empty"
        return (
            ("small", "medium", "large")[sum(case.foreground >= cut for cut in self.cuts)] if self.cuts else "labelled"
        )


def by_site(cases: Sequence[Case]) -> dict[str, list[Case]]:
    """In the order of their names."""
    found: dict[str, list[Case]] = {}
    for case in sorted(cases, key=lambda case: case.site):
        found.setdefault(case.site or NO_SITE, []).append(case)
    return found


def survey(dataset: Dataset, sample: int, workers: int | None, progress: bool) -> Survey:
    """Choose what is looked at, by the table alone, and look at it: every file is read once."""
    pairs = tuple(pair for pair in read_pairs(dataset) if pair.a in dataset.by_name and pair.b in dataset.by_name)
    empty = Survey(dataset, pairs, (), (), {}, {}, ())
    groups: dict[str, list[Case]] = {}
    for case in sorted(dataset.cases, key=lambda case: (case.site, case.foreground or 0.0, case.case)):
        groups.setdefault(f"{case.site}\t{empty.stratum(case)}", []).append(case)
    sheet = spread(groups, SHEET)
    kinds: dict[str, list[Pair]] = {}
    for pair in sorted(pairs, key=lambda pair: (pair.kind, -pair.score, pair)):
        kinds.setdefault(pair.kind, []).append(pair)
    shown_pairs = spread(kinds, PAIRS)
    rows = {}
    if len(empty.by_site) > 1:
        rows = {site: evenly(empty.by_site[site], ROW) for site in largest(empty.by_site, SITE_ROWS)}

    colour = {case.case for case in spread(empty.by_site, sample)}
    mask = {case.case for case in spread(by_site(empty.labelled), sample)}
    picture = {name for pair in shown_pairs for name in (pair.a, pair.b)}
    picture |= {case.case for case in (*sheet, *(case for row in rows.values() for case in row))}
    tasks = [
        Task(case, case.case in colour, case.case in mask, case.case in picture)
        for case in dataset.cases
        if case.case in colour | mask | picture
    ]
    _ = dataset.root  # if the images are gone, this says so once, and not every case for itself
    executor = LocalExecutor(workers=workers, progress=progress)
    seen: dict[str, Seen] = {}
    unreadable = []
    for outcome in executor.map(
        see, tasks, key=lambda task: task.case.case, label="exploring", needs=Needs(memory=512 << 20),
        setup=partial(Dataset, dataset.folder, dataset.card, ()),
    ):  # fmt: skip
        if outcome.error is None and outcome.value is not None:
            seen[outcome.key] = outcome.value
        else:
            unreadable.append((outcome.key, _plain(outcome.error or "", dataset.by_name[outcome.key], dataset.root)))
    return Survey(dataset, pairs, tuple(sheet), tuple(shown_pairs), rows, seen, tuple(sorted(unreadable)))


def _plain(error: str, case: Case, root: Path) -> str:
    """Without paths: folders are often named after patients."""
    for path, what in ((case.mask, "the mask"), *((image, "the image") for image in case.images)):
        if path:
            error = error.replace(str(root / path), what).replace(path, what)
    return error.replace(str(root), "the dataset")


def evenly(items: Sequence[T], count: int) -> list[T]:
    """So many of them, the first and the last among them."""
    if count >= len(items):
        return list(items)
    return [items[int(i)] for i in np.linspace(0, len(items) - 1, count)]


def spread(groups: Mapping[str, Sequence[T]], count: int) -> list[T]:
    """So many of all, from each group alike as far as it has them."""
    given = dict.fromkeys(groups, 0)
    left = count
    waiting = largest(groups, count)
    while left and waiting:
        share = max(1, left // len(waiting))
        for name in waiting[:left]:
            more = min(share, len(groups[name]) - given[name], left)
            given[name] += more
            left -= more
        waiting = [name for name in waiting if given[name] < len(groups[name])]
    return [item for name, items in groups.items() if given[name] for item in evenly(items, given[name])]


def largest(groups: Mapping[str, Sequence[T]], count: int) -> list[str]:
    """The names of the groups with most members, in their own order."""
    kept = set(sorted(groups, key=lambda name: (-len(groups[name]), name))[:count])
    return [name for name in groups if name in kept]
