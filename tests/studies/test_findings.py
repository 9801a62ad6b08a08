"""What a study's page tells beside its answer: on tables whose truth is known, and of curves and shapes that are made."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from segue.studies.answer import answer
from segue.studies.evidence import ELSEWHERE, Evidence
from segue.studies.findings.courses import climbs, courses, falls, rises
from segue.studies.findings.effects import budgets, effects
from segue.studies.findings.places import foretold, lost
from segue.studies.findings.rivals import letters, rivals
from segue.studies.findings.shapes import Shape, shape, spread
from segue.studies.plan import Entry
from tests.studies.test_answer import AXES, elsewhere_only, evidence

LABELS = {"training": AXES["training"], "labels": ["2", "4", "8"]}


def order(given: Evidence) -> list[str]:
    return [one.arm for one in answer(given).rankings[given.main]]


# Pairs


def pairs(*names: str) -> set[frozenset[str]]:
    return {frozenset(name) for name in names}


@pytest.mark.parametrize(
    ("apart", "told"),
    [
        (pairs(), {"a": "a", "b": "a", "c": "a", "d": "a"}),
        (pairs("ad"), {"a": "a", "b": "ab", "c": "ab", "d": "b"}),
        (pairs("ab", "ac", "ad"), {"a": "a", "b": "b", "c": "b", "d": "b"}),
        (pairs("ac", "ad", "bd"), {"a": "a", "b": "ab", "c": "bc", "d": "c"}),
        (pairs("ab", "ac", "ad", "bc", "bd", "cd"), {"a": "a", "b": "b", "c": "c", "d": "d"}),
    ],
)
def test_arms_share_a_letter_just_where_they_are_not_apart(apart: set[frozenset[str]], told: dict[str, str]) -> None:
    found = letters(["a", "b", "c", "d"], apart)
    assert found == told
    for one in told:
        for other in set(told) - {one}:
            assert bool(set(found[one]) & set(found[other])) == (frozenset((one, other)) not in apart)


def test_each_against_each_is_adjusted_for_all_pairs(tmp_path: Path) -> None:
    given = evidence(tmp_path, elsewhere_only)
    ranked = order(given)
    found = rivals(given, ranked)
    assert found is not None
    assert list(found.names) == ranked
    assert len(found.p) == 6
    far, near = found.p[ranked[0], ranked[-1]], found.p[ranked[0], ranked[1]]
    assert far < 0.05
    assert far <= near
    assert not set(found.letters[ranked[0]]) & set(found.letters[ranked[-1]])
    few = rivals(given, ranked[:2])
    assert few is not None
    assert few.p[ranked[0], ranked[1]] <= near  # one pair alone has nothing to be adjusted for


# Axes


def test_what_an_axis_did_is_found_over_all_else(tmp_path: Path) -> None:
    found = {one.axis: one for one in effects(evidence(tmp_path, elsewhere_only))}
    assert set(found) == {"training", "network"}
    assert found["training"].difference.value == pytest.approx(0.04, abs=0.01)
    assert found["network"].difference.value == pytest.approx(0.1, abs=0.01)
    assert (found["network"].value, found["network"].reference, found["network"].pairs) == ("large", "small", 8)
    assert found["network"].p < 0.05


def test_one_axis_alone_says_no_more_than_the_ranking(tmp_path: Path) -> None:
    assert not list(effects(evidence(tmp_path, elsewhere_only, axes={"training": AXES["training"]})))


def test_more_masks_are_a_curve_for_each_way_to_train(tmp_path: Path) -> None:
    masks = {"2": 10, "4": 20, "8": 40}

    def more(entry: Entry, place: str) -> float:
        return 0.05 * "248".index(entry.values["labels"]) + 0.03 * (entry.values["training"] == "change")

    given = evidence(tmp_path, more, axes=LABELS, repeats=3)
    for one in given.done:
        (one.folder / "run.json").write_text(json.dumps({"format": 2, "train": masks[one.entry.values["labels"]]}))
    found = budgets(given, ["north-test", ELSEWHERE])
    assert set(found) == {"north-test", ELSEWHERE}
    assert set(found[ELSEWHERE]) == {"two views", "change"}
    curve = found[ELSEWHERE]["two views"]
    assert sorted(curve) == [10, 20, 40]
    assert curve[40][0] - curve[10][0] == pytest.approx(0.1, abs=0.02)
    assert all(0 < half < 0.1 for _, half in curve.values())
    assert found[ELSEWHERE]["change"][20][0] > curve[20][0]
    assert not budgets(evidence(tmp_path / "other", elsewhere_only), [ELSEWHERE])


# Places


def test_what_is_lost_is_a_share_of_home(tmp_path: Path) -> None:
    def away(entry: Entry, place: str) -> float:
        return -0.2 * (place != "north-test")

    given = evidence(tmp_path, away)
    arm = order(given)[0]
    home, there = (float(given.values(place, "dice").values[arm].mean()) for place in ("north-test", ELSEWHERE))
    found = lost(given, arm)
    assert found is not None
    assert found.value == pytest.approx(there / home - 1)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high < 0
    assert lost(evidence(tmp_path / "alone", away, elsewhere=[]), arm) is not None  # its sets are there all the same


def test_what_foretells_elsewhere_is_told_from_what_does_not(tmp_path: Path) -> None:
    """Steadiness goes along with quality elsewhere, quality at home does not."""

    def hidden(entry: Entry, place: str) -> float:
        return 0.02 * entry.repeat if place != "north-test" else 0.0

    given = evidence(tmp_path, hidden, vary="natural")
    for one in given.done:
        steady = [{"inconsistency": 0.5 - 0.02 * one.entry.repeat}, {"inconsistency": None}]
        summary = one.folder / "evaluation" / "north-test" / "summary.json"
        summary.write_text(json.dumps({"steadiness": steady}))
    found = foretold(given)
    assert found is not None
    assert len(found.points["steadiness at home"]) == len(given.done)
    assert min(x for x, _ in found.points["steadiness at home"]) == pytest.approx(0.5)
    steadiness, quality = found.ranks["steadiness at home"], found.ranks["Dice at home"]
    assert steadiness.value > 0.8
    assert steadiness.low is not None
    assert steadiness.low > 0.3
    assert abs(quality.value) < steadiness.value
    assert foretold(evidence(tmp_path, hidden)) is None  # nobody asked


# Curves


def test_a_curve_is_at_its_plateau_or_not() -> None:
    rising, flat = np.linspace(0.2, 0.8, 20).tolist(), [0.2] * 5 + [0.8] * 15
    assert climbs(rising, 0.01)
    assert not climbs(flat, 0.01)
    assert not climbs(rising, 0.2)  # by less than matters
    assert not climbs(rising[:4], 0.01)  # too short to say
    assert not climbs([*[0.5] * 12, 0.4, 0.6, 0.45, 0.5, 0.7, 0.45, 0.6, 0.45], 0.01)  # that much is luck here
    assert falls([1 / (1 + step) for step in range(10)])
    assert not falls([1.0, 0.5, *[0.4] * 10])


def test_a_loss_that_rose_again_is_told() -> None:
    assert rises([*np.linspace(1, 0.2, 10), *np.linspace(0.2, 0.6, 10)])
    assert not rises(np.linspace(1, 0.2, 20).tolist())
    assert not rises([1.0, 0.3, 0.2, 0.2, 0.5, 0.2, 0.2, 0.2, 0.2, 0.2])  # one epoch is luck


def first_of(given: Evidence) -> str:
    return order(given)[0]


def test_a_course_is_the_mean_of_its_runs_and_their_band(tmp_path: Path) -> None:
    given = evidence(tmp_path, elsewhere_only, axes={"training": AXES["training"]}, repeats=2)
    for one in given.done:
        end = 0.5 + 0.2 * one.entry.repeat
        lines = [
            {
                "epoch": number,
                "step": 10 * number,
                "loss": 1.0 / number + one.entry.repeat,
                "validation": {"dice": score},
            }
            for number, score in enumerate((0.1, 0.2, 0.9, end), 1)
        ]
        (one.folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        (one.folder / "run.json").write_text(json.dumps({"format": 2, "finished": True, "looks": 80, "best_epoch": 3}))
    select, (first, second) = courses(given, order(given), {first_of(given): 0.95})
    assert select == "Dice"
    assert first.name != second.name
    assert first.looks == [20, 40, 60, 80]
    assert first.loss == ([1.5, 1.0, pytest.approx(1 / 3 + 0.5), 0.75], [1.0, 0.5, pytest.approx(1 / 3), 0.25],
                          [2.0, 1.5, pytest.approx(4 / 3), 1.25])  # fmt: skip
    assert first.best_epoch == 3
    assert first.best == pytest.approx(0.9)
    assert first.last == pytest.approx(0.6)
    assert first.gap == pytest.approx(0.05)  # of the first repeat alone
    assert second.gap is None
    assert (first.epochs, first.runs) == (4, 2)


# Shapes


def disc(size: int = 64, radius: float = 12, at: tuple[int, int] = (32, 32), stretch: float = 1.0) -> np.ndarray:
    down, across = np.indices((size, size))
    found: np.ndarray = ((down - at[0]) * stretch) ** 2 + (across - at[1]) ** 2 <= radius**2
    return found


def test_a_shape_is_measured() -> None:
    round_ = shape(disc())
    assert round_ is not None
    assert round_.area == pytest.approx(np.pi * 144 / 64**2, rel=0.03)
    assert round_.eccentricity < 0.15
    assert round_.solidity > 0.94
    assert round_.parts == 1
    line = shape(disc(stretch=5))
    assert line is not None
    assert line.eccentricity == pytest.approx(np.sqrt(1 - 1 / 25), abs=0.02)
    hollow = shape(disc(radius=20) & ~disc(radius=24, at=(32, 52)))
    assert hollow is not None
    assert hollow.solidity < 0.85
    two = shape(disc(radius=4, at=(10, 10)) | disc(radius=4, at=(50, 50)))
    assert two is not None
    assert two.parts == 2
    assert shape(np.zeros((8, 8), bool)) is None
    volume = np.zeros((3, 64, 64), bool)
    volume[1] = disc()
    assert shape(volume) == round_
    assert shape(np.eye(1, dtype=bool)) == Shape(1.0, 0.0, 1.0, 1)


def test_cases_are_spread_over_what_there_is_and_hang_on_masks_alone() -> None:
    usual = [(f"u{number}", f"p{number}", Shape(0.1 + number / 1000, 0.5, 0.95, 1)) for number in range(20)]
    odd = [
        ("large", "x", Shape(0.6, 0.5, 0.95, 1)), ("long", "y", Shape(0.11, 0.99, 0.94, 1)),
        ("many", "z", Shape(0.1, 0.6, 0.7, 4)),
    ]  # fmt: skip
    several = [*usual, *odd]
    chosen = [several[place][0] for place in spread(several, 4)]
    assert chosen[0].startswith("u")
    assert {"long", "many"} <= set(chosen)
    assert [several[place][0] for place in spread(several, 4)] == chosen
    mixed = several[::-1]
    assert [mixed[place][0] for place in spread(mixed, 4)] == chosen  # whatever the order
    same = [(name, "one patient", one) for name, _, one in odd]
    assert len(spread(same, 5)) == 3
    assert spread([], 3) == []
    twins = [("a", "p", odd[0][2]), ("b", "p", odd[1][2]), ("c", "q", odd[0][2])]
    assert {twins[place][1] for place in spread(twins, 2)} == {"p", "q"}
