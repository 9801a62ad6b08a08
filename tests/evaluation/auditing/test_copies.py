"""Copies that show all larger or smaller: image and mask stay of one another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segue.data.case import IGNORE
from segue.evaluation.auditing.copies import Copy, Zoom
from segue.evaluation.judging.judge import judge
from segue.evaluation.judging.subject import Subject, subjects
from segue.evaluation.predicting.frame import Frame
from segue.evaluation.predicting.predict import Picture
from tests.evaluation import fakes
from tests.evaluation.fakes import POLYP, red

FRAME = Frame((160, 160), 160)
TIMES = (0.5, 0.7, 1.4, 2.0)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Subject]:
    return subjects(fakes.dataset(tmp_path_factory.mktemp("copies")), POLYP)


def area(subject: Subject) -> int:
    return int((subject.truth() == 1).sum())


@pytest.mark.parametrize("times", TIMES)
def test_the_mask_follows_the_image(cases: list[Subject], times: float) -> None:
    """Who finds what is bright finds it there as well as before; the image as it is would not do."""
    plain = {row.case: row.scores.dice for row in judge(red, cases, frame=FRAME, target=POLYP, quick=True).table}
    copies = [Copy.of(one, Zoom(times)) for one in cases]
    for row in judge(red, copies, frame=FRAME, target=POLYP, quick=True).table:
        if row.scores.present:
            assert row.scores.dice > plain[row.case] - 0.15
    for one, copy in zip(cases, copies, strict=True):
        before, after = one.picture(FRAME), copy.picture(FRAME)
        assert isinstance(before, Picture)
        assert isinstance(after, Picture)
        assert (before.native, before.levels[0].shape) == (after.native, after.levels[0].shape)
        assert not np.array_equal(before.levels[0], after.levels[0])


def test_so_many_times_as_large_and_never_lost(cases: list[Subject]) -> None:
    for one in cases:
        for times in TIMES:
            found = area(Copy.of(one, Zoom(times)))
            assert (found > 0) is (area(one) > 0)
            if times < 1 and area(one):
                assert found == pytest.approx(times**2 * area(one), rel=0.1, abs=12)
            if times > 1 and area(one):
                assert area(one) < found <= 1.1 * times**2 * area(one) + 12


def test_what_comes_in_from_beyond_the_edges_does_not_count(cases: list[Subject]) -> None:
    one = cases[0]
    size = one.truth().size
    assert (Copy.of(one, Zoom(0.5)).truth() == IGNORE).sum() == pytest.approx(0.75 * size, rel=0.02)
    assert not (Copy.of(one, Zoom(2.0)).truth() == IGNORE).any()
    given = Copy.of(one, Zoom(0.5)).picture(FRAME)
    assert isinstance(given, Picture)
    assert not given.levels[0][:5].any(), "black, as the variations have it"


def test_the_store_is_not_asked(cases: list[Subject], tmp_path: Path) -> None:
    """It holds the image as it is."""
    assert Copy.of(cases[0], Zoom(2.0)).store is None
