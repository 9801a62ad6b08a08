"""BKAI-IGH NeoPolyp-Small: colonoscopy frames from Vietnam with neoplastic and non-neoplastic polyps told apart.

Layout as in the competition (https://www.kaggle.com/competitions/bkai-igh-neopolyp): `train/train/ID.jpeg`,
`train_gt/train_gt/ID.jpeg` and `test/test/ID.jpeg` without masks, ID being 32 hexadecimal digits; the inner folders may
be missing. Masks are coloured, red for neoplastic and green for non-neoplastic, and JPEG, so the colours are not clean.
"""

from __future__ import annotations

import re

from segue.data.adapters.adapter import Adapter, Known, Reading
from segue.data.adapters.pairing import join, pair, pictures, trail
from segue.data.tree import File, Tree

_ID = re.compile(r"[0-9a-f]{32}", re.IGNORECASE)


def _in(tree: Tree, name: str) -> list[File]:
    """Pictures with an ID for a name in folders of this name."""
    folders = [folder for folder in tree.by_folder if trail(tree, folder)[-1] == name]
    return [file for folder in folders for file in pictures(tree, folder) if _ID.fullmatch(file.stem)]


def recognise(tree: Tree) -> str | None:
    if _in(tree, "train") and _in(tree, "train_gt"):
        return "train/ and train_gt/ with names of 32 hexadecimal digits"
    return None


def read(tree: Tree) -> Reading:
    parts = {"train": pair(_in(tree, "train"), _in(tree, "train_gt")), "test": pair(_in(tree, "test"))}
    return join(
        (part, Reading([case.with_(part=part) for case in reading.cases], reading.bad))
        for part, reading in parts.items()
    )


ADAPTER = Adapter(
    name="bkai-neopolyp",
    recognise=recognise,
    read=read,
    modality="colonoscopy",
    anatomy="colon",
    channels=("red", "green", "blue"),
    classes={"neoplastic": "#ff0000", "non-neoplastic": "#00ff00"},
    known=Known(
        about="1,000 colonoscopy frames with masks of neoplastic and other polyps, 200 without (NeoPolyp-Small)",
        home="https://www.kaggle.com/competitions/bkai-igh-neopolyp",
        access="registration at Kaggle, under the competition's rules",
        licence="research use under the competition's rules (as remembered; see its page)",
        citation="Lan et al., NeoUNet: Towards accurate colon polyp segmentation and neoplasm detection, ISVC 2021",
        tree="""
        bkai-igh-neopolyp/
          train/train/0a5f3601ad4f13ccf1f4b331a412fc44.jpeg
          train_gt/train_gt/0a5f3601ad4f13ccf1f4b331a412fc44.jpeg
          test/test/ID.jpeg
        """,
    ),
)
