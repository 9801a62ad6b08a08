"""Beginning from a pre-training: what is taken over, what is learnt anew, and how fast which layer goes on."""

from __future__ import annotations

import copy
import os
import signal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from segue.config import validate
from segue.data.target import Target
from segue.experiment import assemble
from segue.experiment import train as verb
from segue.experiment.material import Material, gather
from segue.experiment.pretraining import transfer
from segue.experiment.pretraining.pretrain import Pretrained, pretrain
from segue.experiment.settings import TrainSettings
from segue.experiment.train import Trained, train
from segue.networks import NetworkSettings, SegmentationNetwork, build
from segue.networks.weights import load_weights, read
from segue.training.batches import Batches, on_device
from segue.training.loop import Loop, optimiser_of
from segue.training.run import Run
from tests.experiment.conftest import LOOK, SMALL, working_in
from tests.training import small

HEADS, CLINIC = "datasets/heads", "datasets/clinic"
START: dict[str, Any] = {**SMALL, "loop": {"steps": 2, "epoch_steps": 2, "batch": 4}, "init": "runs/looked"}
LESION = Target(("background", "lesion"))
CPU = torch.device("cpu")


def begin(data: str, out: str, **changes: Any) -> Trained:
    return train(data, out, **{**START, **changes})


def network(channels: int = 3, **told: Any) -> SegmentationNetwork:
    torch.manual_seed(5)
    return build(NetworkSettings(**{**SMALL["network"], **told}), LESION, channels)


def kept(run: Run) -> dict[str, Tensor]:
    return read(run.weights / "last.safetensors")[0]


def encoder(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if name.startswith("body.encoder.model.")}


# What is taken over


def test_all_of_the_encoder_and_it_is_told(among: Path, looked: Pretrained) -> None:
    said: list[str] = []
    run = begin(CLINIC, "runs/started", say=said.append).run
    count = sum(not name.endswith("num_batches_tracked") for name in encoder(kept(looked.run)))
    (told,) = [line for line in said if "matched" in line]
    assert f"matched {count}/{count} tensors" in told
    assert run.about["weights_from"] == told
    assert run.config["loop"]["encoder_rate"] == pytest.approx(0.1 * run.config["loop"]["rate"])
    settings = validate(TrainSettings, run.config, where="a test")
    begun, _ = assemble.network(settings, LESION, 3)
    state, theirs = begun.state_dict(), kept(looked.run)
    assert all(torch.equal(state[name], tensor) for name, tensor in theirs.items())  # its colours too
    seen = {(row["dataset"], row["case"], row["what"]) for row in run.seen()}
    assert {(row["dataset"], row["case"], "images") for row in looked.run.seen()} < seen
    assert {"images", "masks"} == {what for _, _, what in seen}


def test_grey_from_colours_sees_grey_as_they_did(among: Path, looked: Pretrained) -> None:
    grey = network(1)
    before = {name: tensor.clone() for name, tensor in grey.state_dict().items()}
    found = load_weights(grey, looked.run.folder)
    assert found.matched == found.total
    theirs, mine = encoder(kept(looked.run)), encoder(dict(grey.state_dict()))
    (first,) = (name for name in theirs if theirs[name].shape != mine[name].shape)
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs if name != first)
    x = torch.rand(2, 1, 20, 20)
    conv = nn.functional.conv2d
    assert torch.allclose(conv(x, mine[first]), conv(x.expand(-1, 3, -1, -1), theirs[first]), atol=1e-5)
    assert torch.equal(grey.colour_mean, before["colour_mean"])  # three colours are not its one
    assert "matched" in begin(HEADS, "runs/grey").run.about["weights_from"]


def test_colours_from_grey_see_grey_as_it_did(among: Path) -> None:
    run = pretrain(HEADS, "runs/grey-looked", **{**LOOK, "loop": {"steps": 1, "epoch_steps": 1}}).run
    colour = network(3)
    load_weights(colour, run.folder)
    first = "body.encoder.model.conv_stem.weight"
    assert torch.allclose(colour.state_dict()[first], kept(run)[first].expand(-1, 3, -1, -1) / 3)


@pytest.mark.parametrize(
    ("method", "contrast", "blocks"), [("masked", {}, (0, 1, 2)), ("local", {"levels": 2, "width": 8}, (0, 1))]
)
def test_what_there_is_of_the_decoder_too(
    among: Path, method: str, contrast: dict[str, Any], blocks: tuple[int, ...]
) -> None:
    loop = {"steps": 1, "epoch_steps": 1}
    run = pretrain(CLINIC, f"runs/{method}-start", **{**LOOK, "method": method, "contrast": contrast, "loop": loop}).run
    begun, theirs = network(), kept(run)
    before = {name: tensor.clone() for name, tensor in begun.state_dict().items()}
    told = load_weights(begun, run.folder)
    state = begun.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in theirs.items())
    rest = [name for name in state if name not in theirs]
    assert all(torch.equal(state[name], before[name]) for name in rest)
    starts = tuple(f"body.decoder.blocks.{number}." for number in blocks)
    assert {name for name in theirs if ".decoder." in name} == {name for name in state if name.startswith(starts)}
    assert str(told)
    # Another architecture takes the encoder alone.
    other = build(NetworkSettings(encoder=SMALL["network"]["encoder"], depth=3, architecture="linknet"), LESION, 3)
    mine = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    load_weights(other, run.folder)
    now = other.state_dict()
    assert all(torch.equal(now[name], theirs[name]) for name in encoder(theirs))
    assert all(torch.equal(now[name], mine[name]) for name in now if ".decoder." in name)


# Statistics


@pytest.fixture(scope="module")
def parts(images: Path, looked: Pretrained) -> tuple[SegmentationNetwork, Batches]:
    """A network with the statistics of other images, and what it is to be trained on."""
    with working_in(images):
        asked = {**START, "data": CLINIC, "stores": (str(images / "stores/clinic"),)}
        settings = validate(TrainSettings, asked, where="a test")
        material: Material = gather(settings)
        built, _ = assemble.network(settings, material.target, material.channels)
        return built, assemble.parts(settings, material, built).batches


def directly(network: SegmentationNetwork, batches: Batches) -> dict[str, tuple[Tensor, Tensor]]:
    """Of what comes into each norm, where all norm by their batch: the means over batches of mean and variance."""
    twin = copy.deepcopy(network).eval()
    found: dict[str, list[tuple[Tensor, Tensor]]] = {}
    for name, module in twin.named_modules():
        if isinstance(module, _BatchNorm):
            module.train()
            module.momentum = 0.0

            def hook(_: nn.Module, given: tuple[Tensor, ...], name: str = name) -> None:
                x = given[0].double()
                found.setdefault(name, []).append((x.mean((0, 2, 3)), x.var((0, 2, 3))))

            module.register_forward_pre_hook(hook)
    with torch.no_grad():
        for step in range(16):
            twin(on_device(batches[step], CPU).views[0].images)
    return {
        name: (torch.stack([mean for mean, _ in each]).mean(0), torch.stack([var for _, var in each]).mean(0))
        for name, each in found.items()
    }


@pytest.mark.parametrize("training", [True, False])
def test_norms_have_the_statistics_of_the_new_images(
    parts: tuple[SegmentationNetwork, Batches], training: bool
) -> None:
    built, batches = copy.deepcopy(parts[0]).train(training), parts[1]
    before = {name: tensor.clone() for name, tensor in built.state_dict().items()}
    modes = [module.training for module in built.modules()]
    momenta = [module.momentum for module in built.modules() if isinstance(module, _BatchNorm)]
    expected = directly(built, batches)
    state = torch.get_rng_state()
    transfer.settle(built, batches)
    norms = {name: module for name, module in built.named_modules() if isinstance(module, _BatchNorm)}
    assert set(norms) == set(expected)
    for name, norm in norms.items():
        assert norm.running_mean is not None
        assert norm.running_var is not None
        for own, direct in zip((norm.running_mean, norm.running_var), expected[name], strict=True):
            assert torch.allclose(own.double(), direct, rtol=1e-3, atol=1e-4 * float(direct.abs().max()) + 1e-6)
    first = next(name for name in norms if name.startswith("body.encoder"))
    assert not torch.allclose(before[f"{first}.running_mean"], norms[first].running_mean, rtol=0.05)  # type: ignore[arg-type]
    # Nothing else has changed, and it will learn on as it would have.
    counted = ("running_mean", "running_var", "num_batches_tracked")
    assert all(torch.equal(before[n], tensor) for n, tensor in built.state_dict().items() if not n.endswith(counted))
    assert [module.training for module in built.modules()] == modes
    assert [module.momentum for module in built.modules() if isinstance(module, _BatchNorm)] == momenta
    assert torch.equal(torch.get_rng_state(), state)
    again = copy.deepcopy(built)
    transfer.settle(again, batches)
    assert all(
        torch.equal(one, other)
        for one, other in zip(built.state_dict().values(), again.state_dict().values(), strict=True)
    )


def test_without_batch_norms_there_is_nothing_to_settle(
    parts: tuple[SegmentationNetwork, Batches], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "on_device", lambda *_: pytest.fail("looked"))
    transfer.settle(network(norm="group"), parts[1])


def test_a_frozen_encoder_keeps_its_weights_and_the_new_statistics(among: Path, looked: Pretrained) -> None:
    frozen = {**SMALL["network"], "tune": "frozen"}
    run = begin(CLINIC, "runs/frozen", network=frozen).run
    settings = validate(TrainSettings, run.config, where="a test")
    material = gather(settings)
    built, _ = assemble.network(settings, material.target, material.channels)
    transfer.settle(built, assemble.parts(settings, material, built).batches)
    settled, learnt, theirs = encoder(dict(built.state_dict())), encoder(kept(run)), encoder(kept(looked.run))
    for name, tensor in learnt.items():
        statistics = name.endswith(("running_mean", "running_var", "num_batches_tracked"))
        assert torch.equal(tensor, settled[name])
        assert torch.equal(tensor, theirs[name]) != statistics or not tensor.any()
    (head,) = (name for name in kept(run) if name.startswith("body.head.") and name.endswith(".bias"))
    assert not torch.equal(kept(run)[head], built.state_dict()[head])


def test_only_what_begins_elsewhere_is_settled(among: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verb, "settle", lambda *_: pytest.fail("settled"))
    assert begin(CLINIC, "runs/from-nothing", init="").run.finished


def test_stopped_and_gone_on_is_the_same_bytes(
    among: Path, looked: Pretrained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is settled once: what was learnt since is not thrown away."""
    loop = {"loop": {**START["loop"], "steps": 4, "layer_decay": 0.7}}
    whole = begin(CLINIC, "runs/whole-start", **loop).run
    plain = Loop.one_step

    def stopped(self: Loop, parcels: Any) -> float:
        if self.step == 2 and self.steps == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return plain(self, parcels)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "one_step", stopped)
        with pytest.raises(KeyboardInterrupt):
            begin(CLINIC, "runs/torn-start", **loop)
    torn = begin(CLINIC, "runs/torn-start", **loop).run
    for name in ("best", "last"):
        one, other = (run.weights / f"{name}.safetensors" for run in (whole, torn))
        assert one.read_bytes() == other.read_bytes()


# Layers at their own rates


def rates(given: float, **told: Any) -> dict[str, float]:
    """Name of a parameter -> its full rate."""
    built = network(**told)
    optimiser = optimiser_of(built, small.settings(layer_decay=given, rate=1e-2, encoder_rate=1e-3))
    names = {id(p): name for name, p in built.named_parameters()}
    found: dict[str, float] = {}
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            assert names[id(parameter)] not in found
            assert group["weight_decay"] == (1e-2 if parameter.ndim > 1 else 0)
            found[names[id(parameter)]] = group["full_rate"]
    assert set(found) == {name for name, p in built.named_parameters() if p.requires_grad}
    return {name: found[name] for name, p in built.named_parameters() if p.requires_grad}


def test_earlier_layers_are_slower() -> None:
    found, plain = rates(0.5), rates(1.0)
    inside = [rate for name, rate in found.items() if name.startswith("body.encoder.model.")]
    assert all(less <= more for less, more in pairwise(inside))
    assert sorted(set(inside)) == pytest.approx([1e-3 * 0.5**above for above in range(5, -1, -1)])
    counts = [inside.count(rate) for rate in sorted(set(inside))]
    assert max(counts) - min(counts) <= 1  # sixths
    assert found["body.encoder.model.conv_stem.weight"] == pytest.approx(1e-3 / 32)
    for name, rate in found.items():
        if not name.startswith("body.encoder.model."):
            assert rate == plain[name] == 1e-2
    assert {rate for name, rate in plain.items() if name.startswith("body.encoder.model.")} == {1e-3}
    assert set(rates(0.5, tune="frozen").values()) == {1e-2}


def test_a_step_is_another_and_just_as_much_smaller(tmp_path: Path) -> None:
    """Of plain gradient descent the way is the rate: the first layer's a part of the last one's."""
    moved: dict[float, dict[str, Tensor]] = {}
    for decay in (1.0, 0.5):
        given = small.settings(
            layer_decay=decay, optimiser="sgd", momentum=0, weight_decay=0, clip=0, steps=1, schedule="constant"
        )
        loop = small.loop_in(tmp_path / str(decay), given)
        before = {name: p.detach().clone() for name, p in loop.plain["segmenter"].named_parameters()}
        loop.one_step([loop.batches[0]])
        moved[decay] = {name: p.detach() - before[name] for name, p in loop.plain["segmenter"].named_parameters()}
    shares = {name: float(moved[0.5][name].norm() / moved[1.0][name].norm()) for name in moved[1.0]}
    encoded = [share for name, share in shares.items() if name.startswith("encoder.")]
    assert len(encoded) == 4  # of six sixths some are empty
    assert encoded == sorted(encoded)
    assert encoded[0] < 0.1
    assert encoded[-1] == pytest.approx(1, abs=1e-3)
    assert all(share == pytest.approx(1, abs=1e-4) for name, share in shares.items() if name.startswith("decoder."))


def test_a_training_goes_another_way(among: Path, looked: Pretrained) -> None:
    one = begin(CLINIC, "runs/started").run
    other = begin(CLINIC, "runs/decay", loop={**START["loop"], "layer_decay": 0.3}).run
    first = "body.encoder.model.conv_stem.weight"
    begun = kept(looked.run)[first]
    assert float((kept(other)[first] - begun).norm()) < 0.1 * float((kept(one)[first] - begun).norm())
