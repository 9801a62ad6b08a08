"""MS-CMRSeg 2019: hearts of 45 patients in three sequences of MR (C0 = bSSFP, T2, LGE).

Layout as in the challenge's archives (https://zmiclab.github.io/zxh/0/mscmrseg19/; as remembered):
`patient1_LGE.nii.gz`, `patient1_C0.nii.gz`, `patient1_T2.nii.gz`, and masks `patient1_C0_manual.nii.gz` in the same or
another folder. Each sequence is a case of its own: they do not share a grid.
"""

from __future__ import annotations

import re

from segue.data.adapters.adapter import Adapter, Known, Reading
from segue.data.adapters.pairing import is_picture, pair
from segue.data.tree import File, Tree

_NAME = re.compile(r"(patient\d+)_(c0|t2|lge|de)(_manual)?", re.IGNORECASE)
_SEQUENCES = {"c0": "bSSFP", "t2": "T2", "lge": "LGE", "de": "LGE"}


def _image(file: File) -> str | None:
    found = _NAME.fullmatch(file.stem)
    return file.stem.lower() if found and not found[3] else None


def _mask(file: File) -> str | None:
    found = _NAME.fullmatch(file.stem)
    return f"{found[1]}_{found[2]}".lower() if found and found[3] else None


def recognise(tree: Tree) -> str | None:
    names = [file for file in tree.files if is_picture(file) and _image(file)]
    sequences = {file.stem.lower().rpartition("_")[2] for file in names}
    masks = any(is_picture(file) and _mask(file) for file in tree.files)
    return f"files such as {names[0].path}" if names and (masks or len(sequences) > 1) else None


def read(tree: Tree) -> Reading:
    files = [file for file in tree.files if is_picture(file)]
    reading = pair(files, files, image_key=_image, mask_key=_mask)
    cases = []
    for case in reading.cases:
        patient, _, sequence = case.case.rpartition("_")
        cases.append(case.with_(patient=patient, extra={"sequence": _SEQUENCES[sequence]}))
    return Reading(cases, reading.bad)


ADAPTER = Adapter(
    name="mscmrseg",
    recognise=recognise,
    read=read,
    modality="MR",
    anatomy="heart",
    channels=("MR",),
    classes={"background": 0, "myocardium": 200, "left ventricle": 500, "right ventricle": 600},
    patients_from="the files' names",
    known=Known(
        about="cardiac MR of 45 patients with cardiomyopathy in three sequences (MS-CMRSeg 2019)",
        home="https://zmiclab.github.io/zxh/0/mscmrseg19/",
        access="registration at its page",
        licence="for research, on the challenge's own terms (see its page)",
        citation="Zhuang et al., Cardiac segmentation on late gadolinium enhancement MRI: a benchmark study from "
        "multi-sequence cardiac MR segmentation challenge, Medical Image Analysis 81, 2022",
        tree="""
        mscmrseg/
          c0t2lge/patient1_C0.nii.gz, patient1_T2.nii.gz, patient1_LGE.nii.gz
          c0gt/patient1_C0_manual.nii.gz
        """,
    ),
)
