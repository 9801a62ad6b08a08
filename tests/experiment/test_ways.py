"""Which runs are of one way to train, how much they learnt from, and in which settings they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from segue.evaluation.comparing.compare import compare as compare_tables
from segue.evaluation.comparing.compared import qualified
from segue.evaluation.judging.table import Table
from segue.experiment.compare import _sides
from segue.experiment.differing import differing
from segue.experiment.settings import TrainSettings
from segue.experiment.ways import Known, caveats, doubts, known, learnt, way
from segue.training.run import Run
from tests.report.folder import rows


def run(
    folder: Path,
    patients: Sequence[str] = ("a", "b"),
    *,
    steps: int = 10,
    looks: int | None = None,
    before: int = 0,
    lines: Sequence[dict[str, Any]] = (),
    **asked: Any,
) -> Path:
    """Of a training that was asked for in these words; each patient has two images."""
    given = TrainSettings.model_validate({"data": ["datasets/x"], **asked}).model_dump(mode="json")
    names = [(patient, f"{patient}{place}-{n}") for place, patient in enumerate(patients) for n in range(2)]
    rows = [{"case": case, "dataset": "x", "patient": patient, "site": "", "part": "train"} for patient, case in names]
    judged = {**rows[0], "case": "v", "patient": "v", "part": "validation"}
    about = {"asked": given, "steps": steps, **({} if looks is None else {"looks": looks, "looks_before": before})}
    Run.create(folder, config=given, about=about, cases=[*rows, judged], seen=rows).write_metrics(list(lines))
    return folder


def test_masks_length_and_luck_do_not_make_another_way(tmp_path: Path) -> None:
    one = run(tmp_path / "one", labels="1")
    other = run(tmp_path / "other", labels="3", draw=2, minutes=5, loop={"seed": 4, "batch": 2}, machine={"threads": 1})
    semi = run(tmp_path / "semi", method="semi")
    assert way(Run.open(one)) == way(Run.open(other)) != way(Run.open(semi))


def test_what_a_method_does_not_read_is_no_difference(tmp_path: Path) -> None:
    one = run(tmp_path / "one", semi={"views": 1})
    other = run(tmp_path / "other", semi={"views": 2})
    assert way(Run.open(one)) == way(Run.open(other))
    assert differing({"one": [one], "other": [other]}) == {}
    follows = run(tmp_path / "follows", method="semi", semi={"views": 1})
    assert differing({"one": [one], "follows": [follows]}) == {"method": {"one": "supervised", "follows": "semi"}}
    follows_two = run(tmp_path / "two", method="semi", semi={"views": 2})
    found = differing({"one": [one], "follows": [follows], "two": [follows_two]})
    assert found["semi.views"] == {"one": "-", "follows": "1", "two": "2"}


def test_ways_are_named_by_what_tells_them_apart(tmp_path: Path) -> None:
    sides = {
        "few": [run(tmp_path / "few", "a")],
        "all": [run(tmp_path / "all", "abcd")],
        "beside": [run(tmp_path / "beside", "a", method="semi", semi={"views": 1})],
        "after": [run(tmp_path / "after", "a", init="runs/encoder")],
    }
    found = learnt(known(sides))
    assert {side: one.way for side, one in found.items()} == {
        "few": "supervised", "all": "supervised", "beside": "semi", "after": "supervised, from encoder",
    }  # fmt: skip
    assert {side: one.masks for side, one in found.items()} == {"few": 1, "all": 4, "beside": 1, "after": 1}
    assert all(one.patients for one in found.values())


def test_of_unknown_patients_images_are_counted(tmp_path: Path) -> None:
    found = learnt(known({"x": [run(tmp_path / "x", ["", ""])]}))
    assert (found["x"].masks, found["x"].patients, found["x"].way) == (4, False, "")


def test_a_side_of_several_ways_or_budgets_is_none(tmp_path: Path) -> None:
    one, more, semi = (
        run(tmp_path / "one", "a"), run(tmp_path / "more", "ab"), run(tmp_path / "semi", "a", method="semi"),
    )  # fmt: skip
    assert set(learnt(known({"x": [one, more], "y": [one, semi], "z": [one, run(tmp_path / "other", "b")]}))) == {"z"}


@pytest.mark.parametrize("made", [{}, {"cases.csv": "case\n"}])
def test_of_masks_from_elsewhere_nothing_is_known(tmp_path: Path, made: Mapping[str, str]) -> None:
    for name, text in made.items():
        (tmp_path / name).write_text(text)
    assert learnt(known({"x": [tmp_path]})) == {}
    assert known({"x": [tmp_path]}) == {}


def test_the_same_masks_have_the_same_name(tmp_path: Path) -> None:
    one, again, other = run(tmp_path / "1", "ab"), run(tmp_path / "2", "ab", method="semi"), run(tmp_path / "3", "ac")
    assert Known.of(one).masks == Known.of(again).masks != Known.of(other).masks


# Is it the comparison that was meant?


def test_other_numbers_of_steps_are_told(tmp_path: Path) -> None:
    one, more = run(tmp_path / "one"), run(tmp_path / "more", steps=250)
    (told,) = doubts(known({"one": [one], "more": [more]}))
    assert told.startswith("They took other numbers of steps (10 to 250)")
    assert list(doubts(known({"one": [one], "again": [run(tmp_path / "again")]}))) == []


def test_work_is_counted_in_looks_where_all_tell_them(tmp_path: Path) -> None:
    one = run(tmp_path / "one", steps=100, looks=800)
    alike = run(tmp_path / "alike", steps=25, looks=820, method="two-view")
    assert list(doubts(known({"one": [one], "alike": [alike]}))) == []
    more, after = run(tmp_path / "more", steps=100, looks=4000), run(tmp_path / "after", looks=800, before=8000)
    (told,) = doubts(known({"one": [one], "more": [more], "after": [after]}))
    assert "(one 800, more 4,000, after 8,800)" in told
    (told,) = doubts(known({"one": [one], "old": [run(tmp_path / "old", steps=25)]}))
    assert told.startswith("They took other numbers of steps (25 to 100)")


def test_a_side_of_several_budgets_is_told(tmp_path: Path) -> None:
    sides = {"mixed": [run(tmp_path / "one", "a"), run(tmp_path / "three", "abc")], "x": [run(tmp_path / "x", "a")]}
    (told,) = doubts(known(sides))
    assert told.startswith("mixed: its runs learnt from other numbers of masks (1, 3)")


def test_a_semi_that_followed_nothing_is_told(tmp_path: Path) -> None:
    followed = run(tmp_path / "followed", method="semi", lines=[{"fitted": 0.1}, {"fitted": 0.6, "sure": 0.7}])
    never, again = (run(tmp_path / name, method="semi", lines=[{"fitted": 0.1}]) for name in ("never", "again"))
    alone = run(tmp_path / "alone")
    assert list(doubts(known({"alone": [alone], "semi": [followed]}))) == []
    (told,) = doubts(known({"alone": [alone], "semi": [never]}))
    assert told.startswith("semi: it never followed an image without a mask")
    (told,) = doubts(known({"alone": [alone], "semi": [followed, never, again]}))
    assert told.startswith("semi: 2 of its 3 runs never followed")


def test_a_side_that_never_followed_says_so_in_each_sentence(tmp_path: Path) -> None:
    never = run(tmp_path / "never", method="semi", lines=[{"fitted": 0.1}])
    followed = run(tmp_path / "followed", method="semi", lines=[{"fitted": 0.6, "sure": 0.7}])
    told = caveats(known({"alone": [run(tmp_path / "alone")], "semi": [never], "mixed": [never, followed]}))
    assert list(told) == ["semi"]
    several = rows(["polyp"], cases=24)
    tables = {
        side: Table.of(replace(row, scores=replace(row.scores, dice=dice, empty="")) for row in several)
        for side, dice in (("alone", 0.8), ("semi", 0.3))
    }
    plain = compare_tables(tables)
    (sentence,) = qualified(plain, told).sentences
    assert sentence.endswith("But semi never followed an image without a mask: this says nothing of following.")
    assert qualified(plain, {}).sentences == plain.sentences


# What the sides are called


def test_sides_are_called_what_their_runs_have_in_common_or_as_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("alone-0", "alone-1", "beside-0", "beside-1", "x", "y=z"):
        (tmp_path / name).mkdir()
    found = _sides(["alone-0,alone-1", "followed=beside-0, beside-1,"])
    assert list(found) == ["alone (2 runs)", "followed"]
    assert found["followed"] == [Path("beside-0"), Path("beside-1")]
    assert list(_sides(["x,alone-0", "y=z"])) == ["x and 1 more", "y=z"]
    assert list(_sides([["alone-0", "alone-1"], Path("x")])) == ["alone (2 runs)", "x"]
