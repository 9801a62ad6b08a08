from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import segue
from segue.data.dataset import Dataset
from segue.data.splitting.split import SplitSettings
from segue.data.target import Target
from segue.errors import BadInput
from segue.evaluation.judging import choose as choosing
from segue.evaluation.judging.choose import THRESHOLDS, Choice, Grid, choose
from segue.evaluation.judging.judge import judge, scored
from segue.evaluation.judging.subject import Subject, subjects
from segue.evaluation.judging.summary import chosen_by
from segue.evaluation.predicting.decision import PLAIN, Decision, decide
from segue.evaluation.predicting.frame import Frame
from tests.evaluation import fakes
from tests.evaluation.fakes import POLYP, THREE, Array, two

FRAME = Frame((64, 64), 100)
FEW: dict[str, Any] = {"thresholds": (0.3, 0.45, 0.5, 0.6), "smallest": (0.001, 0.02)}


def speckled(images: Array) -> Array:
    """The red channel with holes in the lesion and specks beside it, and too sure of everything."""
    probability = images[..., 0].astype(np.float32) / 255
    probability[:, ::9, ::7] = 1 - probability[:, ::9, ::7]
    return two(np.clip(probability * 0.8, 0, 1))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return fakes.dataset(tmp_path_factory.mktemp("chosen"))


@pytest.fixture(scope="module")
def validation(dataset: Dataset) -> list[Subject]:
    return [replace(subject, part="validation") for subject in subjects(dataset, POLYP)]


def test_every_combination_has_the_number_that_the_judge_gives(validation: list[Subject]) -> None:
    found = choose(speckled, validation, frame=FRAME, target=POLYP, **FEW)

    def judged(decision: Decision) -> float:
        return chosen_by(judge(speckled, validation, frame=FRAME, target=POLYP, decision=decision, quick=True).table)

    for smallest, fill, value in found.after:
        assert value == pytest.approx(judged(Decision(found.decision.threshold, smallest, fill)), abs=1e-12)
    for threshold, value in found.curve:
        assert value == pytest.approx(
            judged(Decision(threshold, found.decision.smallest, found.decision.fill)), abs=1e-12
        )
    assert [threshold for threshold, _ in found.curve] == [0.3, 0.45, 0.5, 0.6]
    assert len(found.after) == 6
    assert found.plain == pytest.approx(judged(PLAIN), abs=1e-12)
    assert found.dice == pytest.approx(judged(found.decision), abs=1e-12)
    assert found.best >= max(value for *_, value in [*found.after, *found.curve]) - 1e-12
    # It did what the fake cries out for, and that helped.
    assert found.decision.fill
    assert found.decision.smallest > 0
    assert found.dice > found.plain + 0.01
    assert (found.cases, found.patients) == (8, 4)


@pytest.mark.parametrize("seed", range(6))
def test_a_case_in_the_grid_is_a_case_decided_and_scored(dataset: Dataset, seed: int) -> None:
    import cv2

    rng = np.random.default_rng(seed)
    for target in (POLYP, THREE):
        noise = cv2.GaussianBlur(rng.normal(size=(50, 70, len(target.names))), (0, 0), 1.5)
        maps = np.exp(4 * noise).transpose(2, 0, 1)
        maps = (maps / maps.sum(axis=0)).astype(np.float32)
        truth = cv2.GaussianBlur(rng.normal(size=(50, 70)), (0, 0), 4)
        labels = np.digitize(truth, np.quantile(truth, [0.6, 0.8][: len(target.names) - 1])).astype(np.uint8)
        labels[:10, : 10 * (seed % 3)] = 255
        if seed == 5:
            labels[labels < 255] = 0
        grid = Grid(target, THRESHOLDS, (0.001, 0.004, 0.02), (True,))
        found = grid.dice(maps, labels)
        assert len(grid.decisions) == (19 if target is POLYP else 1) * 2 * 4
        for decision, values in zip(grid.decisions, found, strict=True):
            scores = scored(decide(maps, target, decision), labels, dataset.cases[0], target, quick=True)
            assert values.tolist() == [scores[name].dice for name in target.foreground]


def made(dice: Any, who: list[str], thresholds: tuple[float, ...] = THRESHOLDS) -> Choice:
    """`dice`: (cases, combinations) of a grid of thresholds alone."""
    return Grid(POLYP, thresholds, (), ()).chosen(np.asarray(dice, float)[..., None], who)


def test_it_is_the_mean_over_patients_not_over_images() -> None:
    many, one = [[0.9, 0.8, 0.1]] * 9, [[0.1, 0.2, 0.9]]
    found = made(many + one, ["a"] * 9 + ["b"], (0.3, 0.5, 0.7))
    assert [value for _, value in found.curve] == pytest.approx([0.5, 0.5, 0.5])
    assert found.decision == PLAIN
    assert (found.cases, found.patients) == (10, 2)
    unsure = made([[np.nan] * 3, [0.2, 0.6, 0.4], [1, 1, 1]], ["a", "a", "b"], (0.3, 0.5, 0.7))
    assert [value for _, value in unsure.curve] == pytest.approx([0.6, 0.8, 0.7])
    with pytest.raises(BadInput, match="no pixel of the given cases counts"):
        made([[np.nan] * 3], ["a"], (0.3, 0.5, 0.7))


def test_ties_go_to_what_is_simplest() -> None:
    flat = [[0.7] * 19]
    assert made(flat, ["a"]).decision.threshold == 0.5
    nearly = np.full((1, 19), 0.7)
    nearly[0, 2] += 0.0004  # less than is worth leaving a half for
    assert made(nearly, ["a"]).decision.threshold == 0.5
    nearly[0, 2] += 0.0002
    assert made(nearly, ["a"]).decision.threshold == 0.15
    grid = Grid(POLYP, (0.3,), (0.01, 0.02), (True,))
    same = np.full((1, len(grid.decisions), 1), 0.7)
    assert grid.chosen(same, ["a"]).decision == PLAIN
    for number, decision in enumerate(grid.decisions):
        same[0, number] = 0.8 if decision.fill or decision.threshold == 0.3 else 0.7
    assert grid.chosen(same, ["a"]).decision == Decision(0.3)  # a threshold before anything after it
    for number, decision in enumerate(grid.decisions):
        same[0, number] = 0.8 if decision.smallest else 0.7
    assert grid.chosen(same, ["a"]).decision == Decision(0.5, 0.01)  # the smaller of two that do the same


def test_how_flat_the_optimum_is_is_told() -> None:
    curve = np.linspace(0.60, 0.66, 19)
    curve[7:12] = 0.8, 0.802, 0.804, 0.8035, 0.7995
    found = made(curve[None], ["a"])
    assert found.decision.threshold == 0.5
    assert found.flat == (0.4, 0.6)
    assert found.told == ("threshold 0.5: Dice 0.804 on 1 case; thresholds from 0.4 to 0.6 come within 0.005")
    curve[12] = 0.95
    sharp = made(curve[None], ["a"])
    assert sharp.flat == (0.65, 0.65)
    assert sharp.told == (
        "threshold 0.65: Dice 0.950 on 1 case, +0.146 against 0.5 alone; no other threshold comes within 0.005"
    )
    assert json.loads(json.dumps(sharp.as_json()))["decision"] == {"threshold": 0.65, "smallest": 0.0, "fill": False}


def test_several_classes_have_no_threshold() -> None:
    grid = Grid(THREE, THRESHOLDS, (0.01,), (True,))
    assert [decision.threshold for decision in grid.decisions] == [0.5] * 4
    values = np.array([[[0.5, 0.5], [0.5, 0.7], [0.5, 0.5], [0.5, 0.6]]])
    found = grid.chosen(values, ["a"])
    assert found.decision == Decision(0.5, 0.01, False)
    assert found.curve == ()
    assert found.dice == pytest.approx(0.6)
    assert found.told == (
        "the most probable class, components under 1.00% of the image dropped: Dice 0.600 on 1 case, "
        "+0.100 against it alone"
    )


def test_nothing_is_chosen_on_test_cases(dataset: Dataset, validation: list[Subject]) -> None:
    split = segue.split(dataset, settings=SplitSettings(test=0.25, validation=0.25))
    for part in ("train", "validation"):
        found = choose(
            speckled, subjects(dataset, POLYP, split=split, part=part), frame=FRAME, target=POLYP, part=part, **FEW
        )
        assert found.cases == len(split.cases(part))
    tests = subjects(dataset, POLYP, split=split, part="test")
    for given in (tests, [*validation, tests[0]], [replace(tests[0], part="left out")]):
        with pytest.raises(BadInput, match=r"is of the part '(test|left out)'; nothing may be chosen on it"):
            choose(speckled, given, frame=FRAME, target=POLYP)
        with pytest.raises(BadInput, match="nothing may be chosen"):
            choose(speckled, given, frame=FRAME, target=POLYP, part="test")
    # A wrong word about the part does not help: the split knows.
    with pytest.raises(BadInput, match="is a test case of the split"):
        choose(speckled, [replace(tests[0], part="validation")], frame=FRAME, target=POLYP, split=split)
    for part, told in (("train", "of the part 'train', not of 'validation'"), ("", "of no part of a split")):
        with pytest.raises(BadInput, match=told):
            choose(speckled, [replace(validation[0], part=part)], frame=FRAME, target=POLYP)
    with pytest.raises(BadInput, match="no case is given"):
        choose(speckled, [], frame=FRAME, target=POLYP)


def test_probabilities_are_not_kept(validation: list[Subject], monkeypatch: pytest.MonkeyPatch) -> None:
    import gc
    import weakref

    alive: list[weakref.ref[Array]] = []
    most = 0
    original = Grid.dice

    def watching(self: Grid, maps: Array, truth: Array) -> Array:
        nonlocal most
        alive.append(weakref.ref(maps))
        gc.collect()
        most = max(most, sum(one() is not None for one in alive))
        return original(self, maps, truth)

    monkeypatch.setattr(choosing.Grid, "dice", watching)
    choose(speckled, validation, frame=FRAME, target=POLYP, batch=2, **FEW)
    assert len(alive) == 8
    assert most <= 2


def test_a_validation_case_that_cannot_be_read_stops_it(tmp_path: Path) -> None:
    here = fakes.dataset(tmp_path)
    chosen = [replace(subject, part="validation") for subject in subjects(here, POLYP)]
    (tmp_path / "raw" / "images" / "3.png").write_bytes(b"broken")
    with pytest.raises(BadInput, match=r"c3: .*3\.png: is not a picture"):
        choose(speckled, chosen, frame=FRAME, target=POLYP, **FEW)


def test_a_class_that_was_not_drawn_has_no_say(dataset: Dataset) -> None:
    wider = Target(("background", "tool", "polyp"))
    chosen = [replace(subject, part="validation") for subject in subjects(dataset, wider)]

    def both(images: Array) -> Array:
        found = fakes.red(images)
        return np.concatenate([found[:, :1], np.zeros_like(found[:, :1]), found[:, 1:]], axis=1)

    found = choose(both, chosen, frame=FRAME, target=wider, smallest=(), fill=())
    assert found.plain == pytest.approx(chosen_by(judge(both, chosen, frame=FRAME, target=wider, quick=True).table))


def test_regions_have_a_threshold() -> None:
    regions = Target(("whole", "core"), exclusive=False)
    grid = Grid(regions, (0.3,), (0.01,), (True,))
    truth = np.zeros((2, 20, 20), np.uint8)
    truth[0, 2:18, 2:18] = truth[1, 8:12, 8:12] = 1
    maps = (truth * 0.4).astype(np.float32)
    codes = truth[0] | truth[1] << 1
    found = grid.chosen(grid.dice(maps, codes)[None], ["a"])
    assert found.decision == Decision(0.3)
    assert (found.dice, found.plain) == (1.0, 0.0)
