"""The Medical Segmentation Decathlon, any of its ten tasks, and folders made like them.

Layout as in the archives of http://medicaldecathlon.com: `imagesTr/NAME.nii.gz`, `labelsTr/NAME.nii.gz`, unlabelled
`imagesTs`, and `dataset.json` with classes and channels; the channels of a file are its fourth axis. Patients are not told:
in the hippocampus task two files may be the two sides of one brain.
"""

from __future__ import annotations

import json
import re
from typing import Any

from segue.data.adapters.adapter import Adapter, Known, Reading
from segue.data.adapters.pairing import join, pair, pictures, side_by_side
from segue.data.tree import VOLUMES, Tree, suffix

_MR = ("mr", "t1", "t2", "flair", "adc", "pd")


def _folders(tree: Tree) -> list[tuple[str, str, str]]:
    """(folder above, images, masks) where dataset.json lies above, and files are volumes without a channel's number."""
    found = []
    for above, images, masks in side_by_side(tree, ["imagestr"], ["labelstr"]):
        names = {file.stem for file in pictures(tree, images) if suffix(file.name) in VOLUMES}
        same = masks and names & {file.stem for file in pictures(tree, masks)}
        if same and (f"{above}/dataset.json" if above else "dataset.json") in tree.paths:
            found.append((above, images, masks))
    return found


def recognise(tree: Tree) -> str | None:
    found = _folders(tree)
    return f"dataset.json, and {found[0][1]}/ beside {found[0][2]}/ with the same names" if found else None


def read(tree: Tree) -> Reading:
    parts = []
    classes: dict[str, int | str] = {}
    tasks = _folders(tree)
    for above, images, masks in tasks:
        path = f"{above}/dataset.json" if above else "dataset.json"
        try:
            about: dict[str, Any] = json.loads((tree.root / path).read_text(encoding="utf-8-sig"))
            names = {str(name): int(value) for value, name in about.get("labels", {}).items()}
            said = about.get("modality", {})
            channels = tuple(str(said[number]) for number in sorted(said, key=int))
        except (OSError, ValueError, AttributeError, TypeError, KeyError, RecursionError) as error:
            parts.append((above, Reading([], [(path, f"cannot be understood ({error})")])))
            continue
        if classes and names != classes:
            parts.append((above, Reading([], [(path, "names other classes than the first; scan one task at a time")])))
            continue
        classes |= names
        hidden = [folder for _, folder, _ in side_by_side(tree, ["imagests"], []) if folder.rpartition("/")[0] == above]
        files = [*pictures(tree, images), *(file for folder in hidden for file in pictures(tree, folder))]
        reading = pair(files, pictures(tree, masks))
        told = [case.with_(channels=channels, modality=_modality(channels)) for case in reading.cases]
        parts.append((above if len(tasks) > 1 else "", Reading(told, reading.bad)))
    joined = join(parts)
    # Value 0 is the background, whatever it is called there.
    named = {("background" if value == 0 else name): value for name, value in classes.items()}
    return Reading(joined.cases, joined.bad, named)


def _modality(channels: tuple[str, ...]) -> str:
    words = " ".join(channels).lower()
    if "ct" in re.split(r"\W+", words):
        return "CT"
    return "MR" if any(part in words for part in _MR) else ""


ADAPTER = Adapter(
    name="decathlon",
    recognise=recognise,
    read=read,
    known=Known(
        about="ten tasks in CT and MR: brain tumours, heart, liver, hippocampus, prostate, lung... (MSD)",
        home="http://medicaldecathlon.com",
        access="open download",
        licence="CC BY-SA 4.0",
        citation="Antonelli et al., The Medical Segmentation Decathlon, Nature Communications 13, 2022",
        tree="""
        Task04_Hippocampus/
          dataset.json
          imagesTr/hippocampus_001.nii.gz
          labelsTr/hippocampus_001.nii.gz
          imagesTs/hippocampus_002.nii.gz
        """,
    ),
)
