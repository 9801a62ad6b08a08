"""Millilitres and ejection fractions against truth, by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segue.data.case import Case
from segue.evaluation.judging.amounts import agreements
from segue.evaluation.judging.metrics import score
from segue.evaluation.judging.table import Row, Table


def row(
    patient: str, time: str, true: int, said: int, *, name: str = "left ventricle", seen: str = "", volume: bool = True
) -> Row:
    case = Case(
        f"{patient}-{time}", ("x",), patient=patient, time=time, height=20, width=20, depth=5 if volume else 0,
        spacing=(2.0, 2.5, 10.0) if volume else (2.0, 2.5),
    )  # fmt: skip
    masks = [np.arange(2000).reshape(5, 20, 20) < number for number in (said, true)]
    return Row.of(case, name, score(*masks, spacing=(10.0, 2.0, 2.5)), seen=seen)


def beat(patient: str, full: tuple[int, int], empty: tuple[int, int], **given: str) -> list[Row]:
    return [row(patient, "ED", *full, **given), row(patient, "ES", *empty, **given)]  # type: ignore[arg-type]


def test_by_hand() -> None:
    rows = [
        *beat("a", (1000, 1100), (500, 440)),  # 50 % and 60 %
        *beat("b", (800, 800), (200, 400)),  # 75 % and 50 %
        *beat("c", (1200, 1000), (900, 750)),  # 25 % and 25 %
    ]
    volume, fraction = agreements(Table.of(rows))
    assert (volume.what, volume.unit, volume.number, volume.whom) == ("volume", "mL", 6, "case")
    # A voxel has 50 cubic millimetres.
    apart = np.array([100, -60, 0, 200, -200, -150]) * 0.05
    assert volume.bias == pytest.approx(apart.mean())
    assert volume.high - volume.bias == pytest.approx(1.96 * apart.std(ddof=1))
    assert volume.truth == pytest.approx(np.mean([1000, 500, 800, 200, 1200, 900]) * 0.05)
    assert (fraction.what, fraction.number, fraction.whom) == ("ejection fraction", 3, "patient")
    assert fraction.truth == pytest.approx(50)
    assert fraction.bias == pytest.approx((10 - 25 + 0) / 3)
    assert "ejection fraction 5.0 points smaller than in truth (50.0 points) on average" in fraction.told


def test_what_throws_nothing_out_has_no_fraction() -> None:
    rows = [each for patient in "abc" for each in beat(patient, (100, 90), (50, 60), name="myocardium")]
    assert [one.what for one in agreements(Table.of(rows))] == ["volume"]


def test_what_cannot_be_told() -> None:
    assert agreements(Table.of([row("a", "ED", 10, 10), row("b", "ED", 10, 12)])) == ()  # too few
    pictures = [row(patient, "", 10, 12, volume=False) for patient in "abcd"]
    assert agreements(Table.of(pictures)) == ()
    learnt = [row(patient, "", 10, 12, seen="masks") for patient in "abcd"]
    assert agreements(Table.of(learnt)) == ()
    # Empty when full: nobody can say which part is thrown out.
    rows = [each for patient in "abc" for each in beat(patient, (0, 10), (0, 5))]
    assert [one.what for one in agreements(Table.of(rows))] == ["volume"]


def test_bad_masks_give_no_nonsense() -> None:
    nowhere = [each for patient in "abc" for each in beat(patient, (1000, 0), (500, 300))]
    _, fraction = agreements(Table.of(nowhere))
    assert (fraction.number, fraction.lost) == (0, 3)
    assert fraction.told == "left ventricle: ejection fraction; not to be had of 3 patients, in whom it was not found"
    # Larger when empty than when full: nothing is thrown out, and not less than nothing.
    odd = [each for patient in "abc" for each in beat(patient, (1000, 10), (500, 900))]
    _, fraction = agreements(Table.of([*odd, *beat("d", (1000, 0), (500, 0))]))
    assert (fraction.bias, fraction.lost) == (-50, 1)
    exact = [each for patient in "abc" for each in beat(patient, (1000, 1000), (500, 500))]
    assert "volume as large as in truth (37.5 mL)" in agreements(Table.of(exact))[0].told


def test_the_table_keeps_the_size_of_voxels(tmp_path: Path) -> None:
    table = Table.of([row("a", "ED", 10, 12), row("b", "", 10, 12, volume=False)])
    table.write(tmp_path / "t.csv")
    again = Table.read(tmp_path / "t.csv")
    assert [one.voxel_ml for one in again] == [0.05, 0.0]
    assert again == table
    # Tables of before have no such column.
    lines = (tmp_path / "t.csv").read_text().splitlines()
    place = lines[0].split(",").index("voxel_ml")
    old = "\n".join(",".join(cell for at, cell in enumerate(line.split(",")) if at != place) for line in lines)
    (tmp_path / "old.csv").write_text(old + "\n")
    assert [one.voxel_ml for one in Table.read(tmp_path / "old.csv")] == [0.0, 0.0]
