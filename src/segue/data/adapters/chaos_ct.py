"""CHAOS in CT: healthy abdomens, of which the liver was drawn. Layout as of `chaos`, from
https://chaos.grand-challenge.org.
"""

from __future__ import annotations

from dataclasses import replace

from segue.data.adapters import chaos
from segue.data.adapters.adapter import Adapter, Reading
from segue.data.tree import Tree


def recognise(tree: Tree) -> str | None:
    found = chaos.series(tree, "CT")
    return f"slices in {found[0].path}/" if found else None


def read(tree: Tree) -> Reading:
    return chaos.read_of(tree, "CT")


ADAPTER: Adapter = replace(
    chaos.ADAPTER,
    name="chaos-ct",
    recognise=recognise,
    read=read,
    modality="CT",
    channels=("CT",),
    classes={"background": 0, "liver": 255},
)
