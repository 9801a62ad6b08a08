"""ETIS-Larib Polyp DB: 196 high-definition colonoscopy frames with polyp masks, from Paris.

Layout as in the archive of https://polyp.grand-challenge.org/ETISLarib/: `ETIS-LaribPolypDB/N.tif` beside
`Ground Truth/pN.tif`: the masks' numbers have a p before them. In some copies `Ground Truth` lies inside the folder of
the images, in others the folders are called images and masks. The frames come from 34 sequences; which frame from which
is not published, so patients are not known.
"""

from __future__ import annotations

from segue.data.adapters.adapter import Adapter, Known, Reading
from segue.data.adapters.pairing import called, pair, pictures, side_by_side
from segue.data.tree import File, Tree

IMAGE_FOLDERS = ("etis-laribpolypdb", "images", "original")
MASK_FOLDERS = ("ground truth", "groundtruth", "ground_truth", "masks")


def _found(tree: Tree) -> tuple[str, str] | None:
    beside = [(images, masks) for _, images, masks in side_by_side(tree, IMAGE_FOLDERS, MASK_FOLDERS) if masks]
    around = [
        (masks.rpartition("/")[0], masks)
        for _, masks, _ in side_by_side(tree, MASK_FOLDERS, ())
        if pictures(tree, masks.rpartition("/")[0])
    ]
    for images, masks in beside + around:
        numbered = all(file.stem.isdigit() for file in pictures(tree, images))
        if numbered and called(tree, images, "etis"):
            return images, masks
    return None


def _number(file: File) -> str:
    return file.stem.lower().removeprefix("p")


def recognise(tree: Tree) -> str | None:
    found = _found(tree)
    return f"numbered frames in {found[0] or '.'}/, masks in {found[1]}/, and the folder's name" if found else None


def read(tree: Tree) -> Reading:
    found = _found(tree)
    if found is None:
        return Reading([], [])
    return pair(pictures(tree, found[0]), pictures(tree, found[1]), mask_key=_number)


ADAPTER = Adapter(
    name="etis-larib",
    recognise=recognise,
    read=read,
    modality="colonoscopy",
    anatomy="colon",
    channels=("red", "green", "blue"),
    foreground="polyp",
    known=Known(
        about="196 high-definition colonoscopy frames with polyp masks (ETIS-Larib, Lariboisière hospital, Paris)",
        home="https://polyp.grand-challenge.org/ETISLarib/",
        access="open download (registration at the challenge's page)",
        licence="research use, the paper to be cited; no formal licence text is known to us",
        citation="Silva et al., Toward embedded detection of polyps in WCE images for early diagnosis of colorectal "
        "cancer, International Journal of Computer Assisted Radiology and Surgery 9, 2014",
        tree="""
        ETIS-LaribPolypDB/
          ETIS-LaribPolypDB/1.tif       (or .jpg, .png)
          Ground Truth/p1.tif
        """,
    ),
)
