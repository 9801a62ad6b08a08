"""N4 is SimpleITK's own, and on a smaller copy it finds the same field in a fraction of the time."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK

from segue.data.phantoms import PHANTOMS
from segue.data.volumes.bias import BiasSettings, _factors, corrected

sitk: Any = SimpleITK
SPACING = (10.0, 1.5, 1.5)


def heart() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """A heart with a strong field over it, and the field."""
    volume: Any = next(PHANTOMS["heart"].samples(site="alpha", patients=1, seed=0))
    slices, rows, columns = volume.image.shape
    across = np.linspace(-1, 1, columns)[None, None] + 0.5 * np.linspace(-1, 1, rows)[None, :, None]
    field = np.exp(0.5 * across) * np.ones((slices, 1, 1))
    return np.asarray(volume.image * field, np.float32), np.asarray(field, np.float32)


def test_without_shrinking_it_is_the_reference_call() -> None:
    image, _ = heart()
    small = image[:, ::3, ::3]
    given = sitk.GetImageFromArray(small - min(0, small.min()))
    given.SetSpacing(SPACING[::-1])
    reference = sitk.N4BiasFieldCorrectionImageFilter()
    reference.SetMaximumNumberOfIterations([10] * 2)
    reference.SetConvergenceThreshold(0.001)
    wanted = sitk.GetArrayFromImage(reference.Execute(given, sitk.OtsuThreshold(given, 0, 1, 200)))
    found = corrected(small, SPACING, BiasSettings(levels=2, iterations=10, shrink=1))
    assert np.allclose(found, wanted + min(0, small.min()), rtol=1e-4, atol=1e-4)


def test_on_a_smaller_copy_the_field_is_the_same_and_most_of_it_goes() -> None:
    image, field = heart()
    inside = image > np.quantile(image, 0.6)
    taken, fields = {}, {}
    for shrink in (1, 2):
        start = time.perf_counter()
        found = corrected(image, SPACING, BiasSettings(levels=2, iterations=15, shrink=shrink))
        taken[shrink] = time.perf_counter() - start
        fields[shrink] = np.log(image / found)[inside]
    truth = np.log(field)[inside]
    assert np.corrcoef(fields[1], truth)[0, 1] > 0.8  # the phantom's coil adds a field of its own
    assert np.corrcoef(fields[2], truth)[0, 1] > 0.8
    assert np.corrcoef(fields[1], fields[2])[0, 1] > 0.9
    assert np.std(truth - fields[2]) < np.std(truth)
    assert taken[2] < 0.7 * taken[1]


def test_nothing_to_correct() -> None:
    flat = np.full((3, 8, 8), 5, np.int16)
    assert np.array_equal(corrected(flat, SPACING, BiasSettings()), flat)


@pytest.mark.parametrize(
    ("shape", "spacing", "shrink", "factors"),
    [
        ((10, 256, 216), (10.0, 1.5, 1.5), 0, [3, 4, 1]),  # thick slices stay
        ((200, 256, 256), (1.0, 1.0, 1.0), 0, [4, 4, 3]),
        ((36, 50, 35), (1.0, 1.0, 1.0), 0, [1, 1, 1]),
        ((7, 128, 128), (10.0, 1.5, 1.5), 4, [4, 4, 1]),
        ((9, 9, 9), (1.0, 1.0, 1.0), 4, [2, 2, 2]),
        ((1, 2, 300), (1.0, 1.0, 1.0), 0, [4, 1, 1]),
    ],
)  # fmt: skip
def test_how_much_it_is_shrunk(
    shape: tuple[int, ...], spacing: tuple[float, ...], shrink: int, factors: list[int]
) -> None:
    assert _factors(shape, spacing, shrink) == factors
