"""A page: sections of text, warnings, facts, tables, figures and pictures, in one HTML file that fetches nothing.

    page = Page("kvasir-seg", "900 images of the colon")
    page.section("Labels", note="2 classes").table(("class", "masks", "share"), [("polyp", 900, Percent(0.155))])
    path.write_text(page.html())

Whatever comes from outside is escaped; between backticks, running text is set as code. A section that nothing was put
into does not appear. Dates and random names never do: the same content is the same bytes.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from segue.report.cells import Bar as Bar
from segue.report.cells import Cell as Cell
from segue.report.cells import Estimate as Estimate
from segue.report.cells import Noted as Noted
from segue.report.cells import Percent as Percent
from segue.report.cells import Swatch as Swatch
from segue.report.cells import decimals_of, is_number, number, text
from segue.report.style import STYLE

_ONE_LINE = 18  # letters of a fact that stand beside another


@dataclass(frozen=True, slots=True)
class Figure:
    svg: str  # as report.figures draws it
    alt: str  # what it shows, for those who cannot see it
    caption: str


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture, or some that belong together, and what stands below."""

    pictures: tuple[tuple[str, str], ...]  # (data URI, alt)
    caption: str  # may have several lines
    mark: str = ""  # a word on the picture's corner


@dataclass
class Section:
    """Every call adds a block below the last."""

    title: str
    note: str = ""  # a few words beside the title, in the table of contents too
    blocks: list[str] = field(default_factory=list)

    def text(self, *paragraphs: str) -> Section:
        self.blocks += [f"<p>{_running(words)}</p>" for words in paragraphs]
        return self

    def heading(self, title: str, note: str = "") -> Section:
        self.blocks.append(f"<h3>{_escaped(title)}{_note(note)}</h3>")
        return self

    def warnings(self, warnings: Iterable[tuple[str, str]]) -> Section:
        """What is wrong, and what to do about it."""
        items = [f"<li><strong>{_running(what)}</strong> {_running(todo)}</li>" for what, todo in warnings]
        return self._add(items, '<ul class="warnings">{}</ul>')

    def facts(self, facts: Iterable[tuple[str, Cell]]) -> Section:
        items = []
        for name, value in facts:
            wide = ' class="wide"' if isinstance(value, str) and len(value) > _ONE_LINE else ""
            items.append(f"<div{wide}><dt>{_escaped(name)}</dt><dd>{_cell(value, 1)}</dd></div>")
        return self._add(items, '<dl class="facts">{}</dl>')

    def legend(self, entries: Iterable[tuple[Swatch, str]]) -> Section:
        items = [f"<li>{_cell(swatch, 0)}{_escaped(words)}</li>" for swatch, words in entries]
        return self._add(items, '<ul class="legend">{}</ul>')

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Cell]], caption: str = "") -> Section:
        """Columns that hold only numbers are set to the right, with as many decimals as their largest value bears."""
        rows = list(rows)
        numeric = [all(is_number(row[i]) for row in rows) for i in range(len(columns))]
        decimals = [decimals_of([row[i] for row in rows]) for i in range(len(columns))]
        words = [all(isinstance(row[i], str | Noted) for row in rows) for i in range(len(columns))]
        kinds = [' class="number"' * numeric[i] or ' class="words"' * words[i] for i in range(len(columns))]
        head = "".join(f'<th scope="col"{kinds[i]}>{_escaped(name)}</th>' for i, name in enumerate(columns))
        body = [
            "<tr>" + "".join(f"<td{kinds[i]}>{_cell(cell, decimals[i])}</td>" for i, cell in enumerate(row)) + "</tr>"
            for row in rows
        ]
        told = f"<caption>{_running(caption)}</caption>" if caption else ""
        # A box that scrolls must be reachable by keyboard, and so needs a name.
        box = f'<div class="scroll" tabindex="0" role="region" aria-label="{_escaped(caption or self.title)}">'
        return self._add(body, f"{box}<table>{told}<thead><tr>{head}</tr></thead>\n<tbody>{{}}</tbody></table></div>")

    def figures(self, figures: Iterable[Figure]) -> Section:
        """Side by side where there is room."""
        items = [
            f"<figure>{_labelled(one)}<figcaption>{_running(one.caption)}</figcaption></figure>" for one in figures
        ]
        return self._add(items, '<div class="figures">{}</div>')

    def pictures(self, tiles: Iterable[Tile], *, large: bool = False) -> Section:
        items = []
        for tile in tiles:
            shown = "".join(f'<img src="{_escaped(uri)}" alt="{_escaped(alt)}">' for uri, alt in tile.pictures)
            mark = f'<span class="mark">{_escaped(tile.mark)}</span>' if tile.mark else ""
            several = ' class="several"' if len(tile.pictures) > 1 else ""
            below = f"<figcaption>{_escaped(tile.caption)}</figcaption>"
            items.append(f"<figure{several}><div>{shown}{mark}</div>{below}</figure>")
        return self._add(items, f'<div class="pictures{" large" * large}">{{}}</div>')

    def commands(self, *lines: str) -> Section:
        self.blocks.append(f'<pre tabindex="0">{_escaped(chr(10).join(lines))}</pre>')
        return self

    def listing(self, lines: Iterable[str]) -> Section:
        """Short lines, in columns where there is room."""
        return self._add([f"<li>{_escaped(line)}</li>" for line in lines], '<ul class="listing">{}</ul>')

    def _add(self, items: Sequence[str], around: str) -> Section:
        if items:
            before, after = around.split("{}")
            self.blocks.append(before + "\n".join(items) + after)
        return self


@dataclass
class Page:
    title: str
    lead: str  # what this is, in a sentence or two below the title
    sections: list[Section] = field(default_factory=list)

    def section(self, title: str, note: str = "") -> Section:
        self.sections.append(Section(title, note))
        return self.sections[-1]

    def html(self) -> str:
        shown = [section for section in self.sections if section.blocks]
        entries = "\n".join(
            f'<li><a href="#s{number}">{_escaped(section.title)}{_note(section.note)}</a></li>'
            for number, section in enumerate(shown, 1)
        )
        bodies = "\n".join(
            f'<section id="s{number}"><h2>{_escaped(section.title)}{_note(section.note)}</h2>\n'
            + "\n".join(section.blocks)
            + "</section>"
            for number, section in enumerate(shown, 1)
        )
        return _apart(
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            # Even a mistake of ours cannot make the page ask another machine for anything.
            '<meta http-equiv="Content-Security-Policy" content="'
            "default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n"
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta name="color-scheme" content="light dark">\n'
            f"<title>{_escaped(self.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
            f"<header><h1>{_escaped(self.title)}</h1>\n<p>{_running(self.lead)}</p></header>\n"
            f'<nav aria-label="Contents"><ol>\n{entries}\n</ol></nav>\n<main>\n{bodies}\n</main>\n</body>\n</html>\n'
        )


def _escaped(text: str) -> str:
    return html.escape(text)


def _running(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _note(note: str) -> str:
    return f' <span class="note">{_escaped(note)}</span>' if note else ""


def _labelled(figure: Figure) -> str:
    return figure.svg.replace("<svg ", f'<svg role="img" aria-label="{_escaped(figure.alt)}" ', 1)


def _apart(page: str) -> str:
    """Drawings name their parts; on one page, two drawings' parts must not share a name."""
    numbers = iter(range(page.count("<svg ")))

    def own(drawing: re.Match[str]) -> str:
        mine = f"f{next(numbers)}-"
        return re.sub(r'(<[^<>]*? id="|href="#|url\(#)', rf"\g<1>{mine}", drawing[0])

    return re.sub(r"<svg .*?</svg>", own, page, flags=re.DOTALL)


def _cell(value: Cell, decimals: int) -> str:
    if isinstance(value, Bar):
        return _bar(value)
    told = _escaped(text(value, decimals))
    if isinstance(value, Noted):
        return told + (f"<small>{_escaped(value.note)}</small>" if value.note else "")
    if isinstance(value, Swatch):
        return f'<span class="swatch" role="img" aria-label="{told}" title="{told}" style="background:{told}"></span>'
    return told


def _bar(bar: Bar) -> str:
    value, low, high = bar.share.value, bar.share.low, bar.share.high
    if not math.isfinite(value):
        return "–"
    scale, decimals, unit = (100, 1, "\N{NO-BREAK SPACE}%") if bar.percent else (1, 3, "")
    told, places = "", f"--v:{_place(value)}"
    if low is not None and high is not None and math.isfinite(low + high):
        told = f"<small>{number(scale * low, decimals)} to {number(scale * high, decimals)}{unit}</small>"
        places += f";--l:{_place(low)};--h:{_place(high)}"
    told += f"<small>{_escaped(bar.note)}</small>" if bar.note else ""
    shown = number(scale * value, decimals)
    return f'{shown}{unit}{told}<i class="bar" style="{places};--hue:var(--c{bar.hue})"></i>'


def _place(share: float) -> str:
    return f"{100 * min(1.0, max(0.0, share)):.1f}%"
