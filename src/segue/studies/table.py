"""A table as an axis, CSV or spreadsheet: each row is a value. The file is read and never written to.

A column is a setting, by its own name or by the one that the study gives it (`columns: {lr: loop.rate}`); a column that the
study calls nothing (`columns: {comment: ""}`) is for people. An empty cell leaves the setting as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segue.config import plain
from segue.data.case import read_table
from segue.errors import BadInput
from segue.studies.axes import Axis
from segue.studies.bunch import bunch
from segue.studies.sheet import ENDING, read_sheet

NAME = "name"  # the column that a row is called by
ROW = "row"  # the axis


def rows(path: Path, columns: Mapping[str, str]) -> Axis:
    table = read_sheet(path) if path.suffix == ENDING else read_table(path)
    if not table:
        raise BadInput(f"{path}: has no rows")
    unused = [one for one in columns if one not in table[0]]
    if unused:
        raise BadInput(f"{path}: has no column {unused[0]!r}, which the study's columns name")
    found: dict[str, Mapping[tuple[str, ...], Any]] = {}
    for number, row in enumerate(table, start=2):  # as a spreadsheet counts
        called = row.get(NAME, "").strip() or f"row {number}"
        if called in found:
            raise BadInput(f"{path}: row {number}: {called!r} is the name of another row")
        settings: dict[str, Any] = {}
        for column, cell in row.items():
            key = columns.get(column, column)
            if column == NAME or not key or not cell.strip():
                continue
            if key in settings:
                raise BadInput(f"{path}: row {number}: {key} has two columns")
            settings[key] = plain(cell)
        found[called] = bunch(settings)
    return Axis(ROW, found)
