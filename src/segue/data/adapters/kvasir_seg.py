"""Kvasir-SEG: 1,000 colonoscopy frames with polyp masks from Norwegian hospitals.

Layout as on the dataset's page (https://datasets.simula.no/kvasir-seg/): `images/ID.jpg`, `masks/ID.jpg` of the same
name (the masks are JPEG, so they are grey at the edges) and a JSON of bounding boxes, which is not needed. Some copies
carry a `split.csv` (image, split).
"""

from __future__ import annotations

from segue.data.adapters.adapter import Adapter, Known, Reading
from segue.data.adapters.pairing import called, pair, pictures, side_by_side
from segue.data.adapters.parts import published_parts
from segue.data.tree import Tree, suffix

BOXES = ("kavsir_bboxes.json", "kvasir_bboxes.json")  # the first is the publisher's spelling


def _found(tree: Tree) -> tuple[str, str, str, str] | None:
    """(folder above, images, masks, why) of the one pair of folders that is Kvasir-SEG."""
    for above, images, masks in side_by_side(tree, ["images"], ["masks"]):
        if not masks or not all(suffix(file.name) in (".jpg", ".jpeg") for file in pictures(tree, masks)):
            continue
        if any(file.name in BOXES for file in tree.by_folder.get(above, ())):
            return above, images, masks, "its bounding boxes"
        if called(tree, above, "kvasir"):
            return above, images, masks, "the folder's name"
    return None


def recognise(tree: Tree) -> str | None:
    found = _found(tree)
    return f"images/ and masks/ with JPEG masks, and {found[3]}" if found else None


def read(tree: Tree) -> Reading:
    found = _found(tree)
    if found is None:
        return Reading([], [])
    above, images, masks, _ = found
    return published_parts(tree, above, pair(pictures(tree, images), pictures(tree, masks)))


ADAPTER = Adapter(
    name="kvasir-seg",
    recognise=recognise,
    read=read,
    modality="colonoscopy",
    anatomy="colon",
    channels=("red", "green", "blue"),
    foreground="polyp",
    known=Known(
        about="1,000 colonoscopy frames with polyp masks (Kvasir-SEG, Simula and Bærum Hospital)",
        home="https://datasets.simula.no/kvasir-seg/",
        access="open download",
        licence="research and education; other use asks for permission",
        citation="Jha et al., Kvasir-SEG: A Segmented Polyp Dataset, MMM 2020",
        tree="""
        kvasir-seg/
          images/cju0qkwl35piu0993l0dewei2.jpg
          masks/cju0qkwl35piu0993l0dewei2.jpg
          kavsir_bboxes.json            (not needed)
        """,
    ),
)
