"""Whether an adapter reads its own kind of folder rightly and keeps away from others."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from segue.data.adapters import ADAPTERS, Adapter, Known, Reading
from segue.data.case import COLUMNS, Case
from segue.data.tree import File, Tree
from segue.testing.demand import demand


def check_adapter(adapter: Adapter, folder: Path, *, expected: Mapping[str, Mapping[str, object]]) -> None:
    """Whether an adapter reads its own kind of folder rightly and keeps away from others.

    `folder` is a made tree in the adapter's layout (empty files will do: adapters look at names); `expected` says for
    each case that is in it which fields it must have: {"1": {"mask": "masks/1.png", "patient": "A"}}.
    """
    tree = Tree.read(folder)
    _check_recognition(adapter, tree)
    if adapter.known is not None:
        _check_known(adapter, adapter.known)
    reading = adapter.read(tree)
    _check_cases(adapter, reading.cases, tree)
    _check_bad(reading, tree)
    _check_expected(reading.cases, expected)
    _check_same(reading, adapter.read(tree), "read a second time")
    backwards = Tree(tree.root, tree.files[::-1], tree.left_out)
    _check_same(reading, adapter.read(backwards), "listed in another order")


# What any student's folder may look like: a published dataset must not claim it.
_STRANGERS = {
    "plain folders": ("images/1.jpg", "images/2.jpg", "masks/1.jpg", "masks/2.jpg", "split.csv"),
    "a wrapped pair of folders": ("mine/images/1.png", "mine/masks/1.png", "mine/metadata.csv"),
    "train and test": ("train/images/1.jpg", "train/masks/1.png", "test/images/2.jpg", "test/masks/2.png"),
    "masks by suffix": ("1.jpg", "1_mask.png", "2.jpg", "2_mask.png"),
    "pictures alone": ("a/1.jpg", "b/2.jpg"),
}


def _check_recognition(adapter: Adapter, tree: Tree) -> None:
    why = adapter.recognise(tree)
    demand(why is not None, f"{adapter.name} does not recognise its own tree")
    demand(isinstance(why, str) and why.strip(), f"{adapter.name} does not say why it recognises the tree")
    empty = Tree(tree.root, ())
    demand(adapter.recognise(empty) is None, f"{adapter.name} recognises an empty folder")

    before = list(ADAPTERS.values())
    if adapter.name in ADAPTERS:
        before = before[: list(ADAPTERS).index(adapter.name)]
    else:  # not registered yet: it will stand before the generic layouts
        before = [other for other in before if other.known is not None]
    for other in before:
        demand(other.recognise(tree) is None, f"{other.name} comes first and claims the tree of {adapter.name}")

    if adapter.known is not None:
        for kind, paths in _STRANGERS.items():
            stranger = Tree(Path("/a stranger"), tuple(File(path, 0, 0) for path in sorted(paths)))
            demand(adapter.recognise(stranger) is None, f"{adapter.name} claims a stranger's folder: {kind}")


def _check_known(adapter: Adapter, known: Known) -> None:
    for field in fields(known):
        demand(getattr(known, field.name).strip(), f"{adapter.name}: known.{field.name} is empty")
    demand(known.home.startswith(("http://", "https://")), f"{adapter.name}: known.home is no address")
    demand("\n" in known.tree.strip(), f"{adapter.name}: known.tree shows no tree")
    module = inspect.getmodule(adapter.read)
    says = (module.__doc__ or "") if module else ""
    demand(says.strip(), f"{adapter.name}: its file has no docstring")
    demand("http" in says or "doi.org" in says, f"{adapter.name}: the docstring does not say where the layout is from")


def _check_cases(adapter: Adapter, cases: list[Case], tree: Tree) -> None:
    demand(cases, f"{adapter.name} finds no case in its own tree")
    for name, count in Counter(case.case.lower() for case in cases).items():
        demand(name.strip(), "a case has no name")
        demand(count == 1, f"{count} cases are called {name!r}")
    images = Counter(image for case in cases for image in case.images)
    masks = Counter(case.mask for case in cases if case.mask)
    for path in [*images, *masks]:
        demand(not path.startswith("/") and "\\" not in path, f"{path!r} is not relative with forward slashes")
        demand(path in tree.paths or path in tree.by_folder, f"{path!r} is not in the tree")
    demand(all(case.images for case in cases), "a case has no image")
    demand(not (images & masks), f"{sorted(images & masks)} is an image and a mask")
    for kind, counted in (("image", images), ("mask", masks)):
        # A folder of pictures may be the mask of several series on one grid.
        twice = [path for path, count in counted.items() if count > 1 and path in tree.paths]
        demand(not twice, f"{kind} {twice} is used twice")

    for column, source in (("patient", adapter.patients_from), ("site", adapter.sites_from)):
        told = any(getattr(case, column) for case in cases)
        demand(source or not told, f"{adapter.name} fills in the {column} and does not say what from ({column}s_from)")
    for case in cases:
        demand(case.part in ("", "train", "validation", "test"), f"{case.case!r} has the part {case.part!r}")
        clash = sorted(set(case.extra) & set(COLUMNS))
        demand(not clash, f"{case.case!r}: free column {clash} has the name of a column of ours")
        strings = all(isinstance(text, str) for text in [*case.extra, *case.extra.values()])
        demand(strings, f"{case.case!r}: a free column holds something else than text")


def _check_bad(reading: Reading, tree: Tree) -> None:
    used = {path for case in reading.cases for path in (*case.images, case.mask)}
    for path, reason in reading.bad:
        demand(path in tree.paths, f"bad file {path!r} is not in the tree")
        demand(path not in used, f"{path!r} is bad and yet a case's")
        demand(reason.strip(), f"{path!r} is bad for no reason")


def _check_expected(cases: list[Case], expected: Mapping[str, Mapping[str, object]]) -> None:
    found = {case.case: case for case in cases}
    demand(found.keys() == expected.keys(), f"found {sorted(found)}, expected {sorted(expected)}")
    for name, wanted in expected.items():
        for field, value in wanted.items():
            has = getattr(found[name], field)
            demand(has == value, f"case {name!r} has {field} {has!r}, expected {value!r}")


def _check_same(one: Reading, other: Reading, how: str) -> None:
    def by_name(reading: Reading) -> tuple[list[Case], list[tuple[str, str]]]:
        return sorted(reading.cases, key=lambda case: case.case), sorted(reading.bad)

    demand(by_name(one) == by_name(other), f"the tree reads differently when {how}")
