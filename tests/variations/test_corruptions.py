"""Each corruption at each level: more of it, the same each time, and nothing moves."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
import torch

from segue.errors import BadInput
from segue.variations.address import Address
from segue.variations.corruptions import CORRUPTIONS, LEVELS, corruption
from segue.variations.drawn import Drawn

SIZE = (192, 256)


def picture() -> npt.NDArray[np.uint8]:
    """Coloured stripes of many widths, neither black nor white."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    waves = [np.sin(columns**1.4 / 40), np.sin(rows / 3), np.sin((rows + columns) / 9)]
    return np.asarray(128 + 70 * np.stack(waves, -1), np.uint8)


def drawn(name: str, level: int, case: str = "a") -> Drawn:
    return corruption(name, level).draw(SIZE, [Address(0, "corruption", 0, 0, case)])


def spoilt(name: str, level: int, case: str = "a") -> npt.NDArray[np.float64]:
    return np.asarray(drawn(name, level, case).images(picture()[None])[0], np.float64)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_level_is_worse_than_the_one_before(name: str) -> None:
    away = [np.sqrt(np.mean((spoilt(name, level) - picture()) ** 2)) for level in LEVELS]
    assert away[0] > 0.05
    assert all(more > 1.05 * less for less, more in itertools.pairwise(away))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_it_is_the_same_for_a_case_and_moves_nothing(name: str) -> None:
    assert np.array_equal(spoilt(name, 3), spoilt(name, 3))
    mask = (picture()[..., 0] > 128).astype(np.uint8)
    carried, valid = drawn(name, 5).carry(mask[None])
    assert np.array_equal(carried[0], mask)
    assert valid.all()


@pytest.mark.parametrize("name", [name for name in CORRUPTIONS if name not in ("blur", "jpeg")])
def test_another_case_is_spoilt_otherwise(name: str) -> None:
    found = [spoilt(name, 4, str(case)) for case in range(8)]
    assert any(not np.array_equal(found[0], other) for other in found[1:])


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_tensors_are_spoilt_alike(name: str) -> None:
    as_tensor = torch.from_numpy(picture()).movedim(-1, 0)[None].float() / 255
    found = 255 * drawn(name, 3).images(as_tensor)[0].movedim(0, -1).numpy()
    assert np.abs(found - spoilt(name, 3)).mean() < 1.5


def test_grey_and_sixteen_bits() -> None:
    grey = (picture()[None, ..., :1].astype(np.uint16)) * 257
    for name in CORRUPTIONS:
        done = drawn(name, 5).images(grey)
        assert done.dtype == np.uint16
        assert done.shape == grey.shape
        assert not np.array_equal(done, grey)


def test_a_name_that_is_none_is_told() -> None:
    with pytest.raises(BadInput, match="no corruption is called 'blurr': did you mean blur"):
        corruption("blurr", 1)
