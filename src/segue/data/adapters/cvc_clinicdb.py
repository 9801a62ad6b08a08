"""CVC-ClinicDB: 612 frames of 29 colonoscopy sequences from Barcelona, each with a polyp mask.

Layout as in the archive of https://polyp.grand-challenge.org/CVCClinicDB/: `Original/N.tif` and `Ground Truth/N.tif`,
N from 1 to 612; some copies hold it twice, below `TIF/` and `PNG/`. Frames follow each other sequence by sequence, so
the number tells the sequence: a random split puts neighbouring frames of one polyp on both sides.
"""

from __future__ import annotations

from bisect import bisect_right

from segue.data.adapters.adapter import Adapter, Known, Reading
from segue.data.adapters.pairing import called, pair, pictures, side_by_side, trail
from segue.data.tree import Tree

# First frame of each sequence. Looked at in the pictures: at every one of these numbers the scene changes.
STARTS = (
    1, 26, 51, 68, 79, 104, 127, 152, 178, 200, 206, 228, 253, 278, 298, 318, 343, 364, 384, 409, 429, 448, 467, 479,
    504, 529, 547, 572, 592,
)  # fmt: skip
FRAMES = 612


def sequence(name: str) -> str:
    """The sequence of a frame from its number; '' for a name that is none of its numbers."""
    if not (name.isascii() and name.isdigit() and len(name) < 9 and 1 <= int(name) <= FRAMES):
        return ""
    return f"sequence-{bisect_right(STARTS, int(name)):02}"


def _found(tree: Tree, *, told: bool = False) -> tuple[str, str] | None:
    """(images, masks); where a copy holds the frames in two formats, the fuller, else the first. Unless somebody told us
    what it is, a folder has to bear its name: others number their frames too."""
    pairs = []
    for above, images, masks in side_by_side(tree, ["original"], ["ground truth", "groundtruth", "ground_truth"]):
        ours = told or called(tree, above, "cvc", "clinicdb") or trail(tree, above)[-1] in ("tif", "png")
        if masks and ours and all(sequence(file.stem) for file in pictures(tree, images)):
            pairs.append((images, masks))
    return max(pairs, key=lambda pair: len(pictures(tree, pair[0])), default=None)


def recognise(tree: Tree) -> str | None:
    found = _found(tree)
    return f"{found[0]}/ beside {found[1]}/, numbers up to {FRAMES}, and the folder's name" if found else None


def resembles(tree: Tree) -> str | None:
    found = _found(tree, told=True)
    if found is None or len(pictures(tree, found[0])) != FRAMES:
        return None
    return f"{found[0]}/ holds frames 1 to {FRAMES}; if it is a copy of CVC-ClinicDB, its 29 sequences are known"


def read(tree: Tree) -> Reading:
    found = _found(tree) or _found(tree, told=True)
    if found is None:
        return Reading([], [])
    reading = pair(*(pictures(tree, folder) for folder in found))
    return Reading([case.with_(patient=sequence(case.case)) for case in reading.cases], reading.bad)


ADAPTER = Adapter(
    name="cvc-clinicdb",
    recognise=recognise,
    read=read,
    resembles=resembles,
    modality="colonoscopy",
    anatomy="colon",
    channels=("red", "green", "blue"),
    foreground="polyp",
    patients_from="the published frame ranges of its 29 sequences (one person may have given several)",
    known=Known(
        about="612 colonoscopy frames of 29 sequences with polyp masks (CVC-ClinicDB, Hospital Clinic Barcelona)",
        home="https://polyp.grand-challenge.org/CVCClinicDB/",
        access="open download (registration at the challenge's page)",
        licence="research use, the paper to be cited; no formal licence text is known to us",
        citation="Bernal et al., WM-DOVA maps for accurate polyp highlighting in colonoscopy, "
        "Computerized Medical Imaging and Graphics 43, 2015",
        tree="""
        CVC-ClinicDB/
          Original/1.tif                (or .png, .jpg)
          Ground Truth/1.tif
        """,
    ),
)
