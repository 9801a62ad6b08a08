"""Writing files so that nothing half-written is ever seen, and reading what was written that way."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Literal

from segue.errors import BadInput, Failed


@contextmanager
def atomic(path: Path, mode: Literal["w", "wb"] = "w") -> Iterator[IO[Any]]:
    """Write beside the target and rename, so that a reader sees the old file or the new one, never half of one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:50]}.", suffix=".part")
    except OSError as error:
        raise Failed(f"{path}: cannot be written ({error.strerror or error})") from None
    part = Path(name)
    try:
        text = {"encoding": "utf-8", "newline": ""} if mode == "w" else {}
        with os.fdopen(descriptor, mode, **text) as file:  # type: ignore[call-overload]
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    except OSError as error:
        raise Failed(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    with atomic(path) as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
        file.write("\n")


def without_nan(one: Any) -> dict[str, Any]:
    """A dataclass as JSON takes it: what is not a number is null."""
    return {name: None if value != value else value for name, value in asdict(one).items()}


def read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{path}: cannot be read ({error})") from None
    if not isinstance(found, dict):
        raise BadInput(f"{path}: must hold keys and values")
    return found


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
