"""Several files a case, numbered as nnU-Net does: `imagesTr/CASE_0000.png`, `_0001`..., masks `labelsTr/CASE.png`.

`dataset.json`, where present, names the channels. imagesTs (with labelsTs or without masks) is the test part.
The format is described at https://github.com/MIC-DKFZ/nnUNet/blob/master/documentation/dataset_format.md
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from segue.data.adapters.adapter import Adapter, Reading
from segue.data.adapters.pairing import join, pair, pictures, side_by_side
from segue.data.tree import File, Tree

FOLDERS = {"imagestr": "train", "imagests": "test"}
_NUMBERED = re.compile(r"(.+)_(\d{4})", re.DOTALL)


def numbered(stem: str) -> tuple[str, int] | None:
    """(case, channel) of a file's name without its ending."""
    match = _NUMBERED.fullmatch(stem)
    return (match[1], int(match[2])) if match else None


def _parts(tree: Tree) -> Iterator[tuple[str, str, str]]:
    """(folder above, images, masks or '') of the folders in which every picture carries the number of a channel."""
    for name in FOLDERS:
        for above, images, masks in side_by_side(tree, [name], [name.replace("images", "labels")]):
            # A folder of frames video_0001.png has numbers as well, but no channel 0, or masks with the same number.
            files = pictures(tree, images)
            numbers = [numbered(file.stem) for file in files]
            first = any(number and number[1] == 0 for number in numbers)
            masked = {file.stem for file in pictures(tree, masks)} if masks else set()
            if first and all(numbers) and masked.isdisjoint(file.stem for file in files):
                yield above, images, masks


def recognise(tree: Tree) -> str | None:
    for _, images, _ in _parts(tree):
        return f"files of {images}/ are numbered by channel: {pictures(tree, images)[0].name}"
    return None


def read(tree: Tree) -> Reading:
    parts = []
    for above, images, masks in _parts(tree):
        part = FOLDERS[images.rpartition("/")[2].lower()]
        reading = _with_channels(tree, above, pictures(tree, images), pictures(tree, masks) if masks else [])
        cases = [case.with_(part=part) for case in reading.cases]
        parts.append((f"{above}/{part}" if above else part, Reading(cases, reading.bad)))
    return join(parts)


def _with_channels(tree: Tree, above: str, images: list[File], masks: list[File]) -> Reading:
    files: dict[str, dict[int, list[File]]] = {}
    for file in images:
        if found := numbered(file.stem):
            files.setdefault(found[0], {}).setdefault(found[1], []).append(file)
    channels = sorted({channel for of_case in files.values() for channel in of_case})
    names, bad = _names(tree, above, len(channels))
    # The first file of a case stands for it when masks are looked for.
    firsts = {name: of_case[min(of_case)][0] for name, of_case in files.items()}
    paired = pair(firsts.values(), masks, image_key=_case_name)
    cases = []
    for case in paired.cases:
        of_case = files[case.case]
        lacking = [f"_{channel:04}" for channel in channels if channel not in of_case]
        twice = [f"_{channel:04}" for channel in of_case if len(of_case[channel]) > 1]
        if lacking:
            bad.append((case.images[0], f"case {case.case!r} lacks {', '.join(lacking)}"))
        elif twice:
            bad.append((case.images[0], f"case {case.case!r} has two files for {', '.join(twice)}"))
        else:
            of_channels = tuple(of_case[channel][0].path for channel in channels)
            cases.append(case.with_(images=of_channels, channels=names))
    return Reading(cases, sorted(bad + paired.bad))


def _case_name(file: File) -> str | None:
    found = numbered(file.stem)
    return found[0] if found else None


def _names(tree: Tree, above: str, count: int) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
    """The channels' names from dataset.json, and what is wrong with it. One colour file has three names."""
    path = f"{above}/dataset.json" if above else "dataset.json"
    if path not in tree.paths:
        return (), []
    try:
        about = json.loads((tree.root / path).read_text(encoding="utf-8-sig"))
        said = about.get("channel_names") or about.get("modality") or {}
        names = tuple(str(said[number]) for number in sorted(said, key=int))
    except (OSError, ValueError, AttributeError, TypeError, KeyError, RecursionError) as error:
        return (), [(path, f"cannot be understood ({error})")]
    if names and count not in (len(names), 1):
        return (), [(path, f"names {len(names)} channels, but there are files for {count}")]
    return names, []


ADAPTER = Adapter(name="channels", recognise=recognise, read=read)
