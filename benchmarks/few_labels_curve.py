"""Dice over the number of masks, an arm a line, as far as results/few_labels/*.json go.

    python -m benchmarks.few_labels_curve            # writes docs/pictures/few-labels.png

A point is the mean of its seeds, each of which is a small mark; what has one budget alone is a point without a line.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.few_labels_table import FULL, LONGER, arm_of, current, mean_dice
from segue.report.drawing import STROKES, colour

OUT = Path(__file__).parents[1] / "docs" / "pictures" / "few-labels.png"
_BESIDE = 3  # panels
_FEWEST = 3  # points, or there is nothing to see

Group = tuple[str, str, int]
Points = dict[int, list[float]]  # number of units with masks: a Dice of each seed


def groups() -> dict[Group, dict[str, Points]]:
    found: dict[Group, dict[str, Points]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for row in current():
        if LONGER in arm_of(row):
            continue  # more passes than the others of its panel
        group = found[row["data"], row["encoder"], row["passes"]]
        group[row["arm"]][units(row)].append(mean_dice(row))
    return {name: arms for name, arms in found.items() if sum(len(points) for points in arms.values()) >= _FEWEST}


def units(row: dict[str, Any]) -> int:
    """Patients with masks; or images, where no patient is known."""
    return len({case.split("_frame")[0] for case in row["learnt_from"]})


def draw(found: dict[Group, dict[str, Points]]) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = -(-len(found) // _BESIDE)
    figure, axes = plt.subplots(rows, _BESIDE, figsize=(4.6 * _BESIDE, 3.4 * rows), squeeze=False, layout="constrained")
    for panel in axes.flat[len(found) :]:
        panel.set_axis_off()
    shades = {arm: number for number, arm in enumerate(sorted({arm for arms in found.values() for arm in arms}))}
    for panel, ((data, encoder, passes), arms) in zip(axes.flat, sorted(found.items()), strict=False):
        for arm, points in sorted(arms.items()):
            number = shades[arm]
            at = sorted(points)
            panel.plot(
                at, [np.mean(points[count]) for count in at], marker="o", color=colour(number), label=arm,
                linestyle=STROKES[number % len(STROKES)],
            )  # fmt: skip
            for count in at:
                panel.plot([count] * len(points[count]), points[count], ".", color=colour(number), alpha=0.5)
        full = arms.get(FULL[0], {})
        ticks = sorted({count for points in arms.values() for count in points})
        panel.set_xscale("log")
        panel.set_xticks(ticks, [str(count) for count in ticks])
        panel.minorticks_off()
        panel.set_ylim(0, 1)
        if full:
            most = max(full)
            panel.axhline(float(np.mean(full[most])), color="0.6", linewidth=0.8)
        panel.set_xlabel("patients, or images of no known one, with masks")
        panel.set_ylabel("Dice")
        panel.set_title(f"{data}, {encoder}, {passes:,} passes", fontsize=10)
        panel.legend(frameon=False, loc="lower right")
        panel.grid(axis="y", alpha=0.3)
    figure.savefig(OUT, dpi=110)
    print(f"Written: {OUT}")


if __name__ == "__main__":
    draw(groups())
