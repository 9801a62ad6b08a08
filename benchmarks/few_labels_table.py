"""The study of few labels as a table: results/few_labels/*.json."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.common import RESULTS
from segue.evaluation.statistics import addressed, permutation, spread_of_difference
from segue.words import count

FULL = ("scratch", "all")
# Asked before any of it was run: reference, arm, budgets. Masks of 1 and 3 get three seeds at least.
DECLARED = (
    ("scratch", "semi", ("1", "3", "10%", "40")), ("scratch", "contrast", ("1", "3", "7", "40")),
    ("contrast", "several", ("1", "3")),
)  # fmt: skip

LONGER = " after "  # passes of a pre-training that came on top

Rows = dict[tuple[str, str], list[dict[str, Any]]]


def _found() -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((RESULTS / "few_labels").glob("*.json"))]


def current() -> list[dict[str, Any]]:
    """Rows of the methods as they are; others say of what they were before, and are not mixed with them."""
    return [row for row in _found() if not row.get("before")]


def mean_dice(row: dict[str, Any]) -> float:
    """Over classes and images of each patient, then over patients."""
    return float(_patients(row).mean())


def few_labels() -> Iterator[str]:
    found = _found()
    if not found:
        return
    yield (
        "## Few labels\n\n`few_labels`: the same network, the same patients with masks for all arms of a seed, no validation, "
        "the last moving average judged once on held-back patients. Mean Dice over classes and patients, then over seeds; a "
        "pass is an image that a network sees, learning or not, all rows of a table have as many, and `before` are those of "
        "them that a pre-training had; `after 150,000` says that a pre-training had so many on top. Minutes are by the clock, "
        "of one thread beside whatever else the machine was doing; "
        "passes are what compares. Masks are of patients, or of images where no patient is known. Comparisons pair those that "
        "judge, and seeds too: both arms of a seed have the same masks.\n"
    )
    by_data: dict[tuple[str, str, int, str], Rows] = defaultdict(lambda: defaultdict(list))
    for row in found:
        by_data[row["data"], row["encoder"], row["passes"], row.get("before", "")][arm_of(row), row["budget"]].append(
            row
        )
    for (name, encoder, passes, before), rows in sorted(by_data.items()):
        yield f"### {name}, {encoder}, {passes:,} passes{f', before {before}' if before else ''}\n"
        yield from _table(rows)
        longer = [("scratch", arm, (budget,)) for arm, budget in rows if LONGER in arm]
        for reference, arm, budgets in (*DECLARED, *longer):
            for budget in budgets:
                if (reference, budget) in rows and (arm, budget) in rows:
                    yield _compared(reference, arm, budget, rows)
        yield ""


def arm_of(row: dict[str, Any]) -> str:
    longer = row["pretrained"] >= row["passes"]
    return f"{row['arm']}{LONGER}{row['pretrained']:,}" if longer else str(row["arm"])


def _table(rows: Rows) -> Iterator[str]:
    full = np.mean([mean_dice(row) for row in rows[FULL]]) if FULL in rows else None
    # Where some patients have none, a structure is something to be found.
    small = any(one["absent"] for some in rows.values() for one in some[0]["classes"].values())
    yield (
        "| masks of | arm | Dice | of full masks | seeds | before | minutes | parameters |"
        f"{' lesions found | found are lesions |' if small else ''}"
    )
    yield "|" + "---|" * (10 if small else 8)

    def order(key: tuple[str, str]) -> tuple[float, str]:
        return (float(key[1].rstrip("%")) if key[1] != "all" else 1e9, key[0])

    for (arm, budget), some in sorted(rows.items(), key=lambda pair: order(pair[0])):
        means = [mean_dice(row) for row in some]
        share = f"{100 * np.mean(means) / full:.0f} %" if full else "-"
        seeds = f"{len(some)}" + (f" ({', '.join(f'{mean:.3f}' for mean in means)})" if len(some) > 1 else "")
        first = some[0]
        yield (
            f"| {budget} | {arm}: {first['told']} | {np.mean(means):.3f} | {share} | {seeds} | "
            f"{first['pretrained']:,} | "
            f"{_minutes(some)} | {first['parameters'] / 1e6:.1f} M |"
            f"{_lesions(some) if small else ''}"
        )
    yield ""


def _minutes(some: list[dict[str, Any]]) -> str:
    """Of those that trained in the call that wrote them: what was only judged again knows nothing of its time."""
    known = [row["minutes_of_this_call"] for row in some if row["minutes_of_this_call"] > 0]
    return f"{np.mean(known):.0f}" if known else "-"


def _lesions(some: list[dict[str, Any]]) -> str:
    """Recall and precision, lesion by lesion, over all test cases and seeds."""
    there, found, false = (
        sum(one[kind] for row in some for one in row["lesions"].values())
        for kind in ("lesions", "lesions_found", "false_lesions")
    )
    precision = f"{found / (found + false):.2f}" if found + false else "-"
    return f" {found / there:.2f} ({found} of {there}) | {precision} |"


def _patients(row: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Dice of each patient, its classes and images averaged."""
    by: dict[str, list[float]] = defaultdict(list)
    for one in row["dice"]:
        by[one["patient"]].append(one["dice"])
    return np.array([np.mean(by[patient]) for patient in sorted(by)])


def _compared(reference: str, arm: str, budget: str, rows: Rows) -> str:
    """Patients and seeds as pairs, since of a seed both arms have the same masks; only the seeds that both have."""
    one, other = ({row["seed"]: _patients(row) for row in rows[side, budget]} for side in (arm, reference))
    seeds = sorted(one.keys() & other.keys())
    if not seeds:
        return f"* {budget}: {arm} and {reference} have no seed in common yet."
    first, second = (np.stack([side[seed] for seed in seeds]) for side in (one, other))
    spread = spread_of_difference(first, second, addressed(0, reference, arm, budget), matched=True)
    low, high = spread.interval()
    p = permutation((first - second).mean(0), addressed(0, reference, arm, budget, "p"))
    p = max(p, spread.p) if len(seeds) > 1 else p  # patients and runs must both allow it
    told = f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"
    few = "" if len(seeds) > 2 else "; seeds are too few to tell the methods apart from their runs"
    return (
        f"* masks of {budget}: {arm} against {reference}: {first.mean():.3f} against {second.mean():.3f} "
        f"({spread.estimate:+.3f}, 95 % interval {low:+.3f} to {high:+.3f}, {told}), {count(len(seeds), 'seed')}, "
        f"judged by {first.shape[1]}{few}."
    )
