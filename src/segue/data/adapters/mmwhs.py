"""MM-WHS 2017: whole hearts in CT and MR, seven structures.

Layout as in the archives of https://zmiclab.github.io/zxh/0/mmwhs/: `ct_train/ct_train_1001_image.nii.gz` with
`ct_train_1001_label.nii.gz` beside it, the same with `mr_`, and `ct_test`, `mr_test` with images alone.
"""

from __future__ import annotations

import re

from segue.data.adapters.adapter import Adapter, Known, Reading
from segue.data.adapters.pairing import Key, is_picture, pair
from segue.data.tree import File, Tree

_NAME = re.compile(r"((ct|mr)_(train|test)_\d+)_(image|label)", re.IGNORECASE)


def _key(kind: str) -> Key:
    def key(file: File) -> str | None:
        found = _NAME.fullmatch(file.stem)
        return found[1].lower() if found and found[4].lower() == kind else None

    return key


def recognise(tree: Tree) -> str | None:
    found = next((file for file in tree.files if is_picture(file) and _NAME.fullmatch(file.stem)), None)
    return f"files such as {found.path}" if found else None


def read(tree: Tree) -> Reading:
    files = [file for file in tree.files if is_picture(file)]
    reading = pair(files, files, image_key=_key("image"), mask_key=_key("label"))
    cases = []
    for case in reading.cases:
        modality, part, _ = case.case.split("_")
        cases.append(case.with_(modality=modality.upper(), part=part, patient=case.case))
    # The published parts only where both are there: half of a split is none.
    if len({case.part for case in cases}) < 2:
        cases = [case.with_(part="") for case in cases]
    return Reading(cases, reading.bad)


ADAPTER = Adapter(
    name="mmwhs",
    recognise=recognise,
    read=read,
    anatomy="heart",
    classes={
        "background": 0, "left ventricle": 500, "right ventricle": 600, "left atrium": 420, "right atrium": 550,
        "myocardium": 205, "ascending aorta": 820, "pulmonary artery": 850,
    },
    patients_from="the files' numbers",
    known=Known(
        about="whole hearts, 60 in CT and 60 in MR (20 of each with masks of seven structures)",
        home="https://zmiclab.github.io/zxh/0/mmwhs/",
        access="registration at its page",
        licence="for research, on the challenge's own terms (see its page)",
        citation="Zhuang et al., Evaluation of algorithms for Multi-Modality Whole Heart Segmentation, "
        "Medical Image Analysis 58, 2019",
        tree="""
        MM-WHS/
          ct_train/ct_train_1001_image.nii.gz
          ct_train/ct_train_1001_label.nii.gz
          mr_train/..., ct_test/..., mr_test/...
        """,
    ),
)  # fmt: skip
