"""Slices of volumes as examples: which, which part, and what is around."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import segue
from segue.data.case import IGNORE
from segue.data.preparing.prepare import prepare
from segue.data.stores.volumes import VolumeStore
from segue.data.target import Target
from segue.step import Batch
from segue.training.batches import Batches, on_device
from segue.training.examples import SliceExample
from segue.training.orders import Order
from segue.variations import parse
from segue.variations.address import Address
from segue.variations.padding import CONSTANT
from tests.data.volumes import made

TARGET = Target(("background", "class 1", "class 2"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> VolumeStore:
    folder = tmp_path_factory.mktemp("volumes")
    found = segue.scan(made.folder(folder / "brains", 3), folder / "d", workers=0).dataset
    assert found is not None
    store = prepare(found, folder / "s", workers=0).store
    assert isinstance(store, VolumeStore)
    return store


def examples(store: VolumeStore, neighbours: int = 0) -> list[SliceExample]:
    lookup = TARGET.table(store.card.classes, where="a test")
    return [
        SliceExample(f"case {number}", store, number, lookup, 0, slice_, neighbours)
        for number in range(len(store))
        for slice_ in store.places[number].annotated
    ]


def batch(store: VolumeStore, size: tuple[int, int], views: str = "none", neighbours: int = 0, step: int = 0) -> Batch:
    some = examples(store, neighbours)
    several = [parse(each) for each in views.split("|")]
    made_ = Batches(some, Order(len(some), 7), several, size=size, batch=4, padding=CONSTANT)
    return on_device(made_[step], torch.device("cpu"))


def address(case: str = "a", view: int = 0, position: int = 3) -> Address:
    return Address(1, "train", 0, position, case, view)


def test_a_slice_stands_in_its_canvas_unscaled(store: VolumeStore) -> None:
    some = examples(store)
    assert len(some) == 27
    parcel = batch(store, (64, 96))
    height, width = some[0].size
    view = parcel.views[0]
    there = view.target[0].numpy() != IGNORE
    assert there.sum() == height * width
    rows, columns = np.nonzero(there)
    assert (rows.min(), columns.min()) == ((64 - height + 1) // 2, (96 - width + 1) // 2)
    numbers = [
        number
        for number, one in enumerate(some)
        if np.array_equal(
            one.picture()[..., 0], np.rint(view.images[0, 0].numpy()[there].reshape(height, width) * 65535)
        )
    ]
    assert len(numbers) == 1  # that very slice, to the last digit
    assert np.array_equal(view.target[0].numpy()[there].reshape(height, width), np.asarray(some[numbers[0]].labels()))
    assert (view.images[0, 0].numpy()[~there] == 0).all()


def test_of_a_larger_slice_any_part_is_seen(store: VolumeStore) -> None:
    one = examples(store)[4]
    height, width = one.size
    corners = {tuple(np.rint(one.part((16, 16), address(position=n))[:2, 2] - 7.5).astype(int)) for n in range(400)}
    columns, rows = zip(*corners, strict=True)
    assert (min(rows), max(rows), min(columns), max(columns)) == (0, height - 16, 0, width - 16)
    assert len(corners) > 60
    view = batch(store, (16, 16)).views[0]
    assert (view.target != IGNORE).all()
    # Both views of a case show the same part, whatever their variations are.
    first, second = batch(store, (16, 16), "none|none").views
    assert np.array_equal(first.images, second.images)


def test_neighbours_are_channels(store: VolumeStore) -> None:
    one, volume = examples(store, 1)[4], store.image(0)
    assert one.channels == 3
    assert np.array_equal(one.picture(), np.moveaxis(volume[3:6, ..., 0], 0, -1))
    assert np.array_equal(examples(store, 1)[0].picture()[..., 0], volume[0, ..., 0])
    assert batch(store, (32, 32), neighbours=1).views[0].images.shape == (4, 3, 32, 32)


def test_foreground_is_known_without_reading(store: VolumeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    some = examples(store)
    wanted = [bool((np.asarray(one.labels()) > 0).any()) for one in some]
    assert 0 < sum(wanted) < len(wanted)

    def unread(self: Any, number: int) -> Any:
        raise AssertionError("a mask was read")

    monkeypatch.setattr(VolumeStore, "mask", unread)
    assert [one.has_foreground() for one in some] == wanted


def test_variations_move_slices_and_masks_together(store: VolumeStore) -> None:
    plain, varied = batch(store, (64, 64)).views[0], batch(store, (64, 64), "affine(rotate=30)").views[0]
    assert not np.array_equal(plain.images, varied.images)
    inside = (varied.target > 0) & (varied.target != IGNORE)
    assert inside.any()
    brighter = varied.images[:, 0][inside].mean() - varied.images[:, 0][varied.target == 0].mean()
    assert brighter > 0.1  # structures are brighter, and are so still under their mask


def test_regions_that_a_mask_cannot_tell_of_do_not_count(store: VolumeStore) -> None:
    regions = Target(("whole", "core"), exclusive=False, made_of=(("class 1", "class 2"), ("class 2",)))
    lookup = regions.table(store.card.classes, where="a test")
    some = [replace(one, lookup=lookup, unknown=0b01 * (number % 2)) for number, one in enumerate(examples(store))]
    order = Order(len(some), 7)
    batches = Batches(some, order, [parse("none")], size=(32, 32), batch=8, padding=CONSTANT, regions=2)
    target = on_device(batches[0], torch.device("cpu")).views[0].target
    odd = [number % 2 == 1 for number, _ in batches.addresses(0)]
    assert any(odd)
    assert not all(odd)
    for sample, unknown in zip(target, odd, strict=True):
        assert bool((sample[0] == IGNORE).all()) == unknown
        assert not (sample[1] == IGNORE).all()
