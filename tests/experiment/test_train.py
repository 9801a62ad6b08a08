"""From a dataset to a run, and all that can be wrong on the way."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import segue
from segue.config import validate
from segue.data.case import read_table
from segue.data.dataset import Dataset
from segue.data.splitting.split import SplitSettings, split
from segue.errors import BadInput
from segue.experiment.folder import to_its_end
from segue.experiment.settings import TrainSettings
from segue.experiment.train import Trained, train
from segue.training.run import Run
from tests.experiment.conftest import SMALL


def again(out: str, **changes: Any) -> Trained:
    return train("datasets/north", out, **{**SMALL, **changes})


def test_a_run_holds_what_it_was_and_did(there: Path, trained: Trained) -> None:
    run = trained.run
    names = {path.name for path in run.folder.iterdir()}
    assert {"config.yaml", "run.json", "environment.json", "cases.csv", "metrics.jsonl", "weights"} <= names
    assert {path.name for path in run.weights.iterdir()} == {"best.safetensors", "last.safetensors"}
    config = yaml.safe_load((run.folder / "config.yaml").read_text())
    assert "auto" not in json.dumps({key: value for key, value in config.items() if key != "stores"})
    assert [line["step"] for line in run.metrics()] == [3, 6]
    assert run.finished
    rows = run.cases()
    north = Dataset.open("datasets/north")
    assert len(rows) == len(north.cases)
    parts = {row["case"]: row["part"] for row in rows}
    given = {row["case"]: row["part"] for row in read_table(Path("datasets/north/split.csv"))}
    for case in north.cases:
        if not case.labelled:
            assert parts[case.case] in ("unused", "test", "left out")
        else:
            assert parts[case.case] == given[case.case]


def test_the_config_alone_repeats_the_run(there: Path, trained: Trained) -> None:
    config = yaml.safe_load((trained.run.folder / "config.yaml").read_text())
    twin = train(out="runs/twin", settings=validate(TrainSettings, config, where="a test"))
    for name in ("best", "last"):
        one, other = (run.weights / f"{name}.safetensors" for run in (trained.run, twin.run))
        assert one.read_bytes() == other.read_bytes()


def test_one_run_is_trained_by_one_process(there: Path) -> None:
    class Second:
        """Who asks for the same in the middle of it."""

        told = ""

        def step(self, step: int, steps: int, loss: float) -> None:
            if step == 1:
                with pytest.raises(BadInput) as error:
                    again("runs/shared")
                self.told = error.value.message

        def epoch(self, line: dict[str, Any]) -> None: ...
        def close(self) -> None: ...

    second = Second()
    assert again("runs/shared", watch=[second]).run.finished
    assert second.told == "runs/shared: another process trains this run"
    assert again("runs/shared").already


def test_a_run_that_another_has_finished_meanwhile_is_not_trained_again(there: Path, trained: Trained) -> None:
    """It was not finished when it was looked for, and is when the lock is ours."""

    def never(run: Run, **given: Any) -> None:
        raise AssertionError("trained again")

    asked = validate(TrainSettings, {"data": "datasets/north"}, where="a test")
    ended = to_its_end(
        asked, "runs/late", "unet",
        prepared=lambda folder: Run.open(shutil.copytree(trained.run.folder, folder)), carry_on=never, module="",
        fresh=False, track=(), progress=False, say=lambda line: None,
    )  # fmt: skip
    assert ended.already


def test_the_same_words_find_the_run_again(there: Path, trained: Trained) -> None:
    assert again("runs/first").already
    with pytest.raises(BadInput, match=r"runs/first: is a run with other settings \(loop.steps: 6 there, 8 now\)"):
        again("runs/first", loop={**SMALL["loop"], "steps": 8})


def test_a_run_from_before_a_setting_was_there_is_found_again(there: Path, trained: Trained) -> None:
    """A setting that it has not heard of was not asked for; another that differs is named all the same."""
    folder = Path("runs/older")
    shutil.copytree(trained.run.folder, folder)
    about = json.loads((folder / "run.json").read_text())
    del about["asked"]["semi"]["own"], about["asked"]["site"]
    (folder / "run.json").write_text(json.dumps(about))
    assert again(str(folder)).already
    with pytest.raises(BadInput, match=r"semi.own: True there, False now"):
        again(str(folder), semi={"own": False})


def test_test_cases_are_never_drawn(there: Path, trained: Trained) -> None:
    """Whatever the loop reads, it is a training case."""
    from segue.experiment import assemble
    from segue.experiment.material import gather

    settings = validate(TrainSettings, trained.run.config, where="a test")
    material = gather(settings)
    built, _ = assemble.network(settings, material.target, material.channels)
    batches = assemble.parts(settings, material, built).batches
    drawn = {address.case for step in range(50) for _, address in batches.addresses(step)}
    parts = {row["case"]: row["part"] for row in trained.run.cases()}
    assert {parts[case] for case in drawn} == {"train"}
    assert drawn == {case for case, part in parts.items() if part == "train"}


def test_a_label_budget_takes_fewer(there: Path) -> None:
    run = again("runs/few", labels="2").run
    trained_on = [row for row in run.cases() if row["part"] == "train"]
    assert len({row["patient"] for row in trained_on}) == 2
    assert sum(row["part"] == "unused" for row in run.cases()) > 0


def test_init_starts_from_a_run(there: Path, trained: Trained) -> None:
    lines: list[str] = []
    run = train("datasets/north", "runs/from-first", init=str(trained.run.folder), say=lines.append, **SMALL).run
    assert any("matched" in line for line in lines)
    assert "matched" in run.about["weights_from"]
    assert any("the encoder learns at 0.0001, the rest at 0.001" in line for line in lines)
    assert run.config["loop"]["encoder_rate"] == pytest.approx(0.1 * run.config["loop"]["rate"])


def test_two_datasets_are_learnt_together(there: Path) -> None:
    split("datasets/south", settings=SplitSettings(test=0.0, validation=0.0))
    run = train(["datasets/north", "datasets/south"], "runs/both", **SMALL).run
    assert {row["dataset"] for row in run.cases() if row["part"] == "train"} == {"north", "south"}


def test_minutes_become_steps_beforehand(there: Path) -> None:
    loop = {"batch": 4}
    run = again("runs/minutes", minutes=0.05, loop=loop).run
    assert run.config["minutes"] is None
    assert run.config["loop"]["steps"] >= 2
    assert run.about["asked"]["minutes"] == 0.05
    assert run.metrics()[-1]["step"] == run.config["loop"]["steps"]


def test_what_is_wrong_is_told_before_anything_is_prepared(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*given: Any, **more: Any) -> None:
        raise AssertionError("a store was made")

    monkeypatch.setattr("segue.experiment.material.store_of", opened)
    for told, said in (
        ({"init": "runs/nowhere"}, "init: there is no file or run called 'runs/nowhere'"),
        ({"looks": 100, "minutes": 3}, "looks and minutes are both given"),
        ({"labels": "0"}, "write a number of patients, a percentage like 10%, or all"),
    ):
        with pytest.raises(BadInput, match=said):
            train("datasets/north", "runs/wrong", **{**SMALL, "loop": {"batch": 4}, **told})
    assert not Path("runs/wrong").exists()


def test_looks_become_steps_of_any_method(there: Path) -> None:
    asked = {"looks": 100, "loop": {"batch": 4}}
    one = again("runs/looks", **asked).run
    assert (one.config["looks"], one.config["loop"]["steps"], one.about["looks"]) == (None, 25, 100)
    two = again("runs/looks-two", method="two-view", **asked).run
    assert (two.config["loop"]["steps"], two.about["looks"]) == (12, 96)
    after = again("runs/looks-after", init=str(one.folder), **asked).run
    assert (after.about["looks"], after.about["looks_before"]) == (100, 100)


def test_what_does_not_fit_into_memory_is_cut_into_parts(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from segue.experiment import resolve

    lines: list[str] = []
    monkeypatch.setattr(resolve, "fitting_batch", lambda *_, **__: 3)
    whole = {**SMALL, "loop": {"steps": 2, "epoch_steps": 2}}
    loop = train("datasets/north", "runs/cut", say=lines.append, **whole).run.config["loop"]
    assert (loop["batch"], loop["accumulate"]) == (3, 4)
    assert "a step of 12 images is taken in 4 parts: memory does not hold it at once" in lines


def test_a_rate_is_found(there: Path) -> None:
    run = again("runs/found", loop={**SMALL["loop"], "rate": "find"}).run
    rows = read_table(run.folder / "rate-finder.csv")
    assert len(rows) > 10
    assert 1e-5 < run.config["loop"]["rate"] < 1
    assert run.config["loop"]["rate"] == run.config["loop"]["encoder_rate"]


def test_balance_puts_foreground_into_each_batch(there: Path) -> None:
    from segue.training.orders import Order

    order = Order(10, 0, (1, 4), 0.5)
    for start in range(0, 40, 4):
        assert sum(order.at(position)[0] in (1, 4) for position in range(start, start + 4)) == 2
    seen = [order.at(position)[0] for position in range(160)]
    assert set(seen) == set(range(10))
    assert again("runs/balance", balance=0.5).run.finished


def test_every_case_once_a_pass() -> None:
    from segue.training.orders import Order

    order = Order(7, 3)
    passes = [[order.at(7 * which + place)[0] for place in range(7)] for which in range(3)]
    assert all(sorted(one) == list(range(7)) for one in passes)
    assert passes[0] != passes[1]


def test_load_gives_a_plain_module(there: Path, trained: Trained) -> None:
    model = segue.load(trained.run.folder)
    assert isinstance(model, torch.nn.Module)
    maps = model(torch.rand(2, 3, 50, 70))
    assert maps.shape == (2, 2, 50, 70)
    assert torch.allclose(maps.sum(1), torch.ones(2, 50, 70))


class TestBadInput:
    def refused(self, sentence: str, **changes: Any) -> None:
        with pytest.raises(BadInput, match=sentence):
            again("runs/refused", **changes)
        assert not Path("runs/refused").exists()

    @pytest.mark.parametrize(
        "wrong",
        [{"loss": "dise"}, {"variation": "wek"}, {"method": "supervized"}, {"network": {"encoder": "resnet81"}}],
    )
    def test_what_is_misspelt_is_told_before_anything_is_prepared(
        self, there: Path, wrong: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("segue.experiment.opening.prepare", lambda *_, **__: pytest.fail("prepared"))
        self.refused("did you mean", **wrong)

    def test_unknown_names(self, there: Path) -> None:
        self.refused("did you mean supervised", method="supervized")
        self.refused("dice", loss="dise")
        self.refused("flips", variation="flipz")
        self.refused("unknown key 'loop.bach': did you mean loop.batch", loop={"bach": 3})
        self.refused("unet", network={"architecture": "unnet"})
        self.refused("has no split called 'other'", split="other")

    def test_two_lengths(self, there: Path) -> None:
        self.refused("epochs and minutes are both given", epochs=3, minutes=2, loop={"batch": 4})

    def test_a_raw_folder(self, there: Path) -> None:
        with pytest.raises(BadInput, match=r"holds no dataset\.yaml"):
            train("north", "runs/refused", **SMALL)

    def test_a_folder_that_is_no_run(self, there: Path) -> None:
        with pytest.raises(BadInput, match="is there and is not a run"):
            again("north")

    def test_a_split_with_a_patient_on_both_sides(self, there: Path, tmp_path: Path) -> None:
        copy = tmp_path / "north"
        shutil.copytree("datasets/north", copy)
        rows = read_table(copy / "split.csv")
        one = next(row for row in rows if row["part"] == "train" and row["labelled"])
        table = tmp_path / "leaking.csv"
        with table.open("w") as file:
            file.write("case,part\n")
            for row in rows:
                part = "validation" if row is one else row["part"]
                file.write(f"{row['case']},{part}\n")
        split(copy, source=table, name="leaking")
        with pytest.raises(BadInput, match="in training and in validation"):
            train(copy, "runs/refused", split="leaking", **SMALL)

    def test_a_class_that_never_occurs(self, there: Path, tmp_path: Path) -> None:
        copy = tmp_path / "north"
        shutil.copytree("datasets/north", copy)
        card = copy / "dataset.yaml"
        card.write_text(card.read_text().replace("  '1': foreground", "  '1': foreground\n  '2': cancer"))
        assert "cancer" in card.read_text()
        with pytest.raises(BadInput, match="cancer: in none of the 12 training masks"):
            train(copy, "runs/refused", **SMALL)

    def test_data_that_changed_since(self, there: Path, tmp_path: Path) -> None:
        copy = tmp_path / "north"
        shutil.copytree("datasets/north", copy)
        run = train(copy, tmp_path / "run", **SMALL).run
        about = json.loads((run.folder / "run.json").read_text())
        (run.folder / "run.json").write_text(json.dumps({**about, "finished": False}))
        split(copy, settings=SplitSettings(test=0.2, validation=0.2, seed=5))
        with pytest.raises(BadInput, match="have changed since it began"):
            train(copy, tmp_path / "run", **SMALL)

    def test_a_checkpoint_of_another_network(self, there: Path, trained: Trained) -> None:
        with pytest.raises(BadInput, match="of the encoder"):
            again("runs/refused", network={"encoder": "resnet18", "depth": 3}, init=str(trained.run.folder))


def test_a_finished_run_opens(there: Path, trained: Trained) -> None:
    assert Run.open(trained.run.folder).target.names == ("background", "foreground")
    with pytest.raises(BadInput, match="there is no such run"):
        Run.open("runs/none")
    assert np.isfinite(trained.run.metrics()[-1]["loss"])
