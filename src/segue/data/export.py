"""`segue data export --to nnunet`: a dataset as nnU-Net wants it, so that its numbers can be had beside ours.

The format is described at https://github.com/MIC-DKFZ/nnUNet/blob/master/documentation/dataset_format.md. Training and
validation cases go to imagesTr, test cases to imagesTs; splits_final.json is our split, to be copied to where nnU-Net keeps
its preprocessed data. What does not count becomes nnU-Net's label `ignore`, or background where nothing is left to be
ignored. `cases.csv` says which case bears which name there.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segue.data.alone import alone
from segue.data.case import IGNORE, Case, write_rows
from segue.data.dataset import Dataset, as_dataset
from segue.data.splitting.split import Split
from segue.data.volumes import nifti
from segue.data.volumes.look import read_channels
from segue.errors import BadInput
from segue.executors import LocalExecutor, Needs
from segue.files import atomic, write_json

FORMATS = ("nnunet",)
CASES = "cases.csv"
_CT = "CT"  # the channel name by which nnU-Net knows what to do with Hounsfield units


@dataclass(frozen=True)
class Exported:
    folder: Path
    training: int
    test: int

    def as_json(self) -> dict[str, Any]:
        return {"folder": str(self.folder), "training": self.training, "test": self.test}


def export(
    dataset: Dataset | Path | str,
    out: Path | str,
    *,
    number: int = 1,
    split: str = "split",
    workers: int | None = None,
    progress: bool = False,
) -> Exported:
    """Write `out`/DatasetNNN_NAME. Unlabelled training cases are left out: nnU-Net learns from masks alone."""
    found = as_dataset(dataset)
    if not 1 <= number <= 999:
        raise BadInput(f"number {number}: nnU-Net numbers datasets from 1 to 999")
    parts = Split.open(found, split).parts
    cases = [case for case in found.cases if parts.get(case.case) == "test" or (case.labelled and case.case in parts)]
    names = nnunet_names(found)
    target = Path(out) / f"Dataset{number:03}_{_plain(found.name)}"
    if target.exists():
        raise BadInput(f"{target}: is there already", hint="Give another --out or --number.")
    work = target.with_name(f".{target.name}.partial")
    tasks = [_Task(case, names[case.case], parts[case.case] == "test") for case in cases]
    with alone(work, target.with_name(f".{target.name}.lock"), what=target, busy="another process writes it"):
        for folder in ("imagesTr", "labelsTr", "imagesTs", "labelsTs"):
            (work / folder).mkdir(exist_ok=True)
        largest = max((case.height * case.width * max(1, case.depth) for case in cases), default=0)
        outcomes = LocalExecutor(workers=workers, progress=progress).map(
            _write, tasks, key=lambda task: task.case.case, setup=_Writer(found, work), label="exporting",
            needs=Needs(memory=(256 << 20) + 16 * largest),
        )  # fmt: skip
        for outcome in outcomes:
            outcome.result()
        _describe(found, work, tasks, parts)
        with atomic(work / CASES) as file:
            write_rows(file, [("case", "nnunet", "part"), *((t.case.case, t.name, parts[t.case.case]) for t in tasks)])
        work.rename(target)
    tested = sum(task.test for task in tasks)
    return Exported(target, len(tasks) - tested, tested)


def nnunet_names(dataset: Dataset) -> dict[str, str]:
    """Case -> a name that is safe in a file's, each another."""
    names = {case.case: _plain(case.case) for case in dataset.cases}
    twice = {name for name, count in Counter(name.lower() for name in names.values()).items() if count > 1}
    taken: Counter[str] = Counter()
    for case, name in names.items():
        if name.lower() in twice:
            taken[name.lower()] += 1
            names[case] = f"{name}-{taken[name.lower()]}"
    return names


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.") or "case"


@dataclass(frozen=True)
class _Task:
    case: Case
    name: str
    test: bool


@dataclass(frozen=True)
class _Writer:
    """What a worker has at hand."""

    dataset: Dataset
    work: Path

    def __call__(self) -> _Writer:
        return self


def _write(task: _Task, at: _Writer) -> None:
    dataset, case = at.dataset, task.case
    images, labels = (at.work / f"{kind}{'Ts' if task.test else 'Tr'}" for kind in ("images", "labels"))
    ids = _numbered(dataset.mask(case), dataset) if case.labelled else None
    if not case.volume:
        pixels = dataset.image(case)
        _write_png(images / f"{task.name}_0000.png", pixels[..., ::-1] if pixels.shape[2] == 3 else pixels)
        if ids is not None:
            _write_png(labels / f"{task.name}.png", ids)
        return
    channels = read_channels(dataset.root, case.images)
    for number, volume in enumerate(channels):
        nifti.write(images / f"{task.name}_{number:04}.nii.gz", volume.voxels, volume.grid)
    if ids is not None:
        grid = channels[0].grid
        nifti.write(labels / f"{task.name}.nii.gz", np.ascontiguousarray(grid.turn.undo(ids)), grid)


def _numbered(ids: npt.NDArray[np.uint8], dataset: Dataset) -> npt.NDArray[np.uint8]:
    """nnU-Net wants all labels in a row, that to be ignored the last."""
    return np.where(ids == IGNORE, np.uint8(max(dataset.card.classes) + 1), ids)


def _ignores(dataset: Dataset) -> bool:
    labels = dataset.card.labels
    return labels is not None and IGNORE in labels.values.values()


def _write_png(path: Path, pixels: npt.NDArray[Any]) -> None:
    done, data = cv2.imencode(".png", pixels)
    assert done
    with atomic(path, "wb") as file:
        file.write(data.tobytes())


def _describe(dataset: Dataset, work: Path, tasks: list[_Task], parts: dict[str, str]) -> None:
    card = dataset.card
    volumes = any(task.case.volume for task in tasks)
    channels = list(card.channels)
    if volumes and card.modality.upper() == _CT:
        channels = [_CT] * len(channels)
    classes = {name: number for number, name in sorted(card.classes.items())}
    if _ignores(dataset):
        classes["ignore"] = max(card.classes) + 1
    about = {
        "channel_names": {str(number): name for number, name in enumerate(channels)},
        "labels": classes,
        "numTraining": sum(not task.test for task in tasks),
        "file_ending": ".nii.gz" if volumes else ".png",
        "licence": card.licence,
        "reference": card.citation,
    }
    fold = {
        part: [task.name for task in tasks if parts[task.case.case] == where]
        for part, where in (("train", "train"), ("val", "validation"))
    }
    for name, content in (("dataset.json", about), ("splits_final.json", [fold])):
        write_json(work / name, content)
    for folder in ("imagesTs", "labelsTs"):
        if not any((work / folder).iterdir()):
            shutil.rmtree(work / folder)
