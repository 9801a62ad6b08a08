"""How numbers spread: intervals, strata of several sets side by side, differences patient by patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from segue.report.drawing import FAINT, INK, colour, drawing, legend_above, short_names
from segue.report.page import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKS = ("o", "s", "D", "^", "v", "P", "X", "*")  # the second thing that tells sets apart


def intervals(
    rows: Mapping[str, Estimate], *, x: str, margin: float | None = None, limits: tuple[float, float] | None = None
) -> str:
    """A point with its interval in each row. With a margin the axis is of differences: a line at 0, and a band around
    it in which two results count as equal."""

    def draw(axes: Axes) -> None:
        if margin is not None:
            axes.axvspan(-margin, margin, color=FAINT, alpha=0.8, linewidth=0)
            axes.axvline(0, color=INK, linewidth=0.9, alpha=0.7)
        for row, estimate in enumerate(rows.values()):
            _interval(axes, row, estimate, colour(0), "o")
        _rows(axes, list(rows))
        axes.set_xlabel(x)
        if limits is not None:
            axes.set_xlim(*limits)
        else:
            axes.margins(x=0.08)

    return drawing(draw, height=0.8 + 0.42 * max(1, len(rows)))


def strata(rows: Mapping[str, Mapping[str, Estimate]], *, x: str, limits: tuple[float, float] | None = None) -> str:
    """A row for each stratum, and in it each set that has cases there, in the set's own colour and shape."""
    sets = list(dict.fromkeys(name for inside in rows.values() for name in inside))

    def draw(axes: Axes) -> None:
        names = short_names(sets)
        step = 0.62 / max(1, len(sets))
        for row, inside in enumerate(rows.values()):
            for number, name in enumerate(sets):
                if name in inside:
                    place = row + step * (number - (len(sets) - 1) / 2)
                    _interval(axes, place, inside[name], colour(number), _MARKS[number % len(_MARKS)])
        for number, name in enumerate(names):  # once each, whichever strata it has
            axes.plot([], [], _MARKS[number % len(_MARKS)], color=colour(number), markersize=6, label=name)
        _rows(axes, list(rows))
        axes.set_xlabel(x)
        if limits is not None:
            axes.set_xlim(*limits)
        if len(sets) > 1:
            legend_above(axes, names)

    return drawing(draw, height=0.9 + max(0.42, 0.22 * len(sets)) * max(1, len(rows)) + 0.1 * len(sets))


def differences(values: Sequence[float], *, y: str, margin: float | None = None) -> str:
    """A bar for each patient, from the worst difference to the best; within the margin's band they count as equal."""
    ordered = sorted(values)

    def draw(axes: Axes) -> None:
        if margin is not None:
            axes.axhspan(-margin, margin, color=FAINT, alpha=0.8, linewidth=0)
        places = range(1, len(ordered) + 1)
        hues = [colour(0) if value > 0 else colour(1) for value in ordered]
        axes.bar(places, ordered, width=0.8 if len(ordered) <= 100 else 1.0, color=hues, linewidth=0)
        axes.axhline(0, color=INK, linewidth=0.9)
        axes.set_xlim(0.3, len(ordered) + 0.7)
        axes.set_xticks(sorted({1, len(ordered)}))
        axes.set_xlabel("patients, from the greatest loss to the greatest gain")
        axes.set_ylabel(y, rotation_mode="anchor")
        axes.grid(visible=False, axis="x")
        most = max([abs(value) for value in ordered] + [margin or 0.0])
        if not most:
            axes.set_ylim(-1, 1)

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
