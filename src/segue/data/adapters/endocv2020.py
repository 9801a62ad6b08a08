"""EndoCV2020, its disease part (EDD2020): endoscopy frames of several organs with one mask a finding.

Layout as in the challenge's release (https://edd2020.grand-challenge.org/): `originalImages/ID.jpg` beside
`masks/ID_FINDING.tif`, or sorted as `masksPerClass/FINDING/ID_FINDING.tif`. Of the findings (BE, suspicious, HGD,
cancer, polyp) the polyps are read. That a frame has no polyp mask does not say that it shows no polyp, so it counts as
unlabelled.
"""

from __future__ import annotations

from segue.data.adapters.adapter import Adapter, Known, Reading
from segue.data.adapters.pairing import pair, pictures, side_by_side, without
from segue.data.tree import Tree

POLYP = without(ending="_polyp")


def _found(tree: Tree) -> tuple[str, str] | None:
    for _, images, masks in side_by_side(tree, ["originalimages"], ["masksperclass/polyp", "masks"]):
        if masks and any(POLYP(file) for file in pictures(tree, masks)):
            return images, masks
    return None


def recognise(tree: Tree) -> str | None:
    found = _found(tree)
    return f"{found[0]}/ and the _polyp masks in {found[1]}/" if found else None


def read(tree: Tree) -> Reading:
    found = _found(tree)
    return pair(*(pictures(tree, folder) for folder in found), mask_key=POLYP) if found else Reading([], [])


ADAPTER = Adapter(
    name="endocv2020",
    recognise=recognise,
    read=read,
    modality="endoscopy",
    anatomy="gastrointestinal tract",
    channels=("red", "green", "blue"),
    foreground="polyp",
    known=Known(
        about="386 endoscopy frames with masks of five findings, polyps among them (EndoCV2020, EDD2020)",
        home="https://edd2020.grand-challenge.org/",
        access="registration (IEEE DataPort)",
        licence="CC BY-NC 4.0",
        citation="Ali et al., Deep learning for detection and segmentation of artefact and disease instances in "
        "gastrointestinal endoscopy, Medical Image Analysis 70, 2021",
        tree="""
        EndoCV2020/
          originalImages/EDD2020_ACB0001.jpg
          masksPerClass/polyp/EDD2020_ACB0001_polyp.tif   (or masks/EDD2020_ACB0001_polyp.tif)
        """,
    ),
)
