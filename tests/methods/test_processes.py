"""Two processes that share a contrast push and pull what one that holds both halves does; and the test would notice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from segue.training.devices import spawn
from tests.methods.worker import STEPS, learn

SEVERAL: dict[str, dict[str, Any]] = {
    "plain": {"positives": "partitions"},
    # All that there is, remembered and from both: what is left away of a memory depends on who stands where.
    "remembering": {"positives": "across", "memory": 128, "plain": True, "own": 0.3, "representation": 0.5},
    "demeaned": {"demean": "projection"},
    "alone": {"positives": "partitions", "alone": True},
}  # fmt: skip


Learnt = dict[str, list[torch.Tensor]]


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> tuple[Learnt, Learnt, Learnt]:
    """By one process, and by each of two."""
    folder = tmp_path_factory.mktemp("shared")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(Path(__file__).parents[2])
        learn(str(folder), json.dumps(SEVERAL))
        spawn("tests.methods.worker", [str(folder), json.dumps(SEVERAL)], 2)
    one, *two = (
        torch.load(folder / f"learnt-{world}-{rank}.pt", weights_only=True) for world, rank in ((1, 0), (2, 0), (2, 1))
    )
    return one, two[0], two[1]


def apart(one: list[torch.Tensor], other: list[torch.Tensor]) -> float:
    """The largest difference of any gradient, against the largest there is."""
    return max(float((a - b).abs().max() / a.abs().max()) for a, b in zip(one[:STEPS], other[:STEPS], strict=True))


@pytest.mark.parametrize("name", ["plain", "remembering", "demeaned"])
def test_two_halves_are_the_whole(learnt: tuple[Learnt, Learnt, Learnt], name: str) -> None:
    whole, first, second = (each[name] for each in learnt)
    assert len(whole) == STEPS + (2 if name == "remembering" else 1)
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    assert apart(whole, first) < 1e-5
    for one, other in zip(whole[STEPS:], first[STEPS:], strict=True):  # means, and what is remembered
        assert torch.allclose(one, other, atol=1e-4)


def test_without_asking_the_others_they_are_not(learnt: tuple[Learnt, Learnt, Learnt]) -> None:
    whole, first, _ = (each["alone"] for each in learnt)
    assert torch.equal(whole[0], learnt[0]["plain"][0])  # of one process nothing changes
    assert apart(whole, first) > 1e-2
