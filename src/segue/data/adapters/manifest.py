"""A table that says everything: `manifest.csv`, one row a case.

    image,mask,patient,site,part,scanner
    img/001.png,gt/001.png,P1,north,train,GE
    img/002.png,,P2,north,test,GE          -> unlabelled

Columns: image (or images: a JSON list for several channels), and if you like mask, case, patient, site, time, modality,
part (or split); any other column rides along. Paths are relative to the table's folder. A table of another name is
taken when it is the only CSV whose column image names files that are there.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterator

from segue.data.adapters.adapter import Adapter, Reading
from segue.data.adapters.folders import PARTS
from segue.data.case import COLUMNS, Case, read_table, split_names
from segue.data.tree import File, Tree, stem, suffix
from segue.errors import BadInput

NAME = "manifest.csv"
_IMAGE_COLUMNS = ("image", "images")
_PLAIN_COLUMNS = ("case", "patient", "site", "time", "modality")
_PART_COLUMNS = ("part", "split")
_OURS = (*_IMAGE_COLUMNS, "mask", *_PLAIN_COLUMNS, *_PART_COLUMNS)
_DRIVE = re.compile(r"[A-Za-z]:")


def _rows(tree: Tree, table: str) -> list[dict[str, str]]:
    """The table, with the columns we know in lower case."""
    rows = read_table(tree.root / table)
    ours = {name: name.lower() if name.lower() in _OURS else name for name in (rows[0] if rows else ())}
    if len(set(ours.values())) < len(ours):
        twice = next(name for name in ours.values() if list(ours.values()).count(name) > 1)
        raise BadInput(f"{tree.root / table}: column {twice!r} stands twice, in other letters")
    return [{ours[name]: text for name, text in row.items()} for row in rows]


def _table(tree: Tree) -> str | None:
    """The manifest nearest to the root, or the only other table that names images of this tree."""
    tables = sorted(
        (file.path for file in tree.files if suffix(file.name) == ".csv" and not _by_us(tree, file)),
        key=lambda path: (path.count("/"), path),
    )
    named = [path for path in tables if path.rpartition("/")[2].lower() == NAME]
    if named:
        return named[0]
    near = [path for path in tables if path.count("/") <= 1]
    speaking = [path for path in near if _names_images(tree, path)]
    return speaking[0] if len(speaking) == 1 else None


def _by_us(tree: Tree, file: File) -> bool:
    """A dataset that was written into the folder of its own images."""
    return file.path != NAME and posixpath.join(file.folder, "dataset.yaml") in tree.paths


def _names_images(tree: Tree, table: str) -> bool:
    try:
        rows = _rows(tree, table)
    except BadInput:  # some other table, not ours to complain of
        return False
    folder = table.rpartition("/")[0]
    return any(posixpath.join(folder, image) in tree.paths for row in rows for image in _images(row))


def _images(row: dict[str, str]) -> tuple[str, ...]:
    text = next((row[name] for name in _IMAGE_COLUMNS if row.get(name)), "")
    try:
        return split_names(text)
    except ValueError:  # a file's name may start with a bracket
        return (text,)


def recognise(tree: Tree) -> str | None:
    table = _table(tree)
    return f"the table {table}" if table else None


class _Refused(Exception):
    """Why a row is not taken."""


def read(tree: Tree) -> Reading:
    table = _table(tree)
    if table is None:
        return Reading([], [])
    rows = _rows(tree, table)
    if not rows:
        raise BadInput(f"{table}: has no rows")
    columns = list(rows[0])
    if not set(_IMAGE_COLUMNS) & set(columns):
        raise BadInput(f"{table}: has no column 'image'; its columns are: {', '.join(columns)}")
    short = _stems_tell(rows)
    pictured = {path for row in rows for path in _found(tree, table, row)}
    cases: list[Case] = []
    bad: list[tuple[str, str]] = []
    used: dict[str, int] = {}  # image, mask or identifier -> row
    for number, row in enumerate(rows, start=2):
        try:
            case = _case(tree, table, row, short, pictured)
            claims = [f"image {path!r}" for path in case.images] + [f"case {case.case!r}"]
            claims += [f"mask {case.mask!r}"] if case.mask else []
            for claim in claims:
                if claim in used:
                    raise _Refused(f"{claim} stands in row {used[claim]} already")
        except _Refused as reason:
            bad.append((table, f"row {number}: {reason}"))
        else:
            used |= dict.fromkeys(claims, number)
            cases.append(case)
    return Reading(cases, bad)


def _stems_tell(rows: list[dict[str, str]]) -> bool:
    """Whether the file's name alone tells the cases apart."""
    stems = Counter(stem(image.replace("\\", "/")).lower() for row in rows for image in _images(row)[:1])
    return all(count == 1 for count in stems.values())


def _case(tree: Tree, table: str, row: dict[str, str], short: bool, pictured: set[str]) -> Case:
    images = tuple(_inside(tree, table, image) for image in _images(row))
    if not images:
        raise _Refused("names no image")
    if len(set(images)) != len(images):
        raise _Refused("names one image twice")
    mask = _inside(tree, table, row["mask"]) if row.get("mask") else ""
    if mask in pictured:
        raise _Refused(f"mask {mask!r} is an image as well")
    said = next((row[name].strip() for name in _PART_COLUMNS if row.get(name)), "")
    if said and said.lower() not in PARTS:
        raise _Refused(f"{said!r} is none of train, validation, test")
    return Case(
        case=row.get("case") or (stem(images[0]) if short else images[0].removesuffix(_ending(images[0]))),
        images=images,
        mask=mask,
        part=PARTS.get(said.lower(), ""),
        extra={_free(name): text for name, text in row.items() if name and name not in _OURS and text},
    ).with_(**{name: row.get(name, "") for name in _PLAIN_COLUMNS if name != "case"})


def _ending(path: str) -> str:
    return path[len(path) - len(suffix(path)) :]


def _free(name: str) -> str:
    """A free column must not take the name of one that we measure."""
    return f"{name} (given)" if name in COLUMNS else name


def _found(tree: Tree, table: str, row: dict[str, str]) -> Iterator[str]:
    for image in _images(row):
        try:
            yield _inside(tree, table, image)
        except _Refused:
            continue  # told when the row's turn comes


def _inside(tree: Tree, table: str, path: str) -> str:
    """A path as the table gives it, relative to the root; it must be there and below the table's folder."""
    given = path.strip().replace("\\", "/")
    path = path if len(path) <= 200 else f"{path[:200]}..."
    if given.startswith("/") or _DRIVE.match(given):
        raise _Refused(f"{path!r} is an absolute path; give it relative to {table}")
    if ".." in given.split("/"):
        raise _Refused(f"{path!r} leads out of the folder")
    full = posixpath.normpath(posixpath.join(table.rpartition("/")[0], given))
    if full not in tree.paths:
        raise _Refused(f"{path!r} is not there")
    return full


ADAPTER = Adapter(
    name="manifest",
    recognise=recognise,
    read=read,
    patients_from="the column patient",
    sites_from="the column site",
)
