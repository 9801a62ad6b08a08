"""Curves: how a training went, what a threshold does, which learning rate to take."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from segue.report.drawing import DOTTED, INK, STROKES, colour, drawing, legend_above, short_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Values = Sequence[float]  # one that is not a number is a gap
_APART = 40  # points, up to which each is shown
_ROOM = 0.05  # of an axis, for a number


def losses(steps: Values, series: Mapping[str, Values], rates: Values = (), *, best: float | None = None) -> str:
    """A line for the loss and each of its parts; below, small, the learning rate. `best` is the step of the best epoch."""

    def draw(axes: Axes) -> None:
        _lines(axes, steps, series, y="loss", mark=_told(best, "best epoch"))

    def rate(axes: Axes) -> None:
        _mark(axes, best)
        axes.yaxis.set_major_formatter(_plain)

    return _over(steps, draw, rates if len(rates) == len(steps) else (), "rate", rate)


def scores(steps: Values, series: Mapping[str, Values], *, y: str, best: float | None = None) -> str:
    """What the judge said after each epoch: higher is better."""

    def draw(axes: Axes) -> None:
        _lines(axes, steps, series, y=y, mark=_told(best, "best epoch"))
        axes.set_xlabel("step")
        _whole(axes, steps)

    return drawing(draw, height=3.7)


def followed(steps: Values, shares: Mapping[str, Values], shifts: Values = ()) -> str:
    """How well masks are fitted and how much of the targets is followed; below, small, how far they are shifted."""

    def draw(axes: Axes) -> None:
        _lines(axes, steps, shares, y="share")
        axes.set_ylim(0, 1)

    return _over(steps, draw, shifts, "shift")


def _over(
    steps: Values, draw: Callable[[Axes], None], below: Values, name: str, more: Callable[[Axes], None] | None = None
) -> str:
    """What a training's steps did, and under it, small, one more line that belongs to it; where it is known."""

    def both(axes: Axes, under: Axes | None = None) -> None:
        draw(axes)
        lowest = axes if under is None else under
        if under is not None:
            _line(under, steps, below, number=7)
            under.set_ylim(bottom=0)
            under.set_ylabel(name, rotation_mode="anchor")
            under.locator_params(axis="y", nbins=2)
            if more is not None:
                more(under)
        lowest.set_xlabel("step")
        _whole(lowest, steps)

    return drawing(both, height=3.7 if below else 2.9, panels=(3, 1) if below else (1,))


def together(lines: Mapping[str, tuple[Values, Values]], *, y: str) -> str:
    """Several trainings, each with its own steps."""

    def draw(axes: Axes) -> None:
        names = short_names(list(lines))
        for number, (name, (steps, heights)) in enumerate(zip(names, lines.values(), strict=True)):
            _line(axes, steps, heights, number=number, label=name)
        legend_above(axes, names)
        axes.set_xlabel("step")
        axes.set_ylabel(y, rotation_mode="anchor")
        _whole(axes, max((steps for steps, _ in lines.values()), key=len))

    return drawing(draw, height=3.7)


def bands(lines: Mapping[str, tuple[Values, tuple[Values, Values, Values]] | None], *, x: str, y: str) -> str:
    """Several trainings of each kind: their mean, and from the least to the most of them. None: it has no such line, and the
    others keep their colours."""

    def draw(axes: Axes) -> None:
        names = short_names(list(lines))
        for number, (name, line) in enumerate(zip(names, lines.values(), strict=True)):
            if line is None:
                continue
            steps, (mean, low, high) = line
            axes.fill_between(list(steps), list(low), list(high), color=colour(number), alpha=0.15, linewidth=0)
            _line(axes, steps, mean, number=number, label=name)
        drawn = [line for line in lines.values() if line is not None]
        legend_above(axes, names)
        axes.set_xlabel(x)
        axes.set_ylabel(y, rotation_mode="anchor")
        _whole(axes, max((steps for steps, _ in drawn), key=len))

    return drawing(draw, height=3.4 + 0.12 * len(lines))


def by_masks(
    lines: Mapping[str, Mapping[int, tuple[float, float]]], *, x: str, y: str, limits: tuple[float, float] | None = None
) -> str:
    """Over so many masks a score and how far it may be off, a line for each way to train. Within `limits`, what is less than
    the least or more than the most is not drawn."""
    ticks = sorted({count for points in lines.values() for count in points})

    def draw(axes: Axes) -> None:
        names = short_names(list(lines))
        for number, (name, points) in enumerate(zip(names, lines.values(), strict=True)):
            at = sorted(points)
            _line(axes, at, [points[count][0] for count in at], number=number, label=name)
            for count in at:
                value, spread = points[count]
                ends = np.clip((value - spread, value + spread), *(limits or (-math.inf, math.inf)))
                axes.plot((count, count), ends, color=colour(number), linewidth=1.4, alpha=0.6)
        axes.set_xscale("log")
        told = _with_room(ticks)
        axes.set_xticks(ticks, [f"{count:,}" if count in told else "" for count in ticks])
        axes.set_xticks([], minor=True)
        axes.margins(x=0.08)
        axes.set_xlabel(x)
        axes.set_ylabel(y, rotation_mode="anchor")
        if len(names) > 1 or names[0]:
            legend_above(axes, names)

    return drawing(draw, height=3.7 + 0.16 * max(0, len(lines) - 4))


def _with_room(ticks: Sequence[int]) -> list[int]:
    """On an axis of logarithms, those whose numbers do not run into each other; the last one always."""
    least = _ROOM * math.log(ticks[-1] / ticks[0])
    told = [ticks[-1]]
    for count in reversed(ticks):
        if math.log(told[0] / count) > least:
            told = [count, *told]
    return told


def spoilt(levels: Values, series: Mapping[str, Values], *, y: str) -> str:
    """A score over levels of corruption, from as it is (0) to the worst; a line for each."""

    def draw(axes: Axes) -> None:
        _lines(axes, levels, series, y=y)
        axes.set_xlabel("level of corruption")
        axes.set_xticks(list(levels), ["as it is" if not level else f"{level:g}" for level in levels])
        axes.set_ylim(bottom=0)

    return drawing(draw, height=4.0)


def covered(
    severities: Values,
    shares: Sequence[tuple[float, float, float]],
    *,
    reference: float,
    luck: tuple[float, float],
    control: float,
) -> str:
    """A share with its interval over severity; grey is where it would lie if there were nothing to cover."""

    def draw(axes: Axes) -> None:
        values, low, high = zip(*shares, strict=True)
        axes.axhspan(*luck, color=INK, alpha=0.1, linewidth=0)
        axes.axhline(reference, color=INK, linewidth=0.9, alpha=0.6)
        axes.axhline(control, color=INK, linewidth=1.1, linestyle=DOTTED, alpha=0.8)
        axes.fill_between(list(severities), low, high, color=colour(0), alpha=0.18, linewidth=0)
        _line(axes, severities, values, number=0)
        axes.set_xticks(list(severities))
        axes.set_xlabel("severity")
        axes.set_ylabel("share covered", rotation_mode="anchor")
        axes.set_ylim(0, 1.02)

    return drawing(draw, height=3.3)


def reliability(series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """What is so over what is said; on the diagonal they are equal."""

    def draw(axes: Axes) -> None:
        names = short_names(list(series))
        axes.plot((0, 1), (0, 1), color=INK, linewidth=0.9, linestyle=DOTTED)
        for number, (name, points) in enumerate(zip(names, series.values(), strict=True)):
            _line(axes, [x for x, _ in points], [y for _, y in points], number=number, label=name)
        legend_above(axes, names)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_xlabel("said")
        axes.set_ylabel("so", rotation_mode="anchor")

    return drawing(draw, height=3.7)


def thresholds(at: Values, series: Mapping[str, Values], *, y: str, chosen: float | None = None) -> str:
    """A score for each threshold that was tried."""

    def draw(axes: Axes) -> None:
        _lines(axes, at, series, y=y, mark=_told(chosen, "chosen"))
        axes.set_xlabel("threshold of the probability")

    return drawing(draw, height=3.0)


def finder(rates: Values, losses: Values, *, proposal: float | None = None) -> str:
    """The loss while the learning rate rose from step to step."""

    def draw(axes: Axes) -> None:
        _lines(axes, rates, {"loss": losses}, y="loss, smoothed", mark=_told(proposal, "rate of this run"))
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(_plain)
        axes.tick_params(axis="x", which="minor", length=0)
        axes.set_xlabel("learning rate")

    return drawing(draw, height=3.0)


def _told(place: float | None, words: str) -> tuple[float, str] | None:
    return None if place is None else (place, words)


def _lines(
    axes: Axes, x: Values, series: Mapping[str, Values], *, y: str, mark: tuple[float, str] | None = None
) -> None:
    names = short_names(list(series))
    for number, (name, heights) in enumerate(zip(names, series.values(), strict=True)):
        _line(axes, x, heights, number=number, label=name if len(names) > 1 else "")
    if mark is not None:
        _mark(axes, mark[0], label=mark[1])
    shown = [*(names if len(names) > 1 else []), *([mark[1]] if mark is not None else [])]
    if shown:
        legend_above(axes, shown)
    axes.set_ylabel(y, rotation_mode="anchor")


def _line(axes: Axes, x: Values, y: Values, *, number: int, label: str = "") -> None:
    points = {"marker": "o", "markersize": 3.5, "markeredgewidth": 0} if len(x) <= _APART else {}
    stroke = STROKES[number % len(STROKES)] if label else "-"
    told = {"label": label} if label else {}
    axes.plot(x, y, color=colour(number), linewidth=1.6, linestyle=stroke, **points, **told)  # type: ignore[arg-type]


def _mark(axes: Axes, place: float | None, *, label: str = "") -> None:
    if place is not None:
        told = {"label": label} if label else {}
        axes.axvline(place, color=INK, linewidth=1.1, linestyle=DOTTED, alpha=0.8, **told)  # type: ignore[arg-type]


def _whole(axes: Axes, steps: Values) -> None:
    """Steps are whole numbers; one epoch alone must not be stretched over fractions of a step."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, place: f"{step:,.0f}"))
    if len(steps) == 1:
        axes.set_xlim(0, 2 * steps[0])


def _plain(value: float, place: float | None) -> str:
    """Matplotlib would write powers of ten as a formula."""
    return f"{value:g}"
