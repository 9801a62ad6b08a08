"""A dataset as nnU-Net wants it, and back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import segue
from segue.data.dataset import Dataset
from segue.data.export import export
from segue.data.splitting.split import SplitSettings, split
from segue.data.volumes import nifti
from segue.errors import BadInput
from tests.data import made as frames
from tests.data.volumes import made


def scanned(raw: Path, out: Path, **given: str) -> Dataset:
    found = segue.scan(raw, out, workers=0, **given)  # type: ignore[arg-type]
    assert found.bad == ()
    assert found.dataset is not None
    return found.dataset


def dealt(dataset: Dataset) -> Dataset:
    split(dataset, settings=SplitSettings(test=0.25, validation=0.25))
    return dataset


def test_volumes_there_and_back(tmp_path: Path) -> None:
    raw = made.folder(tmp_path / "raw", 8)
    for number, name in enumerate(("a b", "a-b", "ä")):  # names that are none of files there
        for kind in ("images", "labels"):
            target = raw / kind / f"{name}.nii.gz"
            target.parent.mkdir(exist_ok=True, parents=True)
            (raw / f"{kind}/{number}.nii.gz").rename(target)
    dataset = dealt(scanned(raw, tmp_path / "d", name="my heads", labels="0=background,1=ring,2=ignore"))
    done = export(dataset, tmp_path / "nnUNet_raw", number=7, workers=0)
    assert done.folder == tmp_path / "nnUNet_raw/Dataset007_my-heads"
    assert (done.training, done.test) == (6, 2)
    about = json.loads((done.folder / "dataset.json").read_text())
    assert about["labels"] == {"background": 0, "ring": 1, "ignore": 2}
    assert (about["numTraining"], about["file_ending"]) == (6, ".nii.gz")
    (fold,) = json.loads((done.folder / "splits_final.json").read_text())
    names = {row.split(",")[0]: row.split(",")[1] for row in (done.folder / "cases.csv").read_text().splitlines()[1:]}
    assert len(set(names.values())) == 8
    for case in dataset.cases:
        test = dataset.folder / "split.csv"
        end = "Ts" if f"{case.case},test" in test.read_text() else "Tr"
        image = nifti.read(done.folder / f"images{end}/{names[case.case]}_0000.nii.gz")
        given = nifti.read(raw / case.images[0])
        assert np.array_equal(image.voxels, given.voxels)
        assert image.grid.farthest(given.grid) < 1e-4
        labels = nifti.read(done.folder / f"labels{end}/{names[case.case]}.nii.gz")
        assert np.array_equal(labels.voxels, nifti.read(raw / case.mask).voxels)
    assert set(fold["train"]) | set(fold["val"]) == {
        path.name.removesuffix(".nii.gz") for path in (done.folder / "labelsTr").iterdir()
    }
    # Read again, it is the same dataset, and its split can be adopted.
    again = scanned(done.folder, tmp_path / "again", labels="0=background,1=ring,2=ignore")
    assert again.card.layout == "channels"
    assert {case.digest for case in again.cases} == {case.digest for case in dataset.cases}
    with pytest.raises(BadInput, match="is there already"):
        export(dataset, tmp_path / "nnUNet_raw", number=7, workers=0)


def test_pictures(tmp_path: Path) -> None:
    dataset = dealt(scanned(frames.folder_of_images(tmp_path / "raw", 8), tmp_path / "d", name="polyps"))
    done = export(dataset, tmp_path / "out", workers=0)
    about = json.loads((done.folder / "dataset.json").read_text())
    assert (len(about["channel_names"]), about["file_ending"]) == (3, ".png")
    again = scanned(done.folder, tmp_path / "again")
    assert sorted(case.digest for case in again.cases) == sorted(case.digest for case in dataset.cases if case.labelled)
    for case in again.cases:
        ours = next(one for one in dataset.cases if one.digest == case.digest)
        assert np.array_equal(again.mask(case), dataset.mask(ours))


def test_without_a_split_or_a_number(tmp_path: Path) -> None:
    dataset = scanned(frames.folder_of_images(tmp_path / "raw", 3), tmp_path / "d")
    with pytest.raises(BadInput, match="split"):
        export(dataset, tmp_path / "out", workers=0)
    with pytest.raises(BadInput, match="from 1 to 999"):
        export(dataset, tmp_path / "out", number=1000, workers=0)
    assert not (tmp_path / "out").exists()
