"""A place to work in that nobody else works in, and that leaves nothing behind when the work fails."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from segue.errors import BadInput, Failed


@contextlib.contextmanager
def alone(work: Path, lock: Path, *, what: Path, busy: str) -> Iterator[None]:
    """`work` and the files around it are ours in here. On failure it goes; on interruption it stays, to go on from.

    The lock dies with its process. Folders made on the way go again where nothing came to lie in them.
    """
    made = [folder for folder in work.parents if not folder.exists()]
    try:
        work.parent.mkdir(parents=True, exist_ok=True)
        with locked(lock, what=what, busy=busy):
            try:
                work.mkdir(exist_ok=True)
                yield
            except KeyboardInterrupt:
                raise
            except BaseException:
                shutil.rmtree(work, ignore_errors=True)
                raise
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise Failed(f"{what}: the disk is full", hint="Give an --out on a larger disk.") from error
        raise Failed(f"{what}: cannot be written ({error.strerror or error})", hint="Give another --out.") from error
    finally:
        for folder in made:
            with contextlib.suppress(OSError):  # not empty
                folder.rmdir()


@contextlib.contextmanager
def locked(lock: Path, *, what: Path, busy: str) -> Iterator[None]:
    """Nobody else is in here. The lock dies with its process."""
    with lock.open("a+b") as file:
        if not _locked(file):
            raise BadInput(f"{what}: {busy}", hint="Wait for it, or give another --out.")
        try:
            yield
        finally:
            with contextlib.suppress(PermissionError):  # Windows removes no open file
                lock.unlink(missing_ok=True)


def _locked(file: IO[bytes]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The lock of a file that its last holder has removed since keeps nobody out.
        return sys.platform == "win32" or os.fstat(file.fileno()).st_ino == Path(file.name).stat().st_ino
    except OSError:
        return False
