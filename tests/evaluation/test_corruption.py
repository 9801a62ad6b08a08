"""The stress test judges the same cases by the same judge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segue.data.dataset import Dataset
from segue.evaluation.judging.judge import judge
from segue.evaluation.judging.subject import Subject, subjects
from segue.evaluation.predicting.decision import PLAIN
from segue.evaluation.predicting.frame import Frame
from segue.evaluation.predicting.predict import Picture
from segue.evaluation.stressing.corruption import Spoilt, Stressed, stressed, told
from segue.executors import Ledger
from segue.variations.corruptions import LEVELS, corruption
from segue.variations.presets import none
from tests.evaluation import fakes
from tests.evaluation.fakes import POLYP, red

FRAME = Frame((64, 64), 100)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Subject]:
    dataset: Dataset = fakes.dataset(tmp_path_factory.mktemp("spoilt"))
    return subjects(dataset, POLYP)


def stress(cases: list[Subject], names: list[str], ledger: Ledger) -> list[Stressed]:
    clean = judge(red, cases, frame=FRAME, target=POLYP).table
    return list(stressed(red, cases, names, clean, frame=FRAME, target=POLYP, decision=PLAIN, ledger=ledger))


def test_dice_falls_with_the_level(cases: list[Subject], tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "book") as ledger:
        found = stress(cases, ["noise", "brightness"], ledger)
    assert [(one.corruption, one.level) for one in found] == [
        (name, level) for name in ("noise", "brightness") for level in (0, *LEVELS)
    ]
    clean = judge(red, cases, frame=FRAME, target=POLYP).table
    mean = np.mean([np.mean([row.scores.dice for row in clean if row.scores.present and row.who == who])
                    for who in dict.fromkeys(row.who for row in clean if row.scores.present)])  # fmt: skip
    for name in ("noise", "brightness"):
        dice = [one.dice for one in found if one.corruption == name]
        assert dice[0] == pytest.approx(mean)
        assert dice[-1] < dice[0] - 0.05
        assert all(one.low <= one.dice <= one.high for one in found)
    (sentence,) = told(found)
    assert sentence.startswith(f"polyp: a Dice of {mean:.3f} as it is")
    assert "lowest under" in sentence


def test_a_number_is_that_of_the_images_spoilt_by_hand(cases: list[Subject], tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "book") as ledger:
        found = stress(cases, ["occlusion"], ledger)

    def by_hand(images: np.ndarray) -> np.ndarray:
        return red(images)

    spoilt = [Spoilt.of(one, corruption("occlusion", 4)) for one in cases]
    for one, other in zip(cases, spoilt, strict=True):
        plain, done = one.picture(FRAME), other.picture(FRAME)
        assert isinstance(plain, Picture)
        assert isinstance(done, Picture)
        black = (done.levels[0] == 0).all(-1).mean() - (plain.levels[0] == 0).all(-1).mean()
        assert black == pytest.approx(0.15, abs=0.03)
        assert [level.shape for level in plain.levels] == [level.shape for level in done.levels]
        assert np.array_equal(one.truth(), other.truth())
    table = judge(by_hand, spoilt, frame=FRAME, target=POLYP).table
    rows = [row.scores.dice for row in table if row.scores.present]
    four = next(one for one in found if one.level == 4)
    patients = {row.who for row in table if row.scores.present}
    assert four.patients == len(patients)
    assert min(rows) <= four.dice <= max(rows)


def test_nothing_spoilt_is_the_picture(cases: list[Subject]) -> None:
    for one in cases[:3]:
        plain, same = one.picture(FRAME), Spoilt.of(one, none()).picture(FRAME)
        assert isinstance(plain, Picture)
        assert isinstance(same, Picture)
        assert all(np.array_equal(a, b) for a, b in zip(plain.levels, same.levels, strict=True))


def test_what_was_judged_is_not_judged_again(cases: list[Subject], tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "book") as ledger:
        once = stress(cases, ["blur"], ledger)
    calls = []

    def counting(images: np.ndarray) -> np.ndarray:
        calls.append(len(images))
        return red(images)

    clean = judge(red, cases, frame=FRAME, target=POLYP).table
    with Ledger.open(tmp_path / "book") as ledger:
        again = list(
            stressed(counting, cases, ["blur"], clean, frame=FRAME, target=POLYP, decision=PLAIN, ledger=ledger)
        )
    assert again == once
    assert not calls


def test_cases_that_training_has_seen_do_not_count(cases: list[Subject], tmp_path: Path) -> None:
    seen = [replace(one, seen="masks") for one in cases[:4]] + cases[4:]
    with Ledger.open(tmp_path / "book") as ledger:
        found = stress(seen, ["noise"], ledger)
    assert {one.patients for one in found} == {len({one.case.who for one in cases[4:7]})}
