"""HAM10000: 10,015 dermoscopic images of 7,470 pigmented lesions, with a table and (since 2020) with masks.

Layout as at https://doi.org/10.7910/DVN/DBW86T: `HAM10000_metadata.csv` (image_id, lesion_id, dx, dx_type, age, sex,
localization), images in `HAM10000_images_part_1` and `_part_2` (or together in one folder), masks in
`HAM10000_segmentations_lesion_tschandl/ISIC_ID_segmentation.png`. A copy at Kaggle holds the image folders twice, in
capitals and in small letters. One lesion may have several pictures; which lesions belong to one person is not told.
"""

from __future__ import annotations

import re

from segue.data.adapters.adapter import Adapter, Known, Reading
from segue.data.adapters.pairing import pair, pictures, without
from segue.data.case import COLUMNS, Case, read_table
from segue.data.tree import File, Tree

_IMAGES = re.compile(r"(?:.*/)?(?:ham10000_images(?:_part_?\d)?|images)", re.IGNORECASE)
_MASKS = re.compile(r"(?:.*/)?ham10000_segmentations_lesion_tschandl", re.IGNORECASE)
_TABLE = "ham10000_metadata.csv"


def _in(tree: Tree, folders: re.Pattern[str]) -> list[File]:
    # Folders that differ only in the case of letters are copies of each other.
    matching = {folder.lower(): folder for folder in tree.by_folder if folders.fullmatch(folder)}
    return [file for folder in matching.values() for file in pictures(tree, folder)]


def _table(tree: Tree) -> str | None:
    return next((file.path for file in tree.files if file.name.lower() == _TABLE), None)


def recognise(tree: Tree) -> str | None:
    table = _table(tree)
    return f"its table {table} and its image folders" if table and _in(tree, _IMAGES) else None


def read(tree: Tree) -> Reading:
    reading = pair(_in(tree, _IMAGES), _in(tree, _MASKS), mask_key=without(ending="_segmentation"))
    table = _table(tree)
    if table is None:
        return reading
    rows = read_table(tree.root / table)
    if not rows or not {"image_id", "lesion_id"} <= set(rows[0]):
        return Reading(reading.cases, [*reading.bad, (table, "needs the columns image_id and lesion_id")])
    about: dict[str, dict[str, str]] = {}
    bad = list(reading.bad)
    for number, row in enumerate(rows, start=2):
        if about.setdefault(row["image_id"], row) is not row:
            bad.append((table, f"row {number}: {row['image_id']!r} stands twice"))
    return Reading([_with_row(case, about.get(case.case, {})) for case in reading.cases], bad)


def _with_row(case: Case, row: dict[str, str]) -> Case:
    extra = {name: text for name, text in row.items() if name not in ("image_id", "lesion_id", *COLUMNS) and text}
    return case.with_(patient=row.get("lesion_id", ""), extra=extra)


ADAPTER = Adapter(
    name="ham10000",
    recognise=recognise,
    read=read,
    modality="dermoscopy",
    anatomy="skin",
    channels=("red", "green", "blue"),
    foreground="lesion",
    patients_from="lesion_id (several pictures of one lesion); persons are not told",
    known=Known(
        about="10,015 dermoscopic images of pigmented skin lesions with diagnoses, and masks of the lesions (HAM10000)",
        home="https://doi.org/10.7910/DVN/DBW86T",
        access="open download",
        licence="CC BY-NC 4.0",
        citation="Tschandl, Rosendahl and Kittler, The HAM10000 dataset, Scientific Data 5, 2018; "
        "masks: Tschandl et al., Nature Medicine 26, 2020",
        tree="""
        ham10000/
          HAM10000_metadata.csv
          HAM10000_images_part_1/ISIC_0024306.jpg     (and part_2; or images/)
          HAM10000_segmentations_lesion_tschandl/ISIC_0024306_segmentation.png   (optional)
        """,
    ),
)
