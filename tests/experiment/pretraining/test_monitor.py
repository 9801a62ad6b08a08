"""Watching a pre-training: what has collapsed is told and stopped, what has not is let alone, and nothing is chosen by it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from segue.config import validate
from segue.data.case import Case
from segue.data.dataset import Dataset
from segue.errors import Failed
from segue.evaluation.showing.embedding import Known
from segue.experiment import assemble
from segue.experiment.pretraining import monitor as room
from segue.experiment.pretraining import pretrain as verb
from segue.experiment.pretraining.monitor import COLLAPSED, Monitor
from segue.experiment.pretraining.pool import Pool, gather
from segue.experiment.pretraining.pretrain import Pretrained, pretrain
from segue.experiment.pretraining.represent import collapse, known, representations, sample
from segue.experiment.settings import PretrainSettings
from segue.networks import SegmentationNetwork
from segue.networks.pretext import Pretext
from segue.training.loop import Judged, Loop
from segue.training.run import Run
from segue.variations import parse
from segue.variations.padding import CONSTANT
from tests.experiment.conftest import LOOK

HEADS, CLINIC = "datasets/heads", "datasets/clinic"


def settings(*data: str, **changes: Any) -> PretrainSettings:
    return validate(PretrainSettings, {**LOOK, "data": data, **changes}, where="a test")


@pytest.fixture
def pool(among: Path) -> Pool:
    return gather(settings(HEADS, CLINIC))


def head_of(pool: Pool, method: str = "simclr", **changes: Any) -> Pretext | SegmentationNetwork:
    asked = settings(HEADS, CLINIC, method=method, **changes)
    built, _ = assemble.network(asked, pool.target, pool.channels)
    trained = verb.method_of(asked, pool, built)[0].networks["encoder"].eval()
    assert isinstance(trained, Pretext | SegmentationNetwork)
    return trained


def watching(
    pool: Pool, before: Callable[[], list[dict[str, Any]]] = list, say: Callable[[str], None] = lambda line: None
) -> Monitor:
    return Monitor(pool, parse("pretext"), size=(64, 64), padding=CONSTANT, precision="32-true", before=before, say=say)


def judge(monitor: Monitor, network: torch.nn.Module) -> Judged:
    return monitor(network, lambda: None)


def zeroed(head: Pretext | SegmentationNetwork) -> Pretext:
    """Its projection sees all alike."""
    assert isinstance(head, Pretext)
    with torch.no_grad():
        for parameter in head.projection.parameters():
            parameter.zero_()
        list(head.projection.parameters())[-1].fill_(1.0)
    return head


def test_numbers_and_no_score(pool: Pool) -> None:
    ticks: list[int] = []
    head = head_of(pool)
    found = watching(pool)(head, lambda: ticks.append(1))
    assert found.score is None
    assert {COLLAPSED, "spread", "effective rank", "uniformity", "alignment"} <= set(found.numbers)
    assert {"partition told by neighbours", "dataset told by neighbours"} <= set(found.numbers)
    assert found.numbers["dataset told by neighbours"] > 0.9  # grey or colour
    assert ticks
    assert found == judge(watching(pool), head)
    assert json.dumps(found.numbers)


def test_three_in_a_row_are_enough(pool: Pool) -> None:
    """The first may be the beginning, at the second it is told, at the third it ends."""
    lines: list[dict[str, Any]] = []
    said: list[str] = []
    monitor, head = watching(pool, lambda: lines, said.append), zeroed(head_of(pool))
    for expected in (0, 1):
        found = judge(monitor, head)
        assert found.numbers[COLLAPSED] == 1
        assert found.numbers["spread"] < 0.01
        lines.append({"step": 1000, "validation": found.numbers})
        assert len(said) == expected
    assert said[0].startswith("! all images have nearly the same representation")
    with pytest.raises(Failed, match=r"the pre-training has collapsed: all images .*, 3 judgements in a row") as told:
        judge(monitor, head)
    assert "--rate" in (told.value.hint or "")


def test_what_comes_between_begins_anew(pool: Pool) -> None:
    bad, good = {"step": 1000, "validation": {COLLAPSED: 1.0}}, {"step": 1000, "validation": {COLLAPSED: 0.0}}
    head = zeroed(head_of(pool))
    for behind, ends in (
        ([bad, bad], True), ([bad, bad, good], False), ([bad, good, bad], False), ([good, bad, bad], True), ([bad], False),
        ([{}], False),
    ):  # fmt: skip
        monitor = watching(pool, lambda behind=behind: behind)  # type: ignore[misc]
        if ends:
            with pytest.raises(Failed, match="has collapsed"):
                judge(monitor, head)
        else:
            judge(monitor, head)


def test_what_is_compared_is_watched_and_not_what_lies_before_it(pool: Pool) -> None:
    """The encoder itself is as it was: only the projection has collapsed."""
    head = head_of(pool)
    assert judge(watching(pool), head).numbers["spread"] > 0.02
    collapsed = judge(watching(pool), zeroed(head)).numbers
    assert collapsed["spread"] < 0.01
    assert collapsed["dataset told by neighbours"] > 0.9  # is told of what is kept


def test_means_are_taken_away_before_it_is_watched(pool: Pool) -> None:
    head = head_of(pool, contrast={"width": 16, "demean": "representation"})
    assert isinstance(head, Pretext)
    monitor = watching(pool)
    (whole,) = representations(head.network, monitor.examples, (64, 64), CONSTANT)
    of = np.array([name == "clinic" for name in monitor.known.datasets]).astype(int)
    head.means.copy_(torch.from_numpy(np.stack([whole[of == number].mean(0) for number in (0, 1)])))
    found = monitor._projected(head, whole)
    assert np.allclose(found, whole - head.means.numpy()[of], atol=1e-6)


def test_what_paints_is_watched_and_never_stopped(pool: Pool) -> None:
    network = head_of(pool, method="masked")
    assert isinstance(network, SegmentationNetwork)
    bad = {"step": 1000, "validation": {COLLAPSED: 1.0}}
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    found = judge(watching(pool, lambda: [bad] * 5, pytest.fail), network)
    assert found.numbers[COLLAPSED] == 1


def test_what_is_not_a_number_is_told(pool: Pool) -> None:
    head = zeroed(head_of(pool))
    with torch.no_grad():
        list(head.projection.parameters())[-1].fill_(float("nan"))
    assert judge(watching(pool), head).numbers == {COLLAPSED: 1.0}
    bad = {"step": 1000, "validation": {COLLAPSED: 1.0}}
    with pytest.raises(Failed, match="are not finite numbers, 3 judgements in a row"):
        judge(watching(pool, lambda: [bad, bad]), head)


def told(*datasets: str) -> Known:
    n = len(datasets)
    empty = ("",) * n
    return Known(empty, datasets, empty, tuple(map(str, range(n))), (-1,) * n, empty, (-1,) * n)


def test_a_line_between_two_datasets_is_no_collapse() -> None:
    """Grey heads and coloured bowels lie far apart, and yet each is told from its like."""
    rng = np.random.default_rng(0)
    apart = np.zeros((60, 20))
    apart[30:, 0] = 40
    cloud = (apart + 5 + rng.normal(0, 1, apart.shape)).astype(np.float32)
    both = told(*["heads"] * 30, *["clinic"] * 30)
    assert collapse(cloud, both) == ""
    assert "lie on a line" in collapse(cloud, told(*["all"] * 60))
    # What is told apart nowhere has collapsed, however far apart the datasets are.
    nothing = (apart + 5 + 0.001 * rng.normal(0, 1, apart.shape)).astype(np.float32)
    assert "lie on a line" in collapse(nothing, both)
    one = cloud.copy()
    one[:30] = nothing[:30]
    assert collapse(one, both) == ""
    one[3, 3] = np.nan
    assert "1 of 60" in collapse(one, both)
    assert collapse(cloud[:31], told(*["heads"] * 30, "clinic")) == ""  # a single image says nothing


def test_a_sample_stands_for_all(pool: Pool) -> None:
    chosen = sample(pool, 1000)
    heads, clinic = pool.groups
    # Of each volume the middle of each part; every picture.
    assert chosen == [part[len(part) // 2] for parts in heads.volumes for part in parts] + list(clinic.frames)
    few = sample(pool, 10)
    assert len(few) == 10
    assert set(few) < set(chosen)
    assert [pool.examples[number].case.partition("/")[0] for number in few] == ["heads"] * 5 + ["clinic"] * 5
    assert len({pool.examples[number].case for number in few[:5]}) > 2  # evenly spread
    assert len(sample(pool, 1)) == 2  # each dataset is there


def test_what_is_known_in_words(pool: Pool) -> None:
    found = known(pool, [0, 4, 8, 36, 37])
    heads, clinic = Dataset.open(HEADS), Dataset.open(CLINIC)
    assert found.datasets == ("heads",) * 3 + ("clinic",) * 2
    assert found.partitions == (0, 1, 3, -1, -1)
    assert found.slices == (0, 4, 8, -1, -1)
    assert found.volumes == (*[found.cases[0]] * 3, "", "")
    assert found.cases[0] in heads.by_name
    cases = [clinic.by_name[name] for name in found.cases[3:]]
    assert all(isinstance(case, Case) for case in cases)
    assert found.sites[3:] == tuple(f"clinic: {case.site}" for case in cases)
    assert len(set(found.units[:3])) == 1
    assert (found.units[3] == found.units[4]) == (cases[0].who == cases[1].who)
    alone = known(gather(settings(CLINIC)), [0])
    assert alone.sites == (clinic.by_name[alone.cases[0]].site,)


# In a run


LOOP = {"steps": 8, "epoch_steps": 2}


def begin(out: str, said: list[str] | None = None) -> Pretrained:
    return pretrain(HEADS, out, say=(said if said is not None else []).append, **{**LOOK, "loop": LOOP})


@pytest.fixture
def collapsing(among: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "collapse", lambda z, of: "all images are one")
    monkeypatch.setattr(room, "_BEGINNING", 0)


def test_the_first_steps_do_not_count(pool: Pool) -> None:
    """A network that has hardly begun sees all images alike, however often it is asked."""
    early = [{"step": 40 * number, "validation": {COLLAPSED: 1.0}} for number in range(1, 7)]
    said: list[str] = []
    judge(watching(pool, lambda: early, said.append), zeroed(head_of(pool)))
    late = [*early, *({**early[0], "step": step} for step in (400, 500))]
    with pytest.raises(Failed, match="3 judgements in a row"):
        judge(watching(pool, lambda: late), zeroed(head_of(pool)))


def test_a_run_that_collapses_is_stopped_and_stays_so(collapsing: None, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    with pytest.raises(Failed, match="all images are one, 3 judgements in a row"):
        begin("runs/collapsing", said)
    assert said[-1] == "! all images are one"
    run = Run.open("runs/collapsing")
    assert not run.finished
    assert [line["step"] for line in run.metrics()] == [2, 4]
    assert not (run.weights / "last.safetensors").exists()
    # The same words do not begin to count anew.
    with pytest.raises(Failed, match="3 judgements in a row"):
        begin("runs/collapsing")
    # What is no longer so goes on.
    monkeypatch.undo()
    monkeypatch.setattr(room, "collapse", lambda z, of: "")
    assert begin("runs/collapsing").run.finished


class Killed(BaseException):
    """Stands for a SIGKILL."""


def test_a_judgement_that_is_made_again_counts_once(collapsing: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after it was written down, before the next state was saved: going on, it is the second still."""
    plain = Loop.one_step

    def killed(loop: Loop, parcels: Any) -> float:
        if loop.step == 4 and loop.steps == 8:
            raise Killed
        return plain(loop, parcels)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "one_step", killed)
        with pytest.raises(Killed):
            begin("runs/killed")
    assert len(Run.open("runs/killed").metrics()) == 2
    said: list[str] = []
    with pytest.raises(Failed, match="3 judgements in a row"):
        begin("runs/killed", said)
    assert Counter(said)["! all images are one"] == 1
    assert [line["step"] for line in Run.open("runs/killed").metrics()] == [2, 4]
    state = torch.load("runs/killed/weights/state.pt", weights_only=True)
    assert state["step"] == 6
