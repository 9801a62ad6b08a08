"""Has a file been touched since it was looked at? Its size and time of change answer without reading it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from segue.data.case import Case
from segue.data.tree import series_stat


def stamp(files: Iterable[tuple[str, int, int]]) -> str:
    """Of (path, size, nanoseconds of change)."""
    text = "\n".join(f"{path}\t{size}\t{changed}" for path, size, changed in sorted(files))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def stamp_now(root: Path, case: Case) -> str:
    """Of a case's files as they are; empty when one is gone."""
    files = []
    for path in (*case.images, *([case.mask] if case.mask else [])):
        try:
            where = root / path
            about = where.stat()
            size, changed = series_stat(where) if where.is_dir() else (about.st_size, about.st_mtime_ns)
        except OSError:
            return ""
        files.append((path, size, changed))
    return stamp(files)
