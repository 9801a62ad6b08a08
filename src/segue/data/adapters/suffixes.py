"""Masks that are named after their image with something before or behind it, in one folder or in two.

    x.jpg + x_mask.png      x.png + x_segmentation.png      x_image.png + x_mask.png      mask_x.png

The rule is found in the names themselves: of all endings that sound like a mask, the one that makes the most pairs.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from segue.data.adapters import folders
from segue.data.adapters.adapter import Adapter, Reading
from segue.data.adapters.pairing import Key, by_stem, is_picture, join, pair, without
from segue.data.case import Case
from segue.data.tree import File, Tree

_MASK_WORDS = "masks?|segmentations?|segmented|seg|gt|ground[_-]?truth|labels?|annotations?|lesion|scribbles?"
_IMAGE_WORDS = "images?|img|original|orig|photo"


class Marker(NamedTuple):
    """What stands before and behind the part of a name that image and mask share, in lower case."""

    before: str
    behind: str

    def __str__(self) -> str:
        return f"{self.before}NAME{self.behind}"

    @property
    def key(self) -> Key:
        return without(prefix=self.before, ending=self.behind)


PLAIN = Marker("", "")


class Rule(NamedTuple):
    image: Marker
    mask: Marker


def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(rf"^(?:{words})[_\-. ]+(?=.)|(?<=.)[_\-. ]+(?:{words})\Z", re.IGNORECASE | re.DOTALL)


_MASK, _IMAGE = _pattern(_MASK_WORDS), _pattern(_IMAGE_WORDS)


def _marker(file: File, words: re.Pattern[str]) -> Marker:
    match = words.search(file.stem)
    if match is None:
        return PLAIN
    return Marker("", match[0].lower()) if match.start() else Marker(match[0].lower(), "")


def sounds_like_mask(file: File) -> bool:
    return _marker(file, _MASK) != PLAIN


def _rule(tree: Tree) -> tuple[Rule, int] | None:
    """The rule that makes the most pairs, and how many."""
    names: dict[tuple[bool, Marker], Counter[str]] = defaultdict(Counter)
    for file in filter(is_picture, tree.files):
        mask = _marker(file, _MASK)
        markers = {mask} if mask != PLAIN else {PLAIN, _marker(file, _IMAGE)}
        for marker in markers:
            names[mask != PLAIN, marker][marker.key(file) or ""] += 1
    counted = {
        Rule(image, mask): sum((names[False, image] & names[True, mask]).values())
        for is_mask, mask in names
        for of_mask, image in names
        if is_mask and not of_mask
    }
    rule, pairs = max(sorted(counted.items()), key=lambda entry: entry[1], default=(None, 0))
    return (rule, pairs) if rule and pairs else None


def recognise(tree: Tree) -> str | None:
    found = _rule(tree)
    if found is None:
        return None
    (image, mask), pairs = found
    if pairs <= sum(case.labelled for case in folders.read(tree).cases):
        return None  # plain names make as many
    return f"{pairs} images called {image} have masks called {mask}"


def read(tree: Tree) -> Reading:
    found = _rule(tree)
    if found is None:
        return Reading([], [])
    rule, _ = found
    masks: dict[str, list[File]] = defaultdict(list)
    images: dict[str, list[File]] = defaultdict(list)
    bad = []
    for file in filter(is_picture, tree.files):
        marker = _marker(file, _MASK)
        if marker == PLAIN:
            images[file.folder].append(file)
        elif marker == rule.mask:
            masks[file.folder].append(file)
        else:
            bad.append((file.path, f"is called like a mask, but masks are called {rule.mask} here"))

    def image_key(file: File) -> str | None:
        return (rule.image.key if _marker(file, _IMAGE) == rule.image else by_stem)(file)

    partners = _partners(images, masks, image_key, rule.mask.key)
    parts = []
    for mask_folder in sorted({*partners.values(), *masks}):
        own = [folder for folder in sorted(images) if partners[folder] == mask_folder]
        reading = pair(
            [file for folder in own for file in images[folder]],
            masks.get(mask_folder, ()),
            image_key=image_key,
            mask_key=rule.mask.key,
        )
        cases = [folders.place(case, _above([_folder(case), mask_folder])) for case in reading.cases]
        parts.append((_above([*own, mask_folder]), Reading(cases, reading.bad)))
    if len({above for above, _ in parts}) < len(parts):  # several pairs of folders in one: images-a/, masks-a/...
        parts = [(_folder(reading.cases[0]) if reading.cases else "", reading) for _, reading in parts]
    reading = join(parts)
    return Reading(folders.unwrapped(reading.cases), sorted(reading.bad + bad))


def _partners(
    images: dict[str, list[File]], masks: dict[str, list[File]], image_key: Key, mask_key: Key
) -> dict[str, str]:
    """For each folder of images the folder of its masks: the nearest that shares names, of several the one with most.

    A folder whose images have no masks is its own partner.
    """
    keys = {folder: {mask_key(file) for file in files} for folder, files in masks.items()}
    below: dict[str, list[str]] = defaultdict(list)
    for folder in sorted(keys):
        for above in _upwards(folder):
            below[above].append(folder)
    partners = {}
    for folder, files in images.items():
        own = {image_key(file) for file in files}
        for above in _upwards(folder):
            best = max(below[above], key=lambda there: len(own & keys[there]), default=folder)
            if own & keys.get(best, set()):
                partners[folder] = best
                break
        else:
            partners[folder] = folder
    return partners


def _upwards(folder: str) -> Iterator[str]:
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]
    yield ""


def _folder(case: Case) -> str:
    return case.images[0].rpartition("/")[0]


def _above(names: Iterable[str]) -> str:
    """The deepest folder that holds all of these (or is them all)."""
    common: list[str] = []
    for parts in zip(*(name.split("/") for name in names), strict=False):
        if len(set(parts)) > 1:
            break
        common.append(parts[0])
    return "/".join(common)


ADAPTER = Adapter(
    name="suffixes", recognise=recognise, read=read, sites_from="the folders above the images (train and test aside)"
)
