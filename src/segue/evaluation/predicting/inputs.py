"""What is given to predict: which files of which folders, and where their masks go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from segue.data.adapters.channels import numbered
from segue.data.adapters.folders import MASK_FOLDERS
from segue.data.adapters.suffixes import sounds_like_mask
from segue.data.target import Target
from segue.data.tree import IMAGES, VOLUMES, Tree, stem, suffix
from segue.errors import BadInput

Inputs = Sequence[Path | str] | Path | str


def others(path: Path) -> list[Path]:
    """Where a case is a file for each channel (CASE_0000.nii.gz, CASE_0001.nii.gz), and this is the first: the others that
    lie beside it."""
    case, channel = numbered(stem(path.name)) or ("", -1)
    found: list[Path] = []
    while channel == 0 and (further := path.with_name(f"{case}_{len(found) + 1:04}{suffix(path.name)}")).is_file():
        found.append(further)
    return found


def _together(found: list[tuple[Path, str]]) -> list[tuple[Path, str]]:
    """A case's channels as one, under the case's name."""
    beside = {path: others(path) for path, _ in found}
    within = {other.resolve() for each in beside.values() for other in each}
    return [
        (path, f"{name[: -len(suffix(name)) - len('_0000')]}{suffix(name)}" if beside[path] else name)
        for path, name in found
        if path.resolve() not in within
    ]


def listed(
    inputs: Inputs, *, volumes: bool = False, besides: Path | None = None, together: bool = False
) -> list[tuple[Path, str]]:
    """(image, its path under what was given). Of folders all pictures, or all volumes, at any depth, but those that look like
    masks or lie in `besides`; a file that is named is taken as it is. `together`: files that are the channels of one case
    are one."""
    given = [Path(inputs)] if isinstance(inputs, Path | str) else [Path(each) for each in inputs]
    if not given:
        raise BadInput("no image is given to predict")
    found: list[tuple[Path, str]] = []
    endings = VOLUMES if volumes else IMAGES
    for where in given:
        try:
            if where.is_file():
                found.append((where, where.name))
                continue
            if not where.exists():
                raise BadInput(f"{where}: there is no such file or folder")
        except OSError as error:  # a name too long
            raise BadInput(f"{str(where)[:200]}: cannot be opened ({error.strerror})") from None
        inside = [(where / path if path else where, path or where.name) for path in _inside(where, volumes)]
        if besides is not None:
            own = besides.resolve()
            inside = [(path, name) for path, name in inside if not path.resolve().is_relative_to(own)]
        if not inside:
            own_place = besides is not None and where.resolve().is_relative_to(besides.resolve())
            raise BadInput(
                f"{where}: is where the results would go, so what it holds is taken for earlier ones"
                if own_place
                else f"{where}: holds no {'volumes' if volumes else 'pictures'} ({', '.join(endings[:4])}...)",
                hint="Give another --out." if own_place else "Masks and earlier results do not count.",
            )
        found += inside
    once = {path.resolve(): (path, name) for path, name in reversed(found)}
    every = list(reversed(once.values()))
    return _together(every) if together else every


def _inside(folder: Path, volumes: bool) -> Iterator[str]:
    """Images under a folder, and folders that are one: a series of DICOM slices ('' is the folder itself)."""
    for file in Tree.read(folder).files:
        if sounds_like_mask(file) or any(part.lower() in MASK_FOLDERS for part in file.folder.split("/")):
            continue
        if volumes and file.series:
            yield file.path if file.path != "." else ""
        elif suffix(file.name) in (VOLUMES if volumes else IMAGES):
            yield file.path


def places(
    found: Sequence[tuple[Path, str]], out: Path, target: Target, *, ending: str = ".png"
) -> dict[Path, tuple[Path, ...]]:
    """Where the masks of each image go. Images that differ only in their ending keep it: a.jpg.png, a.tif.png."""
    bare = {path: name if path.is_dir() or not suffix(name) else name[: -len(suffix(name))] for path, name in found}
    times = Counter(bare.values())
    marks = [""] if target.exclusive or ending == ".dcm" else [f"_{_plain(name)}" for name in target.names]
    where: dict[Path, tuple[Path, ...]] = {}
    taken: dict[Path, Path] = {}
    images_ = {path.resolve() for path, _ in found}
    for path, name in found:
        stem = name if times[bare[path]] > 1 else bare[path]
        where[path] = tuple(out / PurePosixPath(f"{stem}{mark}{ending}") for mark in marks)
        for place in where[path]:
            if place.resolve() in images_:
                raise BadInput(
                    f"{place}: is an image to predict, and its mask would overwrite it", hint="Give another --out."
                )
            if place in taken:
                raise BadInput(
                    f"{path} and {taken[place]} would both be written as {place}", hint="Predict one folder at a time."
                )
            taken[place] = path
    return where


def _plain(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)
