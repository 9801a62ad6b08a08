"""`images/` beside `masks/`, paired by the files' stems: the plainest layout of the field, at any depth.

    site-a/images/1.jpg  site-a/masks/1.png  site-b/images/...       -> sites a and b
    train/images/1.jpg   train/masks/1.png   test/images/...         -> the publisher's split
"""

from __future__ import annotations

from segue.data.adapters.adapter import Adapter, Reading
from segue.data.adapters.pairing import inside, join, pair, pictures
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


def _pairs(tree: Tree) -> list[tuple[str, str, str]]:
    """(folder above, image folder, mask folder or '') of every image folder that holds pictures."""
    found = []
    for folder in tree.by_folder:
        above, _, last = folder.rpartition("/")
        if last.lower() not in IMAGE_FOLDERS or not pictures(tree, folder):
            continue
        beside = [name for name in tree.by_folder if name.rpartition("/")[0] == above]
        masks = [name for name in beside if name.rpartition("/")[2].lower() in MASK_FOLDERS and pictures(tree, name)]
        masks.sort(key=lambda name: MASK_FOLDERS.index(name.rpartition("/")[2].lower()))
        found.append((above, folder, masks[0] if masks else ""))
    return found


def recognise(tree: Tree) -> str | None:
    pairs = [(images, masks) for _, images, masks in _pairs(tree) if masks]
    if not pairs:
        return None
    images, masks = pairs[0]
    more = f" (and {len(pairs) - 1} more such pairs)" if len(pairs) > 1 else ""
    return f"{images}/ lies beside {masks}/{more}"


def read(tree: Tree) -> Reading:
    parts = []
    for above, images, masks in _pairs(tree):
        reading = pair(pictures(tree, images), pictures(tree, masks) if masks else ())
        parts.append((above, Reading([_place(case, above) for case in reading.cases], reading.bad)))
    return join(parts)


def _place(case: Case, above: str) -> Case:
    """Folders above say the part (train, test) and the site (anything else)."""
    names = [name for name in inside(above, "").split("/") if name]
    part = next((PARTS[name.lower()] for name in names if name.lower() in PARTS), "")
    site = "/".join(name for name in names if name.lower() not in PARTS)
    return case.with_(part=part, site=site)


ADAPTER = Adapter(name="folders", recognise=recognise, read=read, sites_from="the folders above images/")
