"""A table in files says what it says on a page, and nothing in it can be taken for the file's own signs."""

from __future__ import annotations

import csv
import io
import math

from segue.report.page import Bar, Estimate, Noted, Page, Percent
from segue.report.sheet import Sheet
from tests.report.test_page import HOSTILE, Reader

NBSP, MINUS = "\N{NO-BREAK SPACE}", "\N{MINUS SIGN}"
SHEET = Sheet(
    ("arm", "Dice", "deviation", "runs", "size"),
    [
        ["two views, 2", 0.123456789, Percent(0.0123), 3, Bar(Estimate(0.5, 0.25, 0.75))],
        [Noted("plain", "as fixed"), math.nan, None, 12000, Bar(Estimate(-0.25))],
    ],
    "At home",
)


def test_csv_keeps_all_digits_and_leaves_empty_what_is_not_known() -> None:
    rows = list(csv.reader(io.StringIO(SHEET.csv())))
    assert rows == [
        ["arm", "Dice", "deviation", "runs", "size"],
        ["two views, 2", "0.123456789", "0.0123", "3", "0.5"],
        ["plain (as fixed)", "", "", "12000", "-0.25"],
    ]


def test_markdown_and_latex_write_numbers_as_the_page_does() -> None:
    page = Page("", "")
    page.section("x").table(SHEET.columns, SHEET.rows)
    shown = [cell for row in Reader(page.html()).rows for cell in row]
    assert f"1.23{NBSP}%" in shown
    lines = SHEET.markdown().splitlines()
    assert lines[1] == "| --- | ---: | ---: | ---: | ---: |"
    assert lines[2] == f"| two views, 2 | 0.123 | 1.23{NBSP}% | 3 | 0.500 |"
    assert lines[3] == f"| plain | – | – | 12,000 | {MINUS}0.250 |"
    latex = SHEET.latex().splitlines()
    assert latex[1] == r"\begin{tabular}{lrrrr}"
    assert latex[5] == r"two views, 2 & 0.123 & 1.23~\% & 3 & 0.500 \\"
    assert latex[6] == r"plain & -- & -- & 12,000 & $-$0.250 \\"


def test_signs_of_the_file_in_a_name_are_only_letters() -> None:
    nasty = Sheet(("a|b", "c&d"), [["50 %_x^{y}~\\n#$", HOSTILE]], "two\nlines")
    lines = nasty.markdown().splitlines()
    assert len(lines) == 5  # with the caption
    assert lines[0] == r"| a\|b | c&d |"
    assert r"\<script\>" in lines[2]
    assert lines[-1] == "two lines"
    latex = nasty.latex()
    assert r"c\&d" in latex
    assert r"50 \%\_x\textasciicircum{}\{y\}\textasciitilde{}\textbackslash{}n\#\$" in latex
    assert latex.count(r" \\") == 2
    assert list(csv.reader(io.StringIO(nasty.csv())))[1] == ["50 %_x^{y}~\\n#$", HOSTILE]
