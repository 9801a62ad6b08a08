from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.data.case import read_table
from segue.data.dataset import Dataset
from segue.data.splitting.dealing import LEFT_OUT
from segue.data.splitting.split import Split, SplitSettings, split
from segue.errors import BadInput
from tests.data import made


def make(folder: Path, table: Any, **options: Any) -> Split:
    source = options.pop("source", None)
    return split(made.dataset(folder, table), settings=SplitSettings(**options), source=source)


@settings(max_examples=40, deadline=None)
@given(
    patients=st.integers(3, 60), frames=st.integers(1, 5), seed=st.integers(0, 9), labelled=st.sampled_from([0.3, 1.0])
)
def test_no_patient_and_no_copy_is_on_two_sides(
    tmp_path_factory: pytest.TempPathFactory, patients: int, frames: int, seed: int, labelled: float
) -> None:
    table = made.cases(patients, frames, sites=("a", "b"), labelled=labelled)
    rng = random.Random(seed)
    # Some copies, across patients: their groups must hold the patients together as well.
    for group in range(patients // 4):
        for number in rng.sample(range(len(table)), 2):
            table[number] = table[number].with_(group=f"g{group}")
    folder = tmp_path_factory.mktemp("d")
    units = len({case.who for case in table if case.labelled})
    if units < 3:
        with pytest.raises(BadInput, match="not enough"):
            make(folder, table, seed=seed)
        return
    try:
        result = make(folder, table, seed=seed)
    except BadInput:  # copies have tied the patients into fewer units than there are parts
        return
    assert set(result.parts) == {case.case for case in table}
    for column in ("who", "group"):
        sides: dict[str, set[str]] = {}
        for case in table:
            if value := getattr(case, column):
                sides.setdefault(value, set()).add(result.parts[case.case])
        assert all(len(parts) == 1 for parts in sides.values())


def test_the_same_split_in_another_file_order_and_after_a_round_trip(tmp_path: Path) -> None:
    table = made.cases(40, 3, sites=("a", "b"))
    first = make(tmp_path / "one", table)
    random.Random(0).shuffle(table)
    second = make(tmp_path / "two", table)
    assert first.parts == second.parts
    assert first.hash == second.hash
    assert (tmp_path / "one" / "split.csv").read_bytes() == (tmp_path / "two" / "split.csv").read_bytes()
    opened = Split.open(Dataset.open(tmp_path / "one"))
    assert (opened.hash, opened.parts, opened.units) == (first.hash, first.parts, first.units)
    assert opened.budget("5") == first.budget("5")
    # Known for ever: a change of this value changes everybody's test cases.
    assert first.hash == "420f576ad0a3cb92"


def test_another_seed_is_another_split(tmp_path: Path) -> None:
    table = made.cases(40)
    assert make(tmp_path / "a", table, seed=0).parts != make(tmp_path / "b", table, seed=1).parts


def test_shares_and_strata_are_kept(tmp_path: Path) -> None:
    table = made.cases(200, 2, sites=("a", "b", "c", "c"))
    result = make(tmp_path, table, test=0.25, validation=0.15)
    count = Counter(result.parts.values())
    assert abs(count["test"] - 100) <= 4
    assert abs(count["validation"] - 60) <= 4
    for site, share in (("a", 0.25), ("c", 0.5)):
        inside = [case for case in table if result.parts[case.case] == "test" and case.site == site]
        assert abs(len(inside) / count["test"] - share) < 0.05
    tests = [case.foreground or 0 for case in table if result.parts[case.case] == "test"]
    everyone = [case.foreground or 0 for case in table]
    assert abs(sum(tests) / len(tests) - sum(everyone) / len(everyone)) < 0.01


def test_the_table_names_the_smallest_budget_of_a_case(tmp_path: Path) -> None:
    result = make(tmp_path, made.cases(80, 2, sites=("a", "b")))
    result.save(tmp_path)
    rows = {row["case"]: row["budget"] for row in read_table(tmp_path / f"{result.name}.csv")}
    for case, budget in rows.items():
        having = [amount for amount in result.budgets if case in result.budget(amount)]
        assert budget == (having[0] if having else "")


def test_budgets_are_nested_and_the_same_for_every_caller(tmp_path: Path) -> None:
    result = make(tmp_path, made.cases(80, 2, sites=("a", "b")))
    for seed in (0, 1, 2):
        budgets = [set(result.budget(amount, seed=seed)) for amount in result.budgets]
        for smaller, larger in itertools.pairwise(budgets):
            assert smaller < larger
        assert result.budget("5", seed=seed) == result.budget("5", seed=seed)
        assert all(result.parts[case] == "train" for case in budgets[-1])
        patients = {case.rpartition("-")[0] for case in result.budget("5", seed=seed)}
        assert len(patients) == 5
    assert result.budget("2", seed=0) != result.budget("2", seed=1)
    assert result.budgets == ["1", "3", "10%", "7", "25%", "all"]  # of 56 patients to learn from: a tenth is 6
    # Every beginning is balanced: of 20 patients of two equal sites, 10 each.
    sites = Counter(result.units[case] for case in result.budget("20"))
    assert abs(sum(int(unit[1:4]) % 2 for unit in sites) - 10) <= 1
    for wrong in ("0", "-3", "many", "120%"):
        with pytest.raises(BadInput, match="label budget"):
            result.budget(wrong)


def test_unlabelled_cases_are_learnt_from_and_never_tested_on(tmp_path: Path) -> None:
    table = made.cases(100, 1, labelled=0.3)
    result = make(tmp_path, table)
    unlabelled = {case.case for case in table if not case.labelled}
    assert unlabelled <= set(result.cases("train"))
    assert not unlabelled & set(result.budget("all"))


def test_leaving_a_site_out_leaves_its_companions_out(tmp_path: Path) -> None:
    table = made.cases(30, 2, sites=("a", "b"))
    home = next(number for number, case in enumerate(table) if case.site == "a")
    away = next(number for number, case in enumerate(table) if case.site == "b")
    for number in (home, away):  # a picture of a is also at b
        table[number] = table[number].with_(group="shared")
    result = make(tmp_path, table, leave_site_out="b")
    assert {case.case for case in table if case.site == "b"} == set(result.cases("test"))
    companions = {case.case for case in table if case.patient == table[home].patient}
    assert companions == set(result.cases(LEFT_OUT))
    assert "2 cases are left out" in " ".join(result.warnings)
    with pytest.raises(BadInput, match=r"no site is called 'c'"):
        make(tmp_path, table, leave_site_out="c")


def test_folds_cover_everyone_once_and_keep_patients_together(tmp_path: Path) -> None:
    table = made.cases(30, 2)
    result = make(tmp_path, table, folds=5)
    assert set(result.folds) == {case.case for case in table}
    seen: list[str] = []
    for number in range(5):
        training, validation = result.fold(number)
        assert not {case[:4] for case in training} & {case[:4] for case in validation}
        assert len(validation) == 12
        seen += validation
    assert sorted(seen) == sorted(result.folds)
    assert not result.cases("test")
    with_test = make(tmp_path, table, folds=5, test=0.2)
    assert len(with_test.cases("test")) == 12
    assert set(with_test.folds) == set(with_test.cases("train"))


def test_a_published_split_is_honoured_and_its_leaks_are_told(tmp_path: Path) -> None:
    table = [
        case.with_(part="train" if number < 16 else "test", patient="") for number, case in enumerate(made.cases(20))
    ]
    table[0] = table[0].with_(group="twin")
    table[19] = table[19].with_(group="twin")
    result = make(tmp_path, table)
    assert result.how == "as published"
    assert result.cases("test") == [case.case for case in table[16:]]
    assert any("this split leaks" in warning for warning in result.warnings)
    anew = make(tmp_path, table, published=False)
    assert anew.parts[table[0].case] == anew.parts[table[19].case]


def test_splits_of_others_are_read(tmp_path: Path) -> None:
    table = made.cases(6)
    names = [case.case for case in table]
    (tmp_path / "splits_final.json").write_text(
        json.dumps([{"train": names[3:], "val": names[:3]}, {"train": names[:3], "val": names[3:]}])
    )
    folds = make(tmp_path / "d", table, source=tmp_path / "splits_final.json")
    assert folds.fold(0) == (names[3:], names[:3])
    (tmp_path / "split.csv").write_text(f"image,split\n{names[0]}.png,train\n{names[1]},val\n{names[2]},test\n")
    parts = make(tmp_path / "d", table, source=tmp_path / "split.csv")
    assert [parts.parts[name] for name in names[:4]] == ["train", "validation", "test", LEFT_OUT]
    (tmp_path / "wrong.csv").write_text("image,split\nnobody,train\n")
    with pytest.raises(BadInput, match=r"wrong.csv: row 2: 'nobody' is not a case of this dataset"):
        make(tmp_path / "d", table, source=tmp_path / "wrong.csv")
    (tmp_path / "both.json").write_text(json.dumps([{"train": [], "val": names[:2]}, {"train": [], "val": names[1:3]}]))
    with pytest.raises(BadInput, match="is validation in folds 0 and 1"):
        make(tmp_path / "d", table, source=tmp_path / "both.json")


def test_too_few_patients_are_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"2 annotated patients: not enough for train, validation, test"):
        make(tmp_path, made.cases(2, 10))
    result = make(tmp_path, made.cases(12, 3))
    assert "no honest test is possible" in " ".join(result.warnings)
    assert not make(tmp_path / "many", made.cases(80)).warnings
    unknown = split(made.dataset(tmp_path / "unknown", made.cases(80), patients_from=""))
    assert "No patient is known" in unknown.warnings[0]


def test_fitting_refuses_test_cases(tmp_path: Path) -> None:
    result = make(tmp_path, made.cases(30))
    result.refuse_test(result.cases("train") + result.cases("validation"))
    case = result.cases("test")[0]
    with pytest.raises(BadInput, match=f"{case!r} is a test case .* nothing may be fitted on it"):
        result.refuse_test([*result.cases("train"), case])
    with pytest.raises(BadInput, match="is not in the split"):
        result.refuse_test(["somebody else"])


def test_a_changed_split_is_noticed_and_can_be_adopted(tmp_path: Path) -> None:
    result = make(tmp_path, made.cases(30))
    path = tmp_path / "split.csv"
    case = result.cases("test")[0]
    path.write_text(path.read_text().replace(f"{case},test", f"{case},train"))
    with pytest.raises(BadInput, match="was changed after it was made"):
        Split.open(Dataset.open(tmp_path))
    adopted = split(tmp_path, source=path)
    assert adopted.parts[case] == "train"
    assert Split.open(Dataset.open(tmp_path)).hash == adopted.hash


def test_unlabelled_images_follow_their_patient_into_its_fold(tmp_path: Path) -> None:
    table = [case.with_(mask="", foreground=None) if case.case.endswith("-1") else case for case in made.cases(20, 2)]
    result = make(tmp_path, table, folds=4)
    assert not result.warnings
    for number in range(4):
        training, validation = result.fold(number)
        assert all(case.endswith("-0") for case in training + validation)
        assert all(result.folds[case.replace("-0", "-1")] == number for case in validation)


def test_replacing_a_split_is_said(tmp_path: Path) -> None:
    first = make(tmp_path, made.cases(30))
    assert not any("replaces" in warning for warning in first.warnings)
    same = split(tmp_path)
    assert not any("replaces" in warning for warning in same.warnings)
    other = split(tmp_path, settings=SplitSettings(seed=9))
    assert any(first.hash in warning and "replaces" in warning for warning in other.warnings)
    assert not any("replaces" in warning for warning in Split.open(Dataset.open(tmp_path)).warnings)
