"""Two made hospitals and a run trained at the first: made once, used by many tests, changed by none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from segue.data.phantoms import PHANTOMS
from segue.data.scanning.scan import scan
from segue.data.splitting.split import SplitSettings, split
from segue.experiment.train import Trained, train

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
