"""Audits where the truth is known as a table: results/audit/*.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.common import RESULTS

_WAYS = ("off", "worst", "bias", "of_cases", "r", "aurc")


def audits() -> Iterator[str]:
    found = [
        json.loads(path.read_text()) for path in sorted((RESULTS / "audit").glob("*.json")) if path.stem != "speed"
    ]
    if not found:
        return
    yield (
        "## Audits, where the truth is known\n\n`audit_sites`: runs of `next_hospital`, which learnt from kvasir-seg, "
        "audited in three collections (200 images of each at most, always the same), whose masks then say how far that was "
        "off. `alone`: by what validation and its spoilt copies teach; `others known`: by the other two places too. In "
        "brackets: the interval of 9 in 10.\n"
    )
    for row in found:
        yield from _run(row)


def _run(row: dict[str, Any]) -> Iterator[str]:
    yield f"### {row['run']}: {row['home']:.3f} at home\n"
    yield "| place | true | alone | others known | cases inside, of 9 in 10 (alone, others known) |\n|---|---|---|---|---|"
    for name, site in row["sites"].items():
        cells = [f"{site[how]['expected']:.3f} ({site[how]['low']:.2f} to {site[how]['high']:.2f})" for how in _HOW]
        inside = ", ".join(f"{site[how]['cases_inside']:.0%}" for how in _HOW)
        yield f"| {name} | {site['alone']['true']:.3f} | {' | '.join(cells)} | {inside} |"
    yield ""
    for told, ways in (
        ("The three places, alone", row["alone"]), ("Each place, the others known", row["places"]),
        ("Spoilt copies of kinds that were left out", row["corruptions"]),
    ):  # fmt: skip
        yield f"{told}:\n\n| way | off | at worst | bias | off, of a case | r of cases | risk |\n|---|---|---|---|---|---|---|"
        for way in ways:
            numbers = [way[name] for name in _WAYS]
            yield f"| {way['name']} | " + " | ".join("–" if each is None else f"{each:.3f}" for each in numbers) + " |"
        yield ""
    yield from _verified(row)


def _verified(row: dict[str, Any]) -> Iterator[str]:
    told = []
    for number, one in enumerate(next(iter(row["sites"].values()))["verify"]):
        several = [site["verify"][number] for site in row["sites"].values()]
        holds = [each["holds"] for each in several]
        width, alone = (float(np.mean([each[name] for each in several])) for name in ("width", "alone_width"))
        told.append(
            f"{one['masks']} masks: the intervals of 95 % hold in {min(holds):.1%} to {max(holds):.1%} of 2,000 drawings, "
            f"{1 - width / alone:.0%} narrower than by masks alone (+-{width / 2:.3f})"
        )
    yield "With masks that chance draws (`--verify`), over the three places: " + "; ".join(told) + ".\n"


_HOW = ("alone", "others known")
