"""Where patches lie, what they hold, and that it hangs on nothing but their address."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from segue.data.case import IGNORE
from segue.data.stores.volumes import VolumeStore
from segue.training.patches import PatchExample
from segue.variations import parse
from segue.variations.address import Address
from segue.variations.padding import CONSTANT
from tests.training.test_examples import TARGET, address, store

__all__ = ["store"]  # the fixture

PATCH = (4, 12, 16)


@pytest.fixture
def example(store: VolumeStore) -> PatchExample:
    return PatchExample("a", store, 0, TARGET.table(store.card.classes, where="a test"), foreground=0.0)


def corners(example: PatchExample, count: int = 600) -> np.ndarray:
    return np.array([example.corner(PATCH, address(position=n)) for n in range(count)])


def test_anywhere_in_the_volume(example: PatchExample) -> None:
    found = corners(example)
    room = np.array(example.size) - PATCH
    assert (found.min(0) == 0).all()
    assert (found.max(0) == room).all()
    assert len(np.unique(found, axis=0)) > 300
    assert np.array_equal(found, corners(example))
    assert example.corner(PATCH, address(view=1)) == example.corner(PATCH, address())


def test_on_the_foreground_as_often_as_asked(example: PatchExample) -> None:
    labels = np.asarray(example.labels())
    certain = replace(example, foreground=1.0)
    values: Counter[int] = Counter()
    for corner in corners(certain):
        inside = labels[tuple(slice(at, at + side) for at, side in zip(corner, PATCH, strict=True))]
        assert (inside > 0).any()
        values.update(set(np.unique(inside).tolist()))
    assert values[1] > 300
    assert values[2] > 250  # as often as its class is chosen, however small it is
    far = corners(example)
    half = corners(replace(example, foreground=0.5))
    moved = (half != far).any(axis=1).mean()
    assert 0.4 < moved < 0.6


def test_a_class_that_is_not_learnt_draws_no_patch(example: PatchExample) -> None:
    lookup = np.array(example.lookup)
    lookup[1:3] = IGNORE
    assert np.array_equal(corners(replace(example, lookup=lookup, foreground=1.0)), corners(example))
    assert not replace(example, lookup=lookup).has_foreground()
    assert example.has_foreground()


def shown(example: PatchExample, patch: tuple[int, int, int], where: Address, text: str = "none"):  # type: ignore[no-untyped-def]
    drawn = parse(text).draw(patch[1:], [where])
    return example.render(drawn, 0, patch, CONSTANT, where)


def test_it_holds_what_lies_there(example: PatchExample) -> None:
    image, labels = example.store.image(0), np.asarray(example.labels())
    for n in range(20):
        where = address(position=n)
        corner = example.corner(PATCH, where)
        part = tuple(slice(at, at + side) for at, side in zip(corner, PATCH, strict=True))
        found = shown(example, PATCH, where)
        assert np.array_equal(found.image, image[part])
        assert np.array_equal(found.labels, labels[part])


def test_what_is_turned_into_it_is_image_too(example: PatchExample) -> None:
    inner = replace(example, foreground=1.0)
    found = [shown(inner, (4, 8, 8), address(position=n), "affine(rotate=45, scale=0, shift=0)") for n in range(30)]
    invented = np.mean([np.mean(np.asarray(one.labels) == IGNORE) for one in found])
    assert invented < 0.02  # read without what is around, a turn of 45 degrees would cut off a fifth


def test_a_volume_smaller_than_a_patch(example: PatchExample) -> None:
    patch = (13, 40, 40)
    found = shown(example, patch, address())
    assert found.image.shape == (*patch, 1)
    labels = np.asarray(found.labels)
    counted = labels != IGNORE
    assert counted.sum() == np.prod(example.size)
    assert np.array_equal(labels[counted], np.ravel(np.asarray(example.labels())))
    assert (found.image[..., 0][~counted] == 0).all()
