"""A table in files says what it says on a page, and nothing in it can be taken for the file's own signs."""

from __future__ import annotations

import math

from segue.report.cells import Chance, Signed
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


def test_records_keep_all_digits_and_leave_empty_what_is_not_known() -> None:
    assert SHEET.records == [
        ["arm", "Dice", "deviation", "runs", "size"],
        ["two views, 2", 0.123456789, 0.0123, 3, 0.5],
        ["plain (as fixed)", "", "", 12000, -0.25],
    ]


def test_differences_and_chances_are_numbers_in_a_record_and_words_on_a_page() -> None:
    sheet = Sheet(("difference", "p"), [[Signed(0.0123), Chance(0.00001)], [Signed(-0.5), Chance(0.2)]])
    assert sheet.records[1:] == [[0.0123, 0.00001], [-0.5, 0.2]]
    assert sheet.markdown().splitlines()[1:] == [
        "| ---: | ---: |", f"| +0.012 | \\<{NBSP}0.001 |", f"| {MINUS}0.500 | 0.200 |",
    ]  # fmt: skip


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
