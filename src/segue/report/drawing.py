"""How every drawing comes about: matplotlib draws, and what it wrote becomes SVG for a page.

Text stays text, in the reader's font; colours are the page's own (light and dark). The same numbers give the same bytes.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any

from segue.report.style import CYCLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, FAINT = "#010203", "#040506"  # stand for the page's ink and lines until the drawing is done
STROKES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))  # the second thing that tells lines apart
DOTTED = (0, (2, 2))
_WIDTH = 4.8  # inches of a drawing that is as wide as a phone; the page sets two or three side by side
_LONGEST = 26  # letters of a name on an axis
_LEGEND = 48  # letters of a legend's row


def colour(number: int) -> str:
    return CYCLE[number % len(CYCLE)]


def short_names(names: Sequence[str]) -> list[str]:
    """Cut for an axis; where two would then look alike, they are cut in the middle instead, or numbered."""
    plain = [" ".join(name.split()) for name in names]
    cut = [_end_cut(name) for name in plain]
    cut = [_middle_cut(name) if cut.count(short) > 1 else short for name, short in zip(plain, cut, strict=True)]
    return [
        f"{cut[: i + 1].count(short)}: {short[: _LONGEST - 3]}"
        if cut.count(short) > 1 and len(short) >= _LONGEST
        else short
        for i, short in enumerate(cut)
    ]


def _end_cut(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


def _middle_cut(name: str) -> str:
    half = _LONGEST // 2
    return name if len(name) <= _LONGEST else f"{name[: half - 1]}…{name[-half:]}"


def legend_above(axes: Axes, names: Sequence[str]) -> None:
    """Over the data there may be no room."""
    columns = max(1, min(len(names), _LEGEND // (max(map(len, names)) + 7)))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, frameon=False, handlelength=2.2)


def drawing(draw: Callable[..., None], *, height: float, panels: Sequence[float] = (1,)) -> str:
    """`draw` gets an axes for each panel, one below the other on one x axis; `panels` are their shares of the height."""
    import matplotlib as mpl  # here and not above: it takes a second
    from matplotlib.figure import Figure

    look: Any = {
        "svg.fonttype": "none", "svg.hashsalt": "segue", "text.parse_math": False, "path.simplify": False,
        "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": 10.5, "legend.fontsize": 9.5,
        "axes.edgecolor": FAINT, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK, "text.color": INK,
        "axes.spines.top": False, "axes.spines.right": False, "axes.formatter.useoffset": False,
        "axes.formatter.limits": (-3, 7), "axes.grid": True, "axes.axisbelow": True, "grid.color": FAINT,
        "grid.linewidth": 0.6, "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none",
    }  # fmt: skip
    written = StringIO()
    with mpl.rc_context(look), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # DejaVu, which only measures here, lacks letters that the reader's font has
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        axes = figure.subplots(len(panels), sharex=True, squeeze=False, gridspec_kw={"height_ratios": list(panels)})
        draw(*axes[:, 0])
        figure.align_ylabels()
        figure.savefig(written, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type"), None))
    return _for_the_page(written.getvalue())


def _for_the_page(svg: str) -> str:
    """Without head and namespaces (a page needs neither), in the page's colours and font."""
    svg = svg[svg.index("<svg ") :].strip()
    opening, rest = svg.split(">", 1)
    box = re.search(r'viewBox="[\d. ]+"', opening)
    assert box is not None
    rest = re.sub(r"<(metadata|style)\b.*?</\1>\s*", "", rest, flags=re.DOTALL).replace("xlink:href", "href")
    rest = re.sub(r'<g id="[^"]*"', "<g", rest)  # nobody refers to groups
    names = {INK: "var(--ink)", FAINT: "var(--line)"} | {colour: f"var(--c{i})" for i, colour in enumerate(CYCLE)}
    rest = re.sub(r"((?:fill|stroke): )(#[0-9a-f]{6})", lambda found: found[1] + names.get(found[2], found[2]), rest)
    rest = re.sub(r"font(-family)?: [^;\"]*?'DejaVu Sans'[^;\"]*", _font, rest)
    return f"<svg {box[0]}>{rest}"


def _font(found: re.Match[str]) -> str:
    size = re.search(r"[\d.]+px", found[0])
    return f"font: {size[0]} system-ui, sans-serif" if size else "font-family: system-ui, sans-serif"
