"""Files and whole folders of images to masks in each image's own geometry: pictures as PNG, volumes as NIfTI on the
scanner's own grid.

One image after the other: a folder of any length takes no more memory than a batch. A file that cannot be read is told and
the others go on; a mask is written whole or not at all. A picture that EXIF turns is predicted, and its mask written, as it
is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segue.data import images
from segue.data.target import Target
from segue.data.tree import VOLUMES, is_slice, suffix
from segue.data.volumes import dicom_seg, files, legends, nifti
from segue.data.volumes.bias import BiasSettings, corrected
from segue.data.volumes.dicom import about
from segue.data.volumes.look import read_channels
from segue.data.volumes.recipe import Floats, Triple, ready
from segue.errors import BadInput, SegueError
from segue.evaluation.predicting.decision import PLAIN, Decision, masks
from segue.evaluation.predicting.frame import Frame
from segue.evaluation.predicting.inputs import Inputs, listed, others, places
from segue.evaluation.predicting.predict import Picture, Predictor, ahead, picture_of, predict_tagged
from segue.evaluation.predicting.probabilities import Maps, Probabilities
from segue.evaluation.predicting.stack import Stack
from segue.executors.progress import Progress
from segue.files import atomic

_LOOKED_AT, _OF_A_MASK = 1 << 17, 8  # voxels that are looked at, and values that no image has so few of


@dataclass(frozen=True)
class Predicted:
    """What was found on the native grid, or in a sentence why there is nothing."""

    path: Path
    found: Probabilities | None
    error: str = ""


@dataclass(frozen=True)
class Written:
    path: Path
    masks: tuple[Path, ...] = ()  # one; with regions, one for each
    shares: Mapping[str, float] = field(default_factory=dict)  # class -> share of the image
    millilitres: Mapping[str, float] = field(default_factory=dict)  # of volumes
    error: str = ""


def predict_file(predictor: Predictor, path: Path | str, *, frame: Frame, target: Target) -> Maps:
    """(classes, height, width), or (classes, slice, row, column), on the native grid."""
    one = next(predict_files(predictor, [path], frame=frame, target=target, progress=False))
    if one.found is None:
        raise BadInput(one.error)
    return one.found.whole()


def predict_files(
    predictor: Predictor,
    paths: Iterable[Path | str],
    *,
    frame: Frame,
    target: Target,
    modality: str = "",
    batch: int | None = None,
    progress: bool = True,
) -> Iterator[Predicted]:
    """Each in its turn. The next files are read while the network works on these. `modality`: of volumes whose files do not
    tell: CT, MR."""
    every = [Path(path) for path in paths]

    def read(path: Path) -> tuple[tuple[Path, str], Picture | Stack | None]:
        try:
            given = _picture(path, frame) if frame.volumes is None else _stack(path, frame, modality)
            return (path, ""), given
        except SegueError as error:
            return (path, error.message if str(path) in error.message else f"{path}: {error.message}"), None
        except MemoryError:
            return (path, f"{path}: not enough memory"), None

    tagged = ahead(read, every, count=frame.ahead)
    with Progress("predicting", len(every), shown=progress) as shown:
        for (path, error), found in predict_tagged(predictor, tagged, frame=frame, target=target, batch=batch):
            shown.advance(failed=found is None)
            yield Predicted(path, found, error)


def _picture(path: Path, frame: Frame) -> Picture:
    if path.is_dir() or suffix(path.name) in VOLUMES:
        raise BadInput("is a volume, and the network was trained on pictures")
    return picture_of(images.read_image(path), frame, str(path))


def _stack(path: Path, frame: Frame, modality: str) -> Stack:
    assert frame.volumes is not None
    if path.is_file() and is_slice(path):
        raise BadInput("is one slice of a series; its folder is the volume")
    if path.is_file() and suffix(path.name) not in VOLUMES:
        raise BadInput("is no volume, and the network was trained on volumes")
    files_ = [path.name, *(other.name for other in others(path))] if several_files(frame) else [path.name]
    there = read_channels(path.parent, files_)
    frame.demand_channels(len(there))
    _demand_image(there[0].voxels)

    def without_bias(_: int, voxels: Floats, spacing: Triple) -> Floats:
        return corrected(voxels, spacing, BiasSettings())

    own = about(path).get("modality", "") if path.is_dir() else ""
    made = ready(there, frame.volumes.recipe.of(own or modality.upper()), corrected=without_bias)
    return Stack(made.voxels, made.placement, str(path))


def _demand_image(voxels: npt.NDArray[Any]) -> None:
    """Masks lie in folders beside images, and a network finds something in a mask, too."""
    some = voxels.ravel()[:: max(1, voxels.size // _LOOKED_AT)]
    values = np.unique(some)
    if 1 < len(values) <= _OF_A_MASK and np.isin(values, np.arange(256)).all():
        raise BadInput(f"has only {len(values)} different values, so it looks like a mask and not like an image")


def several_files(frame: Frame) -> bool:
    """Whether a case may come as a file for each channel."""
    return frame.volumes is not None and max(frame.voxel, frame.volumes.recipe.read) > 1


def predict_folder(
    predictor: Predictor,
    inputs: Inputs,
    out: Path | str,
    *,
    frame: Frame,
    target: Target,
    decision: Decision = PLAIN,
    modality: str = "",
    dicom: bool = False,
    batch: int | None = None,
    progress: bool = True,
) -> Iterator[Written]:
    """A mask for each image, under `out` as the images lie under what was given. Pictures: 0 and 255 for one class, channel
    numbers (0 the background) for several, a file of 0 and 255 for each region. Volumes: numbers, of regions a file of 0 and
    1 for each; with `dicom`, series of slices get a DICOM-SEG instead. Inputs are looked at now, predicted as the results
    are taken."""
    volumes = frame.volumes is not None
    if dicom and not volumes:
        raise BadInput("DICOM-SEG is for series of slices, and the network was trained on pictures")
    given = listed(inputs, volumes=volumes, besides=Path(out), together=several_files(frame))
    if dicom and not all(path.is_dir() for path, _ in given):
        raise BadInput(
            f"{next(path for path, _ in given if not path.is_dir())}: is no DICOM series, to write a DICOM-SEG of"
        )
    where = places(given, Path(out), target, ending=".dcm" if dicom else ".nii.gz" if volumes else ".png")

    def results() -> Iterator[Written]:
        for one in predict_files(
            predictor, where, frame=frame, target=target, modality=modality, batch=batch, progress=progress
        ):
            if one.found is None:
                yield Written(one.path, error=one.error)
                continue
            labels, write_to = one.found.decided(target, decision), where[one.path]
            shares = {name: float(mask.mean()) for name, mask in masks(labels, target).items()}
            litres: dict[str, float] = {}
            if volumes:
                litres = _write_volumes(one.path, write_to, labels, target, dicom)
            else:
                for path, plane in zip(write_to, _planes(labels, target), strict=True):
                    write_png(path, plane)
            yield Written(one.path, write_to, shares, litres)
        if volumes and target.exclusive and not dicom and Path(out).is_dir():
            legends.write(Path(out), dict(enumerate(target.names)))

    return results()


def _write_volumes(
    image: Path, write_to: tuple[Path, ...], labels: npt.NDArray[np.uint8], target: Target, dicom: bool
) -> dict[str, float]:
    """Onto the grid of the image's own file. Returns millilitres by class."""
    grid = files.grid(image)
    if dicom:
        turned = [grid.turn.undo(each) for each in ([labels] if target.exclusive else labels)]
        dicom_seg.write(
            write_to[0], turned[0] if target.exclusive else np.stack(turned, axis=-1), target.foreground, image
        )
        write_to = ()
    several = [labels] if target.exclusive else list(labels)
    for path, volume in zip(write_to, several, strict=not dicom):
        nifti.write(path, np.ascontiguousarray(grid.turn.undo(volume)), grid)
    millilitre = abs(float(np.linalg.det(grid.matrix[:3, :3]))) / 1000
    return {name: int(np.count_nonzero(mask)) * millilitre for name, mask in masks(labels, target).items()}


def write_png(path: Path, plane: npt.NDArray[np.uint8]) -> None:
    done, data = cv2.imencode(".png", plane, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert done
    with atomic(path, "wb") as file:
        file.write(data.tobytes())


def _planes(labels: npt.NDArray[np.uint8], target: Target) -> list[npt.NDArray[np.uint8]]:
    if not target.exclusive:
        return [region * np.uint8(255) for region in labels]
    return [labels * np.uint8(255) if target.logits == 1 else labels]
