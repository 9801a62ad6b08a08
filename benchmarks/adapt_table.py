"""Adapting as a table: results/adapt/*.json."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.common import RESULTS

HOME, BEFORE = "kvasir-seg", "before"


def adapting() -> Iterator[str]:
    found = [json.loads(path.read_text()) for path in sorted((RESULTS / "adapt").glob("*.json"))]
    if not found:
        return
    yield (
        "## Adapting\n\n`adapt_site`: a run of `next_hospital` goes on with the images of half of a site's patients (images, "
        "where none is known), without masks, for a third of its own passes; the other half judges, before and after. All "
        "but `before` have looked at images of that site. `expected`: what an audit says of the same patients without masks, "
        "asked by variations that nobody was taught to follow (`--audited`).\n\n"
        "| site | form | seeds | Dice there | gain | expected | expected gain | at home |\n|---|---|---|---|---|---|---|---|"
    )
    by: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in found:
        by[row["site"]][row["form"]].append(row)
    for site, forms in by.items():
        start = {row["seed"]: row for row in forms[BEFORE]}
        for form in sorted(forms, key=lambda name: (name != BEFORE, name)):
            yield _row(site, form, forms[form], start)
    yield ""


def _row(site: str, form: str, several: list[dict[str, Any]], start: dict[int, dict[str, Any]]) -> str:
    there, home = (float(np.mean([_dice(row, place) for row in several])) for place in (site, HOME))
    gain = float(np.mean([_dice(row, site) - _dice(start[row["seed"]], site) for row in several]))
    known = [row for row in several if "expected" in row]
    said = f"{np.mean([row['expected'] for row in known]):.3f}" if known else "–"
    both = [row["expected"] - start[row["seed"]]["expected"] for row in known if "expected" in start[row["seed"]]]
    more = ["–", "–"] if form == BEFORE else [f"{gain:+.3f}", f"{np.mean(both):+.3f}" if both else "–"]
    return f"| {site} | {form} | {len(several)} | {there:.3f} | {more[0]} | {said} | {more[1]} | {home:.3f} |"


def _dice(row: dict[str, Any], place: str) -> float:
    return float(np.mean(row["sites"][place]["dice"]))
