"""What may be chosen from, and where settings lie in it."""

from __future__ import annotations

from typing import Any

import optuna
import pytest

from segue.errors import BadInput
from segue.experiment.settings import TrainSettings
from segue.studies.searching.space import space

DEPTHS = {"3": {"network.depth": 3, "network.decoder_channels": [64, 32, 16]}, "5": {"network.depth": 5}}


def drawn(given: dict[str, Any], **fixed: Any) -> tuple[dict[str, Any], Any]:
    return space(given).draw(optuna.trial.FixedTrial(fixed))


def test_ranges_lists_and_bunches_set_what_they_say() -> None:
    given = {"loop.rate": {"from": 1e-5, "to": 1e-2, "scale": "log"}, "size": [96, 128], "depth": DEPTHS}
    values, sets = drawn(given, **{"loop.rate": 0.001, "size": "128", "depth": "3"})
    assert values == {"loop.rate": 0.001, "size": "128", "depth": "3"}
    assert sets == {
        ("loop", "rate"): 0.001, ("size",): 128, ("network", "depth"): 3, ("network", "decoder_channels"): [64, 32, 16],
    }  # fmt: skip


def test_whole_numbers_stay_whole_and_steps_are_kept() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    where = space({"network.rank": {"from": 2, "to": 10, "step": 4}, "loop.average": {"from": 0.5, "to": 1}})
    several = [where.draw(study.ask())[0] for _ in range(30)]
    assert {one["network.rank"] for one in several} == {2, 6, 10}
    assert all(isinstance(one["network.rank"], int) for one in several)
    assert all(0.5 <= one["loop.average"] <= 1 for one in several)
    assert len({one["loop.average"] for one in several}) > 20


def test_what_has_a_condition_is_drawn_beside_that_alone() -> None:
    given = {
        "method": ["two-view", "consistency"],
        "consistency.weight": {"from": 0.1, "to": 1, "when": {"method": ["consistency"]}},
        "consistency.mix": {"values": ["fixed", "added"], "when": {"method": "consistency"}},
    }
    assert drawn(given, method="two-view")[0] == {"method": "two-view"}
    values, sets = drawn(given, **{"method": "consistency", "consistency.weight": 0.5, "consistency.mix": "added"})
    assert set(values) == set(given)
    assert sets[("consistency", "mix")] == "added"


def test_settings_have_a_place_in_it_by_default_too() -> None:
    where = space(
        {"loop.rate": {"from": 1e-4, "to": 1e-2}, "depth": DEPTHS, "network.encoder": ["resnet18", "resnet34"]}
    )
    assert where.start(TrainSettings(data=("d",)), "row 1") == {
        "loop.rate": 0.001, "depth": "5", "network.encoder": "resnet18",
    }  # fmt: skip
    with pytest.raises(BadInput, match=r"search: row 1 has loop.rate 0.5, which the space of loop.rate has not"):
        where.start(TrainSettings.model_validate({"data": "d", "loop": {"rate": 0.5}}), "row 1")


def test_what_is_searched_for_is_taken_from_where_it_begins() -> None:
    where = space({"depth": DEPTHS})
    given: dict[tuple[str, ...], Any] = {
        ("network", "depth"): 3,
        ("network", "decoder_channels"): [1, 2, 3],
        ("network", "attention"): "scse",
    }
    assert where.without(given) == {("network", "attention"): "scse"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "nothing to choose from"),
        ({"loop.rate": {"from": 1, "to": 0.1}}, "to a larger one"),
        ({"loop.rate": {"from": "low", "to": 1}}, "are numbers, not 'low'"),
        ({"loop.rate": {"from": 0, "to": 1, "scale": "log"}}, "a log scale begins above 0"),
        ({"loop.rate": {"from": 0.1, "to": 1, "scale": "logg"}}, "linear or log, not 'logg'"),
        ({"loop.rate": {"from": 0.1, "to": 1, "sclae": "log"}}, "unknown key 'sclae': did you mean scale"),
        ({"size": []}, "size has no values"),
        ({"loop.rate": {"from": 0.1, "to": 1, "when": {"methd": "x"}}}, "when names 'methd'"),
        ({"method": ["semi", "distil"], "size": {"values": [64], "when": {"method": "sem"}}}, "did you mean semi"),
    ],
)
def test_what_cannot_be_meant_is_told(given: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        space(given)
