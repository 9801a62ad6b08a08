"""CHAOS in MR: healthy abdomens in two sequences, with liver, kidneys and spleen. In CT (`--layout chaos-ct`) the liver
alone was drawn, so the two are datasets of their own.

Layout as in the archives of https://chaos.grand-challenge.org: `Train_Sets/CT/1/DICOM_anon/*.dcm` with masks
`CT/1/Ground/*.png`, a picture a slice in the order of the files' names; `MR/1/T1DUAL/DICOM_anon/{InPhase,OutPhase}/*.dcm` and
`MR/1/T2SPIR/DICOM_anon/*.dcm` with `Ground/*.png` beside. Each sequence is a case of its own. CT and MR are other people.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from segue.data.adapters.adapter import Adapter, Known, Reading
from segue.data.case import Case
from segue.data.tree import File, Tree

_IMAGES, _MASKS = "dicom_anon", "ground"
_MODALITIES = ("ct", "mr")
_SEQUENCES = {"inphase": "T1 in phase", "outphase": "T1 out of phase", "t2spir": "T2"}
_SETS = {"train_sets": "train", "test_sets": "test"}


def series(tree: Tree, modality: str) -> list[File]:
    return [
        file for file in tree.files
        if file.series and _IMAGES in file.path.lower().split("/") and _modality(file) == modality
    ]  # fmt: skip


def read_of(tree: Tree, modality: str) -> Reading:
    folders = {folder.lower(): folder for folder in tree.by_folder}
    cases = []
    for file in series(tree, modality):
        parts = PurePosixPath(file.path).parts
        lowered = [part.lower() for part in parts]
        at = lowered.index(_IMAGES)
        above = "/".join(parts[:at])
        mask = folders.get(f"{above}/{_MASKS}".lower(), "")
        number = parts[lowered.index(modality.lower()) + 1]
        sequence = next((_SEQUENCES[part] for part in reversed(lowered) if part in _SEQUENCES), "")
        name = " ".join(filter(None, (modality, number, sequence)))
        part = next((_SETS[each] for each in lowered if each in _SETS), "")
        cases.append(
            Case(
                name, (file.path,), mask, patient=f"{modality} {number}", modality=modality, part=part,
                extra={"sequence": sequence} if sequence else {},
            )
        )  # fmt: skip
    if len({case.part for case in cases}) < 2:  # half of a split is none
        cases = [case.with_(part="") for case in cases]
    return Reading(sorted(cases, key=lambda case: case.case), [])


def _modality(file: File) -> str:
    above = file.path.lower().split(f"/{_IMAGES}")[0].split("/")
    return next((part.upper() for part in above if part in _MODALITIES), "")


def recognise(tree: Tree) -> str | None:
    found = series(tree, "MR")
    return f"slices in {found[0].path}/" if found else None


def read(tree: Tree) -> Reading:
    return read_of(tree, "MR")


ADAPTER = Adapter(
    name="chaos-mr",
    recognise=recognise,
    read=read,
    modality="MR",
    anatomy="abdomen",
    channels=("MR",),
    classes={"background": 0, "liver": 63, "right kidney": 126, "left kidney": 189, "spleen": 252},
    patients_from="the folders' numbers",
    known=Known(
        about="healthy abdomens: 40 CT (liver) and 40 MR in two sequences (liver, kidneys, spleen)",
        home="https://chaos.grand-challenge.org",
        access="open download",
        licence="CC BY-NC-SA 4.0",
        citation="Kavur et al., CHAOS Challenge - combined (CT-MR) healthy abdominal organ segmentation, "
        "Medical Image Analysis 69, 2021",
        tree="""
        CHAOS/
          Train_Sets/CT/1/DICOM_anon/*.dcm, Train_Sets/CT/1/Ground/*.png
          Train_Sets/MR/1/T1DUAL/DICOM_anon/InPhase/*.dcm, .../OutPhase/*.dcm, T1DUAL/Ground/*.png
          Train_Sets/MR/1/T2SPIR/DICOM_anon/*.dcm, T2SPIR/Ground/*.png
        """,
    ),
)
