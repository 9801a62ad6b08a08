"""The study of the next hospital as a table: results/next_hospital/*.json."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.common import RESULTS
from segue.evaluation.statistics import addressed, permutation, spread_of_difference
from segue.words import count

REFERENCE = "two-view"
ELSEWHERE = "elsewhere"

Floats = np.ndarray[Any, np.dtype[np.float64]]
Rows = dict[str, dict[int, dict[str, Any]]]  # by arm and seed


def next_hospital() -> Iterator[str]:
    found = [json.loads(path.read_text()) for path in sorted((RESULTS / "next_hospital").glob("*.json"))]
    if not found:
        return
    yield (
        "## The next hospital\n\n`next_hospital`: the same network learns all masks of a home at 128 px for as many "
        "passes (an image that a network sees is one, learning or not), and is judged at home by validation and at three "
        "places that nothing was chosen by. Each arm has the learning rate with which it was best at home, of three, with "
        "another seed (what is painted, added to or joined, that of the same arm without). Dice is the mean over images "
        "with a polyp, or over volumes and classes, then over seeds; `elsewhere` is the mean of the three. Differences are "
        "from `two-view`, which sees as many views, over patients (images, where none is known) and seeds.\n"
    )
    each: dict[tuple[str, int], Rows] = defaultdict(lambda: defaultdict(dict))
    for row in found:
        each[row.get("domain", "polyps"), row["passes"]][row["arm"]][row["seed"]] = row
    for (domain, passes), rows in sorted(each.items(), reverse=True):
        yield f"### {domain.capitalize()}: {passes:,} passes\n"
        yield from _table(rows)
        if REFERENCE in rows:
            yield from _differences(rows)


def _table(rows: Rows) -> Iterator[str]:
    sites = list(next(iter(next(iter(rows.values())).values()))["sites"])
    yield f"| arm | rate | seeds | {' | '.join(sites)} | elsewhere | of home | found where none is |"
    yield "|" + "---|" * (len(sites) + 6)
    home, *others = sites
    for arm, by_seed in rows.items():
        first = next(iter(by_seed.values()))
        means = {site: float(np.mean([_mean(row, site) for row in by_seed.values()])) for site in sites}
        away = float(np.mean([means[site] for site in others]))
        false, empty = (
            sum(one[what] for row in by_seed.values() for one in row["sites"].values())
            for what in ("found_where_none", "empty")
        )
        shown = " | ".join(f"{means[site]:.3f}" for site in sites)
        yield (
            f"| {arm}: {first['told']} | {first['rate']:g} | {len(by_seed)} | {shown} | {away:.3f} | "
            f"{away / means[home]:.0%} | {false} of {empty} |"
        )
    yield ""


def _mean(row: dict[str, Any], site: str) -> float:
    return float(np.mean(row["sites"][site]["dice"]))


def _differences(rows: Rows) -> Iterator[str]:
    home, *others = next(iter(rows[REFERENCE].values()))["sites"]
    for arm, by_seed in rows.items():
        if arm == REFERENCE:
            continue
        told = []
        for where, of in ((home, [home]), (ELSEWHERE, others)):
            one, other = (_patients(rows[side], of) for side in (arm, REFERENCE))
            told.append(f"{where} {_compared(one, other, arm, where)}")
        seeds = f"{len(by_seed)} and {count(len(rows[REFERENCE]), 'seed')}"
        yield f"* `{arm}` against `{REFERENCE}` ({seeds}): {'; '.join(told)}."
    yield ""


def _patients(by_seed: dict[int, dict[str, Any]], sites: list[str]) -> Floats:
    """(seeds, patients of all these sites): the mean over each one's images; an image, where its patient is not known."""
    found = []
    for _, row in sorted(by_seed.items()):
        values = []
        for site in sites:
            told = row["sites"][site]
            by: dict[str, list[float]] = defaultdict(list)
            for who, dice in zip(told["who"], told["dice"], strict=True):
                by[who].append(dice)
            values += [float(np.mean(by[who])) for who in sorted(by)]
        found.append(values)
    return np.array(found)


def _compared(one: Floats, other: Floats, *address: str) -> str:
    spread = spread_of_difference(one, other, addressed(0, *address))
    low, high = spread.interval()
    p = permutation(one.mean(0) - other.mean(0), addressed(0, *address, "p"))
    p = max(p, spread.p) if min(len(one), len(other)) > 1 else p  # patients and runs must both allow it
    told = f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"
    few = "" if min(len(one), len(other)) > 2 else "; seeds are too few to tell arms apart from their runs"
    return (
        f"{spread.estimate:+.3f} ({low:+.3f} to {high:+.3f}, {told}, {one.mean() / other.mean() - 1:+.1%} of Dice{few})"
    )
