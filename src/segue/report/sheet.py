"""A table that stands on a page and in files beside it: CSV with all digits, Markdown and LaTeX as the page writes it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from segue.report.cells import Bar, Cell, Noted, decimals_of, is_number, text

_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "\N{MINUS SIGN}": "$-$", "\N{NO-BREAK SPACE}": "~", "–": "--", "…": r"\ldots{}", '"': "''",
}  # fmt: skip


@dataclass(frozen=True)
class Sheet:
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""

    @property
    def records(self) -> list[list[str | float]]:
        """For a CSV: numbers with all digits, shares among them; what is not known is empty."""
        return [list(self.columns), *([_plain(cell) for cell in row] for row in self.rows)]

    def markdown(self) -> str:
        head = [_markdown(name) for name in self.columns]
        rule = ["---:" if right else "---" for right in self._right]
        rows = [[_markdown(cell) for cell in row] for row in self._written]
        lines = ["| " + " | ".join(cells) + " |" for cells in (head, rule, *rows)]
        return "\n".join([*lines, *(["", _markdown(self.caption)] if self.caption else [])]) + "\n"

    def latex(self) -> str:
        """Needs no package."""
        form = "".join("r" if right else "l" for right in self._right)
        body = [" & ".join(map(_latex, cells)) + r" \\" for cells in (self.columns, *self._written)]
        told = [f"% {_one_line(self.caption)}"] if self.caption else []
        lines = [*told, rf"\begin{{tabular}}{{{form}}}", r"\hline", body[0], r"\hline", *body[1:], r"\hline"]
        return "\n".join([*lines, r"\end{tabular}"]) + "\n"

    @property
    def _right(self) -> list[bool]:
        return [all(is_number(row[place]) for row in self.rows) for place in range(len(self.columns))]

    @property
    def _written(self) -> list[list[str]]:
        decimals = [decimals_of([row[place] for row in self.rows]) for place in range(len(self.columns))]
        return [[text(cell, places) for cell, places in zip(row, decimals, strict=True)] for row in self.rows]


def _plain(cell: Cell) -> str | float:
    if isinstance(cell, Bar):
        cell = cell.share.value
    if isinstance(cell, float):
        return float(cell) if math.isfinite(cell) else ""
    if isinstance(cell, Noted) and cell.note:
        return f"{cell.words} ({cell.note})"
    return "" if cell is None else cell if isinstance(cell, int) else text(cell, 0)


def _one_line(words: str) -> str:
    return " ".join(words.split("\n"))


def _markdown(words: str) -> str:
    return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", _one_line(words))


def _latex(words: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in _one_line(words))
