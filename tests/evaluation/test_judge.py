from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import segue
from segue.data.case import IGNORE
from segue.data.dataset import Dataset
from segue.data.preparing.prepare import prepare
from segue.data.preparing.settings import PrepareSettings
from segue.data.splitting.split import SplitSettings
from segue.data.stores.store import Store
from segue.data.target import Target
from segue.errors import BadInput
from segue.evaluation.judging.judge import Judge, judge
from segue.evaluation.judging.metrics import score
from segue.evaluation.judging.overlap import overlap
from segue.evaluation.judging.subject import Subject, subjects
from segue.evaluation.judging.summary import chosen_by, summarise
from segue.evaluation.judging.table import Row, Table
from segue.evaluation.predicting.decision import Decision
from segue.evaluation.predicting.frame import Frame
from segue.evaluation.predicting.predict import Picture, predict_array
from tests.data import made
from tests.evaluation import fakes
from tests.evaluation.fakes import POLYP, Array, mixed, red, shades

FRAME = Frame((64, 64), 100)
DECISION = Decision(threshold=0.47)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return fakes.dataset(tmp_path_factory.mktemp("judged"))


@pytest.fixture(scope="module")
def store(dataset: Dataset) -> Store:
    return prepare(dataset, dataset.folder / "store", settings=PrepareSettings(size=100), workers=0).store


def written(table: Table, folder: Path) -> bytes:
    table.write(folder / "table.csv")
    return (folder / "table.csv").read_bytes()


def same(one: Table, other: Table, folder: Path) -> bool:
    return written(one, folder) == written(other, folder)


def test_every_number_is_the_slow_ones_number(dataset: Dataset) -> None:
    verdict = judge(red, subjects(dataset, POLYP), frame=FRAME, target=POLYP, decision=DECISION)
    assert verdict.left_out == {}
    assert [row.case for row in verdict.table] == [case.case for case in dataset.cases]
    for row, case in zip(verdict.table, dataset.cases, strict=True):
        truth = dataset.mask(case)
        assert (truth == IGNORE).any() == (case.case == "c1")
        predicted = predict_array(red, dataset.image(case), frame=FRAME, target=POLYP)[1] >= 0.47
        assert predicted.shape == truth.shape
        assert row.scores == score(predicted, truth == 1, counts=truth != IGNORE)
    means = summarise(verdict.table)[0].means
    assert means["dice"] > 0.8  # the fake finds most of them, so that the numbers above say something
    assert [row.scores.empty for row in verdict.table][-1] in ("truth", "both")


def test_what_the_case_knows_stands_in_its_row(dataset: Dataset) -> None:
    chosen = subjects(dataset, POLYP, names=["c5", "c2"], seen={"c5": "masks"})
    table = judge(red, chosen, frame=FRAME, target=POLYP).table
    rows = {row.case: row for row in table}
    assert list(rows) == ["c2", "c5"]
    assert (rows["c5"].patient, rows["c5"].site, rows["c5"].seen, rows["c5"].columns["sex"]) == (
        "p2",
        "s1",
        "masks",
        "m",
    )
    assert (rows["c2"].patient, rows["c2"].site, rows["c2"].seen, rows["c2"].columns["sex"]) == ("p1", "s0", "", "f")
    assert {row.class_name for row in table} == {"polyp"}


def test_with_a_store_or_without_it_is_the_same_to_the_byte(dataset: Dataset, store: Store, tmp_path: Path) -> None:
    from_store, from_files = subjects(dataset, POLYP, store=store), subjects(dataset, POLYP)
    for one, other in zip(from_store, from_files, strict=True):
        a, b = one.picture(FRAME), other.picture(FRAME)
        assert one._stored(FRAME) is not None
        assert isinstance(a, Picture)
        assert isinstance(b, Picture)
        assert (a.native, len(a.levels)) == (b.native, len(b.levels))
        assert all(np.array_equal(x, y) for x, y in zip(a.levels, b.levels, strict=True))
        assert np.array_equal(one.truth(), other.truth())
    stored = judge(mixed, from_store, frame=FRAME, target=POLYP, decision=DECISION).table
    read = judge(mixed, from_files, frame=FRAME, target=POLYP, decision=DECISION).table
    assert same(stored, read, tmp_path)


def test_a_store_of_another_size_is_passed_over(dataset: Dataset, store: Store, tmp_path: Path) -> None:
    frame = Frame((64, 64), 80)
    chosen = subjects(dataset, POLYP, store=store)
    stored = [subject._stored(frame) is not None for subject in chosen]
    assert not any(stored)
    one = judge(mixed, chosen, frame=frame, target=POLYP).table
    assert same(one, judge(mixed, subjects(dataset, POLYP), frame=frame, target=POLYP).table, tmp_path)
    # What is smaller than both caps is stored the same way under either.
    assert sum(each._stored(Frame((64, 64), 95)) is not None for each in chosen) == 3


def test_grey_images_before_a_network_of_colour_and_the_other_way(tmp_path: Path) -> None:
    for name, channels in (("grey", 1), ("colour", 3)):
        raw = tmp_path / name / "raw"
        made.folder_of_images(raw, 3)
        if name == "grey":
            for path in (raw / "images").iterdir():
                cv2.imwrite(str(path), made.read(path)[..., 1])
        found = segue.scan(raw, tmp_path / name / "set", workers=0).dataset
        assert found is not None
        assert len(found.card.channels) == channels
        target = Target.of(found.card.classes)
        stored = prepare(found, tmp_path / name / "store", settings=PrepareSettings(size=100), workers=0).store
        frame = Frame((64, 64), 100, channels=4 - channels)
        one = judge(red, subjects(found, target, store=stored), frame=frame, target=target).table
        other = judge(red, subjects(found, target), frame=frame, target=target).table
        assert same(one, other, tmp_path)


def test_neither_batches_nor_memory_change_a_number(dataset: Dataset, store: Store, tmp_path: Path) -> None:
    chosen = subjects(dataset, POLYP, store=store)
    wanted = judge(mixed, chosen, frame=FRAME, target=POLYP, decision=DECISION).table
    for given in ({"batch": 1}, {"batch": 3}, {"keep": 0}, {"keep": 200}):
        judging = Judge(chosen, frame=FRAME, target=POLYP, decision=DECISION, **given)  # type: ignore[arg-type]
        for _ in range(2):
            assert same(judging(mixed).table, wanted, tmp_path)
    backwards = judge(mixed, chosen[::-1], frame=FRAME, target=POLYP, decision=DECISION).table
    assert backwards.rows[::-1] == wanted.rows


def test_truths_are_decoded_once_while_they_fit(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []
    original = Dataset.mask

    def counting(self: Dataset, case: Any, **given: Any) -> Any:
        decoded.append(case.case)
        return original(self, case, **given)

    monkeypatch.setattr(Dataset, "mask", counting)
    chosen = subjects(dataset, POLYP)
    kept = Judge(chosen, frame=FRAME, target=POLYP, quick=True)
    kept(red)
    kept(red)
    assert len(decoded) == 8
    decoded.clear()
    none = Judge(chosen, frame=FRAME, target=POLYP, quick=True, keep=0)
    none(red)
    none(red)
    assert len(decoded) == 16


def test_quick_numbers_are_the_full_ones(dataset: Dataset) -> None:
    chosen = subjects(dataset, POLYP)
    full = judge(red, chosen, frame=FRAME, target=POLYP, decision=DECISION).table
    quick = judge(red, chosen, frame=FRAME, target=POLYP, decision=DECISION, quick=True).table
    names = ("dice", "iou", "precision", "sensitivity", "truth_pixels", "predicted_pixels", "counted_pixels", "empty")
    for one, other in zip(quick, full, strict=True):
        assert [getattr(one.scores, name) for name in names] == [getattr(other.scores, name) for name in names]
        assert np.isnan(one.scores.hd95)
    assert chosen_by(quick) == chosen_by(full)


@pytest.mark.parametrize("seed", range(8))
def test_overlap_follows_the_rules_of_score(seed: int) -> None:
    rng = np.random.default_rng(seed)
    predicted, truth, counts = (rng.random((9, 11)) < share for share in (0.4 * (seed % 4), 0.5 * (seed % 3), 0.7))
    if seed == 7:
        counts[:] = False
    fast, full = overlap(predicted, truth, counts), score(predicted, truth, counts=counts)
    for name in ("dice", "iou", "precision", "sensitivity", "thresholded_jaccard"):
        assert np.array_equal(getattr(fast, name), getattr(full, name), equal_nan=True), name
    for name in ("truth_pixels", "predicted_pixels", "counted_pixels", "empty"):
        assert getattr(fast, name) == getattr(full, name)


def test_what_does_not_count_does_not_count(dataset: Dataset) -> None:
    chosen = subjects(dataset, POLYP, names=["c1"])
    ignored = chosen[0].truth() == IGNORE
    assert ignored.any()

    def everywhere(images: Array) -> Array:
        found = red(images)
        found[:, 1, :6, :6] = 1
        found[:, 0, :6, :6] = 0
        return found

    frame = Frame(ignored.shape, 200)  # a canvas of the image's own size: its first corner is ignored
    with_it = judge(everywhere, chosen, frame=frame, target=POLYP, decision=DECISION).table
    without = judge(red, chosen, frame=frame, target=POLYP, decision=DECISION).table
    assert with_it == without
    assert with_it.rows[0].scores.counted_pixels == (~ignored).sum()


def test_several_classes_each_with_its_own_row(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    made.folder_of_images(raw, 3)
    for number, path in enumerate(sorted((raw / "masks").iterdir())):
        mask = made.blob_mask(number) // 255
        mask[cv2.erode(mask, np.ones((15, 15), np.uint8)) > 0] = 2
        cv2.imwrite(str(path), mask)
        image = np.full((120, 160, 3), 40, np.uint8)
        image[mask == 1], image[mask == 2] = 128, 220
        cv2.imwrite(str(raw / "images" / path.name), image)
    found = segue.scan(raw, tmp_path / "set", workers=0, labels="0=background,1=ring,2=core").dataset
    assert found is not None
    target = Target(("background", "core", "ring"))  # matched by name, whatever the order

    def swapped(images: Array) -> Array:
        return np.ascontiguousarray(shades(images)[:, [0, 2, 1]])

    frame = Frame((96, 128), 160)
    table = judge(swapped, subjects(found, target), frame=frame, target=target).table
    assert table.classes == ("core", "ring")
    assert min(row.scores.dice for row in table) > 0.9
    wrong = judge(shades, subjects(found, target), frame=frame, target=target).table
    assert max(row.scores.dice for row in wrong) < 0.5
    with pytest.raises(BadInput, match="its class 'core' is none that the model knows"):
        subjects(found, Target(("background", "ring")))
    merged = subjects(found, Target(("background", "ring")), same={"core": "ring"})
    assert set(np.unique(merged[0].truth())) == {0, 1}


def test_a_class_that_a_dataset_has_not_drawn_is_not_scored_there(dataset: Dataset) -> None:
    wider = Target(("background", "tool", "polyp"))
    here = subjects(dataset, wider)
    assert here[0].annotated(wider) == ("polyp",)

    def both(images: Array) -> Array:
        found = red(images)
        return np.concatenate([found[:, :1], np.zeros_like(found[:, :1]), found[:, 1:]], axis=1)

    table = judge(both, here, frame=FRAME, target=wider).table
    assert table == judge(red, subjects(dataset, POLYP), frame=FRAME, target=POLYP).table


def test_a_bad_file_is_named_and_the_others_go_on_where_asked(tmp_path: Path) -> None:
    made_here = fakes.dataset(tmp_path)
    (tmp_path / "raw" / "images" / "3.png").write_bytes(b"broken")
    (tmp_path / "raw" / "masks" / "5.png").unlink()
    other_size = tmp_path / "raw" / "masks" / "6.png"
    cv2.imwrite(str(other_size), np.zeros((10, 20), np.uint8))
    chosen = subjects(made_here, POLYP)
    with pytest.raises(BadInput, match=r"c3: .*3\.png: is not a picture"):
        judge(red, chosen, frame=FRAME, target=POLYP)
    verdict = judge(red, chosen, frame=FRAME, target=POLYP, skip_bad=True)
    assert list(verdict.left_out) == ["c3", "c5", "c6"]
    assert "5.png" in verdict.left_out["c5"]
    assert verdict.left_out["c6"] == "its mask is 20 x 10, its image 160 x 120"
    assert [row.case for row in verdict.table] == ["c0", "c1", "c2", "c4", "c7"]
    only = [subject for subject in chosen if subject.case.case == "c3"]
    with pytest.raises(BadInput, match="none of the 1 cases can be read"):
        judge(red, only, frame=FRAME, target=POLYP, skip_bad=True)


def test_it_can_be_stopped_between_cases(dataset: Dataset) -> None:
    ticks = 0

    class Enough(Exception):
        pass

    def tick() -> None:
        nonlocal ticks
        ticks += 1
        if ticks == 5:
            raise Enough

    chosen = subjects(dataset, POLYP)
    with pytest.raises(Enough):
        judge(red, chosen, frame=FRAME, target=POLYP, tick=tick, batch=2)
    ticks = -1000
    judge(red, chosen, frame=FRAME, target=POLYP, tick=tick)
    assert ticks >= -1000 + 8


def test_cases_of_several_datasets_stand_in_one_table(tmp_path: Path) -> None:
    one, other = fakes.dataset(tmp_path / "a"), fakes.dataset(tmp_path / "b")
    other = replace(other, card=other.card.model_copy(update={"name": "elsewhere"}))
    together = subjects(one, POLYP, names=["c0"]) + subjects(other, POLYP, names=["c0", "c1"])
    table = judge(red, together, frame=FRAME, target=POLYP).table
    assert [row.case for row in table] == [f"{one.name}/c0", "elsewhere/c0", "elsewhere/c1"]
    assert [row.columns["dataset"] for row in table] == [one.name, "elsewhere", "elsewhere"]


def test_who_is_judged(dataset: Dataset, store: Store, tmp_path: Path) -> None:
    split = segue.split(dataset, settings=SplitSettings(test=0.25, validation=0.25))
    for part in ("train", "validation", "test"):
        chosen = subjects(dataset, POLYP, split=split, part=part)
        assert [one.case.case for one in chosen] == split.cases(part)
        assert {one.part for one in chosen} == {part}
    assert len(subjects(dataset, POLYP)) == 8
    with pytest.raises(BadInput, match="raw: has no case 'c99'"):
        subjects(dataset, POLYP, names=["c99"])
    with pytest.raises(BadInput, match="of which split"):
        subjects(dataset, POLYP, part="test")
    unlabelled = replace(dataset, cases=tuple(case.with_(mask="") for case in dataset.cases))
    with pytest.raises(BadInput, match="has no labelled case"):
        subjects(unlabelled, POLYP)
    elsewhere = replace(dataset, card=dataset.card.model_copy(update={"name": "other"}))
    with pytest.raises(BadInput, match="is a store of 'raw', not of 'other'"):
        subjects(elsewhere, POLYP, store=store)


def test_distances_are_in_millimetres_where_the_case_has_them(dataset: Dataset) -> None:
    (plain,) = subjects(dataset, POLYP, names=["c0"])
    spaced = Subject(plain.case.with_(spacing=(0.5, 0.5)), dataset, plain.lookup)
    (px,), (mm,) = (
        judge(red, [one], frame=FRAME, target=POLYP, decision=DECISION).table.rows for one in (plain, spaced)
    )
    assert isinstance(mm, Row)
    assert (px.scores.unit, mm.scores.unit) == ("px", "mm")
    assert mm.scores.hd95 == pytest.approx(px.scores.hd95 / 2)
