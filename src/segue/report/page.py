"""A page: sections of text, warnings, facts, tables, figures and pictures, in one HTML file that fetches nothing.

    page = Page("kvasir-seg", "900 images of the colon")
    page.section("Labels", note="2 classes").table(("class", "masks", "share"), [("polyp", 900, Percent(0.155))])
    path.write_text(page.html())

Whatever comes from outside is escaped; between backticks, running text is set as code. A section that nothing was put
into does not appear. Dates and random names never do: the same content is the same bytes.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

# Okabe and Ito's colours, which also those tell apart who see no red or no green; darkened or lightened for the ground
# they stand on. Figures name them (var(--c0)), so that one drawing serves light and dark.
CYCLE = ("#0072b2", "#d55e00", "#009272", "#b8578f", "#b47c00", "#3a93c9", "#7a7a00", "#666666")
_CYCLE_DARK = ("#5ab0ea", "#ff8f4d", "#35c79f", "#e79cc7", "#f2b632", "#9ad4ff", "#d9d24a", "#b0b0b0")


_ONE_LINE = 18  # letters of a fact that stand beside another


class Percent(float):
    """A share, shown in percent."""


@dataclass(frozen=True, slots=True)
class Swatch:
    """A colour, red, green and blue from 0 to 255."""

    red: int
    green: int
    blue: int


Cell = str | int | float | Percent | Swatch | None


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

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Cell]], caption: str = "") -> Section:
        """Columns that hold only numbers are set to the right, with as many decimals as their largest value bears."""
        rows = list(rows)
        numeric = [all(isinstance(row[i], int | float | None) for row in rows) for i in range(len(columns))]
        decimals = [_decimals([row[i] for row in rows]) for i in range(len(columns))]
        words = [all(isinstance(row[i], str) for row in rows) for i in range(len(columns))]
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

    def pictures(self, tiles: Iterable[Tile]) -> Section:
        items = []
        for tile in tiles:
            shown = "".join(f'<img src="{_escaped(uri)}" alt="{_escaped(alt)}">' for uri, alt in tile.pictures)
            mark = f'<span class="mark">{_escaped(tile.mark)}</span>' if tile.mark else ""
            several = ' class="several"' if len(tile.pictures) > 1 else ""
            below = f"<figcaption>{_escaped(tile.caption)}</figcaption>"
            items.append(f"<figure{several}><div>{shown}{mark}</div>{below}</figure>")
        return self._add(items, '<div class="pictures">{}</div>')

    def commands(self, *lines: str) -> Section:
        self.blocks.append(f'<pre tabindex="0">{_escaped(chr(10).join(lines))}</pre>')
        return self

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
            f"<title>{_escaped(self.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
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


def _decimals(column: Iterable[Cell]) -> int:
    sizes = [abs(value) * (100 if isinstance(value, Percent) else 1) for value in column if isinstance(value, float)]
    return 3 if max(sizes, default=0) <= 1 else 2 if max(sizes) < 10 else 1 if max(sizes) < 1000 else 0


def _cell(value: Cell, decimals: int) -> str:
    if value is None:
        return "–"
    if isinstance(value, Swatch):
        colour = f"#{value.red:02x}{value.green:02x}{value.blue:02x}"
        told = f'role="img" aria-label="{colour}" title="{colour}" style="background:{colour}"'
        return f'<span class="swatch" {told}></span>'
    if isinstance(value, Percent):
        return f"{100 * value:.{min(decimals, 2)}f}\N{NO-BREAK SPACE}%"
    if isinstance(value, float):
        return f"{value:,.{decimals}f}"
    return f"{value:,}" if isinstance(value, int) else _escaped(value)


_STYLE = (
    ":root{--ground:#fff;--ink:#1d242b;--soft:#59636e;--shade:#0003;--line:#d8dee4;--panel:#f5f7f9;--accent:#0a6b74;--alarm:#9a4a00;"
    + "".join(f"--c{i}:{colour};" for i, colour in enumerate(CYCLE))
    + "}\n@media screen and (prefers-color-scheme:dark){:root{--ground:#14181c;--ink:#e4e8ec;"
    + "--soft:#a2acb6;--shade:#fff3;--line:#343c44;--panel:#1d2328;--accent:#5cc4cf;--alarm:#f0a35e;"
    + "".join(f"--c{i}:{colour};" for i, colour in enumerate(_CYCLE_DARK))
    + "}}\n"
    + """\
*{box-sizing:border-box}
html{color-scheme:light dark;-webkit-text-size-adjust:100%}
body{margin:0 auto;padding:2.5rem clamp(1rem,4vw,3rem) 4rem;max-width:88rem;background:var(--ground);color:var(--ink);
 font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;overflow-wrap:anywhere}
h1,h2,h3{line-height:1.25;font-weight:650;text-wrap:balance}
h1{font-size:2rem;margin:0 0 .5rem}
h2{font-size:1.35rem;margin:0 0 1rem}
h3{font-size:1.05rem;margin:2rem 0 .75rem}
.note{font-weight:400;font-size:.85em;color:var(--soft)}
p{max-width:70ch;margin:0 0 1rem}
header p{font-size:1.1rem;color:var(--soft)}
a{color:var(--accent)}
code,pre{font:.875em/1.5 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
pre{background:var(--panel);border-left:3px solid var(--accent);padding:.9rem 1.1rem;
 overflow-x:auto;overflow-wrap:normal}
nav{border-block:1px solid var(--line);padding:.75rem 0;margin:1.5rem 0 2.5rem}
nav ol{list-style:none;margin:0;padding:0;columns:2 12rem;column-gap:2rem}
nav li{break-inside:avoid}
nav a{display:block;padding:.3rem 0;text-decoration:none;line-height:1.35}
nav a:hover{text-decoration:underline}
section{padding:0 0 2.75rem;min-width:0;scroll-margin-top:1rem}
section+section{border-top:1px solid var(--line);padding-top:2.25rem}
@media screen and (min-width:70rem){
 body{display:grid;grid-template:auto 1fr/13rem minmax(0,1fr);column-gap:4rem}
 header{grid-column:2} nav{grid-area:1/1/3/2;border:0;margin:0;padding:.5rem 0}
 nav ol{position:sticky;top:1.5rem;columns:1;max-height:calc(100vh - 3rem);overflow-y:auto}
 nav .note{display:block} main{grid-column:2;margin-top:1.5rem;min-width:0}}
.warnings{list-style:none;margin:0;padding:0;max-width:80ch}
.warnings li{background:var(--panel);border-left:3px solid var(--alarm);padding:.7rem 1rem;margin:0 0 .75rem}
.warnings strong{display:block;font-weight:600}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,10rem),1fr));gap:1.1rem 1.5rem;
 margin:0 0 1.5rem}
dl .wide{grid-column:1/-1;max-width:70ch}
dt{font-size:.85rem;color:var(--soft)}
dd{margin:0;font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto;margin:0 0 1.5rem;overflow-wrap:normal;--b:no-repeat local;--s:no-repeat scroll;
 background:linear-gradient(90deg,var(--ground) 50%,#0000) 0 0/2rem 100% var(--b),
 linear-gradient(270deg,var(--ground) 50%,#0000) 100% 0/2rem 100% var(--b),
 linear-gradient(90deg,var(--shade),#0000) 0 0/.7rem 100% var(--s),
 linear-gradient(270deg,var(--shade),#0000) 100% 0/.7rem 100% var(--s)}
table{border-collapse:collapse;font-size:.925rem;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);padding:0 0 .5rem;font-size:.9rem;overflow-wrap:anywhere}
th,td{text-align:left;padding:.4rem 1.2rem .4rem 0;border-bottom:1px solid var(--line);vertical-align:top;
 max-width:28rem}
td{overflow-wrap:anywhere}
th{font-weight:600;color:var(--soft);font-size:.85rem;vertical-align:bottom}
.number{text-align:right;white-space:nowrap}
td.words{min-width:7.5rem}
.swatch{display:inline-block;width:2.2em;height:1.1em;vertical-align:-.15em;margin-right:.5em;
 border:1px solid var(--line);border-radius:2px;print-color-adjust:exact;-webkit-print-color-adjust:exact}
figure{margin:0;min-width:0}
figcaption{font-size:.85rem;line-height:1.45;color:var(--soft);padding-top:.4rem}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,25rem),1fr));gap:2rem 2.5rem;
 margin:0 0 1.75rem}
.figures figure{max-width:32rem}
svg{display:block;width:100%;height:auto;overflow:visible;color:var(--ink)}
.pictures{display:grid;gap:1.1rem .9rem;margin:0 0 1.5rem;align-items:start;
 grid-template-columns:repeat(auto-fill,minmax(min(9.6rem,calc(50% - .45rem)),1fr))}
.pictures figcaption{white-space:pre-line}
.pictures .several{grid-column:span 2}
.pictures figure>div{position:relative;display:flex;gap:2px;align-items:flex-start}
.pictures img{display:block;min-width:0;flex:1 1 0;width:100%;height:auto;border-radius:3px}
.mark{position:absolute;left:.3rem;top:.3rem;padding:0 .4em;border-radius:3px;font-size:.72rem;
 background:#000b;color:#fff}
@media print{body{font-size:10pt;padding:0;max-width:none} nav a,a{color:inherit} pre{white-space:pre-wrap}
 figure,tr,.warnings li,.facts>div{break-inside:avoid} h2,h3{break-after:avoid} .scroll{overflow:visible}
 .figures{grid-template-columns:1fr 1fr} .pictures{grid-template-columns:repeat(6,1fr)}}
"""
)
