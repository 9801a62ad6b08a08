"""Runs judged at home and elsewhere, and compared."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import segue
from segue.config import read_yaml, write_yaml
from segue.data.case import read_table
from segue.data.dataset import Dataset
from segue.data.scanning.scan import scan
from segue.errors import BadInput
from segue.evaluation.judging.table import Table
from segue.experiment.compare import compare
from segue.experiment.evaluate import evaluate
from segue.experiment.folds import train_folds
from segue.experiment.settings import EvaluateSettings, TrainSettings
from segue.experiment.train import Trained, train
from tests.experiment.conftest import SMALL


def test_home_is_the_test_part_and_elsewhere_is_all(there: Path, trained: Trained) -> None:
    done = evaluate(trained.run.folder, ["datasets/north", "datasets/south"])
    home, elsewhere = done.sets
    assert (home.name, elsewhere.name) == ("north-test", "south")
    given = {
        row["case"] for row in read_table(Path("datasets/north/split.csv")) if row["part"] == "test" and row["labelled"]
    }
    assert {row.case for row in home.table} == given
    assert {row.case for row in elsewhere.table} == {c.case for c in Dataset.open("datasets/south").cases if c.labelled}
    assert all(not row.seen for row in [*home.table, *elsewhere.table])
    assert Table.read(home.folder / "cases.csv") == home.table
    told = json.loads((home.folder / "summary.json").read_text())
    assert (told["home"], told["part"]) == (True, "test")
    assert done.page.stat().st_size > 10_000
    assert len(list((home.folder / "overlays").glob("*.jpg"))) >= 1
    assert "south" in done.page.read_text()


def test_validation_in_training_and_evaluate_agree(there: Path, trained: Trained) -> None:
    """One judge: the best epoch's validation number is what evaluate finds on the validation part."""
    done = evaluate(trained.run.folder, "datasets/north", settings=EvaluateSettings(part="validation"))
    from segue.evaluation.judging.summary import chosen_by

    assert chosen_by(done.sets[0].table, "dice") == pytest.approx(trained.run.about["validation"]["dice"], abs=1e-12)


def test_trained_on_is_told(there: Path, trained: Trained) -> None:
    lines: list[str] = []
    done = evaluate(trained.run.folder, "datasets/north", settings=EvaluateSettings(part="all"), say=lines.append)
    parts = {row["case"]: row["part"] for row in trained.run.cases()}
    assert all((row.seen == "masks") == (parts[row.case] == "train") for row in done.sets[0].table)
    assert any("trained on" in line for line in lines)


def test_a_copy_of_a_training_image_elsewhere_is_found(there: Path, trained: Trained, tmp_path: Path) -> None:
    """The other hospital's folder holds a training image, recompressed: it may not count as unseen."""
    import cv2

    north = Dataset.open("datasets/north")
    learnt = next(row["case"] for row in trained.run.cases() if row["part"] == "train")
    case = north.by_name[learnt]
    folder = tmp_path / "elsewhere"
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    image = cv2.imread(str(north.root / case.images[0]))
    assert image is not None
    cv2.imwrite(str(folder / "images" / "copy.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 60])
    shutil.copy(north.root / case.mask, folder / "masks" / "copy.png")
    south = Dataset.open("datasets/south")
    for other in [one for one in south.cases if one.labelled][:3]:
        shutil.copy(south.root / other.images[0], folder / "images")
        shutil.copy(south.root / other.mask, folder / "masks")
    assert scan(folder, tmp_path / "dataset", name="elsewhere").dataset is not None
    done = evaluate(trained.run.folder, tmp_path / "dataset")
    assert {row.case: row.seen for row in done.sets[0].table}["copy"] == "masks"
    assert sum(row.seen == "masks" for row in done.sets[0].table) == 1


def test_a_changed_split_is_refused(there: Path, trained: Trained, tmp_path: Path) -> None:
    copy = tmp_path / "north"
    shutil.copytree("datasets/north", copy)
    from segue.data.splitting.split import SplitSettings, split

    split(copy, settings=SplitSettings(test=0.4, validation=0.2, seed=9))
    with pytest.raises(BadInput, match="not the one that was trained with"):
        evaluate(trained.run.folder, copy)


def test_chosen_threshold_comes_from_validation_alone(there: Path, trained: Trained) -> None:
    lines: list[str] = []
    done = evaluate(trained.run.folder, "datasets/south", settings=EvaluateSettings(chosen=True), say=lines.append)
    kept = json.loads((trained.run.folder / "decision.json").read_text())
    assert done.sets[0].about["decision"] == kept["decision"]
    assert kept["cases"] == sum(row["part"] == "validation" for row in trained.run.cases())
    assert any("threshold" in line for line in lines)


def test_test_time_views_change_the_prediction(there: Path, trained: Trained) -> None:
    plain = evaluate(trained.run.folder, "datasets/south").sets[0].table
    averaged = evaluate(trained.run.folder, "datasets/south", settings=EvaluateSettings(views=("flips",))).sets[0].table
    assert [row.scores.predicted_pixels for row in plain] != [row.scores.predicted_pixels for row in averaged]


def test_how_steady_predictions_are_stands_beside_dice(there: Path, trained: Trained) -> None:
    settings = EvaluateSettings(vary="flips + noise")
    done = evaluate(trained.run.folder, ["datasets/north", "datasets/south"], settings=settings)
    for one in done.sets:
        (steady,) = one.steady
        rows = read_table(one.folder / "steadiness.csv")
        assert [row["case"] for row in rows] == [row.case for row in one.table]
        known = [float(row["unsteady"]) for row in rows if row["unsteady"] != "nan"]
        assert 0 < steady.unsteady == pytest.approx(sum(known) / len(known))
        assert json.loads((one.folder / "summary.json").read_text())["steadiness"] == [steady.as_json()]
    assert "How steady predictions are" in done.page.read_text()
    assert evaluate(trained.run.folder, "datasets/north", settings=settings).sets[0].steady == done.sets[0].steady
    plain = evaluate(trained.run.folder, ["datasets/north", "datasets/south"])
    assert all(not one.steady and not (one.folder / "steadiness.csv").exists() for one in plain.sets)
    assert "How steady predictions are" not in plain.page.read_text()
    with pytest.raises(BadInput, match="no variation is called 'natrual': did you mean natural"):
        evaluate(trained.run.folder, "datasets/north", settings=EvaluateSettings(vary="natrual"))


def test_what_is_left_when_images_are_spoilt(there: Path, trained: Trained) -> None:
    settings = EvaluateSettings(spoil=("noise", "occlusion"))
    (one,) = evaluate(trained.run.folder, "datasets/north", settings=settings).sets
    rows = read_table(one.folder / "corruptions.csv")
    assert [(row["corruption"], row["level"]) for row in rows] == [
        (name, str(level)) for name in ("noise", "occlusion") for level in range(6)
    ]
    dice = {(row["corruption"], row["level"]): float(row["dice"]) for row in rows}
    assert dice["noise", "0"] == dice["occlusion", "0"] == pytest.approx(one.summaries[0].means["dice"])
    assert dice["noise", "5"] != dice["noise", "0"]
    page = (trained.run.folder / "report.html").read_text()
    assert "When images are spoilt" in page
    evaluate(trained.run.folder, "datasets/north")
    assert not (one.folder / "corruptions.csv").exists()
    for wrong, said in (
        (("blurr",), "no corruption is called 'blurr': did you mean blur"),
        (("all", "blur"), "spoil: all, or"),
    ):
        with pytest.raises(BadInput, match=said):
            evaluate(trained.run.folder, "datasets/north", settings=EvaluateSettings(spoil=wrong))


def test_compare_says_a_sentence(there: Path, trained: Trained, tmp_path: Path) -> None:
    other = train("datasets/north", "runs/other", **{**SMALL, "loop": {**SMALL["loop"], "seed": 1}}).run
    for run in (trained.run, other):
        evaluate(run.folder, ["datasets/north", "datasets/south"])
    found = compare(trained.run.folder, other.folder, out=tmp_path / "page.html")
    assert {"north-test", "south"} <= set(found.sets)
    assert all(len(one.sentences) == 1 for one in found.sets.values())
    assert "too small" in found.sets["north-test"].sentences[0]
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "data:image/jpeg" in page, "where one is behind, what its evaluation drew is shown"
    assert "as annotated (solid)" in page
    alone = compare(trained.run.folder, other.folder, on=["south"], class_name="foreground").sets["south"]
    assert "Of foreground alone." in alone.notes
    with pytest.raises(BadInput, match="no table has a class"):
        compare(trained.run.folder, other.folder, class_name="polyps")
    with pytest.raises(BadInput, match="not all of these runs were judged on 'nort'"):
        compare(trained.run.folder, other.folder, on=["nort"])
    with pytest.raises(BadInput, match="needs two runs"):
        compare(trained.run.folder)


def test_compare_says_what_differs_and_refuses_a_run_against_itself(
    there: Path, trained: Trained, tmp_path: Path
) -> None:
    run = trained.run.folder
    twin = shutil.copytree(run, tmp_path / "twin")
    other = shutil.copytree(run, tmp_path / "other")
    for folder in (run, twin, other):
        evaluate(folder, "datasets/south")
    config = read_yaml(other / "config.yaml")
    config["loop"].update(rate=0.5, seed=7)
    config["size"] = [32, 64]
    write_yaml(other / "config.yaml", config)
    assert compare(run, twin).settings == {}
    assert compare(run, other, out=tmp_path / "page.html").settings == {
        "size": {run.name: "x".join(map(str, trained.run.config["size"])), "other": "32x64"},
        "loop.rate": {run.name: str(trained.run.config["loop"]["rate"]), "other": "0.5"},
    }
    assert "What differs" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "loop.rate" in (tmp_path / "page.html").read_text(encoding="utf-8")
    with pytest.raises(BadInput, match="is given twice"):
        compare(run, tmp_path / "twin" / ".." / "twin", twin)


def test_elsewhere_is_held_against_home(there: Path, trained: Trained) -> None:
    done = evaluate(trained.run.folder, ["datasets/north", "datasets/south"])
    (told,) = done.gaps
    assert told.startswith("south against ")
    assert "95 % interval of the difference" in told
    page = done.page.read_text(encoding="utf-8")
    assert "South against" in page
    (alone,) = evaluate(trained.run.folder, "datasets/south").gaps  # home was judged before
    assert alone == told


def test_compare_leaves_out_what_either_was_trained_with(there: Path, trained: Trained) -> None:
    said: list[str] = []
    few = train("datasets/north", "runs/few-labels", labels="2", **SMALL)
    train("datasets/north", "runs/too-many-labels", labels="500", say=said.append, **SMALL)
    assert any("500 patients were asked for, and" in line for line in said)
    for run in (trained, few):
        evaluate(run.run.folder, "datasets/north", settings=EvaluateSettings(part="all"))
    found = compare(trained.run.folder, few.run.folder, on=["north"]).sets["north"]
    learnt = {row["case"] for one in (trained, few) for row in one.run.cases() if row["part"] == "train"}
    assert any(f"{len(learnt)} cases left out, whose masks were trained with" in note for note in found.notes)
    assert 0 < sum(group.cases for group in found.groups) <= 20 - len(learnt)  # those with the structure


def test_compare_refuses_unequal_case_lists(there: Path, trained: Trained, tmp_path: Path) -> None:
    evaluate(trained.run.folder, "datasets/south")
    twin = tmp_path / "twin"
    shutil.copytree(trained.run.folder, twin)
    table = Table.read(twin / "evaluation" / "south" / "cases.csv")
    Table.of(list(table)[1:]).write(twin / "evaluation" / "south" / "cases.csv")
    with pytest.raises(BadInput, match=next(iter(table)).case):
        compare(trained.run.folder, twin, on=["south"])


def test_not_judged_yet_is_told(there: Path, tmp_path: Path, trained: Trained) -> None:
    shutil.copytree(trained.run.folder, tmp_path / "bare", ignore=shutil.ignore_patterns("evaluation"))
    with pytest.raises(BadInput, match="bare: was not judged yet"):
        compare(trained.run.folder, tmp_path / "bare")


def test_predict_writes_masks_in_the_images_own_size(there: Path, trained: Trained, tmp_path: Path) -> None:
    import cv2

    done = segue.predict(trained.run.folder, "south", tmp_path / "masks")
    assert done.count == len(done.written) > 3
    for one in done.written:
        image, mask = cv2.imread(str(one.path)), cv2.imread(str(one.masks[0]), cv2.IMREAD_GRAYSCALE)
        assert image is not None
        assert mask is not None
        assert image.shape[:2] == mask.shape
        assert set(mask.ravel().tolist()) <= {0, 255}


def test_folds_judge_every_case_once_and_predict_together(there: Path, tmp_path: Path) -> None:
    from segue.config import validate

    asked = validate(TrainSettings, {"data": "datasets/north", **SMALL}, where="a test")
    done = train_folds(asked, 2, tmp_path / "folds")
    labelled = {case.case for case in Dataset.open("datasets/north").cases if case.labelled}
    assert sorted(row.case for row in done.table) == sorted(labelled)
    for run in done.runs:
        rows = segue.load(run).runs[0].cases()
        assert {row["part"] for row in rows if row["case"] in labelled} == {"train", "validation"}
    together = segue.load(done.folder)
    assert len(together.members) == 2
    judged = evaluate(done.folder, "datasets/south")
    assert judged.sets[0].folder == done.folder / "evaluation" / "south"


def test_an_interrupted_evaluation_goes_on(there: Path, trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    from segue.evaluation.judging import judge

    whole = evaluate(trained.run.folder, "datasets/south").sets[0]
    scored, calls = judge.scored, list[str]()

    def stopping(labels: Any, truth: Any, case: Any, *more: Any, **named: Any) -> Any:
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(case.case)
        return scored(labels, truth, case, *more, **named)

    monkeypatch.setattr(judge, "scored", stopping)
    with pytest.raises(KeyboardInterrupt):
        evaluate(trained.run.folder, "datasets/south")
    first, lines = list(calls), list[str]()
    calls.clear()

    def counting(labels: Any, truth: Any, case: Any, *more: Any, **named: Any) -> Any:
        calls.append(case.case)
        return scored(labels, truth, case, *more, **named)

    monkeypatch.setattr(judge, "scored", counting)
    again = evaluate(trained.run.folder, "datasets/south", say=lines.append).sets[0]
    assert len(first) == 2
    assert not set(first) & set(calls)
    assert len(first) + len(calls) == len(whole.table)
    assert again.table == whole.table
    assert "going on with south: 2 cases of 6 are judged" in lines
    assert not list(again.folder.glob("unfinished*"))


def test_other_settings_do_not_take_up_what_was_judged(
    there: Path, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    from segue.evaluation.judging import judge

    scored, calls = judge.scored, list[str]()

    def stopping(*given: Any, **named: Any) -> Any:
        if calls:
            raise KeyboardInterrupt
        calls.append("one")
        return scored(*given, **named)

    monkeypatch.setattr(judge, "scored", stopping)
    with pytest.raises(KeyboardInterrupt):
        evaluate(trained.run.folder, "datasets/south")
    monkeypatch.setattr(judge, "scored", scored)
    lines: list[str] = []
    evaluate(trained.run.folder, "datasets/south", settings=EvaluateSettings(views=("flips",)), say=lines.append)
    assert not any("going on" in line for line in lines)


def test_what_probabilities_are_worth(there: Path, trained: Trained) -> None:
    """At home and elsewhere, at a temperature that validation gives and that is kept with the run."""
    asked = EvaluateSettings(calibrate=True)
    lines: list[str] = []
    done = evaluate(trained.run.folder, ["datasets/north", "datasets/south"], settings=asked, say=lines.append)
    assert any(line.startswith("on validation, ") for line in lines)
    kept = json.loads((trained.run.folder / "calibration.json").read_text())
    for one in done.sets:
        assert one.calibration is not None
        assert one.calibration.temperatures == kept["temperatures"]
        assert one.calibration.cases == len({row.case for row in one.table})
    assert "What probabilities are worth" in done.page.read_text()
    again: list[str] = []
    evaluate(trained.run.folder, "datasets/south", settings=asked, say=again.append)
    assert not any(line.startswith("on validation, ") for line in again)  # found once
    plain = evaluate(trained.run.folder, "datasets/south").sets[0]
    assert plain.calibration is None
