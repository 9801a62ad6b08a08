"""Architectures by name. A new one is a function from `Parts` to a `Body`, and a line in ARCHITECTURES."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from segue.errors import BadInput
from segue.networks import volumetric
from segue.networks.bodies import DualDecoder, Linear, SmpBody, Stacked, TriUnet, UnetBody
from segue.networks.encoders import Encoder
from segue.networks.network import Body
from segue.networks.operators import smp
from segue.networks.settings import VOLUMES, NetworkSettings
from segue.networks.vit import DptBody, Pyramid

Channels = tuple[int, ...] | int | Literal["auto"]


@dataclass(frozen=True)
class Parts:
    """What a network is put together from."""

    encoder: Encoder
    settings: NetworkSettings
    channels: int
    """Of the image."""
    classes: int
    """Logits."""


@dataclass(frozen=True)
class Architecture:
    what: str
    make: Callable[[Parts], Body]
    decoder: Literal["levels", "tokens", "none"] | int
    """Its channels: a number per level; one that goes with the transformer's; the encoder's own; or one, usually this."""
    attention: bool = False
    """Whether its decoder can have scse."""


def usual_channels(parts: Parts) -> Channels:
    """The decoder's, where nobody says otherwise."""
    decoder = ARCHITECTURES[parts.settings.architecture].decoder
    if decoder == "levels":
        return (256, 128, 64, 32, 16)[-parts.settings.depth :]
    if decoder == "tokens":
        return next((fusion for width, fusion in ((384, 64), (768, 128)) if parts.encoder.width <= width), 256)
    return "auto" if decoder == "none" else decoder


def _unet(parts: Parts, channels: int | None = None) -> SmpBody:
    return UnetBody(_model("Unet", parts, channels=channels, **_levelled(parts), **_attention(parts)))


def _volume_unet(parts: Parts) -> Body:
    if parts.encoder.kind != "volume":
        raise BadInput(f"{VOLUMES} has encoders of its own: {', '.join(volumetric.ENCODERS)}")
    assert parts.settings.stages is not None
    return volumetric.VolumeUnet(parts.encoder.name, parts.channels, parts.classes, parts.settings.stages)


def _unet_plus_plus(parts: Parts) -> Body:
    return SmpBody(_model("UnetPlusPlus", parts, **_levelled(parts), **_attention(parts)))


def _manet(parts: Parts) -> Body:
    return SmpBody(_model("MAnet", parts, **_levelled(parts)))


def _fpn(parts: Parts) -> Body:
    width = parts.settings.decoder_channels
    assert isinstance(width, int)
    # It joins the deepest four maps, whichever they are, and leaves off at the finest of these.
    up = 2 ** (parts.settings.depth - 3)
    # The votes are normalised in 32 groups.
    widths = {"decoder_pyramid_channels": width, "decoder_segmentation_channels": max(width // 64, 1) * 32}
    return SmpBody(_model("FPN", parts, upsampling=up, **widths))


def _linknet(parts: Parts) -> Body:
    return SmpBody(_model("Linknet", parts))


def _pspnet(parts: Parts) -> Body:
    up = 2**parts.settings.depth
    return SmpBody(_model("PSPNet", parts, upsampling=up, psp_out_channels=parts.settings.decoder_channels))


def _pan(parts: Parts) -> Body:
    model = _model("PAN", parts, decoder_channels=parts.settings.decoder_channels)
    # Its attention halves the deepest map three times.
    return SmpBody(model, smallest=8 * int(model.encoder.output_stride))


def _deeplab(name: str) -> Callable[[Parts], Body]:
    return lambda parts: SmpBody(_model(name, parts, decoder_channels=parts.settings.decoder_channels))


def _upernet(parts: Parts) -> Body:
    return SmpBody(_model("UPerNet", parts, decoder_channels=parts.settings.decoder_channels))


def _segformer(parts: Parts) -> Body:
    return SmpBody(_model("Segformer", parts, decoder_segmentation_channels=parts.settings.decoder_channels))


def _dpt(parts: Parts) -> Body:
    if parts.encoder.kind != "vit":
        raise BadInput(
            f"dpt is made for plain vision transformers, which {parts.encoder.name} is not",
            hint="Such as vit_small_patch14_dinov2 or vit_tiny_patch16_224; all other architectures take both.",
        )
    fusion = parts.settings.decoder_channels
    assert isinstance(fusion, int)
    return DptBody(parts.encoder, parts.channels, parts.classes, parts.settings.depth, fusion)


def _linear(parts: Parts) -> Body:
    # The library builds a decoder with it, of which nothing is kept.
    return Linear(_model("Linknet", parts), parts.classes)


def _dual(parts: Parts) -> Body:
    width = parts.settings.decoder_channels
    painter = _model("DeepLabV3Plus", parts, classes=parts.channels, decoder_channels=width)
    return DualDecoder(_model("DeepLabV3Plus", parts, decoder_channels=width), painter)


def _triunet(parts: Parts) -> Body:
    return TriUnet(_unet(parts), _unet(parts), _unet(parts, 2 * parts.classes))


def _stacked(parts: Parts) -> Body:
    return Stacked(_unet(parts), _unet(parts, parts.channels + parts.classes))


ARCHITECTURES: Mapping[str, Architecture] = {
    "unet": Architecture("skips from every level of the encoder", _unet, "levels", attention=True),
    "unet++": Architecture("skips with networks of their own on the way", _unet_plus_plus, "levels", attention=True),
    "manet": Architecture("a U-Net that attends to places and to scales", _manet, "levels"),
    "linknet": Architecture("skips are added, not joined: small and fast", _linknet, "none"),
    "fpn": Architecture("a pyramid of maps, each of which votes", _fpn, 256),
    "pspnet": Architecture("the deepest map, pooled at four scales", _pspnet, 512),
    "pan": Architecture("attention over the deepest map guides the finer ones", _pan, 32),
    "deeplabv3": Architecture("the deepest map, kept large, seen at several dilations", _deeplab("DeepLabV3"), 256),
    "deeplabv3+": Architecture("the same, sharpened by an early map", _deeplab("DeepLabV3Plus"), 256),
    "upernet": Architecture("a pyramid with pooling at its top", _upernet, 256),
    "segformer": Architecture("one small layer over all maps", _segformer, 256),
    "dpt": Architecture("for plain vision transformers: tokens put together again", _dpt, "tokens"),
    "triunet": Architecture("two U-Nets see the image, a third their masks", _triunet, "levels", attention=True),
    "stacked-unet": Architecture(
        "a second U-Net sees the image and the first one's mask", _stacked, "levels", attention=True
    ),
    "linear": Architecture("no decoder: each pixel by the encoder's maps alone, to probe these", _linear, "none"),
    VOLUMES: Architecture("of volumes: convolutions along all three axes", _volume_unet, "none"),
    "dd-deeplabv3+": Architecture("deeplabv3+ with a second decoder that gives the image back", _dual, 256),
}


def _levelled(parts: Parts) -> dict[str, Any]:
    return {"decoder_channels": parts.settings.decoder_channels}


def _attention(parts: Parts) -> dict[str, Any]:
    return {"decoder_attention_type": None if parts.settings.attention == "none" else parts.settings.attention}


def _model(name: str, parts: Parts, *, channels: int | None = None, classes: int | None = None, **told: Any) -> Any:
    channels = parts.channels if channels is None else channels
    if parts.encoder.kind == "volume":
        raise BadInput(f"the encoder {parts.encoder.name} is of {VOLUMES}")
    if parts.encoder.kind == "timm":
        told.update(parts.encoder.options)
    with _registered(parts.encoder, channels) as key:
        return getattr(smp(), name)(
            encoder_name=key,
            encoder_depth=parts.settings.depth,
            encoder_weights=None,
            in_channels=channels,
            classes=parts.classes if classes is None else classes,
            **told,
        )


@contextmanager
def _registered(encoder: Encoder, channels: int) -> Iterator[str]:
    """The name under which segmentation-models-pytorch knows this encoder; ours it must be shown."""
    if encoder.kind == "smp":
        yield encoder.key
    elif encoder.kind == "timm":
        yield f"tu-{encoder.key}"
    else:
        known, key = smp().encoders.encoders, f"pyramid of {encoder.key}"
        known[key] = {
            "encoder": Pyramid,
            "pretrained_settings": {},
            "params": {"encoder": encoder, "channels": channels},
        }
        try:
            yield key
        finally:
            del known[key]
