"""The table of an evaluation: a row for each case and class, with the columns of the case for subgroups.

It is a CSV that a person can open; numbers are written so that reading gives the very same ones back.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from segue.data.case import Case, read_table, who, write_rows
from segue.errors import BadInput
from segue.evaluation.judging.metrics import NUMBERS, Scores
from segue.files import atomic

SEEN = ("", "images", "masks")  # what training has seen of a case: nothing, its image, its mask too
_COUNTS = tuple(each.name for each in fields(Scores) if each.type == "int")
_SCORES = tuple(each.name for each in fields(Scores))
_EMPTY = ("", "both", "truth", "prediction", "uncounted")
COLUMNS = ("case", "patient", "site", "group", "class", "seen", "voxel_ml", *_SCORES)
_NEWER = ("group", "voxel_ml")  # which tables of before lack
# Of the case itself, and what they are called; its free columns come beside them. A run's own parts are others.
_SUBGROUPS = {"part": "published part", "time": "time", "modality": "modality"}


@dataclass(frozen=True, slots=True)
class Row:
    case: str
    class_name: str
    scores: Scores
    patient: str = ""
    site: str = ""
    seen: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    group: str = ""  # of images of one scene
    voxel_ml: float = 0.0  # millilitres of a voxel; 0: not known, or no volume

    @classmethod
    def of(cls, case: Case, class_name: str, scores: Scores, *, seen: str = "") -> Row:
        own = {told: text for name, told in _SUBGROUPS.items() if (text := getattr(case, name))}
        voxel = math.prod(case.steps) / 1000 if case.volume and case.steps else 0.0
        return cls(
            case.case, class_name, scores, case.patient, case.site, seen, {**case.extra, **own}, case.group, voxel
        )

    @property
    def who(self) -> str:
        """The patient; where none is known, the scene, else the image."""
        return who(self.case, self.patient, self.site, self.group)

    def value(self, metric: str) -> float:
        return float(getattr(self.scores, metric))

    def column(self, name: str) -> str:
        return str(getattr(self, name)) if name in ("case", "patient", "site", "seen") else self.columns.get(name, "")


@dataclass(frozen=True)
class Table:
    rows: tuple[Row, ...]

    def __post_init__(self) -> None:
        seen: set[tuple[str, str]] = set()
        for row in self.rows:
            if (row.case, row.class_name) in seen:
                raise BadInput(f"case {row.case!r} stands twice in the table for class {row.class_name!r}")
            seen.add((row.case, row.class_name))
            if row.seen not in SEEN:
                raise BadInput(f"case {row.case!r}: seen is {row.seen!r}, none of nothing, images, masks")

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Table:
        return cls(tuple(rows))

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    @functools.cached_property
    def classes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.class_name for row in self.rows))

    @functools.cached_property
    def columns(self) -> tuple[str, ...]:
        """What there are subgroups by."""
        free = {name for row in self.rows for name in row.columns}
        return tuple(name for name in ("site", *sorted(free)) if any(row.column(name) for row in self.rows))

    def write(self, path: Path) -> None:
        free = sorted({name for row in self.rows for name in row.columns})
        with atomic(path) as file:
            cells = ([*_cells(row), *(row.columns.get(name, "") for name in free)] for row in self.rows)
            write_rows(file, [[*COLUMNS, *map(_aside, free)], *cells])

    @classmethod
    def read(cls, path: Path) -> Table:
        given = read_table(path)
        missing = [name for name in COLUMNS if given and name not in given[0] and name not in _NEWER]
        if missing:
            raise BadInput(f"{path}: column {missing[0]!r} is missing", hint="segue evaluate writes such a table.")
        rows = []
        for number, cells in enumerate(given, start=2):
            try:
                rows.append(_row(cells))
            except ValueError as error:
                raise BadInput(f"{path}: row {number} cannot be understood ({error})") from None
        try:
            return cls(tuple(rows))
        except BadInput as error:
            raise BadInput(f"{path}: {error.message}") from None


def _aside(name: str) -> str:
    """A free column that is called like one of ours stands beside it under another name; `_back` is the way back."""
    return f"case.{name}" if _bare(name) in COLUMNS else name


def _back(name: str) -> str:
    return name.removeprefix("case.") if _bare(name) in COLUMNS else name


def _bare(name: str) -> str:
    while name.startswith("case."):
        name = name.removeprefix("case.")
    return name


def _cells(row: Row) -> list[str]:
    voxel = str(row.voxel_ml) if row.voxel_ml else ""
    cells = [row.case, row.patient, row.site, row.group, row.class_name, row.seen, voxel]
    for name in _SCORES:
        value = getattr(row.scores, name)
        cells.append("" if isinstance(value, float) and math.isnan(value) else str(value))
    return cells


def _row(cells: Mapping[str, str]) -> Row:
    if not cells["case"] or not cells["class"]:
        raise ValueError("the column case or class is empty")
    if cells["empty"] not in _EMPTY or cells["unit"] not in ("px", "mm"):
        raise ValueError(f"empty is {cells['empty']!r}, unit is {cells['unit']!r}")
    scores: dict[str, Any] = {"empty": cells["empty"], "unit": cells["unit"]}
    for name in (*NUMBERS, *_COUNTS):
        scores[name] = _number(name, cells[name], uncounted=cells["empty"] == "uncounted")
    free = {_back(name): text for name, text in cells.items() if name not in COLUMNS and text}
    return Row(
        cells["case"], cells["class"], Scores(**scores), cells["patient"], cells["site"], cells["seen"], free,
        cells.get("group", ""), _voxel(cells.get("voxel_ml", "")),
    )  # fmt: skip


def _voxel(text: str) -> float:
    value = float(text or 0)
    if not 0 <= value < math.inf:
        raise ValueError(f"voxel_ml is {text!r}")
    return value


def _number(name: str, text: str, *, uncounted: bool) -> float | int:
    if name in _COUNTS:
        if not text.isdecimal():
            raise ValueError(f"{name} is {text!r}")
        return int(text)
    if uncounted and not text:
        return math.nan
    value = float(text)
    most = math.inf if name in ("hd95", "assd", "tolerance") else 1.0
    if not 0 <= value <= most or math.isinf(value):
        raise ValueError(f"{name} is {text!r}")
    return value
