"""The page of a dataset of volumes, and what is drawn of a volume."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import segue
from segue.config import read_yaml, write_yaml
from segue.data.dataset import CARD, Dataset
from segue.data.exploring import measure
from segue.data.volumes import cuts
from segue.errors import BadInput
from tests.data import made as frames
from tests.data.volumes import made


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("explore")
    made.folder(folder / "brains", 6)
    (folder / "brains/labels/5.nii.gz").unlink()
    found = segue.scan(folder / "brains", folder / "d", workers=0).dataset
    assert found is not None
    return found


def text(page: Path) -> str:
    bare = re.sub(r"<style.*?</style>|data:image[^\"]*", "", page.read_text(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", bare))


def test_the_page(dataset: Dataset) -> None:
    page = segue.explore(dataset, workers=0)
    said = text(page)
    assert "30 × 26 × 9" in said
    assert "0.8 × 0.9 × 3 mm" in said
    assert "slices as they are, because they are thick" in said
    assert "Brightness" in said
    assert "no unit" in said
    assert page.read_text().count("data:image/jpeg") == 6
    assert segue.explore(dataset, workers=0).read_bytes() == page.read_bytes()
    write_yaml(dataset.folder / CARD, {**read_yaml(dataset.folder / CARD), "modality": "CT"})
    assert "Hounsfield units" in text(segue.explore(dataset.folder, workers=0))


def test_what_is_measured_of_a_volume(dataset: Dataset) -> None:
    case = dataset.cases[0]
    seen = measure.see(measure.Task(case, True, True, True), dataset)
    image, mask = dataset.image(case)[..., 0], dataset.mask(case)
    assert seen.percentiles == pytest.approx(np.percentile(image, (1, 50, 99)), rel=1e-6)
    assert seen.pixels == {number: int((mask == number).sum()) for number in (0, 1, 2)}
    assert (seen.components, seen.specks) == (1, 0)
    assert seen.colour is None


def test_frames_and_volumes_are_not_on_one_page(dataset: Dataset, tmp_path: Path) -> None:
    pictures = segue.scan(frames.folder_of_images(tmp_path / "raw", 3), tmp_path / "p", workers=0).dataset
    assert pictures is not None
    with pytest.raises(BadInput, match="frames and volumes"):
        segue.explore(Dataset(dataset.folder, dataset.card, (*dataset.cases, *pictures.cases)))


def test_cuts_show_the_structure_the_right_way_up() -> None:
    there = np.zeros((10, 20, 30), bool)
    there[2:8, 5:9, 20:24] = True
    assert cuts.slices_through(there) == [(0, 3), (0, 4), (0, 6)]
    assert cuts.cuts_across(there) == [(1, 6), (2, 21)]
    assert cuts.slices_through(np.zeros((9, 4, 4), bool)) == [(0, 4)]
    volume = np.arange(10)[:, None, None] * np.ones((10, 20, 30))
    across = cuts.plane(volume, (1, 6))
    assert across.shape == (10, 30)
    assert (across[0], across[-1]) == (pytest.approx(9), pytest.approx(0))  # the head is above
    assert cuts.steps_of((3.0, 0.9, 0.8), (1, 6)) == (3.0, 0.8)
    assert cuts.plane(np.stack([volume, volume]), (0, 4)).shape == (2, 20, 30)


def test_pictures_beside_each_other_have_one_width() -> None:
    rows = [
        cuts.beside([np.full((40, 60, 3), 200, np.uint8), np.full((10, 90, 3), 100, np.uint8)], 300, 80),
        cuts.beside([np.full((90, 30, 3), 50, np.uint8)], 300, 80),
    ]
    assert [row.shape[1] for row in rows] == [300, 300]
    assert rows[1].shape[0] == 80
    assert cuts.below(rows).shape[1] == 300
