"""`images/` beside `masks/`, paired by the files' stems: the plainest layout of the field, at any depth.

* `site-a/images/1.jpg`, `site-a/masks/1.png`, `site-b/images/...`: sites a and b
* `train/images/1.jpg`, `train/masks/1.png`, `test/images/...`: the publisher's split
* `patient07/images/...`: a patient
* `archive/site-a/images/...`: a folder around everything says nothing
"""

from __future__ import annotations

import posixpath
import re
from pathlib import PurePosixPath

from segue.data.adapters.adapter import Adapter, Reading
from segue.data.adapters.pairing import join, pair, pictures, side_by_side
from segue.data.case import Case
from segue.data.tree import Tree

IMAGE_FOLDERS = ("images", "image", "imgs", "img", "frames", "inputs", "original", "originals", "imagestr")
MASK_FOLDERS = (
    "masks", "mask", "labels", "label", "ground truth", "ground_truth", "groundtruth", "gt", "annotations",
    "segmentations", "targets", "labelstr",
)  # fmt: skip
PARTS = {
    "train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
_PATIENT = re.compile(r"(patient|pat|subject|sub|case|person)[-_ ]?\w*\d\w*", re.IGNORECASE)


def recognise(tree: Tree) -> str | None:
    pairs = [(images, masks) for _, images, masks in side_by_side(tree, IMAGE_FOLDERS, MASK_FOLDERS) if masks]
    if not pairs:
        return None
    images, masks = pairs[0]
    more = f" (and {len(pairs) - 1} more such pairs)" if len(pairs) > 1 else ""
    return f"{images}/ lies beside {masks}/{more}"


def read(tree: Tree) -> Reading:
    parts = []
    above_seen: dict[str, str] = {}
    bad: list[tuple[str, str]] = []
    for above, images, masks in side_by_side(tree, IMAGE_FOLDERS, MASK_FOLDERS):
        if above in above_seen:
            # `images/` and `original/` beside one `masks/`: which of the two is meant cannot be known.
            bad += [
                (file.path, f"lies in a second image folder beside {above_seen[above]}/")
                for file in pictures(tree, images)
            ]
            continue
        above_seen[above] = images
        reading = pair(pictures(tree, images), pictures(tree, masks) if masks else ())
        parts.append((above, Reading([place(case, above) for case in reading.cases], reading.bad)))
    joined = join(parts)
    return Reading(unwrapped(joined.cases), sorted([*joined.bad, *bad]))


def place(case: Case, above: str) -> Case:
    """The folders above say the part (train, test), the patient (patient07) and the site (anything else)."""
    names = [name for name in above.split("/") if name]
    part = next((PARTS[name.lower()] for name in names if name.lower() in PARTS), "")
    patient = next((name for name in names if _PATIENT.fullmatch(name)), "")
    site = "/".join(name for name in names if name.lower() not in PARTS and name != patient)
    return case.with_(part=part, patient=patient, site=site)


def unwrapped(cases: list[Case]) -> list[Case]:
    """Sites without the folders that all of them lie in: the folder that an archive came in is no hospital."""
    sites = {case.site for case in cases}
    shared = len(PurePosixPath(posixpath.commonpath(sites)).parts) if sites else 0
    return [case.with_(site="/".join(PurePosixPath(case.site).parts[shared:])) for case in cases]


ADAPTER = Adapter(
    name="folders",
    recognise=recognise,
    read=read,
    patients_from="folders called like patient07",
    sites_from="the folders above images/",
)
