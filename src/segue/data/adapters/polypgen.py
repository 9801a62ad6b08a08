"""PolypGen: polyp frames and sequences of six centres, made to see how a model holds up elsewhere.

Layout as in the release described by https://doi.org/10.1038/s41597-023-01981-y (files at
https://doi.org/10.7303/syn26376615): `data_C1/images_C1/STEM.jpg` and `data_C1/masks_C1/STEM_mask.jpg` for C1 to C6,
`sequenceData/positive/seq1/{images,masks}_seq1/` alike, `sequenceData/negativeOnly/seq1_neg/STEM.jpg` without masks.
Oddities: an image of C3 has an underscore more than its mask; mask folders hold stray .txt files; `bbox*` folders and
the pool `imagesAll_positive` repeat what lies elsewhere and are left out.

Patients are guessed. Of C1, frames with the same number before `OLCV1` look alike (the same polyp, the same light) far
more often than others do. The number 176 has 18 frames that look like several examinations; taking them as one patient
errs on the safe side.
"""

from __future__ import annotations

import re

from segue.data.adapters.adapter import Adapter, Known, Reading
from segue.data.adapters.pairing import join, pair, pictures, without
from segue.data.case import Case
from segue.data.tree import File, Tree

_IMAGES = re.compile(r"(?:.*/)?images_(c[1-6]|seq\d+)", re.IGNORECASE)
_NEGATIVE = re.compile(r"(?:.*/)?negativeonly/(seq\d+_neg)", re.IGNORECASE)
_EXAMINATION = re.compile(r"(\d+)OLCV1_")


def _key(file: File) -> str:
    return file.stem.rstrip("_")


def _parts(tree: Tree) -> list[tuple[str, str, str]]:
    """(C1..C6 or the sequence, image folder, mask folder or '')."""
    folders = {folder.lower(): folder for folder in tree.by_folder if pictures(tree, folder)}
    found = []
    for lowered, folder in folders.items():
        if match := _IMAGES.fullmatch(folder):
            above, slash, last = lowered.rpartition("/")
            masks = folders.get(above + slash + last.replace("images_", "masks_"), "")
            name = match[1].upper() if match[1][0] in "cC" else match[1].lower()
            found.append((name, folder, masks))
        elif match := _NEGATIVE.fullmatch(folder):
            found.append((match[1].lower(), folder, ""))
    return found


def recognise(tree: Tree) -> str | None:
    parts = _parts(tree)
    if not any(masks for _, _, masks in parts):
        return None
    return "the folders images_N beside masks_N of " + ", ".join(name for name, _, masks in parts if masks)


def read(tree: Tree) -> Reading:
    parts = []
    for name, images, masks in _parts(tree):
        reading = pair(
            pictures(tree, images),
            pictures(tree, masks) if masks else (),
            image_key=_key,
            mask_key=without(ending="_mask"),
        )
        parts.append((name, Reading([place(case, name) for case in reading.cases], reading.bad)))
    return join(parts)


def place(case: Case, name: str) -> Case:
    if not name.startswith("C"):
        return case.with_(patient=name)
    examination = _EXAMINATION.match(case.case) if name == "C1" else None
    return case.with_(site=name, patient=f"{name}-{examination[1]}" if examination else "")


ADAPTER = Adapter(
    name="polypgen",
    recognise=recognise,
    read=read,
    modality="colonoscopy",
    anatomy="colon",
    channels=("red", "green", "blue"),
    foreground="polyp",
    patients_from="guessed from file names: in C1 the number before OLCV1 looks like an examination; a sequence counts "
    "as one patient; elsewhere they are not known",
    sites_from="the centres' folders data_C1 to data_C6",
    known=Known(
        about="1,537 colonoscopy frames of six centres and 46 sequences, with polyp masks (PolypGen, EndoCV2021)",
        home="https://doi.org/10.7303/syn26376615",
        access="registration at Synapse",
        licence="CC BY 4.0 (as remembered; see its page)",
        citation="Ali et al., A multi-centre polyp detection and segmentation dataset for generalisability assessment, "
        "Scientific Data 10, 2023",
        tree="""
        PolypGen2021_MultiCenterData_v3/
          data_C1/images_C1/276OLCV1_100H0006.jpg
          data_C1/masks_C1/276OLCV1_100H0006_mask.jpg
          data_C2/... to data_C6/...
          sequenceData/positive/seq1/images_seq1/, masks_seq1/
          sequenceData/negativeOnly/seq1_neg/
        """,
    ),
)
