"""How numbers spread: intervals, strata of several sets side by side, differences patient by patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from segue.report.drawing import FAINT, INK, colour, drawing, legend_above, short_names
from segue.report.page import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKS = ("o", "s", "D", "^", "v", "P", "X", "*")  # the second thing that tells sets apart

_APART = 100  # bars, up to which there is room between them


def intervals(
    rows: Mapping[str, Mapping[str, Estimate]],
    *,
    x: str,
    margin: float | None = None,
    limits: tuple[float, float] | None = None,
) -> str:
    """A row for each stratum (or set of cases), and in it a point with its interval for each set (or model), in its own
    colour and shape. With a margin the axis is of differences: a line at 0, and a band in which two results match."""
    series = list(dict.fromkeys(name for inside in rows.values() for name in inside))

    def draw(axes: Axes) -> None:
        names = short_names(series)
        if margin is not None:
            axes.axvspan(-margin, margin, color=FAINT, alpha=0.8, linewidth=0)
            axes.axvline(0, color=INK, linewidth=0.9, alpha=0.7)
        step = 0.62 / max(1, len(series))
        for row, inside in enumerate(rows.values()):
            for number, name in enumerate(series):
                if name in inside:
                    place = row + step * (number - (len(series) - 1) / 2)
                    _interval(axes, place, inside[name], colour(number), _MARKS[number % len(_MARKS)])
        for number, name in enumerate(names):  # once each, whichever rows it has
            axes.plot([], [], _MARKS[number % len(_MARKS)], color=colour(number), markersize=6, label=name)
        _rows(axes, list(rows))
        axes.set_xlabel(x)
        axes.locator_params(axis="x", nbins=6)
        if limits is not None:
            axes.set_xlim(*limits)
        else:
            axes.margins(x=0.08)
        if len(series) > 1:
            legend_above(axes, names)

    return drawing(draw, height=0.9 + max(0.42, 0.22 * len(series)) * max(1, len(rows)) + 0.1 * len(series))


def differences(
    values: Sequence[float],
    *,
    y: str,
    whom: str = "patient",
    margin: float | None = None,
    higher_is_better: bool = True,
    limits: tuple[float, float] | None = None,
) -> str:
    """A bar for each patient (or image), from the greatest loss to the greatest gain. The band is the margin."""
    ordered = sorted(values, reverse=not higher_is_better)

    def draw(axes: Axes) -> None:
        if margin is not None:
            axes.axhspan(-margin, margin, color=FAINT, alpha=0.8, linewidth=0)
        hues = [colour(0) if (value > 0) == higher_is_better else colour(1) for value in ordered]
        axes.bar(
            range(1, len(ordered) + 1), ordered, width=0.8 if len(ordered) <= _APART else 1.0, color=hues, linewidth=0
        )
        axes.axhline(0, color=INK, linewidth=0.9)
        axes.set_xlim(0.3, len(ordered) + 0.7)
        axes.set_xticks(sorted({1, len(ordered)}))
        axes.set_xlabel(f"{whom}s, from the greatest loss to the greatest gain")
        axes.set_ylabel(y, rotation_mode="anchor")
        axes.grid(visible=False, axis="x")
        if limits is not None:
            axes.set_ylim(*limits)

    return drawing(draw, height=3.0)


def _interval(axes: Axes, row: float, estimate: Estimate, hue: str, mark: str) -> None:
    if estimate.low is not None and estimate.high is not None:
        axes.plot((estimate.low, estimate.high), (row, row), color=hue, linewidth=2.2, solid_capstyle="butt")
        for end in (estimate.low, estimate.high):
            axes.plot((end, end), (row - 0.07, row + 0.07), color=hue, linewidth=1.6)
    axes.plot(estimate.value, row, mark, color=hue, markersize=6.5, markeredgewidth=0)


def _rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), short_names(names))
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.grid(visible=False, axis="y")
