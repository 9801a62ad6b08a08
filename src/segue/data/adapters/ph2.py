"""PH2: 200 dermoscopic images of melanocytic lesions with masks, from Pedro Hispano hospital, Portugal.

Layout as in the archive of https://www.fc.up.pt/addi/ph2%20database.html: one folder a case below `PH2 Dataset images`,
`IMD003/IMD003_Dermoscopic_Image/IMD003.bmp` and `IMD003/IMD003_lesion/IMD003_lesion.bmp`. The folders `IMD003_roi`
(colour regions) and the table of clinical findings are not needed.
"""

from __future__ import annotations

import re

from segue.data.adapters.adapter import Adapter, Known, Reading
from segue.data.adapters.pairing import pair, pictures, without
from segue.data.tree import File, Tree


def _in(tree: Tree, kind: str) -> list[File]:
    folder_name = re.compile(rf"(?:.*/)?IMD\d+_{kind}", re.IGNORECASE)
    folders = [folder for folder in tree.by_folder if folder_name.fullmatch(folder)]
    return [file for folder in folders for file in pictures(tree, folder)]


def recognise(tree: Tree) -> str | None:
    images = _in(tree, "dermoscopic_image")
    return f"folders such as {images[0].folder}/" if images else None


def read(tree: Tree) -> Reading:
    return pair(_in(tree, "dermoscopic_image"), _in(tree, "lesion"), mask_key=without(ending="_lesion"))


ADAPTER = Adapter(
    name="ph2",
    recognise=recognise,
    read=read,
    modality="dermoscopy",
    anatomy="skin",
    channels=("red", "green", "blue"),
    foreground="lesion",
    known=Known(
        about="200 dermoscopic images of melanocytic lesions with masks (PH2, Porto and Pedro Hispano hospital)",
        home="https://www.fc.up.pt/addi/ph2%20database.html",
        access="a form at its page (as remembered)",
        licence="research and education (as remembered; see its page)",
        citation="Mendonça et al., PH2 - A dermoscopic image database for research and benchmarking, EMBC 2013",
        tree="""
        PH2Dataset/
          PH2 Dataset images/IMD003/IMD003_Dermoscopic_Image/IMD003.bmp
          PH2 Dataset images/IMD003/IMD003_lesion/IMD003_lesion.bmp
        """,
    ),
)
