"""Kvasir-SEG: 1,000 colonoscopy frames with polyp masks from Norwegian hospitals.

Layout as on the dataset's page (https://datasets.simula.no/kvasir-seg/): `images/ID.jpg`, `masks/ID.jpg` of the same
name (the masks are JPEG, so they are grey at the edges) and a JSON of bounding boxes, which is not needed. Some copies
carry a `split.csv` (image, split).
"""

from __future__ import annotations

from segue.data.adapters.adapter import Adapter, Known, Reading
from segue.data.adapters.pairing import pair, pictures
from segue.data.adapters.parts import published_parts
from segue.data.tree import Tree, suffix


def recognise(tree: Tree) -> str | None:
    masks = pictures(tree, "masks")
    if not pictures(tree, "images") or not masks:
        return None
    jpeg = all(suffix(file.name) in (".jpg", ".jpeg") for file in masks)
    boxes = any(name in tree.paths for name in ("kavsir_bboxes.json", "kvasir_bboxes.json"))
    named = "kvasir" in tree.root.resolve().name.lower()
    if jpeg and (boxes or named):
        return "images/ and masks/ with JPEG masks, and " + ("its bounding boxes" if boxes else "the folder's name")
    return None


def read(tree: Tree) -> Reading:
    return published_parts(tree, pair(pictures(tree, "images"), pictures(tree, "masks")))


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
