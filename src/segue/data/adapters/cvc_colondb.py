"""CVC-ColonDB: 380 colonoscopy frames with polyp masks, as the polyp papers use them.

Layout of the copies in circulation (the original page, http://vi.cvc.uab.es/colon-qa/cvccolondb/, hands the data out on
request): `CVC-ColonDB/images/N.png` and `CVC-ColonDB/masks/N.png`. The frames come from some 15 sequences whose ranges
are not published, so patients are not known. CVC-300 was taken from it: do not learn from one and test on the other.
"""

from __future__ import annotations

from segue.data.adapters.adapter import Adapter, Known, Reading
from segue.data.adapters.pairing import called, pair, pictures, side_by_side
from segue.data.tree import Tree


def _found(tree: Tree) -> tuple[str, str] | None:
    for above, images, masks in side_by_side(tree, ["images", "image"], ["masks", "mask"]):
        if masks and called(tree, above, "colondb"):
            return images, masks
    return None


def recognise(tree: Tree) -> str | None:
    found = _found(tree)
    return f"{found[0]}/ beside {found[1]}/, and the folder's name" if found else None


def read(tree: Tree) -> Reading:
    found = _found(tree)
    return pair(*(pictures(tree, folder) for folder in found)) if found else Reading([], [])


ADAPTER = Adapter(
    name="cvc-colondb",
    recognise=recognise,
    read=read,
    modality="colonoscopy",
    anatomy="colon",
    channels=("red", "green", "blue"),
    foreground="polyp",
    known=Known(
        about="380 colonoscopy frames with polyp masks (CVC-ColonDB, Computer Vision Center Barcelona)",
        home="http://vi.cvc.uab.es/colon-qa/cvccolondb/",
        access="on request",
        licence="research use, the paper to be cited; no formal licence text is known to us",
        citation="Bernal, Sánchez and Vilariño, Towards automatic polyp detection with a polyp appearance model, "
        "Pattern Recognition 45, 2012",
        tree="""
        CVC-ColonDB/
          images/1.png
          masks/1.png
        """,
    ),
)
