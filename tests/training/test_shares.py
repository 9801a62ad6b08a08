"""How much of a mask is of which class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest

from segue.data.case import IGNORE
from segue.data.target import Target
from segue.training.examples import Example, Labels
from segue.training.shares import shares

HEART = Target(("background", "ventricle", "wall"))
TUMOUR = Target(("whole", "core"), exclusive=False, made_of=(("oedema", "core"), ("core",)))


@dataclass
class Drawn:
    drawn: Labels | None
    unknown: int = 0

    def labels(self) -> Labels | None:
        return self.drawn


def examples(*drawn: Any, unknown: int = 0) -> list[Example]:
    found = [Drawn(None if one is None else np.array(one, np.uint8), unknown) for one in drawn]
    return cast(list[Example], found)


def test_each_mask_counts_alike_whatever_its_size() -> None:
    small, large = [[0, 1], [2, 2]], np.zeros((10, 10))
    assert shares(examples(small, large), HEART) == pytest.approx((0.625, 0.125, 0.25))


def test_images_without_masks_say_nothing() -> None:
    assert shares(examples(None, [[0, 1]], None), HEART) == pytest.approx((0.5, 0.5, 0))
    assert shares(examples(None), HEART) is None
    assert shares([], HEART) is None


def test_scribbles_do_not_tell() -> None:
    scribble = np.full((10, 10), IGNORE)
    scribble[0, :5] = 1
    assert shares(examples(scribble), HEART) is None
    nearly = np.zeros((10, 10))
    nearly[0, :5], nearly[1, :4] = IGNORE, 1
    found = shares(examples(nearly), HEART)
    assert found == pytest.approx((91 / 95, 4 / 95, 0))


def test_regions_overlap_and_may_be_unknown() -> None:
    both = [[0b11, 0b01], [0b00, 0b00]]
    assert shares(examples(both), TUMOUR) == pytest.approx((0.5, 0.25))
    known = [*examples(both), *examples([[0b01, 0b01], [0b01, 0b00]], unknown=0b10)]
    assert shares(known, TUMOUR) == pytest.approx((0.625, 0.25))


def test_of_many_masks_a_part_is_read_and_not_the_same_slice_of_each_volume() -> None:
    read = []

    class Counted(Drawn):
        def labels(self) -> Labels | None:
            read.append(1)
            return self.drawn

    top, below = np.array([[0, 1]], np.uint8), np.array([[0, 0]], np.uint8)
    volumes = [Counted(one) for _ in range(500) for one in (top, below, below, below)]
    found = shares(cast(list[Example], volumes), HEART)
    assert len(read) == 500
    assert found == pytest.approx((0.875, 0.125, 0), abs=0.02)
