"""What mask values mean, as ITK-SNAP and 3-D Slicer write it down beside a mask: numbers, names and colours.

ITK-SNAP's label description has lines `1 255 0 0 1 1 1 "liver"` (number, red, green, blue, opacity, shown, as mesh, name);
Slicer's colour table `1 liver 255 0 0 255`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from segue.data.tree import Tree, suffix
from segue.files import atomic
from segue.report.palette import class_colour

SNAP, SLICER = "labels-itksnap.txt", "labels-slicer.ctbl"
_MOST = 1 << 16  # bytes of such a file
_NONE = ("clear label", "background")  # what the number 0 is called
_SNAP = re.compile(r'\s*(\d+)\s+\d+\s+\d+\s+\d+\s+[\d.]+\s+[01]\s+[01]\s+"(.*)"\s*')
_SLICER = re.compile(r"\s*(\d+)\s+(\S+)\s+\d+\s+\d+\s+\d+\s+\d+\s*")


def write(folder: Path, classes: Mapping[int, str]) -> None:
    """Both, for masks of these class ids, in the colours that a page gives them."""
    snap = ['    0     0    0    0        0  0  0    "Clear Label"']
    slicer = ["# Color table file", "0 background 0 0 0 0"]
    for place, (number, name) in enumerate(sorted(item for item in classes.items() if item[0])):
        red, green, blue = class_colour(place)
        plain, joined = name.replace('"', "'"), "_".join(name.split())
        snap.append(f'{number:5} {red:5} {green:4} {blue:4}        1  1  1    "{plain}"')
        slicer.append(f"{number} {joined} {red} {green} {blue} 255")
    for path, lines in ((SNAP, snap), (SLICER, slicer)):
        with atomic(folder / path) as file:
            file.write("\n".join(lines) + "\n")


def found(tree: Tree) -> dict[str, int]:
    """Class name -> value, of the first legend that lies in a tree; empty: there is none."""
    for file in tree.files:
        if suffix(file.name) in (".txt", ".label", ".ctbl") and 0 < file.size <= _MOST:
            try:
                text = (tree.root / file.path).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                continue
            if named := read(text):
                return named
    return {}


def read(text: str) -> dict[str, int]:
    """Empty: it is no legend. Every line must be one of its kind, or a remark."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for kind in (_SNAP, _SLICER):
        matches = [kind.fullmatch(line) for line in lines]
        if lines and all(matches):
            pairs = [
                (int(match[1]), match[2].replace("_", " ") if kind is _SLICER else match[2])
                for match in matches
                if match
            ]
            named = {("background" if number == 0 or name.lower() in _NONE else name): number for number, name in pairs}
            if len(named) == len(pairs) and any(number for number in named.values()):
                return named
    return {}
