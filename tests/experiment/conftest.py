"""Two made hospitals and a run trained at the first; pictures and volumes of others, and a run pre-trained on both. Made once,
used by many tests, changed by none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import pytest

from segue.data.case import read_table
from segue.data.images import read_image
from segue.data.phantoms import PHANTOMS
from segue.data.preparing.prepare import prepare
from segue.data.scanning.scan import scan
from segue.data.splitting.split import Split, SplitSettings, split
from segue.experiment.pretraining.pretrain import Pretrained, pretrain
from segue.experiment.train import Trained, train
from segue.training import checkpoint
from tests.data.volumes import made

SMALL: dict[str, Any] = {
    "network": {"encoder": "tu-mobilenetv3_small_050", "depth": 3, "decoder_channels": (16, 8, 8)},
    "size": (64, 64),
    "loop": {"steps": 6, "epoch_steps": 3, "batch": 4},
    "machine": {"device": "cpu", "threads": 1, "precision": "32-true", "layout": "channels-last"},
}


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@pytest.fixture
def kept_states(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last state of a run stays, to be looked at."""
    monkeypatch.setattr(checkpoint, "forget", lambda folder: None)


@pytest.fixture(scope="session")
def hospitals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with datasets/north (10 patients, 3 parts, 20 masks) and datasets/south (6 masks)."""
    folder = tmp_path_factory.mktemp("hospitals")
    for site, patients in (("north", 10), ("south", 3)):
        PHANTOMS["colon"].make(folder / site, patients=patients, sites=[site], labelled=2 * patients)
        found = scan(folder / site, folder / "datasets" / site, name=site)
        assert found.dataset is not None
    split(folder / "datasets" / "north", settings=SplitSettings(test=0.2, validation=0.2))
    return folder


@pytest.fixture(scope="session")
def trained(hospitals: Path) -> Trained:
    with working_in(hospitals):
        return train("datasets/north", "runs/first", **SMALL)


@pytest.fixture
def there(hospitals: Path, trained: Trained) -> Iterator[Path]:
    """Working in the folder of the hospitals, with the run."""
    with working_in(hospitals):
        yield hospitals


# Images alone

LOOK: dict[str, Any] = {**SMALL, "loop": {"steps": 4, "epoch_steps": 2}, "contrast": {"volumes": 3, "width": 16}}


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with datasets/clinic (pictures, in three parts), datasets/ward (pictures, not split; `from_test` and
    `from_train` are copies of what clinic has there) and datasets/heads (volumes, in three parts), all prepared."""
    folder = tmp_path_factory.mktemp("images")
    PHANTOMS["colon"].make(folder / "clinic", patients=6, sites=["north"], labelled=18)
    assert scan(folder / "clinic", folder / "datasets/clinic", name="clinic", workers=0).dataset is not None
    parts = split(folder / "datasets/clinic", settings=SplitSettings(test=0.2, validation=0.2))
    PHANTOMS["colon"].make(folder / "ward", patients=2, seed=1, sites=["south"], labelled=4)
    for part in ("test", "train"):
        hide_a_copy(folder, parts, part)
    assert scan(folder / "ward", folder / "datasets/ward", name="ward", workers=0).dataset is not None
    assert scan(made.folder(folder / "raw", 8), folder / "datasets/heads", name="heads", workers=0).dataset is not None
    split(folder / "datasets/heads", settings=SplitSettings(test=0.25, validation=0.25))
    for name in ("clinic", "ward", "heads"):
        prepare(folder / "datasets" / name, folder / "stores" / name, workers=0)
    return folder


def hide_a_copy(folder: Path, parts: Split, part: str) -> None:
    """A frame of clinic becomes one of ward: flipped, cropped, recompressed."""
    inside = set(parts.cases(part))
    source = next(row for row in read_table(folder / "clinic/manifest.csv") if row["mask"] and row["case"] in inside)
    where = folder / "ward/south"
    image, mask = (
        read_image(folder / "clinic" / source["image"]),
        cv2.imread(str(folder / "clinic" / source["mask"]), 0),
    )
    assert mask is not None
    cut = slice(image.shape[0] // 20, -(image.shape[0] // 20)), slice(image.shape[1] // 20, -(image.shape[1] // 20))
    name = f"from_{part}"
    cv2.imwrite(
        str(where / f"images/{name}.jpg"), cv2.cvtColor(cv2.flip(image[cut], 1), cv2.COLOR_RGB2BGR),
        [cv2.IMWRITE_JPEG_QUALITY, 50],
    )  # fmt: skip
    cv2.imwrite(str(where / f"masks/{name}.png"), cv2.flip(mask[cut], 1))
    with (folder / "ward/manifest.csv").open("a", encoding="utf-8", newline="") as table:
        table.write(f"south/images/{name}.jpg,south/masks/{name}.png,{name},{name},south,0001\n")


@pytest.fixture(scope="session")
def looked(images: Path) -> Pretrained:
    """At volumes and pictures."""
    with working_in(images):
        return pretrain(["datasets/heads", "datasets/clinic"], "runs/looked", **LOOK)


@pytest.fixture
def among(images: Path) -> Iterator[Path]:
    """Working in the folder of the images."""
    with working_in(images):
        yield images
