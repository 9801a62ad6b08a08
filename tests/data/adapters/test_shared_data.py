"""The layouts on the real data, where it is at hand."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from segue.data.adapters import ADAPTERS, Reading
from segue.data.adapters.cvc_clinicdb import FRAMES, STARTS
from segue.data.tree import Tree

pytestmark = pytest.mark.shared_data

FOLDERS = {
    "kvasir-seg": "kvasir-seg",
    "cvc-clinicdb": "cvc-clinicdb",
    "polypgen": "polypgen",
    "isic2018": "isic2018-task1",
    "ham10000-unlabelled": "ham10000",
}


def _read(folder: Path) -> Reading:
    tree = Tree.read(folder)
    name = next(adapter.name for adapter in ADAPTERS.values() if adapter.recognise(tree))
    assert name == FOLDERS[folder.name]
    reading = ADAPTERS[name].read(tree)
    assert not reading.bad
    # Nothing is left behind: every picture of the tree is an image or a mask of some case.
    used = [path for case in reading.cases for path in (*case.images, case.mask) if path]
    assert sorted(used) == sorted(file.path for file in tree.files if file.name.endswith((".jpg", ".png")))
    return reading


def test_kvasir_seg(shared_data: Path) -> None:
    cases = _read(shared_data / "kvasir-seg").cases
    assert all(case.labelled for case in cases)
    assert Counter(case.part for case in cases) == {"train": 800, "validation": 100}


def test_cvc_clinicdb(shared_data: Path) -> None:
    cases = _read(shared_data / "cvc-clinicdb").cases
    assert sum(case.labelled for case in cases) == len(cases) == FRAMES
    assert len({case.patient for case in cases} - {""}) == len(STARTS)


def test_cvc_clinicdb_changes_its_scene_where_a_sequence_starts(shared_data: Path) -> None:
    paths = [shared_data / f"cvc-clinicdb/Original/{number}.jpg" for number in range(1, FRAMES + 1)]
    frames = [np.asarray(cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_8), int) for path in paths]
    change = np.array([np.abs(one - other).mean() for one, other in pairwise(frames)])
    starts = np.isin(np.arange(2, FRAMES + 1), STARTS)
    assert change[starts].min() > np.median(change[~starts])
    assert np.median(change[starts]) > np.quantile(change[~starts], 0.95)


def test_polypgen(shared_data: Path) -> None:
    cases = _read(shared_data / "polypgen").cases
    assert all(case.labelled for case in cases)
    assert Counter(case.site for case in cases) == {"C1": 256, "C3": 457}
    assert len({case.patient for case in cases if case.site == "C1" and case.patient}) == 158
    assert not any(case.patient for case in cases if case.site == "C3")


def test_isic2018(shared_data: Path) -> None:
    cases = _read(shared_data / "isic2018").cases
    assert all(case.labelled for case in cases)
    assert Counter(case.part for case in cases) == {"train": 1600, "validation": 400}


def test_ham10000(shared_data: Path) -> None:
    cases = _read(shared_data / "ham10000-unlabelled").cases
    assert len(cases) == 2540
    assert not any(case.labelled for case in cases)
    assert all(case.patient.startswith("HAM_") for case in cases)
    assert all(case.extra["dx"] for case in cases)
