"""Splits that somebody else has made: a table of cases and parts, or nnU-Net's splits_final.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from segue.data.adapters.folders import PARTS
from segue.data.case import Case, read_table
from segue.data.splitting.dealing import LEFT_OUT
from segue.errors import BadInput, nearest

Adopted = tuple[dict[str, str], dict[str, int], str]
"""Case -> part, case -> fold, and how it was made, in words."""


def adopted(source: Path, cases: Sequence[Case]) -> Adopted:
    """Cases that the file does not name are left out."""
    names = {case.case for case in cases}
    if source.suffix.lower() == ".json":
        return _from_nnunet(source, names)
    rows = read_table(source)
    columns = set(rows[0]) if rows else set()
    key = next((name for name in ("case", "image") if name in columns), None)
    value = next((name for name in ("part", "split") if name in columns), None)
    if key is None or value is None:
        raise BadInput(f"{source}: needs the columns case (or image) and part (or split)")
    by_image = {Path(image).name: case.case for case in cases for image in case.images}
    by_image |= {Path(image).stem: case.case for case in cases for image in case.images}
    parts: dict[str, str] = {}
    folds: dict[str, int] = {}
    for number, row in enumerate(rows, start=2):
        case = row[key] if row[key] in names else by_image.get(row[key])
        if case is None:
            raise BadInput(
                f"{source}: row {number}: {row[key]!r} is not a case of this dataset: {nearest(row[key], names)}"
            )
        part = row[value].strip().lower()
        if part != LEFT_OUT and part not in PARTS:
            raise BadInput(f"{source}: row {number}: {row[value]!r} is none of train, validation, test")
        if case in parts:
            raise BadInput(f"{source}: row {number}: {case!r} stands twice")
        parts[case] = part if part == LEFT_OUT else PARTS[part]
        if row.get("fold", "").isdecimal():
            folds[case] = int(row["fold"])
    return parts | dict.fromkeys(names - set(parts), LEFT_OUT), folds, f"as in {source.name}"


def _from_nnunet(source: Path, names: set[str]) -> Adopted:
    """A list of {"train": [...], "val": [...]}, one a fold."""
    try:
        given = json.loads(source.read_text(encoding="utf-8"))
        validation = [list(fold["val"]) for fold in given]
        mentioned = {name for fold in given for name in (*fold["train"], *fold["val"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{source}: is not a splits_final.json ({error})") from None
    unknown = sorted(mentioned - names)
    if unknown:
        raise BadInput(f"{source}: {unknown[0]!r} is not a case of this dataset: {nearest(unknown[0], names)}")
    folds: dict[str, int] = {}
    for number, fold in enumerate(validation):
        for name in fold:
            if name in folds:
                raise BadInput(f"{source}: {name!r} is validation in folds {folds[name]} and {number}")
            folds[name] = number
    return {name: "train" if name in mentioned else LEFT_OUT for name in names}, folds, f"as in {source.name}"
