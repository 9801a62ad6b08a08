"""From settings to a network: what is refused in a sentence, what is cut off, what stays as it was."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from segue.data.target import Target
from segue.errors import BadInput
from segue.networks import NetworkSettings, build, catalogue
from segue.networks.architectures import ARCHITECTURES
from segue.networks.bodies import DualDecoder
from segue.networks.operators import smp
from tests.networks.small import LESION, NARROW, SMALL, VIT, logits, network, settings


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"architecture": "unett"}, "architecture: there is none called 'unett' .*did you mean unet"),
        ({"encoder": "resnet19"}, "encoder: there is none called 'resnet19' .*did you mean resnet18"),
        ({"encoder": "resnet10t.imagenet"}, "resnet10t has no variant called 'imagenet' .known: c3_in1k"),
        ({"encoder": "timm-efficientnet-b0"}, "there is none called"),
        ({"encoder": "beit_base_patch16_224"}, "images of one size only"),
        ({"architecture": "fpn", "attention": "scse"}, "attention: the decoder of fpn has none"),
        ({"decoder_channels": (64, 32)}, "unet of depth 5 takes a number for each level, not"),
        ({"decoder_channels": 64}, "takes a number for each level, not 64"),
        ({"decoder_channels": (64, 32, 16, 16, 8), "attention": "scse"}, "scse needs 16"),
        ({"architecture": "deeplabv3", "decoder_channels": NARROW}, "deeplabv3 takes one number"),
        ({"architecture": "linknet", "decoder_channels": 64}, "linknet takes those of its encoder"),
        ({"architecture": "dpt"}, "dpt is made for plain vision transformers"),
        ({"architecture": "deeplabv3+", "encoder": "densenet121"}, "last stages can be kept large"),
        ({"architecture": "fpn", "encoder": "convnext_atto", "depth": 3}, "a map of half the image's size"),
        ({"encoder": "maxvit_rmlp_pico_rw_256"}, "unet does not work with the encoder maxvit.* at depth 5"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(told: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence) as caught:
        build(NetworkSettings(**{"encoder": SMALL, **told}), LESION, 3)
    assert "\n" not in str(caught.value)


def test_auto_is_resolved_and_told() -> None:
    assert network(depth=4, decoder_channels="auto").settings.decoder_channels == (128, 64, 32, 16)
    assert network(architecture="fpn").settings.decoder_channels == 256


@pytest.mark.parametrize(("depth", "unused"), [(3, 30), (4, 15), (5, 0)])
def test_unused_stages_are_cut_off(depth: int, unused: int) -> None:
    theirs = smp().Unet("resnet18", encoder_depth=depth, encoder_weights=None, decoder_channels=NARROW[:depth])
    ours = network(encoder="resnet18", depth=depth)
    assert len(list(theirs.parameters())) - len(list(ours.parameters())) == unused
    ours.body.load_state_dict({_ours(name): tensor for name, tensor in theirs.state_dict().items()}, strict=False)
    x = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        wanted = theirs.eval()((x - ours.colour_mean) / ours.colour_std)
    torch.testing.assert_close(logits(ours, x), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("encoder", ["efficientnet-b0", "mit_b0", "densenet121", "vgg11"])
def test_encoders_stand_being_cut(encoder: str) -> None:
    made = network(encoder=encoder, depth=3)
    whole = network(encoder=encoder, depth=5)
    count = sum(p.numel() for p in made.groups()["encoder"])
    assert 0 < count < 0.5 * sum(p.numel() for p in whole.groups()["encoder"])


def _ours(name: str) -> str:
    return name.replace("segmentation_head.", "head.")


def test_building_draws_no_random_numbers_but_the_weights() -> None:
    torch.manual_seed(3)
    theirs = smp().Unet("resnet18", encoder_weights=None, decoder_channels=NARROW)
    after = torch.rand(3)
    torch.manual_seed(3)
    ours = network(encoder="resnet18")
    assert torch.equal(torch.rand(3), after)
    state = ours.body.state_dict()
    for name, tensor in theirs.state_dict().items():
        assert torch.equal(state[_ours(name)], tensor), name


def test_building_leaves_running_statistics_alone() -> None:
    norms = [module for module in network().modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms
    assert all(not norm.running_mean.any() and norm.num_batches_tracked == 0 for norm in norms)  # type: ignore[union-attr]


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_built_where_nothing_learns_it_is_as_whole_and_learns_later(off: Callable[[], Any]) -> None:
    with off():
        built = network()
    assert {name for name, _ in built.named_parameters()} == {name for name, _ in network().named_parameters()}
    built(torch.rand(2, 3, 64, 64)).logits.sum().backward()
    assert all(parameter.grad is not None for parameter in built.parameters())


@pytest.mark.parametrize("size", [(1, 1), (17, 300), (64, 64)])
def test_any_size(size: tuple[int, int]) -> None:
    assert logits(network(), torch.rand(2, 3, *size)).shape == (2, 1, *size)


def test_a_single_pixel_is_nothing_for_batch_norm() -> None:
    x = torch.rand(1, 3, 32, 32)
    with pytest.raises(BadInput, match="a single image of 32x32"):
        network().train()(x)
    network().eval()(x)
    network().train()(torch.rand(2, 3, 32, 32))
    network(norm="group").train()(x)
    network(tune="frozen").train()(x)


def test_wrong_channels_are_told() -> None:
    with pytest.raises(BadInput, match=r"\(n, 3, h, w\), got \(1, 1, 64, 64\)"):
        network()(torch.rand(1, 1, 64, 64))


def test_logits_follow_the_target() -> None:
    regions = Target(("tumour", "core"), exclusive=False)
    assert logits(network(target=regions), torch.rand(1, 3, 64, 64)).shape[1] == 2


def test_colours_are_the_encoders_own() -> None:
    assert network().mean == pytest.approx((0.485, 0.456, 0.406))
    assert network(encoder=VIT).mean == pytest.approx((0.5, 0.5, 0.5))
    assert network(channels=1).mean == pytest.approx((0.449,))
    assert len(network(channels=4).mean) == 4


def test_group_norm_everywhere() -> None:
    held = list(network(architecture="pan", norm="group").modules())
    assert not any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in held)


def test_features_can_be_perturbed_and_decoded_again() -> None:
    made = network()
    x = torch.rand(2, 3, 70, 90)
    told = made(x, features=True)
    dropped = [nn.functional.dropout2d(each) for each in told.features]
    made(x, features=dropped).logits.mean().backward()
    grads = [p.grad is not None for p in made.groups()["encoder"]]
    assert all(grads), "the gradient goes through the perturbed maps into the encoder"


def test_networks_of_networks_tell_the_inner_masks() -> None:
    x = torch.rand(2, 3, 64, 64)
    assert len(network(architecture="triunet")(x).deep) == 2
    assert len(network(architecture="stacked-unet")(x).deep) == 1


def test_the_reconstruction_is_in_the_images_own_colours() -> None:
    made = network(architecture="dd-deeplabv3+", decoder_channels=16)
    assert isinstance(made.body, DualDecoder)
    with torch.no_grad():
        for parameter in made.body.canvas.parameters():
            parameter.zero_()
    found = made(torch.rand(1, 3, 50, 70)).reconstruction
    assert torch.allclose(found, torch.tensor(made.mean).view(1, 3, 1, 1).expand(1, 3, 50, 70))


def test_autocast_and_channels_last() -> None:
    made = network(tune="lora").eval()
    x = torch.rand(1, 3, 64, 64)
    wanted = logits(made, x)
    made = made.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert torch.allclose(logits(made, x.to(memory_format=torch.channels_last)), wanted, atol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.allclose(logits(made, x).float(), wanted, atol=0.1)


def test_the_catalogue() -> None:
    assert [each.name for each in catalogue.architectures()] == list(ARCHITECTURES)
    assert all(each.what for each in catalogue.architectures())
    start = time.perf_counter()
    names = [each.name for each in catalogue.encoders()]
    assert time.perf_counter() - start < 5
    assert len(names) > 500
    assert {"resnet18", SMALL, VIT, "mit_b0"} <= set(names)
    assert not [name for name in names if name.startswith("timm-")]
    listed = {each.name: each.parameters for each in catalogue.encoders("mobilenetv3_small_0*")}
    assert listed[SMALL] == pytest.approx(570_000, rel=0.1)
    assert "resnet18" in [each.name for each in catalogue.encoders("resnet18")], (
        "a word without a star is looked for anywhere"
    )


def test_settings_refuse_unknown_choices() -> None:
    from segue.config import validate

    for wrong in ({"depth": 2}, {"attention": "yes"}, {"tune": "some"}, {"encodr": "resnet18"}):
        with pytest.raises(BadInput):
            validate(NetworkSettings, wrong, where="network")
    assert validate(NetworkSettings, settings().model_dump(mode="json"), where="network") == settings()
