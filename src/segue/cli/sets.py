"""What is printed of sets of cases that were judged: their numbers, and how they held up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from segue.cli import tell
from segue.words import count

if TYPE_CHECKING:
    from segue.experiment.evaluate import Evaluation
    from segue.experiment.judge import Judged


_SEEN = {"": "", "images": " (images seen)", "masks": " (trained on)"}


def tell_sets(sets: Sequence[Evaluation | Judged]) -> None:
    head = ["set", "class", "mean over", "Dice", "95 %", "IoU", "HD95", "failed", "found where none"]
    rows = []
    for one in sets:
        for summary in one.summaries:
            who = count(summary.present_patients, summary.whom)
            unit = f" {summary.unit}"
            name = f"{one.name}{_SEEN[summary.seen]}"
            rows.append([
                name, summary.class_name, who, tell.number(summary.means["dice"]), _between(summary.intervals["dice"]),
                tell.number(summary.means["iou"]),
                tell.number(summary.means["hd95"], 1, unit), _percent(summary.failed_dice),
                f"{_percent(summary.means['found_where_none'])} of {summary.absent}" if summary.absent else "-",
            ])  # fmt: skip
    tell.table(head, rows, right={2, 3, 4, 5, 6, 7, 8})
    tell.say(
        "", "  Of images that have the class; 95 %: the interval of Dice's mean; failed: Dice below .5; found where none:",
        "  share of images without it in which it was found all the same.",
    )  # fmt: skip
    for one in sets:
        if one.amounts:
            tell.say("", f"{one.name}:", *(f"  {line}" for amount in one.amounts for line in tell.wrapped(amount.told)))


def _between(bounds: tuple[float, float]) -> str:
    return "-" if bounds[0] != bounds[0] else f"{bounds[0]:.3f} to {bounds[1]:.3f}"


def _percent(value: float) -> str:
    return "-" if value != value else f"{100 * value:.0f} %"


def tell_stress(sets: Sequence[Evaluation]) -> None:
    """How steady predictions are, and what is left of them when images are spoilt; where that was asked."""
    for one in sets:
        for steady in one.steady:
            tell.say("", *tell.wrapped(f"{one.name}: {steady.told}."))
        for apart in one.disagreeing:
            tell.say("", *tell.wrapped(f"{one.name}: {apart.told}."))
        for line in one.calibration.told if one.calibration else ():
            tell.say("", *tell.wrapped(f"{one.name}: {line}."))
        _tell_spoilt(one)


def _tell_spoilt(one: Evaluation) -> None:
    if not one.spoilt:
        return
    levels = sorted({each.level for each in one.spoilt})
    several = len({each.class_name for each in one.spoilt}) > 1
    dice = {(each.corruption, each.class_name, each.level): each.dice for each in one.spoilt}
    rows = [
        [kind, *([name] if several else []), *(tell.number(dice[kind, name, level]) for level in levels)]
        for kind, name in dict.fromkeys((kind, name) for kind, name, _ in dice)
    ]
    tell.say("", f"{one.name}: Dice of images that are spoilt, by level")
    head = ["", *(["class"] if several else []), *("clean" if not level else str(level) for level in levels)]
    tell.table(head, rows, right=set(range(len(head) - len(levels), len(head))))
    tell.say("", *(part for line in one.spoilt_told for part in tell.wrapped(f"{line}.")))
