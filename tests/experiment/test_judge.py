"""Masks that other tools have made are judged by the one judge, and compared with runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import segue
from segue.data.dataset import Dataset
from segue.data.export import nnunet_names
from segue.data.splitting.split import SplitSettings, split
from segue.data.volumes import nifti
from segue.errors import BadInput
from tests.data.volumes import made

pytestmark = pytest.mark.usefixtures("there")


def test_a_runs_own_masks_get_its_own_numbers(there: Path, tmp_path: Path) -> None:
    run = segue.evaluate("runs/first", "datasets/north").sets[0]
    dataset = Dataset.open("datasets/north")
    cases = {row.case for row in run.table}
    files = [dataset.root / dataset.by_name[case].images[0] for case in cases]
    written = segue.predict("runs/first", files, tmp_path / "masks").written
    for one, case in zip(written, cases, strict=True):
        one.masks[0].rename(tmp_path / "masks" / f"{nnunet_names(dataset)[case]}.png")
    judged = segue.judge(tmp_path / "masks", "datasets/north")
    assert judged.name == run.name
    assert {row.case: row.scores for row in judged.table} == {row.case: row.scores for row in run.table}
    compared = segue.compare("runs/first", tmp_path / "masks", out=tmp_path / "page.html")
    (found,) = compared.sets.values()
    assert "matches" in " ".join(found.sentences) or found.groups[0].differences[0].difference == 0
    assert compared.settings == {}  # nobody knows how they were made


def test_what_does_not_fit_is_told(there: Path, tmp_path: Path) -> None:
    dataset = Dataset.open("datasets/north")
    masks = tmp_path / "masks"
    masks.mkdir()
    (masks / "stranger.png").write_bytes(b"")
    with pytest.raises(BadInput, match=r"holds no mask for .* and"):
        segue.judge(masks, "datasets/north", part="all")
    for case in dataset.cases:
        if case.labelled:
            path = masks / f"{case.case}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), dataset.mask(case))
    told: list[str] = []
    found = segue.judge(masks, "datasets/north", part="all", say=told.append)
    assert all(row.scores.dice == 1 for row in found.table)
    assert not told
    segue.judge(masks, "datasets/north", say=told.append)
    assert "more masks are of cases that are not judged" in told[0]
    first = next(case for case in dataset.cases if case.foreground)
    cv2.imwrite(str(masks / f"{first.case}.png"), dataset.mask(first) * 7)
    with pytest.raises(BadInput, match="holds 7; known are 0 = background"):
        segue.judge(masks, "datasets/north", part="all")
    cv2.imwrite(str(masks / f"{first.case}.png"), dataset.mask(first)[:-3])
    with pytest.raises(BadInput, match="its case"):
        segue.judge(masks, "datasets/north", part="all")


def test_volumes_must_lie_on_their_images(tmp_path: Path) -> None:
    raw = made.folder(tmp_path / "raw", 4)
    dataset = segue.scan(raw, tmp_path / "d", workers=0).dataset
    assert dataset is not None
    split(dataset, settings=SplitSettings(test=0.5, validation=0.25))
    found = segue.judge(raw / "labels", dataset, out=tmp_path / "out")
    assert {row.scores.dice for row in found.table} == {1.0}
    assert {row.scores.unit for row in found.table} == {"mm"}
    assert (tmp_path / "out/evaluation" / found.name / "cases.csv").exists()
    case = found.table.rows[0].case
    mask = nifti.read(raw / f"labels/{case}.nii.gz")
    moved: Any = np.array(mask.grid.matrix)
    moved[0, 3] += 30
    other = tmp_path / "moved"
    for path in (raw / "labels").iterdir():
        one = nifti.read(path)
        nifti.write(other / path.name, one.voxels, type(one.grid).of(one.grid.shape, moved))
    with pytest.raises(BadInput, match="mm beside"):
        segue.judge(other, dataset)
