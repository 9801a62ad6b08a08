"""Regions that overlap, from masks with one class a pixel: trained, judged, predicted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import segue
from segue.errors import BadInput
from segue.experiment.evaluate import evaluate
from segue.experiment.predict import predict
from segue.experiment.settings import EvaluateSettings
from segue.experiment.train import train
from tests.experiment.conftest import SMALL, working_in

REGIONS = {"whole": ("rim", "core"), "core": ("core",)}


def make(folder: Path, count: int = 12) -> None:
    """Grey disks with a bright core."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for number in range(count):
        generator = np.random.default_rng(number)
        mask = np.zeros((64, 64), np.uint8)
        centre = tuple(int(v) for v in generator.integers(22, 42, 2))
        cv2.circle(mask, centre, 18, 1, -1)
        cv2.circle(mask, centre, 9, 2, -1)
        image = np.array([30, 120, 220], np.uint8)[mask] + generator.integers(0, 20, mask.shape).astype(np.uint8)
        cv2.imwrite(str(folder / "images" / f"{number:02}.png"), np.repeat(image[..., None], 3, 2))
        cv2.imwrite(str(folder / "masks" / f"{number:02}.png"), mask)


@pytest.fixture(scope="module")
def tumours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tumours")
    make(folder / "raw")
    found = segue.scan(folder / "raw", folder / "datasets" / "tumours", labels="0=background,1=rim,2=core")
    assert found.dataset is not None
    segue.split(found.dataset)
    return folder


def test_from_masks_to_masks(tumours: Path) -> None:
    told: dict[str, Any] = {**SMALL, "loop": {"steps": 60, "epoch_steps": 30, "batch": 4, "rate": 1e-2}}
    with working_in(tumours):
        done = train("datasets/tumours", "runs/regions", regions=REGIONS, loss="dice + bce", **told)
        assert done.run.target.names == ("whole", "core")
        assert set(done.run.metrics()[-1]["validation"]) == {"dice", "iou", "dice of whole", "dice of core"}
        table = evaluate(done.run.folder, "datasets/tumours", settings=EvaluateSettings(part="all")).sets[0].table
        of = {(row.case, row.class_name): row.scores for row in table}
        for case in {row.case for row in table}:
            assert of[case, "whole"].truth_pixels > 3 * of[case, "core"].truth_pixels > 0
        # Each region is learnt as itself: the whole contains the core.
        assert min(scores.dice for scores in of.values()) > 0.8
        written = predict(done.run.folder, "raw/images/00.png", "out").written[0]
        whole, core = (np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)) > 0 for path in written.masks)
        assert np.sum(core & whole) > 0.8 * np.sum(core)
        assert np.sum(whole) > 2 * np.sum(core) > 0


def test_a_class_of_no_region_is_refused(tumours: Path) -> None:
    with working_in(tumours):
        with pytest.raises(BadInput, match="regions: the class 'rim' is in none"):
            train("datasets/tumours", "runs/partly", regions={"core": ("core",)}, **SMALL)
        done = train("datasets/tumours", "runs/same", regions={"core": ("core",)}, same={"rim": "background"}, **SMALL)
        assert done.run.target.names == ("core",)
