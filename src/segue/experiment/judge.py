"""`segue judge`: masks that anybody's tool has made, judged as a run's are: by the one judge, so that they can be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segue.data import images
from segue.data.case import IGNORE
from segue.data.dataset import Dataset, as_dataset
from segue.data.export import nnunet_names
from segue.data.splitting.split import Split
from segue.data.target import Target
from segue.data.tree import IMAGES, VOLUMES, Tree, stem, suffix
from segue.data.volumes import files
from segue.data.volumes.look import read_mask_on
from segue.errors import BadInput
from segue.evaluation.judging.amounts import Agreement, agreements
from segue.evaluation.judging.judge import scored
from segue.evaluation.judging.metrics import METRICS, TOLERANCE
from segue.evaluation.judging.subject import Subject, subjects
from segue.evaluation.judging.summary import Summary, summarise
from segue.evaluation.judging.table import Row, Table
from segue.executors.progress import Progress
from segue.files import write_json
from segue.words import some

CASES, SUMMARY = "cases.csv", "summary.json"


@dataclass(frozen=True)
class Judged:
    folder: Path
    name: str
    table: Table
    summaries: tuple[Summary, ...]
    amounts: tuple[Agreement, ...] = ()  # of volumes: in millilitres against truth

    def as_json(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "set": self.name,
            "summaries": [one.as_json() for one in self.summaries],
            "amounts": [one.as_json() for one in self.amounts],
        }


def judge(
    masks: Path | str,
    on: Dataset | Path | str,
    *,
    part: str = "auto",
    split: str = "split",
    out: Path | str | None = None,
    tolerance: float = TOLERANCE,
    progress: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Judged:
    """Masks in a folder, one a case by its name, of the dataset's class ids (or 0 and 255 for one class), on the case's own
    grid. What is written beside them, `segue compare` takes as it takes a run.

    Args:
        masks: where they lie; a file's name without its ending is the case's, or what `segue data export` called it.
        part: of the dataset's split: test, validation, train; all; auto: test, where there is a split with one.
        out: where to write the evaluation, by default into the folder of the masks.
    """
    dataset, folder = as_dataset(on), Path(masks)
    if not dataset.card.classes:
        raise BadInput(f"{dataset.folder}: has no masks, so nothing can be judged on it")
    target = Target.of(dataset.card.classes)
    part, chosen = _part(dataset, part, split)
    cases = subjects(dataset, target, split=chosen, part="" if part == "all" else part)
    found = _files(folder, dataset)
    missing = [one.case.case for one in cases if one.case.case not in found]
    if missing:
        raise BadInput(
            f"{folder}: holds no mask for {some(missing)} of {dataset.name}",
            hint="Masks are called as their cases are: CASE.png, CASE.nii.gz."
            + (f" It holds those of {len(found)} other cases: --part says which are to be judged." if found else ""),
        )
    rows = []
    with Progress("judging", len(cases), shown=progress) as shown:
        for one in cases:
            rows += list(_rows(one, folder / found[one.case.case], target, tolerance))
            shown.advance()
    table = Table.of(rows)
    name = dataset.name if part == "all" else f"{dataset.name}-{part}"
    where = (Path(out) if out is not None else folder) / "evaluation" / name
    summaries = summarise(table, intervals=METRICS)
    amounts = agreements(table)
    about = {"set": name, "dataset": dataset.name, "part": part, "split": chosen.hash if chosen else ""}
    table.write(where / CASES)
    results = {"amounts": [one.as_json() for one in amounts], "summaries": [one.as_json() for one in summaries]}
    write_json(where / SUMMARY, {**about, **results})
    left = len(set(found) - {one.case.case for one in cases})
    if left:
        say(f"{left} more masks are of cases that are not judged")
    return Judged(where, name, table, tuple(summaries), amounts)


def _part(dataset: Dataset, part: str, split: str) -> tuple[str, Split | None]:
    there = (dataset.folder / f"{split}.csv").exists()
    if part == "all" or (part == "auto" and not there):
        return "all", None
    chosen = Split.open(dataset, split)
    if part != "auto":
        return part, chosen
    tested = any(case in chosen.labelled for case in chosen.cases("test"))
    return ("test", chosen) if tested else ("all", None)


def _files(folder: Path, dataset: Dataset) -> dict[str, str]:
    """Case -> the file of its mask, below the folder."""
    files_ = [file for file in Tree.read(folder).files if suffix(file.name) in IMAGES + VOLUMES]
    by_path = {file.path[: -len(suffix(file.name))]: file.path for file in files_}
    by_name = {file.stem: file.path for file in files_}
    theirs = nnunet_names(dataset)
    found: dict[str, str] = {}
    for case in dataset.cases:
        keys = (case.case, theirs[case.case], *(stem(image) for image in case.images[:1]))
        path = next((at[key] for key in keys for at in (by_path, by_name) if key in at), None)
        if path is not None:
            found[case.case] = path
    return found


def _rows(one: Subject, path: Path, target: Target, tolerance: float) -> Iterator[Row]:
    ids = _mask(one, path)
    truth = one.truth()
    if ids.shape != truth.shape:
        sizes = (" x ".join(map(str, reversed(each.shape))) for each in (ids, truth))
        raise BadInput(f"{path}: is {next(sizes)}, its case {one.case.case} {next(sizes)}")
    known = _known(ids, one.dataset.card.classes, path)
    scores = scored(known, truth, one.case, target, tolerance=tolerance)
    return (Row.of(one.case, name, scores[name]) for name in one.annotated(target))


def _mask(one: Subject, path: Path) -> npt.NDArray[Any]:
    if one.case.volume:
        grid = files.grid(one.dataset.root / one.case.images[0])
        return read_mask_on(path, grid, one.case.images[0])
    return images.read_mask(path)


def _known(ids: npt.NDArray[Any], classes: Mapping[int, str], path: Path) -> npt.NDArray[np.uint8]:
    values = set(np.unique(ids).tolist())
    if len(classes) == 2 and values <= {0, IGNORE}:
        return np.asarray(ids > 0, np.uint8)
    strange = sorted(values - set(classes))
    if strange:
        known = ", ".join(f"{number} = {name}" for number, name in sorted(classes.items()))
        raise BadInput(f"{path}: holds {some(list(map(str, strange)))}; known are {known}")
    return np.asarray(ids, np.uint8)
