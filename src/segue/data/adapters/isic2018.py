"""ISIC 2018 task 1: dermoscopic images with masks of the lesion.

Layout as in the challenge's archives (https://challenge.isic-archive.com/data/#2018):
`ISIC2018_Task1-2_{Training,Validation,Test}_Input/ISIC_ID.jpg` and
`ISIC2018_Task1_{Training,Validation,Test}_GroundTruth/ISIC_ID_segmentation.png`; the masks of the later parts were
published years after. Some copies carry a `split.csv` (image, split), which goes before the folders.
"""

from __future__ import annotations

import re

from segue.data.adapters.adapter import Adapter, Known, Reading
from segue.data.adapters.pairing import pair, pictures, without
from segue.data.adapters.parts import published_parts
from segue.data.tree import Tree

_FOLDER = re.compile(r"(?:(.*)/)?isic2018_task1(?:-2)?_(training|validation|test)_(input|groundtruth)", re.IGNORECASE)
PARTS = {"training": "train", "validation": "validation", "test": "test"}


def _folders(tree: Tree) -> list[tuple[str, str, str, bool]]:
    """(folder, folder above, part, whether it holds images)."""
    found = []
    for folder in tree.by_folder:
        match = _FOLDER.fullmatch(folder)
        if match and pictures(tree, folder):
            found.append((folder, match[1] or "", PARTS[match[2].lower()], match[3].lower() == "input"))
    return found


def recognise(tree: Tree) -> str | None:
    folders = [folder for folder, _, _, images in _folders(tree) if images]
    return f"the challenge's folder {folders[0]}/" if folders else None


def read(tree: Tree) -> Reading:
    folders = _folders(tree)
    parts = {folder: part for folder, _, part, _ in folders}
    # Identifiers are unique over all parts, so everything is paired at once.
    reading = pair(
        [file for folder, _, _, images in folders if images for file in pictures(tree, folder)],
        [file for folder, _, _, images in folders if not images for file in pictures(tree, folder)],
        mask_key=without(ending="_segmentation"),
    )
    cases = [case.with_(part=parts[case.images[0].rpartition("/")[0]]) for case in reading.cases]
    return published_parts(tree, folders[0][1] if folders else "", Reading(cases, reading.bad))


ADAPTER = Adapter(
    name="isic2018-task1",
    recognise=recognise,
    read=read,
    modality="dermoscopy",
    anatomy="skin",
    channels=("red", "green", "blue"),
    foreground="lesion",
    known=Known(
        about="2,594 training, 100 validation and 1,000 test images of skin lesions with masks (ISIC 2018, task 1)",
        home="https://challenge.isic-archive.com/data/#2018",
        access="open download",
        licence="CC-0 and CC BY-NC 4.0",
        citation="Codella et al., Skin Lesion Analysis Toward Melanoma Detection 2018, arXiv:1902.03368, 2019",
        tree="""
        isic2018/
          ISIC2018_Task1-2_Training_Input/ISIC_0000000.jpg
          ISIC2018_Task1_Training_GroundTruth/ISIC_0000000_segmentation.png
          ISIC2018_Task1-2_Validation_Input, ..._Test_Input and their ..._GroundTruth (where present)
        """,
    ),
)
