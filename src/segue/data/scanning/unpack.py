"""`segue data unpack`: an archive that nobody has checked becomes a folder, member by member, or nothing at all.

Every member is looked at before the first byte is written: absolute paths, `..`, links, devices, two members of one
name, and more bytes than the archive could honestly hold are refused by name. What a header claims is counted again
while writing.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from segue.data.tree import ARCHIVES, suffix
from segue.errors import BadInput, Failed, SegueError

MAX_MEMBERS = 2_000_000
MAX_RATIO = 100  # unpacked over packed; pictures are packed already and stay near 1, masks near 50
_FREE_RATIO = 64 << 20  # bytes below which the ratio does not matter
_CHUNK = 1 << 20
_LARGEST_READ = 16 << 20  # of a header: names, attributes
_DEEPEST = 100  # folders in folders


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
    try:
        if not source.is_file():
            raise BadInput(f"{source}: there is no such archive")
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise BadInput(f"{target}: is there already; give a new folder")
        file = source.open("rb")
    except OSError as error:
        raise BadInput(f"{str(error.filename)[:200]}: cannot be opened ({error.strerror})") from None
    with ExitStack() as stack:
        stack.enter_context(file)
        packed = source.stat().st_size
        with _broken_told(source):
            members, read = _opened(source, file, packed, stack)
            listed = _checked(source, members, packed)
        total = sum(member.size for member in listed)
        made = [folder for folder in target.parents if not folder.exists()]
        work = None
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(target.parent).free < total:
                raise Failed(f"{target.parent}: {source.name} holds {total / 1e6:,.0f} MB, which do not fit here")
            work = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name[:50]}.", suffix=".partial"))
            for member in listed:
                _write(source, member, read, work)
            work.chmod(0o755)
            if target.exists():
                target.rmdir()  # empty, as checked
            work.rename(target)
        except OSError as error:
            raise Failed(f"{target}: cannot be written ({error.strerror or error})") from None
        finally:
            if work is not None:
                shutil.rmtree(work, ignore_errors=True)
            for folder in made:
                with suppress(OSError):  # not empty
                    folder.rmdir()
    return Unpacked(target, len(listed), total)


@contextmanager
def _broken_told(source: Path) -> Iterator[None]:
    try:
        yield
    except SegueError:
        raise
    except Exception as error:  # the libraries raise nearly anything on bytes that were made to hurt
        raise BadInput(f"{source}: is broken ({' '.join(str(error).split())[:120] or type(error).__name__})") from None


def _opened(source: Path, file: IO[bytes], packed: int, stack: ExitStack) -> tuple[Iterator[_Member], _Opener]:
    kind = suffix(source.name)
    if kind == ".zip":
        zipped = stack.enter_context(zipfile.ZipFile(file))
        return (_of_zip(info) for info in zipped.infolist() if not info.is_dir()), zipped.open
    if kind in (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"):
        unpacked = stack.enter_context(_unpacked(file))
        limit = 10 * max(_FREE_RATIO, MAX_RATIO * packed)
        careful: Any = _Careful(unpacked, limit)
        tarred = stack.enter_context(tarfile.TarFile(fileobj=careful))
        return (_of_tar(info) for info in tarred if not info.isdir()), tarred.extractfile
    readable = ", ".join(ending for ending in ARCHIVES if ending not in (".7z", ".rar"))
    raise BadInput(f"{source}: is not an archive that can be unpacked ({readable})")


def _unpacked(file: IO[bytes]) -> IO[bytes]:
    """By its first bytes, whatever the ending says."""
    head = file.read(6)
    file.seek(0)
    if head.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if head.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if head == b"\xfd7zXZ\0":
        return lzma.LZMAFile(file)
    return file


class _Careful:
    """What tarfile reads from: it believes a header and takes the memory that this claims."""

    def __init__(self, file: IO[bytes], limit: int) -> None:
        self._file, self._limit = file, limit
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _LARGEST_READ:
            raise tarfile.ReadError(f"a header claims {size:,} bytes")
        if self.tell() > self._limit:
            raise tarfile.ReadError("it unpacks to far more than it could honestly hold")
        return self._file.read(size)


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
    names: dict[str, str] = {}  # as a file system sees it that knows no case of letters
    folders: dict[str, str] = {}
    for member in members:
        refused = member.refused or _bad_name(member.name)
        path = PurePosixPath(member.name.replace("\\", "/").lower())
        above = {str(folder): member.name for folder in path.parents}
        if not refused and str(path) in names:
            refused = f"has the name of another member ({names[str(path)]!r})"
        clash = next((names[folder] for folder in above if folder in names), folders.get(str(path)))
        if not refused and clash:
            refused = f"is a folder and a file at once ({clash!r})"
        if not refused and member.size < 0:
            refused = f"claims {member.size} bytes"
        if refused:
            raise BadInput(f"{source}: member {_short(member.name)!r} {refused}; nothing was unpacked")
        names[str(path)] = member.name
        folders |= above
        listed.append(member)
        total += member.size
        if len(listed) > MAX_MEMBERS:
            raise BadInput(f"{source}: has more than {MAX_MEMBERS:,} members; nothing was unpacked")
        if total > _FREE_RATIO and total > MAX_RATIO * packed:
            raise BadInput(
                f"{source}: its {packed / 1e6:,.1f} MB claim to hold {total / 1e6:,.0f} MB or more "
                f"(limit {MAX_RATIO} to 1); nothing was unpacked"
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
    if len(path.parts) > _DEEPEST or max(len(os.fsencode(part)) for part in path.parts) > 255:
        return "has a name that is too long"
    return ""


def _short(name: str) -> str:
    return name if len(name) <= 200 else f"{name[:200]}..."


def _write(source: Path, member: _Member, read: _Opener, work: Path) -> None:
    target = work / PurePosixPath(member.name.replace("\\", "/"))
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with _broken_told(source):
        stream = read(member.handle)
    if stream is None:
        raise BadInput(f"{source}: member {member.name!r} cannot be read; nothing was unpacked")
    with stream, target.open("xb") as file:
        while chunk := _next(source, stream):
            written += len(chunk)
            if written > member.size:
                raise BadInput(f"{source}: member {member.name!r} holds more than it claims; nothing was unpacked")
            file.write(chunk)
    if written < member.size:
        raise BadInput(f"{source}: member {member.name!r} holds less than it claims; nothing was unpacked")


def _next(source: Path, stream: IO[bytes]) -> bytes:
    with _broken_told(source):
        return stream.read(_CHUNK)
