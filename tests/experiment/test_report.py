"""`segue report`: the numbers on the page are the tables', and a page comes out of a run in whatever state it is."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from segue.data.target import Target
from segue.errors import BadInput
from segue.evaluation.judging.summary import patient_mean, rows_for, summarise
from segue.evaluation.judging.table import Row, Table
from segue.experiment.report import report, story
from segue.experiment.results import estimate, strata
from tests.report.folder import evaluate, make, rows
from tests.report.test_page import HOSTILE, Reader, outside
from tests.report.test_run_page import titles

TWO = Target(("background", "neoplastic", "other"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Judged at home and at three places elsewhere, of which one was seen in training."""
    folder = make(
        tmp_path_factory.mktemp("runs") / "north-unet",
        asked={"network": {"encoder": "mobilenet_v2"}, "loop": {"rate": "find"}},
    ).folder
    (folder / "rate-finder.csv").write_text("rate,loss\n1e-06,1.0\n0.0001,0.5\n0.01,2.0\n", encoding="utf-8")
    chosen = {"decision": {"threshold": 0.45, "smallest": 0.001, "fill": True}, "curve": [[0.4, 0.7], [0.45, 0.8]]}
    (folder / "decision.json").write_text(json.dumps(chosen), encoding="utf-8")
    home = rows(["polyp"], cases=60, absent=8, prefix="n")
    evaluate(
        folder, "north-test", home, dataset="north", part="test", home=True, pictures=True, decision=chosen["decision"]
    )
    evaluate(folder, "clinic", rows(["polyp"], cases=30, shift=8, seed=1, patients=False, prefix="c"))
    evaluate(folder, "harbour", rows(["polyp"], cases=12, seed=2, seen="masks", prefix="h"))
    evaluate(folder, "a-town", rows(["polyp"], cases=24, seed=3, prefix="t"), left_out={"t_900": "cannot be read"})
    return folder


@pytest.fixture(scope="module")
def page(run: Path) -> str:
    return report(run).read_text(encoding="utf-8")


def tables(run: Path) -> dict[str, Table]:
    return {path.parent.name: Table.read(path) for path in (run / "evaluation").glob("*/cases.csv")}


def cells(page: str, start: str) -> list[str]:
    return next(row for row in Reader(page).rows if row and row[0].startswith(start))


@pytest.mark.parametrize("name", ["north-test", "clinic", "a-town"])
def test_the_matrix_says_what_the_table_says(run: Path, page: str, name: str) -> None:
    summary = summarise(tables(run)[name])[0]
    shown = cells(page, f"{name}{'home' if name == 'north-test' else 'elsewhere'}")
    assert float(shown[1][:5]) == pytest.approx(summary.means["dice"], abs=5e-4)
    assert float(shown[2][:5]) == pytest.approx(summary.means["iou"], abs=5e-4)
    assert float(shown[3].split("\N{NO-BREAK SPACE}")[0]) == pytest.approx(100 * summary.failed_dice, abs=0.05)
    assert shown[6] == str(summary.present)
    assert shown[5] == (str(summary.present_patients) if summary.patients_known else "–")
    false = shown[4]
    assert false == "–" if not summary.absent else false.startswith(f"{100 * summary.means['found_where_none']:.1f}")


def test_further_measures_are_the_summarys(run: Path, page: str) -> None:
    means = summarise(tables(run)["north-test"])[0].means
    head = next(row for row in Reader(page).rows if row[:2] == ["set", "precision"])
    shown = [row for row in Reader(page).rows if row and row[0] == "north-testhome, test" and len(row) == len(head)][-1]
    told = dict(zip(head, shown, strict=True))
    assert float(told["sensitivity"]) == pytest.approx(means["sensitivity"], abs=5e-4)
    assert float(told["HD95"]) == pytest.approx(means["hd95"], abs=0.05)
    assert told["nothing predicted, though it is there"] == str(
        sum(row.scores.empty == "prediction" for row in tables(run)["north-test"])
    )


def test_an_interval_holds_its_number_and_narrows_with_patients(run: Path) -> None:
    found = story(run)
    for one in found.sets:
        for result in one.results:
            assert result.dice.low is not None
            assert result.dice.high is not None
            assert 0 <= result.dice.low < result.dice.value < result.dice.high <= 1
    table = tables(run)["north-test"].rows
    wide, narrow = (estimate(part, lambda row: row.scores.dice, "x") for part in (table[:8], table))
    assert (wide.high or 0) - (wide.low or 0) > (narrow.high or 0) - (narrow.low or 0)


def test_the_interval_of_a_mean_covers_it_as_often_as_it_says() -> None:
    """Of 200 sets of 30 patients drawn from a known distribution, the true mean lies in all but about one in twenty."""
    rng, model = np.random.default_rng(0), rows(["polyp"], cases=30, per_patient=1)
    inside = 0
    for number in range(200):
        drawn = dict(zip((row.case for row in model), rng.beta(6, 2, 30).tolist(), strict=True))
        found = estimate(model, partial(_drawn, drawn), str(number))
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= 0.75 <= found.high
    assert 180 <= inside <= 198


def _drawn(values: dict[str, float], row: Row) -> float:
    return values[row.case]


def test_nothing_seen_is_not_nothing_possible() -> None:
    """Of 10 patients without a failure, up to three in ten of all may fail: resampling alone would say 0 to 0."""
    ten = rows(["polyp"], cases=20)
    none, every = estimate(ten, lambda row: 0.0, "x"), estimate(ten, lambda row: 1.0, "x")
    assert (none.value, none.low) == (0.0, 0.0)
    assert none.high == pytest.approx(1 - 0.025**0.1)
    assert (every.value, every.high) == (1.0, 1.0)
    assert every.low == pytest.approx(0.025**0.1)
    one = estimate(ten[:2], lambda row: 0.5, "x")
    assert (one.value, one.low, one.high) == (0.5, None, None), "a single patient has no spread"
    assert math.isnan(estimate([], lambda row: 0.5, "x").value)


def test_strata_part_all_strange_cases_and_no_others(run: Path) -> None:
    found = story(run).strata["polyp"]
    every = [row for name, table in tables(run).items() if name != "harbour" for row in rows_for(table, "dice")]
    assert sum(number for stratum in found for _, number in stratum.results.values()) == len(every)
    assert all("harbour" not in stratum.results for stratum in found)
    bounds = np.quantile([row.scores.size for row in every], (1 / 3, 2 / 3))
    small = [row for row in tables(run)["clinic"] if row.scores.size < bounds[0]]
    assert found[0].results["clinic"][1] == len(small)
    assert found[0].results["clinic"][0].value == pytest.approx(patient_mean(small, lambda row: row.scores.dice))
    assert found[0].told == f"under {100 * bounds[0]:.3g}\N{NO-BREAK SPACE}%"
    assert strata({}) == {}


def test_structures_of_one_size_are_not_parted() -> None:
    def found(table: list[Row]) -> list[int]:
        parted = strata({"x": Table.of(table)})
        return [stratum.results["x"][1] for inside in parted.values() for stratum in inside]

    small, middle, large = (rows(["polyp"], cases=30)[kind::3] for kind in range(3))
    equal = [replace(row, scores=small[0].scores) for row in small]
    assert found(equal) == [10], "one stratum, which the page does not show"
    ((only,),) = strata({"x": Table.of(equal)}).values()
    assert only.told.endswith(" and more"), "none is under its own size"
    assert found([*small, *middle, *large]) == [10, 10, 10]
    assert found(small[:2]) == [], "two cases have no thirds"


def test_subgroups_are_columns_that_group(run: Path) -> None:
    groups = story(run).home[0].subgroups
    assert list(groups) == ["sex"], (
        "a column with a value of its own for every case groups nothing; one value for all neither"
    )
    women = [row for row in tables(run)["north-test"] if row.column("sex") == "f"]
    found = groups["sex"][0]
    assert (found.value, found.present + found.absent) == ("f", len(women))
    assert found.dice.value == pytest.approx(patient_mean(rows_for(women, "dice"), lambda row: row.scores.dice))


def test_the_worst_cases_are_the_worst(run: Path) -> None:
    judged = [row for row in tables(run)["a-town"] if row.scores.empty != "both"]
    worst = story(run).elsewhere[0].worst
    assert story(run).elsewhere[0].name == "a-town"
    assert [miss.dice for miss in worst] == sorted(row.scores.dice for row in judged)[:8]
    assert {miss.numbers["remark"] for miss in worst if miss.dice == 0} >= {"nothing predicted"}


def test_home_comes_first_and_what_was_seen_stands_apart(run: Path, page: str) -> None:
    assert [one.name for one in story(run).sets] == ["north-test", "a-town", "clinic", "harbour"]
    lead = page[page.index("<header>") : page.index("</header>")]
    assert "harbour" not in lead
    assert "clinic" in lead
    assert "elsewhere, masks seen" in page


def test_the_page_tells_how_the_run_came_about(run: Path, page: str) -> None:
    found = story(run)
    told = {one.key: (one.value, one.origin) for one in found.settings}
    assert told["network.encoder"] == ("mobilenet_v2", "asked for")
    assert told["loop.steps"] == ("1600", "found out")
    assert told["loop.schedule"] == ("cosine", "default")
    assert told["loop.rate"] == ("0.001", "asked for: find")
    assert {(part.part, part.images, part.patients) for part in found.parts} == {
        ("train", 70, 35), ("validation", 15, 8), ("test", 15, 8),
    }  # fmt: skip
    assert found.rate == 1e-3
    assert found.finder[1] == (1e-4, 0.5)
    assert found.thresholds is not None
    assert (found.thresholds.tried, found.thresholds.chosen) == ((0.4, 0.45), 0.45)
    assert (
        found.home[0].decision
        == "threshold 0.45, parts under 0.1\N{NO-BREAK SPACE}% of the image dropped, holes filled"
    )
    assert found.elsewhere[0].decision == "threshold 0.5"
    assert f"segue train --config {run / 'config.yaml'} --out {run}-again" in page
    assert "a1b2c3d4" in page
    assert found.environment["Images per second"] == "11.2 in training"
    best = max(found.epochs, key=lambda epoch: epoch.scores["Dice"])
    assert found.best == best.number
    assert f"The best Dice is {best.scores['Dice']:.3f}, after epoch {best.number}." in page


def test_overlays_are_in_the_page(run: Path, page: str) -> None:
    shown = story(run).home[0].overlays
    assert (shown[0].mark, shown[0].case, shown[0].told) == ("best", "north-test_000", "Dice 0.900")
    assert (
        len([image for image in Reader(page).named("img") if (image["src"] or "").startswith("data:image/jpeg")]) == 6
    )
    assert "best-0.jpg" not in page, "a page that is moved takes its pictures along"


def test_a_file_that_is_no_picture_is_not_shown(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    (copy / "evaluation/north-test/overlays/best-0.jpg").write_text("<script>alert(1)</script>")
    assert len(story(copy).home[0].overlays) == 5


def test_no_patient_is_named_and_nothing_is_fetched(page: str) -> None:
    assert "SECRET" not in page
    assert outside(page) == []


def test_the_same_folder_is_the_same_page(run: Path, page: str, tmp_path: Path) -> None:
    assert report(run, tmp_path / "again.html").read_text(encoding="utf-8") == page
    assert not list(run.glob(".*")), "nothing half-written is left"


@pytest.mark.parametrize(
    ("made", "said", "shown"),
    [
        (lambda f: make(f, epochs=12, of=40, finished=False), "480 of 1,600 steps are done so far", True),
        (lambda f: make(f, epochs=0, of=40, finished=False), "0 of 1,600 steps are done so far", False),
        (lambda f: make(f, epochs=1), "1 of 1", True),
        (lambda f: make(f, epochs=6, validated=False), "There was no validation.", True),
        (lambda f: make(f, epochs=6, patients=False), "The patient of 70 training images is not known: north.", True),
    ],
)  # fmt: skip
def test_a_run_in_any_state_has_a_page(made: Callable[[Path], object], said: str, shown: bool, tmp_path: Path) -> None:
    made(tmp_path / "run")
    page = report(tmp_path / "run").read_text(encoding="utf-8")
    assert said in page
    assert ("Training" in titles(page)) == shown
    assert "At home and elsewhere" not in titles(page)
    assert not re.search(r"\b(nan|inf)\b", page)


def test_two_classes_and_a_set_without_a_summary(tmp_path: Path) -> None:
    folder = make(tmp_path / "run", target=TWO, epochs=2).folder
    evaluate(folder, "x", rows(TWO.foreground, cases=9), part="all")
    (folder / "evaluation/x/summary.json").unlink()
    found = story(folder)
    assert [result.name for result in found.sets[0].results] == ["neoplastic", "other"]
    assert set(found.strata) == {"neoplastic", "other"}
    evaluate(folder, "x", rows(TWO.foreground, cases=9), part="all", views=["flips"])
    assert story(folder).sets[0].decision == "the most probable class, mean over flips"


def test_the_run_itself_says_which_epoch_it_kept(tmp_path: Path) -> None:
    made = make(tmp_path / "run", epochs=5)
    made.finish(best_epoch=2)
    assert story(tmp_path / "run").best == 2


def test_patients_that_are_not_known_are_not_counted(tmp_path: Path) -> None:
    make(tmp_path / "run", epochs=1, patients=False)
    train = story(tmp_path / "run").parts[0]
    assert (train.part, train.images, train.patients, train.unknown, train.sites) == ("train", 70, 0, 70, 1)


def test_a_folder_of_folds_is_one_model(tmp_path: Path) -> None:
    for fold in range(3):
        make(tmp_path / "folds" / f"fold-{fold}", epochs=4 + fold, fold=fold)
    evaluate(tmp_path / "folds", "north-test", rows(["polyp"], cases=9), home=True, part="test")
    found = story(tmp_path / "folds")
    assert [len(member.epochs) for member in found.members] == [4, 5, 6]
    assert {(part.part, part.images) for part in found.parts} == {("train and validation in turns", 85), ("test", 15)}
    assert found.trained_on == 85
    page = report(tmp_path / "folds").read_text(encoding="utf-8")
    assert "3 networks that predict together" in page
    assert cells(page, "fold-2")[1] == "6"


def test_hostile_names_in_a_run_stay_text(tmp_path: Path) -> None:
    name = HOSTILE.replace("/", "|")
    folder = make(tmp_path / name, dataset=name, epochs=2, target=Target(("background", name))).folder
    evil = [Row(name, name, row.scores, name, name, "", {name: name}) for row in rows(["x"], cases=1)]
    evaluate(folder, "x", [*evil, *rows([name], cases=8)], dataset=name, set=name, part=name)
    page = report(folder).read_text(encoding="utf-8")
    assert not Reader(page).named("script")
    assert not Reader(page).named("img")
    assert outside(page) == []
    assert page.count("&lt;script&gt;") > 10


@pytest.mark.parametrize(
    ("file", "content", "named"),
    [
        ("rate-finder.csv", "rate,loss\n1,much\n", "rate-finder.csv"),
        ("decision.json", '{"curve": 3}', "decision.json"),
        ("environment.json", "[1]", "environment.json"),
        ("metrics.jsonl", "{", "metrics.jsonl"),
        ("evaluation/x/summary.json", "{", "summary.json"),
        ("evaluation/x/cases.csv", "case\na\n", "cases.csv"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, file: str, content: str, named: str) -> None:
    folder = make(tmp_path / "run", epochs=1).folder
    evaluate(folder, "x", rows(["polyp"], cases=4))
    story(folder)
    (folder / file).write_text(content, encoding="utf-8")
    with pytest.raises(BadInput, match=re.escape(named)):
        story(folder)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not a run"):
        report(tmp_path)
    with pytest.raises(BadInput, match="there is no such run"):
        report(tmp_path / "nothing")
    assert not (tmp_path / "report.html").exists()
