"""All that a run needs to go on: written whole or not at all, checked when read, the one before kept beside it."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from segue.errors import BadInput
from segue.files import atomic

STATE, PREVIOUS = "state.pt", "state.previous.pt"


def save(folder: Path, state: dict[str, Any]) -> None:
    """`state` holds tensors, numbers, words, lists and dicts of these: what can be read again without running code."""
    with atomic(folder / STATE, "wb") as file:
        try:
            torch.save(state, file)
        except RuntimeError as error:
            if isinstance(
                error.__context__, OSError
            ):  # a full disk: closing its archive torch complains of something else
                raise error.__context__ from None
            raise
        if (folder / STATE).exists():
            file.flush()
            # The old one is moved away only once the new one is written: at every moment one of them is whole.
            _link(folder / STATE, folder / PREVIOUS)


def forget(folder: Path) -> None:
    """Of a run that is at its end: optimisers keep several times what its weights take."""
    for name in (STATE, PREVIOUS):
        (folder / name).unlink(missing_ok=True)


def load(folder: Path, *, warn: Any = None) -> dict[str, Any] | None:
    """The last state that is whole; None: there is none yet. `warn` is told when it had to be the one before."""
    broken = []
    for name in (STATE, PREVIOUS):
        path = folder / name
        if not path.exists():
            continue
        try:
            state = _read(path)
        except (OSError, zipfile.BadZipFile, RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError):
            broken.append(path)
            continue
        if broken and warn is not None:
            warn(f"{broken[0]} is damaged; going on from the one before, at step {state.get('step', 0):,}")
        return state
    if broken:
        raise BadInput(
            f"{broken[0]}: is damaged, and there is no earlier one to go on from",
            hint="Remove the run's folder and train again.",
        )
    return None


def _read(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:  # torch's own reading notices a missing end, but no changed byte
        damaged = archive.testzip()
    if damaged is not None:
        raise zipfile.BadZipFile(damaged)
    found = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(found, dict):
        raise ValueError("not a state")
    return found


def _link(source: Path, target: Path) -> None:
    """`target` becomes another name of the file, replacing what had the name."""
    spare = target.with_name(f".{target.name}.link")
    spare.unlink(missing_ok=True)
    try:
        os.link(source, spare)
    except OSError:  # a file system without links
        spare.write_bytes(source.read_bytes())
    spare.replace(target)
