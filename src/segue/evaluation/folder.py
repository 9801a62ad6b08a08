"""Files and whole folders of images to masks in each image's own geometry, as PNG.

One image after the other: a folder of any length takes no more memory than a batch. A file that cannot be read is told and
the others go on; a mask is written whole or not at all. An image that EXIF turns is predicted, and its mask written, as it
is looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import numpy.typing as npt

from segue.data import images
from segue.data.adapters.folders import MASK_FOLDERS
from segue.data.adapters.suffixes import sounds_like_mask
from segue.data.target import Target
from segue.data.tree import IMAGES, VOLUMES, Tree, suffix
from segue.errors import BadInput, SegueError
from segue.evaluation.decision import PLAIN, Decision, decide, masks
from segue.evaluation.frame import Frame
from segue.evaluation.predict import BATCH, Maps, Picture, Predictor, ahead, picture_of, predict_tagged
from segue.executors.progress import Progress
from segue.files import atomic

Inputs = Sequence[Path | str] | Path | str


@dataclass(frozen=True)
class Predicted:
    """`maps` (classes, height, width) on the native grid, or in a sentence why there are none."""

    path: Path
    maps: Maps | None
    error: str = ""


@dataclass(frozen=True)
class Written:
    path: Path
    masks: tuple[Path, ...] = ()  # one; with regions, one for each
    shares: Mapping[str, float] = field(default_factory=dict)  # class -> share of the image
    error: str = ""


def predict_file(predictor: Predictor, path: Path | str, *, frame: Frame, target: Target) -> Maps:
    """(classes, height, width) on the native grid."""
    found = next(predict_files(predictor, [path], frame=frame, target=target, progress=False))
    if found.maps is None:
        raise BadInput(found.error)
    return found.maps


def predict_files(
    predictor: Predictor,
    paths: Iterable[Path | str],
    *,
    frame: Frame,
    target: Target,
    batch: int = BATCH,
    progress: bool = True,
) -> Iterator[Predicted]:
    """Each in its turn. The next files are read while the network works on these."""
    listed = [Path(path) for path in paths]

    def read(path: Path) -> tuple[tuple[Path, str], Picture | None]:
        try:
            if suffix(path.name) in VOLUMES:
                raise BadInput(f"{path}: is a volume, which this version does not read yet")
            pixels = images.read_image(path)
        except SegueError as error:
            return (path, error.message), None
        except MemoryError:
            return (path, f"{path}: not enough memory"), None
        try:
            return (path, ""), picture_of(pixels, frame, str(path))
        except SegueError as error:
            return (path, f"{path}: {error.message}"), None

    tagged = ahead(read, listed, count=batch)
    with Progress("predicting", len(listed), shown=progress) as shown:
        for (path, error), maps in predict_tagged(predictor, tagged, frame=frame, target=target, batch=batch):
            shown.advance(failed=maps is None)
            yield Predicted(path, maps, error)


def predict_folder(
    predictor: Predictor,
    inputs: Inputs,
    out: Path | str,
    *,
    frame: Frame,
    target: Target,
    decision: Decision = PLAIN,
    batch: int = BATCH,
    progress: bool = True,
) -> Iterator[Written]:
    """A mask for each image, under `out` as the images lie under what was given: 0 and 255 for one class, channel numbers
    (0 the background) for several, a file of 0 and 255 for each region. Inputs are looked at now, predicted as the results
    are taken."""
    places = _places(listed(inputs, besides=Path(out)), Path(out), target)

    def results() -> Iterator[Written]:
        for found in predict_files(predictor, places, frame=frame, target=target, batch=batch, progress=progress):
            if found.maps is None:
                yield Written(found.path, error=found.error)
                continue
            labels = decide(found.maps, target, decision)
            for path, plane in zip(places[found.path], _planes(labels, target), strict=True):
                write_png(path, plane)
            shares = {name: float(mask.mean()) for name, mask in masks(labels, target).items()}
            yield Written(found.path, places[found.path], shares)

    return results()


def write_png(path: Path, plane: npt.NDArray[np.uint8]) -> None:
    done, data = cv2.imencode(".png", plane, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert done
    with atomic(path, "wb") as file:
        file.write(data.tobytes())


def listed(inputs: Inputs, *, besides: Path | None = None) -> list[tuple[Path, str]]:
    """(image, its path under what was given). Of folders all pictures at any depth, but those that look like masks or lie
    in `besides`; a file that is named is taken as it is."""
    given = [Path(inputs)] if isinstance(inputs, Path | str) else [Path(each) for each in inputs]
    if not given:
        raise BadInput("no image is given to predict")
    found: list[tuple[Path, str]] = []
    for where in given:
        try:
            if where.is_file():
                found.append((where, where.name))
                continue
            if not where.exists():
                raise BadInput(f"{where}: there is no such file or folder")
        except OSError as error:  # a name too long
            raise BadInput(f"{str(where)[:200]}: cannot be opened ({error.strerror})") from None
        inside = [(where / path, path) for path in _pictures(where)]
        if besides is not None:
            own = besides.resolve()
            inside = [(path, name) for path, name in inside if not path.resolve().is_relative_to(own)]
        if not inside:
            own_place = besides is not None and where.resolve().is_relative_to(besides.resolve())
            raise BadInput(
                f"{where}: is where the results would go, so its pictures are taken for earlier ones"
                if own_place
                else f"{where}: holds no pictures ({', '.join(IMAGES[:4])}...)",
                hint="Give another --out." if own_place else "Masks and earlier results do not count.",
            )
        found += inside
    once = {path.resolve(): (path, name) for path, name in reversed(found)}
    return list(reversed(once.values()))


def _pictures(folder: Path) -> list[str]:
    return [
        file.path
        for file in Tree.read(folder).files
        if suffix(file.name) in IMAGES
        and not sounds_like_mask(file)
        and not any(part.lower() in MASK_FOLDERS for part in file.folder.split("/"))
    ]


def _places(found: Sequence[tuple[Path, str]], out: Path, target: Target) -> dict[Path, tuple[Path, ...]]:
    """Where the masks of each image go. Images that differ only in their ending keep it: a.jpg.png, a.tif.png."""
    bare = {path: name[: -len(suffix(name))] if suffix(name) else name for path, name in found}
    times = Counter(bare.values())
    marks = [""] if target.exclusive else [f"_{_plain(name)}" for name in target.names]
    places: dict[Path, tuple[Path, ...]] = {}
    taken: dict[Path, Path] = {}
    images_ = {path.resolve() for path, _ in found}
    for path, name in found:
        stem = name if times[bare[path]] > 1 else bare[path]
        places[path] = tuple(out / PurePosixPath(f"{stem}{mark}.png") for mark in marks)
        for place in places[path]:
            if place.resolve() in images_:
                raise BadInput(
                    f"{place}: is an image to predict, and its mask would overwrite it", hint="Give another --out."
                )
            if place in taken:
                raise BadInput(
                    f"{path} and {taken[place]} would both be written as {place}", hint="Predict one folder at a time."
                )
            taken[place] = path
    return places


def _plain(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)


def _planes(labels: npt.NDArray[np.uint8], target: Target) -> list[npt.NDArray[np.uint8]]:
    if not target.exclusive:
        return [region * np.uint8(255) for region in labels]
    return [labels * np.uint8(255) if target.logits == 1 else labels]
