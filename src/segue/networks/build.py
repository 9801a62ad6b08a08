"""From settings to a network."""

from __future__ import annotations

import warnings
from dataclasses import replace

import torch

from segue.data.target import Target
from segue.errors import BadInput, nearest
from segue.networks import adapters, encoders, norms
from segue.networks.architectures import ARCHITECTURES, Parts, usual_channels
from segue.networks.cut import cut, trial
from segue.networks.encoders import Encoder
from segue.networks.enlarging import fold_enlarging
from segue.networks.members import Members
from segue.networks.network import Body, SegmentationNetwork
from segue.networks.settings import VOLUMES, NetworkSettings, Stages
from segue.networks.sources import source
from segue.networks.weights import load_weights

_SQUEEZE = 16  # scse divides a level's channels by this


def build(settings: NetworkSettings, target: Target, channels: int) -> SegmentationNetwork:
    """A network for images of so many channels, with the weights that the settings name; `network.matched` tells of them."""
    encoder = encoders.find(settings.encoder)
    found = source(settings.weights, encoder)
    network = assemble(settings, target, channels)
    if found is not None:
        network.matched = load_weights(network, found.file)
        if found.colours is not None:
            network.set_colours(*replace(encoder, mean=found.colours[0], std=found.colours[1]).colours(channels))
    tune(network)
    return network


def assemble(settings: NetworkSettings, target: Target, channels: int) -> SegmentationNetwork:
    """The network as it is before weights are loaded and anything is frozen. It draws no random numbers but its weights."""
    encoder = demand_known(settings)
    parts = Parts(encoder, settings, channels, target.logits)
    settings = settings.resolve(decoder_channels=usual_channels(parts))
    if settings.architecture == VOLUMES:
        settings = _of_volumes(settings)
    elif settings.stages is not None:
        raise BadInput(f"stages: are of {VOLUMES}, and this is {settings.architecture}")
    _check_decoder(settings)
    mean, std = encoder.colours(channels)
    # Gradients tell what is in use, wherever this is called: `with torch.no_grad(): model = segue.load(run)`.
    with torch.inference_mode(False), torch.enable_grad():
        bodies = [_body(replace(parts, settings=settings)) for _ in range(settings.members)]
        body = Members(bodies, exclusive=target.exclusive) if len(bodies) > 1 else bodies[0]
        return SegmentationNetwork(body, settings=settings, target=target, channels=channels, mean=mean, std=std)


def _of_volumes(settings: NetworkSettings) -> NetworkSettings:
    """All stages written out; where nobody has planned them, every axis is halved at each."""
    for name, usual in (("norm", "batch"), ("tune", "full")):
        if getattr(settings, name) != usual:
            raise BadInput(f"{name}: {VOLUMES} has instance norms, and learns as a whole")
    stages, deeper = settings.stages or Stages(), settings.depth
    if "auto" in (stages.kernels, stages.strides):
        stages = stages.resolve(kernels=((3, 3, 3),) * (deeper + 1), strides=((1, 1, 1), *((2, 2, 2),) * deeper))
    if len(stages.kernels) != len(stages.strides) or len(stages.strides) < 2:
        raise BadInput(f"stages: {len(stages.kernels)} kernels and {len(stages.strides)} strides; as many, from 2")
    return settings.model_copy(update={"stages": stages})


def demand_known(settings: NetworkSettings) -> Encoder:
    """The encoder, if there are such an architecture and such an encoder."""
    name = settings.architecture
    if name not in ARCHITECTURES:
        raise BadInput(f"architecture: there is none called {name!r} ({nearest(name, ARCHITECTURES)})")
    return encoders.find(settings.encoder)


def _check_decoder(settings: NetworkSettings) -> None:
    name, channels = settings.architecture, settings.decoder_channels
    decoder = ARCHITECTURES[name].decoder
    if settings.attention != "none" and not ARCHITECTURES[name].attention:
        able = [other for other, architecture in ARCHITECTURES.items() if architecture.attention]
        raise BadInput(f"attention: the decoder of {name} has none to choose; that of {', '.join(able)} has")
    if decoder == "none" and channels != "auto":
        raise BadInput(f"decoder_channels: {name} takes those of its encoder")
    if (decoder == "tokens" or isinstance(decoder, int)) and not isinstance(channels, int):
        raise BadInput(f"decoder_channels: {name} takes one number, such as 128, not {channels}")
    if decoder == "levels":
        if not isinstance(channels, tuple) or len(channels) != settings.depth:
            raise BadInput(
                f"decoder_channels: {name} of depth {settings.depth} takes a number for each level, not {channels}",
                hint="For example 256, 128, 64, 32, 16: the deepest level first.",
            )
        if settings.attention == "scse" and min(channels) < _SQUEEZE:
            raise BadInput(f"decoder_channels: attention scse needs {_SQUEEZE} on every level, not {min(channels)}")


def _body(parts: Parts) -> Body:
    """Made, rid of what it does not use, and tried on a small image; what cannot work is told in a sentence."""
    settings = parts.settings
    trouble = f"{settings.architecture} does not work with the encoder {settings.encoder} at depth {settings.depth}"
    hint = "docs/networks.md has a table of what goes together."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the libraries, on maps without channels
            body = ARCHITECTURES[settings.architecture].make(parts)
        if settings.norm == "group":
            norms.to_group_norm(body)
        else:
            norms.steady(body)
        fold_enlarging(body)
        image = trial(body, parts.channels)
        found = cut(body, image) if body.dims == 2 else body(image)
    except BadInput:
        raise
    except (ValueError, TypeError, RuntimeError, AssertionError, KeyError, IndexError, AttributeError) as error:
        raise BadInput(f"{trouble}: {_reason(error)}", hint=hint) from error
    if found.logits.shape[2:] != image.shape[2:]:
        raise BadInput(f"{trouble}: masks would not have the size of their images", hint=hint)
    return body


def _reason(error: Exception) -> str:
    """The libraries' own words, where they are to the point."""
    text = " ".join(str(error).split())
    if "dilated" in text or "output_stride" in text:
        return "it needs an encoder whose last stages can be kept large, and this one's cannot"
    if "must match the size of tensor b (0)" in text:
        return "it needs a map of half the image's size, which this encoder skips"
    return text[:160] or type(error).__name__


def tune(network: SegmentationNetwork) -> None:
    """Freeze what shall not learn."""
    for trunk in network.body.trunks().values():
        if network.settings.tune == "frozen":
            trunk.requires_grad_(False)
        elif network.settings.tune == "lora":
            adapters.adapt(trunk, network.settings.rank)
    network.train(network.training)


def merge_adapters(network: SegmentationNetwork) -> SegmentationNetwork:
    """The same network without adapters, their product added to the weights; in place."""
    for trunk in network.body.trunks().values():
        adapters.merge(trunk)
    network.settings = network.settings.model_copy(update={"tune": "full"})
    return network
