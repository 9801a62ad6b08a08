"""Images and masks brought together by a key; what finds no partner, or two, is named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath

from segue.data.adapters.adapter import Reading
from segue.data.case import Case
from segue.data.tree import IMAGES, VOLUMES, File, Tree, suffix

Key = Callable[[File], str | None]


def by_stem(file: File) -> str:
    return file.stem


def without(*, prefix: str = "", ending: str = "") -> Key:
    """The stem less a prefix and an ending (any case of letters); None when the file has them not."""

    def key(file: File) -> str | None:
        name = file.stem
        if not name.lower().startswith(prefix.lower()) or not name.lower().endswith(ending.lower()):
            return None
        return name[len(prefix) : len(name) - len(ending)] or None

    return key


def pair(
    images: Iterable[File], masks: Iterable[File] = (), *, image_key: Key = by_stem, mask_key: Key = by_stem
) -> Reading:
    """One case a key. Files whose key is None are passed over: they belong to something else."""
    found, masked = _by_key(images, image_key), _by_key(masks, mask_key)
    cases: list[Case] = []
    bad: list[tuple[str, str]] = []
    lowered: dict[str, str] = {}
    for key, files in sorted(found.items()):
        partners = masked.pop(key, [])
        if len(files) > 1:
            bad.append((files[0].path, f"two images of one name: {_names(files)}"))
        elif len(partners) > 1:
            bad.append((files[0].path, f"two masks for one image: {_names(partners)}"))
        elif (other := lowered.setdefault(key.lower(), key)) != key:
            bad.append((files[0].path, f"its name differs from {other!r} only in the case of letters"))
        else:
            cases.append(Case(case=key, images=(files[0].path,), mask=partners[0].path if partners else ""))
    bad += [(file.path, "a mask without an image") for files in masked.values() for file in files]
    return Reading(cases, sorted(bad))


def join(parts: Iterable[tuple[str, Reading]]) -> Reading:
    """Several readings as one; each part's name goes before its cases' names, so that they stay apart."""
    cases: list[Case] = []
    bad: list[tuple[str, str]] = []
    for name, reading in parts:
        cases += [case.with_(case=f"{name}/{case.case}" if name else case.case) for case in reading.cases]
        bad += reading.bad
    return Reading(cases, bad)


def is_picture(file: File) -> bool:
    return file.series or suffix(file.name) in IMAGES + VOLUMES


def pictures(tree: Tree, folder: str) -> list[File]:
    """Images and volumes that lie directly in a folder."""
    return [file for file in tree.by_folder.get(folder, ()) if is_picture(file)]


def side_by_side(tree: Tree, images: Sequence[str], masks: Sequence[str]) -> list[tuple[str, str, str]]:
    """(folder above, image folder, mask folder or '') of each image folder, at any depth and in any case of letters.

    The names asked for are lower-case; of several mask folders the one named first is taken.
    """
    folders = {folder.lower(): folder for folder in tree.by_folder if pictures(tree, folder)}
    found = []
    for lowered, folder in folders.items():
        above, slash, last = lowered.rpartition("/")
        if last in images:
            partner = next((folders[above + slash + name] for name in masks if above + slash + name in folders), "")
            found.append((folder.rpartition("/")[0], folder, partner))
    return found


def trail(tree: Tree, folder: str) -> tuple[str, ...]:
    """The names of the root and of the folders down to this one, in lower case: what a copy goes by."""
    below = folder.lower().split("/") if folder else []
    return (tree.root.resolve().name.lower(), *below)


def called(tree: Tree, folder: str, *words: str) -> bool:
    """Whether the root, or a folder on the way down, has one of these words in its name."""
    return any(word in name for name in trail(tree, folder) for word in words)


def inside(path: str, folder: str) -> str:
    """A path relative to a folder of the same tree; '' is the root."""
    return str(PurePosixPath(path).relative_to(folder)) if folder else path


def _by_key(files: Iterable[File], key: Key) -> dict[str, list[File]]:
    grouped: dict[str, list[File]] = {}
    for file in sorted(files, key=lambda file: file.path):
        name = key(file)
        if name is not None:
            grouped.setdefault(name, []).append(file)
    return grouped


def _names(files: Iterable[File]) -> str:
    return ", ".join(file.path for file in files)
