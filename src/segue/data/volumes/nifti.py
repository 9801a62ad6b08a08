"""NIfTI files, and FreeSurfer's MGZ, which nobody has checked: the header is believed only as far as the file can hold
what it says.

The fourth axis is time or modality; which, the dataset's card says, and `channel` picks one of it. A file whose two
affines contradict each other, or that has none, is read as most tools read it, and `doubts` says so.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.data.volumes.grid import Grid
from segue.data.volumes.libraries import nibabel
from segue.data.volumes.volume import MOST_VOXELS, Volume, demand_finite
from segue.errors import BadInput, in_words, named
from segue.files import atomic

_DEFLATE = 1032  # bytes that one byte of gzip can become at most
_APART = 1e-2  # millimetres between what the two affines say, above which it is told


def channels(path: Path) -> int:
    """How many times or modalities the file holds."""
    return _shape(_opened(path), path)[3]


def grid(path: Path) -> Grid:
    """From the header alone."""
    image = _opened(path)
    with named(path):
        return Grid.of(_shape(image, path)[:3], image.affine)


def read(path: Path, *, channel: int | None = None) -> Volume:
    """Numbers as the header scales them: whole ones stay whole."""
    image = _opened(path)
    shape = _shape(image, path)
    if channel is None and shape[3] > 1:
        raise BadInput(f"{path}: holds {shape[3]} volumes along its fourth axis, and which is meant was not said")
    if channel is not None and not 0 <= channel < shape[3]:
        raise BadInput(f"{path}: holds {shape[3]} volumes along its fourth axis; there is no number {channel}")
    with named(path):
        found = Grid.of(shape[:3], image.affine)
        proxy: Any = image.dataobj
        try:
            further = tuple(0 if side == 1 else channel for side in proxy.shape[3:])
            voxels = np.asanyarray(proxy[(..., *further)] if further else proxy)
        except (OSError, EOFError, ValueError, zlib.error):
            raise BadInput("is cut short or damaged") from None
        if voxels.dtype.kind not in "uifb":
            raise BadInput(f"holds {voxels.dtype} numbers, which are no picture")
        voxels = voxels.reshape(shape[:3])
        demand_finite(voxels)
    return Volume(voxels, found)


def write(path: Path, voxels: npt.NDArray[Any], grid: Grid) -> None:
    """(i, j, k) onto a file's own grid, whole or not at all. Both affines say the same, where the older one can."""
    image = nibabel().Nifti1Image(voxels, grid.matrix)
    image.header.set_xyzt_units("mm", "unknown")
    image.set_sform(grid.matrix, code=1)
    image.set_qform(grid.matrix, code=0 if grid.sheared else 1)  # it knows turns and lengths, and no shear
    packed = path.name.lower().endswith(".gz")
    with atomic(path, "wb") as file:
        data = image.to_bytes()
        # No time and no name in the packed file: the same mask, the same bytes.
        file.write(gzip.compress(data, 6, mtime=0) if packed else data)


def doubts(path: Path) -> Iterator[str]:
    image = _opened(path)
    header = image.header
    of_q, coded_q = header.get_qform(coded=True)
    of_s, coded_s = header.get_sform(coded=True)
    if not coded_q and not coded_s:
        yield "it does not say where the patient's left and front are"
    elif coded_q and coded_s and of_q is not None and of_s is not None:
        shape = _shape(image, path)[:3]
        try:
            apart = Grid.of(shape, of_q).farthest(Grid.of(shape, of_s))
        except BadInput:
            return
        if apart > _APART:
            yield "its two affines contradict each other; the sform is taken, where some tools take the qform"


def _opened(path: Path) -> Any:
    library = nibabel()
    try:
        size = path.stat().st_size
        if size == 0:
            raise BadInput(f"{path}: is empty")
        image = library.load(path)
        header = image.header
        claimed = math.prod(int(side) for side in image.shape) * header.get_data_dtype().itemsize
    except library.filebasedimages.ImageFileError:
        what = "is cut short or damaged" if _torn(path) else "is no NIfTI file, whatever its name says"
        raise BadInput(f"{path}: {what}") from None
    except (OSError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadInput(f"{path}: cannot be read ({in_words(error)})") from None
    except (library.spatialimages.HeaderDataError, ValueError, OverflowError) as error:
        raise BadInput(f"{path}: has a damaged header ({in_words(error)})") from None
    room = size * (_DEFLATE if path.name.lower().endswith((".gz", ".mgz")) else 1)
    if claimed > room:
        raise BadInput(
            f"{path}: its header promises {claimed / 2**30:,.1f} GiB, which {size / 2**20:,.1f} MiB cannot hold"
        )
    _demand_size(image, path)
    return image


def _demand_size(image: Any, path: Path) -> None:
    """Where the affine is made of the voxels' sizes. The library writes 1 mm where it finds none; nobody has measured that."""
    if not isinstance(image, nibabel().Nifti1Image) or int(image.header["sform_code"]) > 0:
        return
    with nibabel().openers.Opener(path) as file:
        written = type(image.header).from_fileobj(file, check=False)
    if not (np.abs(written["pixdim"][1 : 1 + min(3, len(image.shape))]) > 0).all():
        raise BadInput(f"{path}: its voxels have no size: its header says 0 mm")


def _torn(path: Path) -> bool:
    """Whether it is packed, and its beginning cannot be unpacked."""
    try:
        with gzip.open(path) as file:
            file.read(4096)
        return False
    except gzip.BadGzipFile:
        return False
    except (OSError, EOFError, zlib.error):
        return True


def _shape(image: Any, path: Path) -> tuple[int, int, int, int]:
    """(i, j, k, channels); axes of length 1 at the end do not count."""
    sides = [int(side) for side in image.shape]
    while len(sides) > 3 and sides[-1] == 1:
        sides.pop()
    while len(sides) < 3:
        sides.append(1)
    if len(sides) > 4 and sides[3] == 1:  # a vector of values at each voxel stands in the fifth
        del sides[3]
    if len(sides) > 4 or min(sides) < 1:
        raise BadInput(f"{path}: is of shape {'x'.join(map(str, image.shape))}, which is no volume")
    if math.prod(sides[:3]) > MOST_VOXELS:
        raise BadInput(f"{path}: has {math.prod(sides[:3]) / 1e9:,.1f} thousand million voxels (limit 2.1)")
    return sides[0], sides[1], sides[2], sides[3] if len(sides) > 3 else 1
