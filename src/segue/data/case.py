"""A case: one image (a frame or a volume), perhaps a mask, its patient and its site; and the table of them.

The table is a CSV that a person can open. A cell never starts a formula, a name may hold any character, and free columns
(sex, scanner, skin type...) ride along for subgroup tables.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import IO, Any, Protocol

from segue.errors import BadInput
from segue.files import atomic

IGNORE = 255  # "does not count", wherever a class id stands


@dataclass(frozen=True, slots=True)
class Case:
    case: str
    images: tuple[str, ...]  # relative to the dataset's root; several files are several channels
    mask: str = ""  # empty: unlabelled
    patient: str = ""
    site: str = ""
    time: str = ""  # frame of a video, phase of a heart, visit
    modality: str = ""  # where it differs from case to case; else the card says it
    channels: tuple[str, ...] = ()  # likewise
    part: str = ""  # train, validation or test, where the publisher has split
    # measured by the scan
    height: int = 0
    width: int = 0
    depth: int = 0  # 0: a frame, not a volume
    spacing: tuple[float, ...] = ()  # millimetres: row, column, slice
    foreground: float | None = None  # fraction of pixels of any class but background
    digest: str = ""  # of the decoded pixels
    stamp: str = ""  # of its files' sizes and times: the same stamp, the same files
    group: str = ""  # copies and frames of one scene share a group; empty: none
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def labelled(self) -> bool:
        return bool(self.mask)

    @property
    def volume(self) -> bool:
        return self.depth > 0

    @property
    def steps(self) -> tuple[float, ...]:
        """Millimetres along the axes of its array: row and column, or slice, row and column. Empty: not known."""
        return (self.spacing[2], *self.spacing[:2]) if self.volume and len(self.spacing) == 3 else self.spacing[:2]

    @property
    def who(self) -> str:
        return who(self.case, self.patient, self.site, self.group)

    def with_(self, **changes: Any) -> Case:
        return replace(self, **changes)


def who(case: str, patient: str, site: str, group: str) -> str:
    """The patient; where none is known, what was found to show one scene; else each image counts as its own."""
    if patient:
        return f"{site}/{patient}"
    return f"scene {group}" if group else f"image {case}"


class Owned(Protocol):
    """A case, or a row about one."""

    @property
    def patient(self) -> str: ...

    @property
    def group(self) -> str: ...


def whom(several: Iterable[Owned]) -> str:
    """What `who` tells apart, in a word: patients, or where not all are known scenes, or images."""
    owned = list(several)
    if all(one.patient for one in owned):
        return "patient"
    return "scene" if any(one.patient or one.group for one in owned) else "image"


COLUMNS = tuple(f.name for f in fields(Case) if f.name != "extra")
MAX_TABLE = 1 << 28  # bytes
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


def guard(text: str) -> str:
    """Keep a spreadsheet from running a cell; `unguard` gives the text back."""
    return "'" + text if text.startswith(_FORMULA) else text


def unguard(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


def join_names(names: Sequence[str]) -> str:
    # One name stands as it is; several (or one that looks like a list) as JSON, so that no separator is forbidden in names.
    if len(names) == 1 and not names[0].startswith("["):
        return names[0]
    return json.dumps(list(names), ensure_ascii=False) if names else ""


def split_names(text: str) -> tuple[str, ...]:
    if text.startswith("["):
        try:
            return tuple(str(name) for name in json.loads(text))
        except RecursionError:
            raise ValueError("lists in lists") from None
    return (text,) if text else ()


def write_cases(path: Path, cases: Iterable[Case]) -> None:
    cases = list(cases)
    free = sorted({name for case in cases for name in case.extra})
    with atomic(path) as file:
        rows = ([*_row(case), *(case.extra.get(name, "") for name in free)] for case in cases)
        write_rows(file, [[*COLUMNS, *free], *rows])


def write_rows(file: IO[str], rows: Iterable[Iterable[object]]) -> None:
    """Whatever text a cell holds, `read_table` gives it back."""
    plain = csv.writer(file, lineterminator="\n")
    quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in rows:
        cells = [guard(cell) if isinstance(cell, str) else str(cell) for cell in row]
        # Before Python 3.13 a carriage return is not quoted by itself.
        (quoted if any("\r" in cell for cell in cells) else plain).writerow(cells)


def _row(case: Case) -> list[str]:
    cells = []
    for name in COLUMNS:
        value = getattr(case, name)
        if name in ("images", "channels"):
            cells.append(join_names(value))
        elif name == "spacing":
            cells.append("x".join(f"{mm:g}" for mm in value))
        elif name == "foreground":
            cells.append("" if value is None else f"{value:.6g}")
        elif name in ("height", "width", "depth"):
            cells.append(str(value) if value else "")
        else:
            cells.append(value)
    return cells


def read_cases(path: Path) -> list[Case]:
    rows = read_table(path)
    missing = {"case", "images"} - set(rows[0] if rows else {"case": "", "images": ""})
    if missing:
        raise BadInput(f"{path}: column {sorted(missing)[0]!r} is missing", hint="Scan the folder again.")
    cases, seen = [], set()
    for number, row in enumerate(rows, start=2):
        try:
            case = _case(row)
        except (ValueError, TypeError) as error:
            raise BadInput(f"{path}: row {number} cannot be understood ({error})") from None
        if case.case in seen:
            raise BadInput(f"{path}: row {number}: case {case.case!r} stands twice")
        seen.add(case.case)
        cases.append(case)
    return cases


def _case(row: Mapping[str, str]) -> Case:
    given: dict[str, Any] = {name: row.get(name, "") for name in COLUMNS}
    given["images"], given["channels"] = split_names(given["images"]), split_names(given["channels"])
    if not given["case"] or not given["images"]:
        raise ValueError("the column case or images is empty")
    given["spacing"] = tuple(float(mm) for mm in given["spacing"].split("x")) if given["spacing"] else ()
    given["foreground"] = float(given["foreground"]) if given["foreground"] else None
    if not 0 <= (given["foreground"] or 0) <= 1 or not all(0 < mm < math.inf for mm in given["spacing"]):
        raise ValueError("foreground is a share of 1, spacing is in millimetres")
    if given["part"] not in ("", "train", "validation", "test"):
        raise ValueError(f"part {given['part']!r} is none of train, validation, test")
    for name in ("height", "width", "depth"):
        given[name] = int(given[name] or 0)
        if given[name] < 0:
            raise ValueError(f"{name} {given[name]}")
    return Case(**given, extra={name: text for name, text in row.items() if name not in COLUMNS and text})


def read_table(path: Path) -> list[dict[str, str]]:
    """Any CSV of ours or of a user's: comma, semicolon or tab; a byte-order mark is forgiven."""
    try:
        if path.stat().st_size > MAX_TABLE:
            raise BadInput(f"{path}: {path.stat().st_size / 1e6:,.0f} MB is more than a table should have")
        with path.open(encoding="utf-8-sig", newline="") as file:  # a name may hold a carriage return
            text = file.read()
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path}: is not UTF-8 text", hint="Save the table as 'CSV UTF-8'.") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
    if "\0" in text:
        raise BadInput(f"{path}: is not UTF-8 text (it holds NUL)", hint="Save the table as 'CSV UTF-8'.")
    head = text.partition("\n")[0]
    separator = max(",;\t", key=head.count)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        header = [unguard(name.strip()) for name in next(reader, [])]
        rows = [row for row in reader if row]
    except csv.Error as error:
        raise BadInput(f"{path}: is not a table ({error})") from None
    if len(set(header)) != len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise BadInput(f"{path}: column {twice!r} stands twice")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise BadInput(f"{path}: row {number} has {len(row)} cells, the header has {len(header)}")
    return [{name: unguard(cell) for name, cell in zip(header, row, strict=True)} for row in rows]
