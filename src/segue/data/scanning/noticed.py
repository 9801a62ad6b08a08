"""What a scan remarks about a folder, in sentences, beside the doubts that the table raises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from segue.data import labels as rules
from segue.data.adapters import Adapter
from segue.data.adapters.folders import MASK_FOLDERS
from segue.data.adapters.suffixes import sounds_like_mask
from segue.data.case import Case
from segue.data.tree import File, Tree
from segue.words import count

Seen = Iterable[tuple[Case, dict[str, Any]]]  # cases, and what the workers told of them


def unused(pictures: list[str], *, unpaired: bool) -> Iterator[str]:
    """`unpaired`: a template for images was given, and none for masks."""
    if pictures:
        belong = "picture belongs" if len(pictures) == 1 else "pictures belong"
        folders = Counter(path.partition("/")[0] for path in pictures if "/" in path).most_common(3)
        apart = f"; a folder like {folders[0][0]}/ may be a dataset of its own" if len(folders) == 3 else ""
        masks = unpaired and any(_like_a_mask(path) for path in pictures)
        apart = "; --mask TEMPLATE takes those that are masks" if masks else apart
        yield f"{len(pictures):,} {belong} to no case, for example {pictures[0]}{apart}."


def _like_a_mask(path: str) -> bool:
    in_masks = any(part.lower() in MASK_FOLDERS for part in path.split("/")[:-1])
    return in_masks or sounds_like_mask(File(path, 0, 0))


def of_volumes(seen: Seen) -> Iterator[str]:
    by_doubt: dict[str, list[str]] = {}
    for case, about in seen:
        for doubt in about.get("doubts", ()):
            by_doubt.setdefault(doubt, []).append(case.images[0])
    for doubt, paths in sorted(by_doubt.items()):
        yield f"{count(len(paths), 'volume')}, for example {min(paths)}: {doubt}."


def unknown_modality(cases: Iterable[Case], told: str) -> Iterator[str]:
    unknown = sum(bool(case.depth) and not case.modality for case in cases)
    if unknown and not told:
        yield (
            f"Of {count(unknown, 'volume')} the modality is not known: --modality CT or MR says it. CT is brought to a "
            "window of Hounsfield units, anything else to its own percentiles."
        )


def resembling(tree: Tree, taken: Adapter, known: Iterable[Adapter]) -> Iterator[str]:
    for other in known:
        if other.resembles and not taken.known and (why := other.resembles(tree)):
            yield f"{why}: --layout {other.name} reads it so."


def rare(classes: rules.Classes, with_class: Counter[int], seen: Seen, rule: rules.Labels | None) -> Iterator[str]:
    """One mask with a value of its own is more often a slip than a class."""
    if len(classes) > 2 and with_class.total() > 2 * len(classes):
        for number in sorted(classes):
            if number and with_class[number] == 1:
                mask = next(case.mask for case, about in seen if number in classes_in(rule, about))
                yield f"Class {classes[number]!r} is in one mask only, {mask}: a class, or a slip?"


def classes_in(rule: rules.Labels | None, seen: dict[str, Any]) -> set[int]:
    if "classes" in seen:
        return {number for number, _ in seen["classes"]}
    if rule is None or "mask" not in seen:
        return set()
    return rules.classes_in(rule, seen["mask"])
