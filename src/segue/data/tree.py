"""What lies under a folder: one walk, sorted, links followed but never in circles, pipes and rubbish left out.

Adapters look at this listing, not at the disk. A folder of DICOM slices is one entry, as the volume that it is.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from segue.errors import BadInput

IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm")
VOLUMES = (".nii", ".nii.gz", ".nrrd", ".mha", ".mgz")
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".7z", ".rar")
SLICES = (".dcm", ".ima")  # one of many files that are a volume together
_MAGIC = b"DICM"  # behind 128 bytes, in slices that exports have left without an ending
_RUBBISH = {"thumbs.db", "desktop.ini", "__macosx"}  # and whatever starts with a dot
_DEEPEST = 100  # folders in folders
_WAYS = 16  # by which links may lead to one folder


def suffix(name: str) -> str:
    """The lower-case ending, `.nii.gz` kept whole."""
    name = name.rpartition("/")[2].lower()
    for double in (".nii.gz", ".tar.gz", ".tar.bz2", ".tar.xz"):
        if name.endswith(double):
            return double
    dot = name.rfind(".")
    return name[dot:] if dot > 0 else ""


def stem(name: str) -> str:
    """The file's name without folder and ending."""
    name = name.rpartition("/")[2]
    ending = suffix(name)
    return name[: -len(ending)] if ending else name


@dataclass(frozen=True, slots=True)
class File:
    path: str  # relative to the root, forward slashes
    size: int
    changed: int  # nanoseconds
    series: bool = False  # a folder of DICOM slices: all of it

    @property
    def stem(self) -> str:
        """The name without its ending, where it has one: a series may be called 1.2.840."""
        return stem(self.name) if not self.series else self.name if self.path != "." else "series"

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Tree:
    root: Path
    files: tuple[File, ...]  # sorted by path
    left_out: tuple[tuple[str, str], ...] = field(default=())  # (file, reason)

    @classmethod
    def read(cls, root: Path) -> Tree:
        try:
            if not root.exists():
                raise BadInput(f"{root}: there is no such folder")
            full = str(root.resolve())
        except (OSError, RuntimeError) as error:  # a name too long, a link to itself
            raise BadInput(f"{str(root)[:200]}: cannot be opened ({getattr(error, 'strerror', error)})") from None
        if not _readable_name(full):
            raise BadInput(f"{_escaped(str(root))}: its name is not valid text; rename the folder")
        if not root.is_dir():
            if suffix(root.name) in ARCHIVES:
                raise BadInput(
                    f"{root}: is an archive, not a folder",
                    hint=f"segue data unpack {root} --to FOLDER, then scan that.",
                )
            raise BadInput(f"{root}: is a file, not a folder")
        files: list[File] = []
        left_out: list[tuple[str, str]] = []
        _walk(root, "", files, left_out, frozenset(), Counter())
        files = _folded(root, files)
        files.sort(key=lambda file: file.path)
        return cls(root, tuple(files), tuple(sorted(left_out)))

    @cached_property
    def by_folder(self) -> dict[str, tuple[File, ...]]:
        """Files of each folder, the root being ''."""
        folders: dict[str, list[File]] = {}
        for file in self.files:
            folders.setdefault(file.folder, []).append(file)
        return {folder: tuple(files) for folder, files in sorted(folders.items())}

    @cached_property
    def paths(self) -> frozenset[str]:
        return frozenset(file.path for file in self.files)

    def images(self, folder: str) -> tuple[File, ...]:
        """The pictures that lie directly in a folder."""
        return tuple(file for file in self.by_folder.get(folder, ()) if suffix(file.name) in IMAGES)

    def folders(self, *tail: str) -> Iterator[str]:
        """Folders whose last parts are these, whatever the case of letters and however deep: folders("Ground Truth")."""
        wanted = tuple(part.lower() for part in tail)
        for folder in self.by_folder:
            if tuple(part.lower() for part in PurePosixPath(folder).parts[-len(wanted) :]) == wanted:
                yield folder


def _folded(root: Path, files: list[File]) -> list[File]:
    """Folders with slices in them become one entry each, with all that lies directly in them."""
    with_slices = {file.folder for file in files if suffix(file.name) in SLICES}
    # A look at the first bytes, at one file of a folder, where names say nothing.
    seen: dict[str, bool] = {}
    for file in files:
        ending = suffix(file.name)[1:]
        if file.folder not in with_slices and (not ending or ending.isdigit()) and not seen.get(file.folder):
            seen[file.folder] = is_slice(root / file.path)
    with_slices |= {folder for folder, found in seen.items() if found}
    rest = [file for file in files if file.folder not in with_slices]
    return [*rest, *(File(folder or ".", *series_stat(root / folder), series=True) for folder in with_slices)]


def series_stat(folder: Path) -> tuple[int, int]:
    """Bytes of all files that lie directly in a folder, and when the last of them was changed."""
    about = [entry.stat() for entry in os.scandir(folder) if not entry.name.startswith(".") and entry.is_file()]
    return sum(one.st_size for one in about), max((one.st_mtime_ns for one in about), default=0)


def is_slice(path: Path) -> bool:
    """Whether a file begins as DICOM does."""
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == _MAGIC
    except OSError:
        return False


def _walk(
    root: Path,
    folder: str,
    files: list[File],
    left_out: list[tuple[str, str]],
    above: frozenset[tuple[int, int]],
    ways: Counter[tuple[int, int]],
) -> None:
    try:
        here = (root / folder).stat()
        identity = (here.st_dev, here.st_ino)
        if identity in above:
            left_out.append((folder, "a link that leads back to a folder above it"))
            return
        ways[identity] += 1
        if ways[identity] > _WAYS:
            left_out.append((folder, f"more than {_WAYS} links lead to this folder"))
            return
        if len(above) >= _DEEPEST:
            left_out.append((folder, f"lies more than {_DEEPEST} folders deep"))
            return
        with os.scandir(root / folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        left_out.append((folder or ".", f"cannot be opened ({error.strerror})"))
        return
    for entry in listed:
        if entry.name.startswith(".") or entry.name.lower() in _RUBBISH:
            continue
        path = f"{folder}/{entry.name}" if folder else entry.name
        if not _readable_name(path):
            left_out.append((_escaped(path), "its name is not valid text"))
            continue
        try:
            about = entry.stat()
        except OSError as error:
            left_out.append((path, "a broken link" if entry.is_symlink() else f"cannot be opened ({error.strerror})"))
            continue
        if stat.S_ISDIR(about.st_mode):
            _walk(root, path, files, left_out, above | {identity}, ways)
        elif stat.S_ISREG(about.st_mode):
            files.append(File(path, about.st_size, about.st_mtime_ns))
        else:
            left_out.append((path, "is neither a file nor a folder"))


def _escaped(path: str) -> str:
    return path.encode(errors="backslashreplace").decode()


def _readable_name(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
