from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import segue
from segue.data.case import IGNORE
from segue.data.dataset import Dataset
from segue.data.geometry import PYRAMID, Fit, resize_labels
from segue.data.preparing.prepare import plan, prepare
from segue.data.preparing.settings import PrepareSettings
from segue.data.stores.frames import FrameStore
from segue.data.stores.store import Store
from segue.errors import BadInput
from tests.data import made


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Images of several sizes, one of them without a mask."""
    folder = made.folder_of_images(tmp_path_factory.mktemp("raw") / "raw", 5)
    cv2.imwrite(str(folder / "images" / "wide.png"), made.scene(50, 150, 400))
    cv2.imwrite(str(folder / "images" / "tall.png"), made.scene(51, 300, 100))
    cv2.imwrite(str(folder / "masks" / "tall.png"), made.blob_mask(51, 300, 100))
    dataset = segue.scan(folder, folder.parent / "dataset", workers=0).dataset
    assert dataset is not None
    return dataset


@settings(max_examples=60, deadline=None)
@given(height=st.integers(1, 900), width=st.integers(1, 900), cap=st.integers(16, 512))
def test_a_fit_keeps_the_aspect_and_never_enlarges(height: int, width: int, cap: int) -> None:
    fit = Fit.capped(height, width, cap)
    assert max(fit.stored) <= max(cap, 1)
    assert fit.stored[0] <= height
    assert fit.stored[1] <= width
    if max(height, width) <= cap:
        assert fit.stored == fit.native
    assert abs(fit.stored[0] * width - fit.stored[1] * height) <= max(height, width)
    sizes = fit.levels()
    assert sizes[0] == fit.stored
    for larger, smaller in itertools.pairwise(sizes):
        assert max(larger) / max(smaller) <= PYRAMID * 1.05


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 999), height=st.integers(20, 90), width=st.integers(20, 90), cap=st.integers(16, 64))
def test_resampling_keeps_the_label_set(seed: int, height: int, width: int, cap: int) -> None:
    rng = np.random.default_rng(seed)
    ids = np.zeros((height, width), np.uint8)
    ids[height // 3 :, width // 2 :] = 1
    for number in (2, 7):  # single pixels: the first that an ordinary resize loses
        ids[rng.integers(0, height), rng.integers(0, width)] = number
    fit = Fit.capped(height, width, cap)
    stored = fit.labels(ids)
    if (ids == 1).sum() > 50:
        # Two lone pixels may fall into one stored pixel; what was large must survive in any case.
        assert {1} <= set(np.unique(stored)) <= set(np.unique(ids))
    back = fit.labels_back(stored)
    assert back.shape == ids.shape
    assert set(np.unique(back)) <= set(np.unique(ids))
    if fit.stored == fit.native:
        assert np.array_equal(back, ids)


def test_a_lone_pixel_survives_and_stays_in_place() -> None:
    ids = np.zeros((100, 100), np.uint8)
    ids[71, 33] = 4
    ids[10:20, 10:20] = IGNORE
    small = resize_labels(ids, (25, 25))
    assert list(zip(*np.nonzero(small == 4), strict=True)) == [(71 // 4, 33 // 4)]
    assert (small == IGNORE).any()


def test_probabilities_return_to_native_size_with_their_place() -> None:
    fit = Fit.capped(400, 300, 100)
    maps = np.zeros((*fit.stored, 2), np.float32)
    maps[40:60, 30:50, 1] = 1
    back = fit.probabilities_back(maps)
    assert back.shape == (400, 300, 2)
    rows, columns = np.nonzero(back[..., 1] > 0.5)
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (160, 240, 120, 200)


def test_the_store_holds_what_the_files_hold(scanned: Dataset, tmp_path: Path) -> None:
    done = prepare(scanned, tmp_path / "s", settings=PrepareSettings(size=400), workers=0)
    store = done.store
    assert isinstance(store, FrameStore)
    assert len(store) == 7
    for number, place in enumerate(store.places):
        case = scanned.by_name[place.case]
        assert np.array_equal(store.image(number), scanned.image(case))
        mask = store.mask(number)
        if case.labelled:
            assert mask is not None
            assert np.array_equal(mask, scanned.mask(case))
        else:
            assert mask is None
        for level, size in enumerate(store.levels(number)):
            # Any level is what shrinking the original at once would give, give or take a grey level of blur.
            expected = cv2.resize(scanned.image(case), size[::-1], interpolation=cv2.INTER_AREA).astype(float)
            assert np.abs(store.image(number, level) - expected).mean() < 2.5
    assert not store.image(0).flags.writeable
    assert done.bytes == sum((tmp_path / "s" / name).stat().st_size for name in ("images.bin", "masks.bin"))
    assert store.card.labelled == 6


def test_many_processes_write_the_same_bytes_as_one(scanned: Dataset, tmp_path: Path) -> None:
    for name, workers in (("one", 0), ("two", 2)):
        prepare(scanned, tmp_path / name, settings=PrepareSettings(size=128), workers=workers)
    for name in ("images.bin", "masks.bin", "index.csv", "store.yaml"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_auto_size_is_resolved_and_written(scanned: Dataset, tmp_path: Path) -> None:
    planned = plan(scanned, tmp_path / "s")
    assert planned.kind.settings.size == 160
    assert Store.open(prepare(planned, workers=0).target).card.size == 160


def test_the_same_again_is_not_done_again(scanned: Dataset, tmp_path: Path) -> None:
    options = {"settings": PrepareSettings(size=64), "workers": 0}
    assert not prepare(scanned, tmp_path / "s", **options).already  # type: ignore[arg-type]
    before = (tmp_path / "s" / "images.bin").stat().st_mtime_ns
    assert prepare(scanned, tmp_path / "s", **options).already  # type: ignore[arg-type]
    assert (tmp_path / "s" / "images.bin").stat().st_mtime_ns == before
    with pytest.raises(BadInput, match="was prepared with other settings"):
        prepare(scanned, tmp_path / "s", settings=PrepareSettings(size=32), workers=0)
    assert (
        prepare(scanned, tmp_path / "s", settings=PrepareSettings(size=32), workers=0, fresh=True).store.card.size == 32
    )


def test_classes_that_were_renamed_reach_the_store(tmp_path: Path) -> None:
    dataset = segue.scan(made.folder_of_images(tmp_path / "raw", 4), tmp_path / "d", workers=0).dataset
    assert dataset is not None
    prepare(dataset, tmp_path / "s", workers=0)
    pixels = (tmp_path / "s" / "images.bin").stat().st_mtime_ns
    card = dataset.card.model_copy(update={"classes": {0: "background", 1: "polyp"}})
    replace(dataset, card=card).save()
    again = prepare(tmp_path / "d", tmp_path / "s", workers=0)
    assert again.already
    assert again.store.card.classes == card.classes == Store.open(tmp_path / "s").card.classes
    assert (tmp_path / "s" / "images.bin").stat().st_mtime_ns == pixels


def test_sources_that_changed_are_noticed(tmp_path: Path) -> None:
    folder = made.folder_of_images(tmp_path / "raw", 4)
    dataset = segue.scan(folder, tmp_path / "d", workers=0).dataset
    assert dataset is not None
    prepare(dataset, tmp_path / "s", workers=0)
    cv2.imwrite(str(folder / "images" / "002.png"), made.scene(77))
    with pytest.raises(BadInput, match=r"images/002.png: has changed since the scan"):
        prepare(dataset, tmp_path / "s", workers=0)
    assert Store.open(tmp_path / "s").card.cases == 4  # the old store is still whole
    again = segue.scan(folder, tmp_path / "d", workers=0).dataset
    assert again is not None
    done = prepare(again, tmp_path / "s", workers=0)
    assert not done.already
    assert np.array_equal(
        done.store.image(2), cv2.cvtColor(made.read(folder / "images" / "002.png"), cv2.COLOR_BGR2RGB)
    )


def test_grey_and_coloured_images_share_a_store(tmp_path: Path) -> None:
    folder = made.folder_of_images(tmp_path / "raw", 3)
    grey = cv2.cvtColor(made.scene(9), cv2.COLOR_BGR2GRAY)
    cv2.imwrite(str(folder / "images" / "grey.png"), grey)
    dataset = segue.scan(folder, tmp_path / "d", workers=0).dataset
    assert dataset is not None
    store = prepare(dataset, tmp_path / "s", workers=0).store
    assert np.array_equal(store.image(store.numbers["grey"]), np.repeat(grey[..., None], 3, axis=2))


def test_sixteen_bits_are_kept(tmp_path: Path) -> None:
    (tmp_path / "raw" / "images").mkdir(parents=True)
    deep = (made.scene(1)[..., 0].astype(np.uint16) << 8) + 77
    cv2.imwrite(str(tmp_path / "raw" / "images" / "deep.png"), deep)
    cv2.imwrite(str(tmp_path / "raw" / "images" / "flat.png"), made.scene(2)[..., 0])
    dataset = segue.scan(tmp_path / "raw", tmp_path / "d", workers=0).dataset
    assert dataset is not None
    assert dataset.card.dtype == "uint16"
    store = prepare(dataset, tmp_path / "s", workers=0).store
    images = {case.rpartition("/")[2]: store.image(number) for number, case in enumerate(store.cases)}
    assert np.array_equal(images["deep"][..., 0], deep)
    assert images["flat"].max() == int(made.scene(2)[..., 0].max()) * 257


def test_a_store_of_another_format_is_refused(scanned: Dataset, tmp_path: Path) -> None:
    prepare(scanned, tmp_path / "s", workers=0)
    card = tmp_path / "s" / "store.yaml"
    card.write_text(card.read_text().replace("format: 2", "format: 99"))
    with pytest.raises(BadInput, match="format 99 is not the one this version reads"):
        Store.open(tmp_path / "s")


def test_jobs_write_the_same_store(scanned: Dataset, tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    here = prepare(scanned, tmp_path / "here", workers=0).target
    jobs = prepare(scanned, tmp_path / "jobs", on="slurm:cluster=local", workers=2).target
    assert {path.name: path.read_bytes() for path in here.iterdir()} == {
        path.name: path.read_bytes() for path in jobs.iterdir()
    }
    with pytest.raises(BadInput, match="no engine is called 'cluster'"):
        prepare(scanned, tmp_path / "nowhere", on="cluster")
    assert not list(tmp_path.glob("*nowhere*"))
