"""From settings to a network."""

from __future__ import annotations

from segue.data.target import Target
from segue.networks.network import SegmentationNetwork
from segue.networks.operators import make_importable
from segue.networks.settings import NetworkSettings
from segue.networks.smp import SmpBody

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def build(settings: NetworkSettings, target: Target, channels: int) -> SegmentationNetwork:
    """A network for images of so many channels."""
    make_importable()
    import segmentation_models_pytorch as smp

    settings = settings.resolve(decoder_channels=(256, 128, 64, 32, 16)[-settings.depth :])
    model = smp.Unet(
        settings.encoder,
        encoder_depth=settings.depth,
        encoder_weights=None,
        decoder_channels=settings.decoder_channels,
        decoder_attention_type=None if settings.attention == "none" else settings.attention,
        in_channels=channels,
        classes=target.logits,
    )
    mean, std = (_MEAN, _STD) if channels == 3 else ([sum(each) / 3] * channels for each in (_MEAN, _STD))
    return SegmentationNetwork(
        SmpBody(model), settings=settings, target=target, channels=channels, planes=channels, mean=mean, std=std
    )
