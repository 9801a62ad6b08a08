"""Weights from files of every kind: all that is asked for, or nothing and a sentence."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file, save_file

from segue.errors import BadInput
from segue.networks import NetworkSettings, SegmentationNetwork, build, load_weights, save, sources
from tests.networks.small import LESION, SMALL, VIT, logits, network, of_smp, of_timm, settings


def _trunk(made: SegmentationNetwork) -> dict[str, torch.Tensor]:
    return next(iter(made.body.trunks().values())).state_dict()


@pytest.mark.parametrize("depth", [5, 3])
def test_a_classifier_of_timm(depth: int, tmp_path: Path) -> None:
    theirs = of_timm(tmp_path / "timm.safetensors")
    made = network(depth=depth, weights=str(tmp_path / "timm.safetensors"))
    assert made.matched is not None
    assert made.matched.matched == made.matched.total == (206 if depth == 5 else 49)
    assert str(made.matched).startswith(
        f"matched {made.matched.total}/{made.matched.total} tensors of the encoder; decoder new"
    )
    for name, tensor in _trunk(made).items():
        assert torch.equal(tensor, theirs[name]), name


def test_names_with_underscores(tmp_path: Path) -> None:
    """timm's maps-only ConvNeXt writes stages_0 where its classifier writes stages.0."""
    of_timm(tmp_path / "timm.safetensors", "convnext_atto")
    made = network(encoder="convnext_atto", weights=str(tmp_path / "timm.safetensors"))
    assert made.matched is not None
    assert made.matched.matched == made.matched.total > 100


@pytest.mark.parametrize("prefix", ["", "encoder.", "module.backbone."])
def test_any_prefix(prefix: str, tmp_path: Path) -> None:
    theirs = of_smp(tmp_path / "smp.safetensors")
    save_file({prefix + name: tensor for name, tensor in theirs.items()}, tmp_path / "prefixed.safetensors")
    made = network(encoder="resnet18", weights=str(tmp_path / "prefixed.safetensors"))
    assert torch.equal(_trunk(made)["layer4.0.conv1.weight"], theirs["layer4.0.conv1.weight"])


def test_a_whole_model_of_the_library(tmp_path: Path) -> None:
    from segue.networks.operators import smp

    theirs = smp().Unet("resnet18", encoder_weights=None, decoder_channels=(32, 32, 32, 32, 32))
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    made = network(encoder="resnet18", weights=str(tmp_path / "model.safetensors"))
    assert str(made.matched) == "matched 100/100 tensors of the encoder; decoder too"
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        wanted = theirs.eval()((x - made.colour_mean) / made.colour_std)
    torch.testing.assert_close(logits(made, x), wanted, rtol=1e-4, atol=1e-5)


def test_a_run_brings_its_decoder_and_its_colours(tmp_path: Path) -> None:
    first = network()
    first.set_colours((0.1, 0.2, 0.3), (1, 1, 1))
    save(first, tmp_path / "run" / "weights" / "last.safetensors")
    made = network(weights=str(tmp_path / "run"))
    assert made.mean == pytest.approx((0.1, 0.2, 0.3))
    x = torch.rand(1, 3, 64, 64)
    assert torch.equal(logits(made, x), logits(first, x))
    other = network(architecture="fpn", weights=str(tmp_path / "run"))
    assert other.matched is not None
    assert other.matched.decoder[0] == 0
    assert "decoder new" in str(other.matched)
    save(network(), tmp_path / "run" / "weights" / "best.safetensors")
    assert load_weights(made, tmp_path / "run").file.name == "best.safetensors"


def test_every_network_inside_gets_them(tmp_path: Path) -> None:
    of_timm(tmp_path / "timm.safetensors")
    made = network(architecture="triunet", weights=str(tmp_path / "timm.safetensors"))
    assert made.matched is not None
    assert made.matched.total == 3 * 206
    first, second, third = (trunk.state_dict() for trunk in made.body.trunks().values())
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name])
        assert torch.equal(tensor, third[name]) or name == "conv_stem.weight"
    save(made, tmp_path / "tri.safetensors")
    with torch.no_grad():
        for parameter in made.body.trunks()["second"].parameters():
            parameter.add_(1)
    save(made, tmp_path / "tri.safetensors")
    again = network(architecture="triunet", weights=str(tmp_path / "tri.safetensors"))
    assert torch.equal(again.body.trunks()["second"].state_dict()["conv_stem.weight"], second["conv_stem.weight"])


def test_grey_sees_what_colour_saw_in_grey(tmp_path: Path) -> None:
    colour = network()
    colour.set_colours([0.449] * 3, [0.226] * 3)
    save(colour, tmp_path / "colour.safetensors")
    grey = network(channels=1, weights=str(tmp_path / "colour.safetensors"))
    grey.set_colours([0.449], [0.226])
    x = torch.rand(2, 1, 64, 64)
    assert torch.allclose(logits(grey, x), logits(colour, x.expand(-1, 3, -1, -1)), atol=1e-4)
    back = network(channels=3, encoder=SMALL)
    save(grey, tmp_path / "grey.safetensors")
    load_weights(back, tmp_path / "grey.safetensors")
    back.set_colours([0.449] * 3, [0.226] * 3)
    assert torch.allclose(logits(back, x.expand(-1, 3, -1, -1)), logits(grey, x), atol=1e-4)


def test_a_vision_transformer_of_another_image_size(tmp_path: Path) -> None:
    of_timm(tmp_path / "vit.safetensors", VIT, img_size=96)
    for architecture in ("dpt", "unet"):
        made = build(
            settings(architecture=architecture, encoder=VIT, weights=str(tmp_path / "vit.safetensors")), LESION, 3
        )
        assert made.matched is not None
        assert made.matched.matched == made.matched.total


def test_adapters_are_merged_on_the_way_into_another_network(tmp_path: Path) -> None:
    adapted = network(tune="lora", rank=2)
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn_like(parameter))
    save(adapted, tmp_path / "lora.safetensors")
    x = torch.rand(1, 3, 64, 64)
    for tune in ("full", "lora"):
        made = network(tune=tune, weights=str(tmp_path / "lora.safetensors"))
        assert torch.allclose(logits(made, x), logits(adapted, x), atol=1e-4), tune
    made = network(tune="lora", rank=4)
    load_weights(made, tmp_path / "lora.safetensors")
    assert torch.allclose(logits(made, x), logits(adapted, x), atol=1e-4), "below adapters that are there already"


def test_nine_tenths_are_enough_and_less_is_not(tmp_path: Path) -> None:
    theirs = of_smp(tmp_path / "smp.safetensors")
    names = [name for name in theirs if not name.endswith("num_batches_tracked")]
    save_file({name: theirs[name] for name in names[:-10]}, tmp_path / "enough.safetensors")
    save_file({name: theirs[name] for name in names[:-11]}, tmp_path / "less.safetensors")
    made = network(encoder="resnet18")
    matched = load_weights(made, tmp_path / "enough.safetensors")
    assert (matched.matched, matched.total) == (90, 100)
    before = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    of_smp(tmp_path / "other.safetensors")
    theirs = load_file(tmp_path / "other.safetensors")
    save_file({name: theirs[name] for name in names[:-11]}, tmp_path / "less.safetensors")
    with pytest.raises(
        BadInput, match=r"less\.safetensors: only 89 of the 100 .* resnet18 .*missing are body\.encoder"
    ):
        load_weights(made, tmp_path / "less.safetensors")
    for name, tensor in made.state_dict().items():
        assert torch.equal(tensor, before[name]), "nothing is loaded by halves"


def test_another_encoder_is_refused_by_shape(tmp_path: Path) -> None:
    of_smp(tmp_path / "resnet18.safetensors")
    with pytest.raises(BadInput, match=r"only .* of the .* in the file, .* here"):
        network(encoder="resnet50", weights=str(tmp_path / "resnet18.safetensors"))


def test_no_file_no_run_no_safetensors(tmp_path: Path) -> None:
    made = network()
    torch.save({}, tmp_path / "weights.pth")
    (tmp_path / "text.safetensors").write_text("no tensors")
    of_timm(tmp_path / "whole.safetensors")
    (tmp_path / "half.safetensors").write_bytes((tmp_path / "whole.safetensors").read_bytes()[:100_000])
    (tmp_path / "empty.safetensors").write_bytes(b"")
    for name, sentence in {
        "nowhere": "there is no file or run called",
        "weights.pth": "only .safetensors files are read",
        "text.safetensors": "is no .safetensors file",
        "half.safetensors": "only the beginning of one",
        "empty.safetensors": "is no .safetensors file",
        ".": "is no run, it has no weights/best.safetensors",
    }.items():
        with pytest.raises(BadInput, match=sentence):
            load_weights(made, tmp_path / name)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A hub's folder on this machine, and what was asked of it."""
    asked: dict[str, Any] = {"files": {}, "local": []}

    def get(repository: str, name: str, *, revision: str | None = None, local_files_only: bool = False) -> str:
        asked["local"].append(local_files_only)
        if (repository, name) not in asked["files"]:
            raise FileNotFoundError(f"{repository}/{name} is nowhere")
        return str(asked["files"][repository, name])

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", get)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    return asked


def test_published_weights_from_the_hubs_folder(hub: dict[str, Any], tmp_path: Path) -> None:
    theirs = of_smp(tmp_path / "smp.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"mean": [0.1, 0.2, 0.3], "std": [1, 1, 1]}))
    hub["files"]["smp-hub/resnet18.imagenet", "model.safetensors"] = tmp_path / "smp.safetensors"
    hub["files"]["smp-hub/resnet18.imagenet", "config.json"] = tmp_path / "config.json"
    made = network(encoder="resnet18", weights="imagenet")
    assert torch.equal(_trunk(made)["conv1.weight"], theirs["conv1.weight"])
    assert made.mean == pytest.approx((0.1, 0.2, 0.3))
    of_timm(tmp_path / "timm.safetensors")
    hub["files"]["timm/mobilenetv3_small_050.lamb_in1k", "model.safetensors"] = tmp_path / "timm.safetensors"
    made = network(weights="imagenet")
    assert str(made.matched).startswith("matched 206/206")
    assert all(hub["local"]), "what is there is not asked for over the network"


def test_offline_is_told_in_a_sentence(hub: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(sources, "_unreachable", lambda: pytest.fail("nobody is asked"))
    with pytest.raises(BadInput, match=r"imagenet weights of resnet18 .* HF_HUB_OFFLINE forbids .*weights=none"):
        network(encoder="resnet18", weights="imagenet")
    assert hub["local"] == [True]


def test_no_network_is_told_at_once(hub: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests run with sockets blocked, which is a network that is not there."""
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    with pytest.raises(BadInput, match=r"not on this machine, and https://huggingface.co cannot be reached"):
        network(weights="imagenet")
    assert hub["local"] == [True]


def test_a_hub_that_never_answers_is_not_waited_for(hub: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_PATIENCE", 0.2)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        start = time.perf_counter()
        with pytest.raises(BadInput, match=r"cannot be reached \(timed out\)"):
            network(weights="imagenet")
        assert time.perf_counter() - start < 5


def test_weights_that_nobody_publishes(hub: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="publishes no weights of legacy_seresnet18"):
        build(NetworkSettings(encoder="legacy_seresnet18", weights="imagenet"), LESION, 3)
