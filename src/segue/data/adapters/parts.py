"""A publisher's own split, as a table beside the images: `split.csv` with the columns image and split."""

from __future__ import annotations

from segue.data.adapters.adapter import Reading
from segue.data.adapters.folders import PARTS
from segue.data.case import read_table
from segue.data.tree import IMAGES, Tree, stem, suffix


def published_parts(tree: Tree, folder: str, reading: Reading) -> Reading:
    """Fill in the parts from the split.csv of this folder, if there is one."""
    table = f"{folder}/split.csv" if folder else "split.csv"
    if table not in tree.paths:
        return reading
    rows = read_table(tree.root / table)
    if not rows or not {"image", "split"} <= set(rows[0]):
        return Reading(reading.cases, [*reading.bad, (table, "needs the columns image and split")])
    bad = list(reading.bad)
    parts: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        part = PARTS.get(row["split"].strip().lower())
        if part is None:
            bad.append((table, f"row {number}: {row['split']!r} is none of train, validation, test"))
        else:
            parts[_bare(row["image"])] = part
    cases = [case.with_(part=parts.get(case.case, case.part)) for case in reading.cases]
    return Reading(cases, bad)


def _bare(name: str) -> str:
    """Tables name images with or without the ending."""
    return stem(name) if suffix(name) in IMAGES else name
