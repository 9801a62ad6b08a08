"""A spreadsheet's first sheet, read as a CSV table would be. It is never written to."""

from __future__ import annotations

import zipfile
from pathlib import Path

from segue.errors import BadInput
from segue.studies.axes import named

ENDING = ".xlsx"


def read_sheet(path: Path) -> list[dict[str, str]]:
    try:
        from openpyxl import load_workbook
        from openpyxl.utils.exceptions import InvalidFileException
    except ImportError:
        raise BadInput(
            "openpyxl is not installed, and spreadsheets need it", hint="pip install 'segue[studies]'"
        ) from None
    if not path.exists():
        raise BadInput(f"{path}: there is no such file")
    try:
        book = load_workbook(path, read_only=True, data_only=True)  # values, where a cell has a formula
    except (InvalidFileException, zipfile.BadZipFile, KeyError, OSError, ValueError) as error:
        raise BadInput(f"{path}: is not a spreadsheet that can be read ({error})") from None
    try:
        lines = [["" if cell is None else named(cell) for cell in line] for line in book.worksheets[0].values]
    finally:
        book.close()
    lines = [line for line in lines if any(cell.strip() for cell in line)]
    if not lines:
        return []
    header = [name.strip() for name in lines[0]]
    while header and not header[-1]:
        header.pop()
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise BadInput(f"{path}: column {twice!r} stands twice")
    return [dict(zip(header, line, strict=False)) for line in lines[1:]]
