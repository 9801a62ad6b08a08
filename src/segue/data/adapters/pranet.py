"""The train and test folders of PraNet, with which most polyp papers compare themselves.

Layout as in the downloads of https://github.com/DengPingFan/PraNet: `TrainDataset/{image,mask}/ID.png` with frames of
Kvasir-SEG and CVC-ClinicDB mixed, `TestDataset/NAME/{images,masks}/ID.png` for five datasets. Frames of CVC-ClinicDB
keep their numbers (as remembered), so their sequences are known, and with them the fact that training and test frames
of this split share sequences. CVC-300 was taken from CVC-ColonDB.
"""

from __future__ import annotations

from segue.data.adapters.adapter import Adapter, Known, Reading
from segue.data.adapters.cvc_clinicdb import sequence
from segue.data.adapters.pairing import join, pair, pictures, side_by_side, trail
from segue.data.case import Case
from segue.data.tree import Tree

TESTS = {name.lower(): name for name in ("Kvasir", "CVC-ClinicDB", "CVC-300", "CVC-ColonDB", "ETIS-LaribPolypDB")}
_KVASIR = "cj"  # its names start so: cju0qkwl35piu0993l0dewei2


def _parts(tree: Tree) -> list[tuple[str, str, str, str]]:
    """(part, sub-dataset or '', images, masks)."""
    found = []
    for above, images, masks in side_by_side(tree, ["images", "image"], ["masks", "mask"]):
        names = trail(tree, above)
        if names[-1] == "traindataset":
            found.append(("train", "", images, masks))
        elif "testdataset" in names and names[-1] in TESTS:
            found.append(("test", TESTS[names[-1]], images, masks))
    return found


def recognise(tree: Tree) -> str | None:
    parts = _parts(tree)
    tests = [site for _, site, _, _ in parts if site]
    if tests:
        return "TestDataset/ with " + ", ".join(tests)
    names = [file.name for _, _, images, _ in parts for file in pictures(tree, images)]
    return "TrainDataset/ with names of Kvasir-SEG" if any(name.startswith(_KVASIR) for name in names) else None


def read(tree: Tree) -> Reading:
    parts = []
    for part, site, images, masks in _parts(tree):
        reading = pair(pictures(tree, images), pictures(tree, masks) if masks else ())
        cases = [place(case.with_(part=part), site) for case in reading.cases]
        parts.append((f"{part}/{site}" if site else part, Reading(cases, reading.bad)))
    return join(parts)


def place(case: Case, site: str) -> Case:
    """In the training folder the name tells the sub-dataset."""
    from_clinic = sequence(case.case) if site in ("", "CVC-ClinicDB") else ""
    if not site:
        site = "CVC-ClinicDB" if from_clinic else "Kvasir" if case.case.startswith(_KVASIR) else ""
    return case.with_(site=site, patient=f"CVC-ClinicDB/{from_clinic}" if from_clinic else "")


ADAPTER = Adapter(
    name="pranet",
    recognise=recognise,
    read=read,
    modality="colonoscopy",
    anatomy="colon",
    channels=("red", "green", "blue"),
    foreground="polyp",
    patients_from="the published frame ranges of the sequences of CVC-ClinicDB; of the others they are not known",
    sites_from="the sub-dataset: the folder below TestDataset, or in TrainDataset the file's name",
    known=Known(
        about="1,450 training and 798 test frames of five polyp datasets, as split by PraNet",
        home="https://github.com/DengPingFan/PraNet",
        access="open download",
        licence="those of the five datasets",
        citation="Fan et al., PraNet: Parallel Reverse Attention Network for Polyp Segmentation, MICCAI 2020",
        tree="""
        pranet/
          TrainDataset/image/ID.png, TrainDataset/mask/ID.png
          TestDataset/Kvasir/images/ID.png, TestDataset/Kvasir/masks/ID.png
          TestDataset/CVC-ClinicDB, CVC-300, CVC-ColonDB, ETIS-LaribPolypDB alike
        """,
    ),
)
