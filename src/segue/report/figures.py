"""Drawings for a page: SVG in the page's own colours (light and dark), and pictures as data URIs.

Text stays text, in the reader's font. The same numbers give the same bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from segue.report.drawing import DOTTED, INK, STROKES, colour, drawing, legend_above, short_names
from segue.report.palette import class_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Bytes = npt.NDArray[np.uint8]

_POINTS = 150  # of a group are drawn; more would only be a blot
_FULL_COLOUR = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)  # thin outlines stay sharp


def histogram(
    edges: Sequence[float], series: Mapping[str, Sequence[float]], *, x: str, y: str, colours: Sequence[int] = ()
) -> str:
    """Counts (or shares) between edges, a line for each series. `colours` are places in the page's cycle."""

    def draw(axes: Axes) -> None:
        names = short_names(list(series))
        for number, heights in enumerate(series.values()):
            hue = colour(colours[number] if colours else number)
            if len(series) == 1:
                axes.stairs(heights, edges, fill=True, color=hue, alpha=0.75)
            else:
                stroke = STROKES[number % len(STROKES)]
                axes.stairs(
                    heights, edges, baseline=None, color=hue, linewidth=1.7, linestyle=stroke, label=names[number]
                )
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(bottom=0)
        axes.set_xlabel(x)
        axes.set_ylabel(y, rotation_mode="anchor")
        if len(series) > 1:
            legend_above(axes, names)

    return drawing(draw, height=3.0)


def bars(heights: Mapping[str, float], *, x: str, y: str) -> str:
    def draw(axes: Axes) -> None:
        names = short_names(list(heights))
        axes.bar(range(len(names)), list(heights.values()), color=colour(0), alpha=0.75, width=0.7)
        axes.set_xticks(range(len(names)), names)
        axes.tick_params(axis="x", length=0)
        axes.set_xlabel(x)
        axes.set_ylabel(y, rotation_mode="anchor")

    return drawing(draw, height=2.8)


def scatter(points: Sequence[tuple[float, float, int]], *, x: str, y: str) -> str:
    """(x, y, how many): the area of a point is how many there are."""

    def draw(axes: Axes) -> None:
        most = max(count for *_, count in points)
        for across, up, count in sorted(points, key=lambda point: -point[2]):
            size = 7 if most == 1 else 4 + 22 * (count / most) ** 0.5
            axes.plot(across, up, "o", markersize=size, color=colour(0), alpha=0.45, markeredgewidth=0)
        axes.set_xlabel(x)
        axes.set_ylabel(y, rotation_mode="anchor")
        axes.margins(0.15)

    return drawing(draw, height=3.4)


def fronts(points: Mapping[str, tuple[float, float]], front: Sequence[str], *, x: str, y: str) -> str:
    """Points with their names, and a line along those that are on the front."""

    def draw(axes: Axes) -> None:
        line = sorted(points[name] for name in front)
        axes.plot([each[0] for each in line], [each[1] for each in line], color=colour(1), linewidth=1.4, alpha=0.8)
        for name, (across, up) in points.items():
            hue = colour(1) if name in front else colour(0)
            axes.plot(across, up, "o", markersize=6, color=hue, alpha=0.7, markeredgewidth=0)
            axes.annotate(name, (across, up), xytext=(4, 4), textcoords="offset points", fontsize=8.5)
        axes.set_xlabel(x)
        axes.set_ylabel(y, rotation_mode="anchor")
        axes.locator_params(axis="x", nbins=6)
        axes.margins(0.15)

    return drawing(draw, height=3.4)


def climb(points: Sequence[tuple[float, float]], best: Sequence[float], *, x: str, y: str) -> str:
    """Points in their order, and a line along the best so far."""

    def draw(axes: Axes) -> None:
        across = [each for each, _ in points]
        axes.step(across, best, where="post", color=colour(1), linewidth=1.4, alpha=0.8)
        axes.plot(
            across, [each for _, each in points], "o", markersize=6, color=colour(0), alpha=0.6, markeredgewidth=0
        )
        axes.set_xlabel(x)
        axes.set_ylabel(y, rotation_mode="anchor")
        axes.locator_params(axis="x", nbins=8, integer=True)
        axes.margins(0.08)

    return drawing(draw, height=3.0)


def groups(
    values: Mapping[str, Sequence[float]],
    *,
    x: str,
    cuts: Sequence[float] = (),
    limits: tuple[float, float | None] = (0, None),
) -> str:
    """A row for each group: its points, and a box from the lower to the upper quartile with the median in it.

    `cuts` are places on the axis, drawn as lines through all rows; `limits` are the axis's ends.
    """

    def draw(axes: Axes) -> None:
        for row, given in enumerate(values.values()):
            hue, ordered = colour(row), np.sort(np.asarray(given, float))
            if not len(ordered):
                continue
            shown = ordered[np.linspace(0, len(ordered) - 1, min(_POINTS, len(ordered))).astype(int)]
            # Golden steps spread neighbours apart without a random number.
            spread = (np.arange(len(shown)) * 0.618034) % 1 - 0.5
            size = 2.6 if len(shown) > 50 else 4
            axes.plot(shown, row + 0.62 * spread, "o", markersize=size, color=hue, alpha=0.4, markeredgewidth=0)
            low, middle, high = np.percentile(ordered, (25, 50, 75))
            axes.barh(row, high - low, left=low, height=0.42, color="none", edgecolor=INK, linewidth=1.1)
            axes.plot((middle, middle), (row - 0.21, row + 0.21), color=INK, linewidth=2.4, solid_capstyle="butt")
        axes.set_yticks(range(len(values)), short_names(list(values)))
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(values) - 0.4, -0.6)
        axes.set_xlim(*limits)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(x)
        for place in cuts:
            axes.axvline(place, color=INK, linewidth=0.9, linestyle=DOTTED, alpha=0.6)

    return drawing(draw, height=0.75 + (0.55 if len(values) <= 8 else 0.36) * max(1, len(values)))


def contours(image: Bytes, mask: Bytes) -> Bytes:
    """The picture (RGB or grey) with the outline of every class but 0, on a dark rim."""
    drawn = np.ascontiguousarray(np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image).copy()
    lines = []
    for number in np.unique(mask[mask > 0]):
        found, _ = cv2.findContours((mask == number).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        lines.append((found, class_colour(int(number) - 1)))
    for found, _ in lines:
        cv2.drawContours(drawn, found, -1, (0, 0, 0), 4)
    for found, outline in lines:
        cv2.drawContours(drawn, found, -1, outline, 2)
    return drawn


def jpeg(image: Bytes) -> str:
    """A data URI of an RGB or grey picture."""
    how = [cv2.IMWRITE_JPEG_QUALITY, 80, *_FULL_COLOUR]
    done, data = cv2.imencode(".jpg", image[..., ::-1] if image.ndim == 3 else image, how)
    assert done
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"
