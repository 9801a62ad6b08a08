"""Who tells filled windows from real ones: it sees what is faint, and nothing where nothing is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from segue.experiment.inpainting import teller
from segue.experiment.inpainting.holes import Holes, mean_colour
from segue.experiment.inpainting.teller import told_apart

SIDE = 32


def windows(n: int, seed: int) -> Holes:
    """Strong smooth colours under faint grain, so that a hole without it looks much like one with it."""
    numbers = np.random.default_rng(seed)
    coarse = numbers.uniform(0.2, 0.8, (n, 4, 4, 3)).astype(np.float32)
    smooth = np.stack([cv2.resize(one, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for one in coarse])
    images = np.clip(255 * (smooth + numbers.normal(0, 0.012, smooth.shape)), 0, 255).astype(np.uint8)
    hole = np.zeros((n, SIDE, SIDE), np.bool_)
    for row, (top, left) in enumerate(numbers.integers(4, 14, (n, 2))):
        hole[row, top : top + 14, left : left + 14] = True
    return Holes(images, hole, np.zeros_like(hole), tuple(map(str, range(n))))


def smoothed(given: Holes) -> np.ndarray:
    """Each hole as it was, but for its grain."""
    blurred = np.stack([cv2.GaussianBlur(one, (0, 0), 1.5) for one in given.images])
    return np.where(given.hole[..., None], blurred, given.images)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teller, "STEPS", 80)


def test_it_sees_through_a_mean_colour_and_through_missing_grain(short: None) -> None:
    taught, asked = windows(200, 1), windows(100, 2)
    for fill in (mean_colour, smoothed):
        assert told_apart((taught, fill(taught)), (asked, fill(asked))) >= 0.95


def test_where_nothing_is_filled_it_tells_nothing(short: None) -> None:
    taught, asked = windows(100, 1), windows(100, 2)
    assert told_apart((taught, taught.images), (asked, asked.images)) == 0.5
