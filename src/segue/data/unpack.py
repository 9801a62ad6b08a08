"""`segue data unpack`: an archive that nobody has checked becomes a folder, member by member, or nothing at all.

Every member is looked at before the first byte is written: absolute paths, `..`, links, devices, two members of one name,
and more bytes than the archive could honestly hold are refused by name. What a header claims is counted again while
writing.
"""

from __future__ import annotations

import re
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from segue.data.tree import ARCHIVES, suffix
from segue.errors import BadInput, Failed

MAX_MEMBERS = 2_000_000
MAX_RATIO = 100  # unpacked over packed; pictures are packed already and stay near 1, masks near 50
_FREE_RATIO = 64 << 20  # bytes below which the ratio does not matter
_CHUNK = 1 << 20


_Opener = Callable[[Any], IO[bytes] | None]


@dataclass(frozen=True)
class Unpacked:
    folder: Path
    files: int
    bytes: int

    def as_json(self) -> dict[str, object]:
        return {"folder": str(self.folder), "files": self.files, "bytes": self.bytes}


@dataclass(frozen=True)
class _Member:
    name: str
    size: int
    refused: str  # why; empty: fine
    handle: zipfile.ZipInfo | tarfile.TarInfo


def unpack(archive: Path | str, to: Path | str) -> Unpacked:
    """Unpack into a new folder `to`."""
    source, target = Path(archive), Path(to)
    if not source.is_file():
        raise BadInput(f"{source}: there is no such archive")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BadInput(f"{target}: is there already; give a new folder")
    packed = source.stat().st_size
    with _opened(source) as (members, read):
        listed = _checked(source, members, packed)
        total = sum(member.size for member in listed)
        target.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(target.parent).free < total:
            raise Failed(f"{target.parent}: {source.name} unpacks to {total / 1e6:,.0f} MB, which do not fit on the disk")
        work = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.", suffix=".partial"))
        try:
            for member in listed:
                _write(source, member, read, work)
            work.chmod(0o755)
            if target.exists():
                target.rmdir()  # empty, as checked
            work.rename(target)
        except OSError as error:
            raise Failed(f"{target}: cannot be written ({error.strerror})") from None
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return Unpacked(target, len(listed), total)


@contextmanager
def _opened(source: Path) -> Iterator[tuple[Iterator[_Member], _Opener]]:
    try:
        if suffix(source.name) == ".zip":
            with zipfile.ZipFile(source) as archive:
                yield (_of_zip(info) for info in archive.infolist() if not info.is_dir()), archive.open  # type: ignore[misc]
        elif suffix(source.name) in (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"):
            with tarfile.open(source) as archive:
                yield (_of_tar(info) for info in archive if not info.isdir()), archive.extractfile  # type: ignore[misc]
        else:
            readable = ", ".join(ending for ending in ARCHIVES if ending not in (".7z", ".rar"))
            raise BadInput(f"{source}: is not an archive that can be unpacked ({readable})")
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise BadInput(f"{source}: is broken ({' '.join(str(error).split()) or type(error).__name__})") from None


def _of_zip(info: zipfile.ZipInfo) -> _Member:
    mode = info.external_attr >> 16
    refused = ""
    if stat.S_ISLNK(mode):
        refused = "is a link"
    elif info.flag_bits & 1:
        refused = "is encrypted"
    return _Member(info.filename, info.file_size, refused, info)


def _of_tar(info: tarfile.TarInfo) -> _Member:
    refused = ""
    if info.issym() or info.islnk():
        refused = "is a link"
    elif not info.isfile():
        refused = "is a device or a pipe"
    return _Member(info.name, info.size, refused, info)


def _checked(source: Path, members: Iterator[_Member], packed: int) -> list[_Member]:
    listed: list[_Member] = []
    total = 0
    names: dict[str, str] = {}
    for member in members:
        refused = member.refused or _bad_name(member.name)
        if not refused and member.name.lower() in names:
            refused = f"has the name of another member ({names[member.name.lower()]})"
        if refused:
            raise BadInput(f"{source}: member {member.name!r} {refused}; nothing was unpacked")
        names[member.name.lower()] = member.name
        listed.append(member)
        total += member.size
        if len(listed) > MAX_MEMBERS:
            raise BadInput(f"{source}: has more than {MAX_MEMBERS:,} members; nothing was unpacked")
        if total > _FREE_RATIO and total > MAX_RATIO * packed:
            raise BadInput(
                f"{source}: its {packed / 1e6:,.1f} MB claim to hold {total / 1e6:,.0f} MB or more (limit {MAX_RATIO} to 1); "
                "nothing was unpacked"
            )
    if not listed:
        raise BadInput(f"{source}: is empty")
    return listed


def _bad_name(name: str) -> str:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or re.match(r"[A-Za-z]:", name):
        return "has an absolute path"
    if ".." in path.parts:
        return "leads out of the folder"
    if not path.parts or any(ord(letter) < 32 for letter in name):
        return "has a name that cannot be written"
    return ""


def _write(source: Path, member: _Member, read: _Opener, work: Path) -> None:
    target = work / PurePosixPath(member.name.replace("\\", "/"))
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    stream = read(member.handle)
    if stream is None:
        raise BadInput(f"{source}: member {member.name!r} cannot be read; nothing was unpacked")
    with stream, target.open("xb") as file:
        while chunk := stream.read(_CHUNK):
            written += len(chunk)
            if written > member.size:
                raise BadInput(f"{source}: member {member.name!r} holds more than it claims; nothing was unpacked")
            file.write(chunk)
