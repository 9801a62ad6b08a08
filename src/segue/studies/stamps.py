"""A study's datasets are what they were when it began: runs of two states of one dataset must not be compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from segue.data.dataset import Dataset
from segue.errors import BadInput
from segue.files import read_json, write_json

NAME = "data.json"


def demand_same(datasets: Iterable[Dataset], splits: Iterable[str], study: Path) -> None:
    """Their tables of cases and the splits that are used, against what the study remembers; what is new is remembered."""
    tables = ["cases.csv", *(f"{name}.csv" for name in splits)]
    path = study / NAME
    known = dict(read_json(path)) if path.exists() else {}
    for dataset in datasets:
        now = _stamps(dataset.folder, tables)
        before = known.get(str(dataset.folder), {})
        changed = next((name for name in tables if name in before and now.get(name) != before[name]), None)
        if changed is not None:
            raise BadInput(
                f"{dataset.folder}: its {changed} is not what it was when the study began",
                hint=f"Put it back, or begin anew in another folder: --out elsewhere/{study.name}",
            )
        known[str(dataset.folder)] = {**now, **before}
    write_json(path, known)


def _stamps(folder: Path, tables: Iterable[str]) -> dict[str, str]:
    return {
        name: hashlib.blake2b((folder / name).read_bytes(), digest_size=8).hexdigest()
        for name in tables if (folder / name).exists()
    }  # fmt: skip
