"""The last resort: pictures at any depth, each an unlabelled case named by its path. No mask is looked for.

What lies in a folder for masks, or is called like one, is told and left out: a mask must not be learnt from as if it
were an image.
"""

from __future__ import annotations

from segue.data.adapters.adapter import Adapter, Reading
from segue.data.adapters.folders import MASK_FOLDERS
from segue.data.adapters.pairing import is_picture, pair
from segue.data.adapters.suffixes import sounds_like_mask
from segue.data.tree import File, Tree, suffix


def _is_image(file: File) -> bool:
    return not sounds_like_mask(file) and not any(name.lower() in MASK_FOLDERS for name in file.folder.split("/"))


def _path(file: File) -> str:
    return file.path if file.series else file.path[: -len(suffix(file.name))]


def recognise(tree: Tree) -> str | None:
    count = sum(is_picture(file) and _is_image(file) for file in tree.files)
    return f"{count} pictures and no layout with masks that is known" if count else None


def read(tree: Tree) -> Reading:
    pictures = [file for file in tree.files if is_picture(file)]
    reading = pair(filter(_is_image, pictures), image_key=_path)
    masks = [(file.path, "looks like a mask, but no image goes with it") for file in pictures if not _is_image(file)]
    return Reading(reading.cases, sorted(reading.bad + masks))


ADAPTER = Adapter(name="unlabelled", recognise=recognise, read=read)
