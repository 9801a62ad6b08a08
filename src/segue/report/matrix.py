"""Each against each: a field of squares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from segue.report.drawing import FAINT, INK, colour, drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STEPS = ((0.001, 0.6), (0.01, 0.4), (0.05, 0.22))  # p below -> how dark; the number on it stays legible
_ROOM = 12  # sides, up to which a square has room for a number


def chances(names: Sequence[str], p: Mapping[tuple[str, str], float]) -> str:
    """What luck would do: the darker, the less it explains. `p` of pairs in either order."""

    def draw(axes: Axes) -> None:
        from matplotlib.patches import Rectangle

        places = {name: place for place, name in enumerate(names)}
        for (one, other), value in p.items():
            row, column = sorted((places[one], places[other]), reverse=True)
            dark = next((dark for below, dark in _STEPS if value < below), 0.0)
            square = Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, linewidth=0)
            square.set_facecolor(colour(0) if dark else FAINT)
            square.set_alpha(dark or 0.35)
            axes.add_patch(square)
            if len(names) <= _ROOM:
                told = "<.001" if value < 0.001 else f"{value:.3f}"[1:] if value < 1 else "1"
                axes.text(column, row, told, ha="center", va="center", fontsize=7.5, color=INK)
        axes.set_xlim(-0.5, len(names) - 1.5)
        axes.set_ylim(len(names) - 0.5, 0.5)
        axes.set_xticks(range(len(names) - 1), names[:-1])
        axes.set_yticks(range(1, len(names)), names[1:])
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.set_aspect("equal")

    return drawing(draw, height=max(1.6, min(4.6, 0.9 + 0.42 * len(names))))
