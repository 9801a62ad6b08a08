"""A dataset of volumes becomes a store: whole, the same however many work on it, and gone on with after an interruption."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import segue
from segue.config import read_yaml, write_yaml
from segue.data.dataset import CARD, Dataset
from segue.data.preparing import volumes as preparing
from segue.data.preparing.prepare import plan, prepare
from segue.data.preparing.settings import PrepareSettings
from segue.data.stores.store import Store
from segue.data.stores.volumes import VolumePlace, VolumeStore, as_row, of_row, slices_of
from segue.data.volumes import nifti
from segue.data.volumes.bias import BiasSettings, corrected
from segue.data.volumes.grid import Grid
from segue.data.volumes.placement import Placement
from segue.errors import BadInput
from tests.data import made as frames
from tests.data.volumes import made


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    made.folder(tmp_path / "brains", 5)
    (tmp_path / "brains/labels/4.nii.gz").unlink()
    found = segue.scan(tmp_path / "brains", tmp_path / "d", workers=0).dataset
    assert found is not None
    return found


def prepared(dataset: Dataset, out: Path, **given: Any) -> VolumeStore:
    store = prepare(dataset, out, settings=PrepareSettings(**given), workers=0).store
    assert isinstance(store, VolumeStore)
    return store


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_store_holds_what_the_files_hold(dataset: Dataset, tmp_path: Path) -> None:
    store = prepared(dataset, tmp_path / "s", spacing=(0, 0.8, 0.8), crop=False)
    assert (store.card.cases, store.card.labelled, store.card.dtype) == (5, 4, "uint16")
    assert store.card.recipe is not None
    assert store.card.recipe.spacing == (0, 0.8, 0.8)
    for number, case in enumerate(dataset.cases):
        place, image, ids = preparing.prepared(dataset, case, store.card.recipe, file=f"{number:06}.npy")
        assert np.array_equal(store.image(number), image)
        assert store.image(number).shape == (9, 29, 30, 1)  # 26 rows of 0.9 mm are 29 of 0.8
        assert not store.image(number).flags.writeable
        mask = store.mask(number)
        if case.labelled:
            assert mask is not None
            assert ids is not None
            assert np.array_equal(mask, ids)
            assert set(np.unique(mask)) == {0, 1, 2}
            assert as_row(store.places[number]) == as_row(place)
            assert place.slices == slices_of(ids)
            for value, there in place.slices.items():
                assert there == tuple(np.flatnonzero((mask == value).any(axis=(1, 2))))
        else:
            assert (mask, place.annotated) == (None, ())
    assert pickle.loads(pickle.dumps(store)).cases == store.cases
    assert isinstance(Store.open(tmp_path / "s"), VolumeStore)


def test_many_processes_write_the_same_bytes_as_one(dataset: Dataset, tmp_path: Path) -> None:
    for name, workers in (("one", 0), ("two", 2)):
        prepare(dataset, tmp_path / name, workers=workers)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")


def test_asked_again_it_is_there_and_other_settings_are_refused(dataset: Dataset, tmp_path: Path) -> None:
    assert not prepare(dataset, tmp_path / "s", workers=0).already
    before = bytes_of(tmp_path / "s")
    assert prepare(dataset, tmp_path / "s", workers=0).already
    with pytest.raises(BadInput, match="other settings or labels; now slices of 3 mm, rows of 1 mm, columns of 1 mm"):
        prepared(dataset, tmp_path / "s", spacing=(3, 1, 1))
    assert bytes_of(tmp_path / "s") == before
    prepare(dataset, tmp_path / "s", settings=PrepareSettings(spacing=(3, 1, 1)), workers=0, fresh=True)
    assert bytes_of(tmp_path / "s") != before


def test_thick_slices_are_left_and_thin_ones_are_not(dataset: Dataset) -> None:
    settings = plan(dataset).kind.settings
    assert settings.spacing == (0, 0.9, 0.9)  # of 0.8, 0.9 and 3 mm
    thin = tuple(case.with_(spacing=(0.8, 0.8, 1.0)) for case in dataset.cases)
    assert plan(Dataset(dataset.folder, dataset.card, thin)).kind.settings.spacing == (1.0, 0.8, 0.8)


_SLOW = """
import sys, time
from segue.data.preparing import prepare
from segue.data.preparing import volumes
whole = volumes._store_one
done = 0
def slow(task, bench):
    global done
    value = whole(task, bench)
    done += 1
    if done == 3:
        print("in the middle", flush=True)
        time.sleep(60)
    return value
volumes._store_one = slow
prepare.prepare(sys.argv[1], sys.argv[2], workers=0)
"""


def test_killed_in_the_middle_it_goes_on(dataset: Dataset, tmp_path: Path) -> None:
    prepare(dataset, tmp_path / "whole", workers=0)
    given = [sys.executable, "-c", _SLOW, str(dataset.folder), str(tmp_path / "s")]
    with subprocess.Popen(given, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in the middle\n"
        process.kill()
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / ".s.partial/images").iterdir()}
    assert len(written) == 3
    prepare(dataset, tmp_path / "s", workers=0)
    assert bytes_of(tmp_path / "s") == bytes_of(tmp_path / "whole")
    kept = [path for path, when in written.items() if (tmp_path / "s/images" / path.name).stat().st_mtime_ns == when]
    assert len(kept) >= 2  # the third was not yet in the ledger


def test_n4_is_found_once(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_yaml(dataset.folder / CARD, {**read_yaml(dataset.folder / CARD), "modality": "MR"})
    dataset = Dataset.open(dataset.folder)
    plain = prepared(dataset, tmp_path / "plain")
    calls: list[int] = []

    def counting(voxels: Any, spacing: Any, settings: BiasSettings) -> Any:
        calls.append(1)
        return corrected(voxels, spacing, BiasSettings(iterations=2, levels=2))

    monkeypatch.setattr(preparing, "corrected", counting)
    first = prepared(dataset, tmp_path / "first", n4=True)
    assert len(calls) == 5
    assert not np.array_equal(first.image(0), plain.image(0))
    # Another spacing is another store, of the same corrected volumes.
    prepared(dataset, tmp_path / "second", n4=True, spacing=(0, 2, 2))
    assert len(calls) == 5
    kept = sorted((dataset.folder / "n4").iterdir())
    assert len(kept) == 5
    kept[0].write_bytes(b"torn")
    again = prepared(dataset, tmp_path / "third", n4=True)
    assert len(calls) == 6
    assert all(np.array_equal(again.image(number), first.image(number)) for number in range(5))


def test_one_of_several_channels_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grid, rng = Grid.of((20, 16, 6), np.diag([1.0, 1.0, 3.0, 1.0])), np.random.default_rng(0)
    for number in range(3):
        of_channels = rng.uniform(50, 100, (2, *grid.shape)).astype(np.float32)
        for channel, voxels in enumerate(of_channels):
            nifti.write(tmp_path / f"both/imagesTr/p{number}_{channel:04}.nii.gz", voxels, grid)
        nifti.write(tmp_path / f"both/labelsTr/p{number}.nii.gz", (of_channels[0] > 90).astype(np.uint8), grid)
        nifti.write(tmp_path / f"alone/images/p{number}.nii.gz", of_channels[1], grid)
    (tmp_path / "both/dataset.json").write_text('{"channel_names": {"0": "T2", "1": "ADC"}}')
    both, alone = (segue.scan(tmp_path / name, tmp_path / f"d/{name}", workers=0).dataset for name in ("both", "alone"))
    assert both is not None
    assert alone is not None
    assert both.card.channels == ("T2", "ADC")
    seen: list[float] = []

    def without(voxels: Any, spacing: Any, settings: Any) -> Any:
        seen.append(float(voxels.sum()))
        return voxels

    monkeypatch.setattr(preparing, "corrected", without)
    some = prepared(both, tmp_path / "s", channels=("ADC",), n4=True)
    same = prepared(alone, tmp_path / "t")
    assert (some.card.channels, some.image(0).shape[-1]) == (("ADC",), 1)
    assert all(np.array_equal(some.image(number), same.image(number)) for number in range(3))
    assert len(seen) == 3  # the other channel is not corrected
    prepared(both, tmp_path / "u", n4=True)
    assert len(seen) == 6  # and what was found of this one is known by its number
    turned = prepared(both, tmp_path / "v", channels=("ADC", "T2"))
    whole = prepared(both, tmp_path / "w")
    assert np.array_equal(turned.image(0), whole.image(0)[..., ::-1])
    with pytest.raises(BadInput, match="channel 'ADX': did you mean ADC"):
        prepared(both, tmp_path / "x", channels=("ADX",))


def test_a_window_is_found_from_what_is_masked(tmp_path: Path) -> None:
    grid = Grid.of(made.SHAPE, made.affine())
    for kind in ("images", "labels"):
        (tmp_path / "scans" / kind).mkdir(parents=True)
    for number in range(3):
        _, labels = made.voxels(number)
        nifti.write(
            tmp_path / f"scans/images/{number}.nii.gz", np.where(labels > 0, 60 + number, -900).astype(np.int16), grid
        )
        nifti.write(tmp_path / f"scans/labels/{number}.nii.gz", labels, grid)
    found = segue.scan(tmp_path / "scans", tmp_path / "d", workers=0).dataset
    assert found is not None
    with pytest.raises(BadInput, match="window: is for CT"):
        plan(found, settings=PrepareSettings(window=(0, 100)))
    write_yaml(found.folder / CARD, {**read_yaml(found.folder / CARD), "modality": "CT"})
    found = Dataset.open(found.folder)
    with pytest.raises(BadInput, match="n4: is for MR"):
        plan(found, settings=PrepareSettings(n4=True))
    card = prepared(found, tmp_path / "s").card
    assert card.recipe is not None
    assert card.recipe.window == (60, 70)
    assert prepare(found, tmp_path / "s", workers=0).already
    assert prepared(found, tmp_path / "wide", window=(-160, 240)).card.recipe == card.recipe.model_copy(
        update={"window": (-160.0, 240.0)}
    )
    blank = tuple(case.with_(mask="") for case in found.cases)
    assert plan(Dataset(found.folder, found.card, blank)).kind.told.endswith("-1000 to 1000 HU")


def test_frames_and_volumes_have_each_their_options(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="size: is for frames"):
        plan(dataset, settings=PrepareSettings(size=128))
    pictures = segue.scan(frames.folder_of_images(tmp_path / "raw", 3), tmp_path / "p", workers=0).dataset
    assert pictures is not None
    with pytest.raises(BadInput, match="spacing: is for volumes"):
        plan(pictures, settings=PrepareSettings(spacing=(1, 1, 1)))
    mixed = Dataset(dataset.folder, dataset.card, (*dataset.cases, *pictures.cases))
    with pytest.raises(BadInput, match="frames and volumes"):
        plan(mixed)


def test_a_file_that_has_changed_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    grid = Grid.of(made.SHAPE, made.affine())
    nifti.write(tmp_path / "brains/images/1.nii.gz", made.voxels(77)[0], grid)
    with pytest.raises(BadInput, match=r"images/1\.nii\.gz: has changed since the scan"):
        prepare(dataset, tmp_path / "s", workers=0)
    assert not (tmp_path / "s").exists()
    left = prepare(dataset, tmp_path / "s", workers=0, skip_bad=True)
    assert list(left.left_out) == ["1"]
    assert "1" not in left.store.cases
    nifti.write(tmp_path / "brains/images/1.nii.gz", made.voxels(1)[0], grid)
    nifti.write(tmp_path / "brains/labels/2.nii.gz", made.voxels(2)[1] // 2, grid)
    with pytest.raises(BadInput, match=r"labels/2\.nii\.gz: has changed since the scan"):
        prepare(dataset, tmp_path / "t", workers=0)


@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        ("images/000000.npy", lambda data: data[:-1], "cannot be read"),
        ("images/000000.npy", lambda data: b"", "cannot be read"),
        ("masks/000000.npy", lambda data: data.replace(b"(9, 26, 27)", b"(9, 27, 26)"), "is not what the index says"),
        ("index.csv", lambda data: data.replace(b"9x26x30", b"9x26", 1), "is not the index of a store"),
        ("index.csv", lambda data: data[: data.rstrip().rfind(b"\n") + 1], "has 4 cases"),
    ],
)
def test_a_damaged_store_is_told(dataset: Dataset, tmp_path: Path, file: str, change: Any, says: str) -> None:
    store = prepared(dataset, tmp_path / "s")
    path = store.folder / file
    whole = path.read_bytes()
    path.write_bytes(change(whole))
    assert path.read_bytes() != whole

    def read() -> None:
        again = Store.open(store.folder)
        again.image(0)
        again.mask(0)

    with pytest.raises(BadInput, match=says):
        read()


def test_a_row_of_the_index_comes_back() -> None:
    place = VolumePlace(
        "a,b: c", "000003.npy", True, Placement((9, 8, 7), (0, 1, 2), (9, 8, 7), (9, 14, 5)), (3.0, 0.75, 1 / 3),
        (0.6, 0.0, -0.8), "apex", ((-12.5, 900.25), (0.0, 1e-7)), {0: tuple(range(9)), 2: (3, 4, 7)},
    )  # fmt: skip
    found = of_row(as_row(place))
    assert found.spacing == pytest.approx(place.spacing, rel=1e-5)
    assert (found.placement, found.along, found.first, found.scale, found.slices) == (
        place.placement, place.along, place.first, place.scale, place.slices,
    )  # fmt: skip
    assert found.annotated == tuple(range(9))
