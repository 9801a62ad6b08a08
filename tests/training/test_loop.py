"""The loop: what it computes, and that interruption changes nothing."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from segue.errors import BadInput, Failed
from segue.step import Batch, Loss
from segue.training import checkpoint
from segue.training.loop import Judged, Loop
from segue.variations import parse
from segue.variations.variation import Variation
from tests.training import small


def digest(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (folder / "weights").glob("*.safetensors")
    }


def test_it_learns(tmp_path: Path) -> None:
    loop = small.loop_in(tmp_path, small.settings(steps=60, epoch_steps=20, rate=1e-2, encoder_rate=1e-2))
    loop.fit(workers=0)
    first, *_, last = [line["loss"] for line in loop.lines]
    assert last < 0.6 * first
    assert [line["step"] for line in loop.lines] == [20, 40, 60]
    assert [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()] == loop.lines


@pytest.mark.parametrize("name", ["supervised", "two-view", "consistency"])
@pytest.mark.parametrize("average", [0.0, 0.9])
def test_twice_is_the_same_bytes(tmp_path: Path, name: str, average: float) -> None:
    for folder in ("a", "b"):
        small.loop_in(tmp_path / folder, small.settings(average=average), name=name).fit(workers=0)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert len(digest(tmp_path / "a")) == 2


def test_another_seed_is_another_run(tmp_path: Path) -> None:
    for seed in (0, 1):
        given = small.settings(seed=seed)
        loop = small.loop_in(tmp_path / str(seed), given)
        loop.batches = small.batches(given, loop.method, seed=seed)
        loop.fit(workers=0)
    assert digest(tmp_path / "0") != digest(tmp_path / "1")


def test_workers_change_nothing(tmp_path: Path) -> None:
    for workers in (0, 2):
        small.loop_in(tmp_path / str(workers), small.settings()).fit(workers=workers)
    assert digest(tmp_path / "0") == digest(tmp_path / "2")


class Killed(BaseException):
    """Stands for a SIGKILL: nothing is caught, nothing is cleaned up."""


@pytest.mark.parametrize("schedule", ["cosine", "one-cycle", "restarts", "plateau", "constant"])
@pytest.mark.parametrize("step", [1, 5, 8, 11])
def test_killed_and_resumed_is_undisturbed(tmp_path: Path, schedule: str, step: int) -> None:
    given = small.settings(schedule=schedule, average=0.9, patience=50)
    small.loop_in(tmp_path / "whole", given).fit(workers=0)

    loop = small.loop_in(tmp_path / "torn", given)
    plain = loop.one_step

    def until(parcels: object) -> float:
        if loop.step == step:
            raise Killed
        return plain(parcels)  # type: ignore[arg-type]

    loop.one_step = until  # type: ignore[method-assign]
    with pytest.raises(Killed):
        loop.fit(workers=0)
    small.loop_in(tmp_path / "torn", given).fit(workers=0)
    assert digest(tmp_path / "whole") == digest(tmp_path / "torn")
    validated = [[line["validation"] for line in Loop_lines(tmp_path / name)] for name in ("whole", "torn")]
    assert validated[0] == validated[1]


@pytest.mark.parametrize("step", [1, 2])
def test_steps_in_turn_go_on_in_turn(tmp_path: Path, step: int) -> None:
    """Every other step is one of consistency: who is killed before it takes it when the run goes on."""
    given = small.settings(steps=6, epoch_steps=3)
    small.loop_in(tmp_path / "whole", given, name="consistency").fit(workers=0)
    loop = small.loop_in(tmp_path / "torn", given, name="consistency")
    plain = loop.one_step

    def until(parcels: object) -> float:
        if loop.step == step:
            loop._save()
            raise Killed
        return plain(parcels)  # type: ignore[arg-type]

    loop.one_step = until  # type: ignore[method-assign]
    with pytest.raises(Killed):
        loop.fit(workers=0)
    small.loop_in(tmp_path / "torn", given, name="consistency").fit(workers=0)
    assert digest(tmp_path / "whole") == digest(tmp_path / "torn")


def Loop_lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_killed_while_judging_is_judged_again(tmp_path: Path) -> None:
    given = small.settings()
    small.loop_in(tmp_path / "whole", given).fit(workers=0)
    calls = []

    def judge(made: nn.Module, tick: Callable[[], None]) -> Judged:
        calls.append(1)
        if len(calls) == 2:
            raise Killed
        return small.norm_of_weights(made, tick)

    with pytest.raises(Killed):
        small.loop_in(tmp_path / "torn", given, judge=judge).fit(workers=0)
    small.loop_in(tmp_path / "torn", given).fit(workers=0)
    assert digest(tmp_path / "whole") == digest(tmp_path / "torn")
    assert len(Loop_lines(tmp_path / "torn")) == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_saves_the_step_in_hand(tmp_path: Path, number: signal.Signals) -> None:
    given = small.settings()
    small.loop_in(tmp_path / "whole", given).fit(workers=0)
    loop = small.loop_in(tmp_path / "torn", given)
    plain = loop.one_step

    def one(parcels: object) -> float:
        if loop.step == 6:
            os.kill(os.getpid(), number)
        return plain(parcels)  # type: ignore[arg-type]

    loop.one_step = one  # type: ignore[method-assign]
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        loop.fit(workers=0)
    assert signal.getsignal(signal.SIGTERM) is before
    state = checkpoint.load(tmp_path / "torn" / "weights")
    assert state is not None
    assert state["step"] == 7
    small.loop_in(tmp_path / "torn", given).fit(workers=0)
    assert digest(tmp_path / "whole") == digest(tmp_path / "torn")


@pytest.mark.parametrize("cuts", [2, 4])
def test_micro_batches_are_one_batch(tmp_path: Path, cuts: int) -> None:
    """Without batch normalisation and dropout, four images at once and four one by one move the weights alike."""
    weights: list[torch.Tensor] = []
    for batch, accumulate in ((4, 1), (4 // cuts, cuts)):
        given = small.settings(batch=batch, accumulate=accumulate, steps=3)
        loop = small.loop_in(tmp_path / str(accumulate), given, norm=False)
        for module in loop.plain["segmenter"].modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        loop.fit(workers=0)
        weights.append(torch.cat([p.detach().flatten() for p in loop.plain["segmenter"].parameters()]))
    assert torch.allclose(weights[0], weights[1], atol=1e-6)


def test_samples_weigh_by_what_counts_in_them(tmp_path: Path) -> None:
    """A sample of which nothing counts moves nothing, and the mean is over the others."""

    class Weighed:
        accumulates = True
        average: Callable[..., Any] | None = None
        beside: Sequence[Variation] = ()

        def __init__(self, weights: list[float]) -> None:
            made = small.network(norm=False)
            self.networks: dict[str, nn.Module] = {"segmenter": made}
            self.views = small.method().views
            self.weights = weights
            self.remembers: dict[str, torch.Tensor] = {}

        def step(self, batch: Batch):  # type: ignore[no-untyped-def]
            logits = self.networks["segmenter"](batch.views[0].images).logits
            yield Loss("segmenter", logits.square().mean((1, 2, 3)), torch.tensor(self.weights))

        def predictor(self) -> str:
            return "segmenter"

    moved: list[torch.Tensor] = []
    for weights in ([1.0, 1.0, 0.0, 0.0], [3.0, 3.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]):
        weighed = Weighed(weights)
        for module in weighed.networks["segmenter"].modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        loop = small.loop_in(tmp_path / str(len(moved)), small.settings())
        given = small.settings(optimiser="sgd", clip=0, steps=1, weight_decay=0)
        loop = Loop(
            weighed, small.batches(given, weighed), given, fabric=loop.fabric, run=loop.run, judge=None, keep=small.keep
        )
        loop.one_step([loop.batches[0]])
        moved.append(torch.cat([p.detach().flatten() for p in loop.plain["segmenter"].parameters()]))
    assert torch.allclose(moved[0], moved[1])  # a mean, not a sum
    assert not torch.allclose(moved[0], moved[2])


def test_two_losses_move_only_their_own_network(tmp_path: Path) -> None:
    class Pair:
        accumulates = True
        average: Callable[..., Any] | None = None
        beside: Sequence[Variation] = ()
        seen: list[bool] = []  # noqa: RUF012

        def __init__(self) -> None:
            self.networks: dict[str, nn.Module] = {"one": small.network(), "other": small.network()}
            self.views = small.method().views
            self.remembers: dict[str, torch.Tensor] = {}

        def step(self, batch: Batch):  # type: ignore[no-untyped-def]
            x = batch.views[0].images
            before = next(self.networks["one"].parameters()).detach().clone()
            both = self.networks["other"](self.networks["one"](x).logits.expand(-1, 3, -1, -1)).logits
            stepped = yield Loss("one", both.mean((1, 2, 3)), torch.ones(len(x)))
            after = next(self.networks["one"].parameters()).detach()
            # The second loss sees what the first one changed; the other network has got no gradient from it.
            self.seen += [stepped, not torch.equal(before, after)]
            self.seen.append(all(p.grad is None for p in self.networks["other"].parameters()))
            yield Loss("other", self.networks["other"](x).logits.mean((1, 2, 3)), torch.ones(len(x)))

        def predictor(self) -> None:
            return None

    pair, given = Pair(), small.settings(steps=1, rate=1e-2, encoder_rate=1e-2)
    helper = small.loop_in(tmp_path, given)
    loop = Loop(
        pair, small.batches(given, pair), given, fabric=helper.fabric, run=helper.run, judge=None, keep=small.keep
    )
    loop.fit(workers=0)
    assert pair.seen == [True, True, True]


def test_two_views_learn_from_both(tmp_path: Path) -> None:
    """Two views change the computation: the clean image is in it as well as the varied one."""
    two, one = small.method("two-view"), small.method("supervised")
    assert len(two.views) == 2
    given = small.settings()
    parcel = small.batches(given, two)[0]
    clean, varied = parcel.stored
    assert (clean.images != varied.images).any()
    assert (small.batches(given, one)[0].stored[0].images != clean.images).any()
    from segue.training.batches import on_device

    batch = on_device(parcel, torch.device("cpu"))
    (loss,) = [next(two.step(batch))]
    assert loss.per_sample.shape == (8,)
    assert set(loss.parts) == {"clean", "varied"}


def test_mixing_reaches_the_batch_image_and_mask_alike() -> None:
    """What a box brings of the partner, it brings to image and target: the batch is made of places of its two images."""
    given, made = small.settings(), small.method()
    made.views = (parse("cutmix"),)
    mixed = small.batches(given, made)[0].stored[0]
    made.views = (parse("none"),)
    plain = small.batches(given, made)[0].stored[0]
    changed = (mixed.images != plain.images).any(axis=(1, 2, 3))
    assert changed.any()
    for index in range(len(plain.images)):
        own = (mixed.images[index] == plain.images[index]).all(-1) & (mixed.target[index] == plain.target[index])
        partner = (mixed.images[index] == plain.images[index ^ 1]).all(-1)
        partner &= mixed.target[index] == plain.target[index ^ 1]
        assert (own | partner).all()


def test_codes_of_regions_are_taken_apart_for_the_loss() -> None:
    from segue.training.batches import Parcel, Stored, on_device

    codes = np.array([[[0, 1], [3, 255]]], np.uint8)
    shown = np.ones(codes.shape, np.bool_)
    stored = Stored(np.zeros((1, 2, 2, 3), np.uint8), codes, None, shown, regions=2)  # type: ignore[arg-type]
    view = on_device(Parcel(("one",), (stored,)), torch.device("cpu")).views[0]
    assert view.target.tolist() == [[[[0, 1], [1, 255]], [[0, 0], [1, 255]]]]
    assert view.counted.tolist() == [0.75]


def test_early_stop(tmp_path: Path) -> None:
    scores = iter([0.5, 0.6, 0.6, 0.55, 0.7, 0.8])
    loop = small.loop_in(
        tmp_path, small.settings(steps=24, patience=2), judge=lambda made, tick: Judged(s := next(scores), {"dice": s})
    )
    loop.fit(workers=0)
    assert loop.step == 16
    assert loop.best == 0.6


@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_without_a_score_nothing_is_chosen(tmp_path: Path, schedule: str) -> None:
    """Judgements are written down, the last weights are kept, and nobody's patience ends."""
    given = small.settings(steps=24, patience=1, schedule=schedule)
    numbers = iter(range(6))
    loop = small.loop_in(tmp_path, given, judge=lambda made, tick: Judged(None, {"spread": float(next(numbers))}))
    loop.fit(workers=0)
    assert loop.step == 24
    assert [line["validation"] for line in loop.lines] == [{"spread": float(number)} for number in range(6)]
    assert list(digest(tmp_path)) == ["last.safetensors"]
    assert (loop.best, loop.scores) == (-float("inf"), [])


def test_the_best_is_kept_not_the_last(tmp_path: Path) -> None:
    scores = iter([0.5, 0.9, 0.6])
    kept = []
    loop = small.loop_in(tmp_path, small.settings(), judge=lambda made, tick: Judged(s := next(scores), {"dice": s}))
    loop.keep = lambda made, path: kept.append((path.name, loop.step))
    loop.fit(workers=0)
    assert kept == [("best.safetensors", 4), ("best.safetensors", 8), ("last.safetensors", 12)]


def test_not_a_number_names_the_cases_and_keeps_them(tmp_path: Path) -> None:
    loop = small.loop_in(tmp_path, small.settings())
    with torch.no_grad():
        next(loop.plain["segmenter"].parameters()).fill_(float("nan"))
    with pytest.raises(Failed, match=r"step 1: the loss is not a number; the batch held disk \d+") as told:
        loop.fit(workers=0)
    import numpy as np

    with np.load(tmp_path / "not-a-number.npz") as kept:
        assert all(case in told.value.message for case in kept["cases"])
        assert kept["images_0"].shape == (4, *small.SIZE, 3)


class TestCheckpoint:
    def test_a_damaged_one_gives_way_to_the_one_before(self, tmp_path: Path) -> None:
        given = small.settings()
        small.loop_in(tmp_path / "whole", given).fit(workers=0)
        small.loop_in(tmp_path / "hurt", given).fit(workers=0)
        state = tmp_path / "hurt" / "weights" / "state.pt"
        with zipfile.ZipFile(state) as archive:
            largest = max(archive.infolist(), key=lambda entry: entry.file_size)
        inside = largest.header_offset + 64 + largest.file_size // 2
        kept = state.read_bytes()
        for damaged in (kept[: len(kept) // 2], kept[:inside] + bytes([kept[inside] ^ 1]) + kept[inside + 1 :], b""):
            state.write_bytes(damaged)
            told: list[str] = []
            found = checkpoint.load(state.parent, warn=told.append)
            assert found is not None
            assert found["step"] == 8
            assert len(told) == 1
            assert "state.pt is damaged; going on from the one before" in told[0]
        small.loop_in(tmp_path / "hurt", given, warn=told.append).fit(workers=0)
        assert digest(tmp_path / "whole") == digest(tmp_path / "hurt")

    def test_both_damaged_is_told(self, tmp_path: Path) -> None:
        for name in (checkpoint.STATE, checkpoint.PREVIOUS):
            (tmp_path / name).write_bytes(b"no zip")
        with pytest.raises(BadInput, match=r"state\.pt: is damaged, and there is no earlier one"):
            checkpoint.load(tmp_path)

    def test_code_in_a_state_is_not_run(self, tmp_path: Path) -> None:
        class Evil:
            def __reduce__(self) -> tuple[object, ...]:
                return os.mkdir, (str(tmp_path / "evil"),)

        torch.save({"step": Evil()}, tmp_path / checkpoint.STATE)
        with pytest.raises(BadInput, match="damaged"):
            checkpoint.load(tmp_path)
        assert not (tmp_path / "evil").exists()

    def test_a_full_disk_leaves_the_old_one(self, tmp_path: Path) -> None:
        """A real one, of 100 KB: torch finds it out in the middle of its archive."""
        resource = pytest.importorskip("resource")
        checkpoint.save(tmp_path, {"step": 1})
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, most))
        try:
            with pytest.raises(Failed, match=r"state\.pt: cannot be written \(File too large\)"):
                checkpoint.save(tmp_path, {"step": 2, "weights": torch.rand(100, 1000)})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        assert checkpoint.load(tmp_path) == {"step": 1}
        assert sorted(path.name for path in tmp_path.iterdir()) == [checkpoint.STATE]
