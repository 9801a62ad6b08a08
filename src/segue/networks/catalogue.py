"""What there is: architectures and encoders by name."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from segue.errors import BadInput
from segue.networks import encoders as _encoders
from segue.networks.architectures import ARCHITECTURES
from segue.networks.operators import smp, timm

FEW = 12  # encoders whose parameters are counted; each costs half a second


@dataclass(frozen=True)
class Listed:
    name: str
    what: str = ""
    parameters: int | None = None
    """Of the encoder alone; None where counting would take long."""


def architectures() -> list[Listed]:
    return [Listed(name, architecture.what) for name, architecture in ARCHITECTURES.items()]


def encoders(like: str = "*") -> list[Listed]:
    """Encoders whose name fits a pattern such as *resnet*. Which architectures they go with, docs/networks.md tells."""
    found = _encoders.names(like)
    return [Listed(name, parameters=_parameters(name) if len(found) <= FEW else None) for name in found]


def _parameters(name: str) -> int | None:
    """Counted on a network without memory; some cannot be made that way, or not with maps for an architecture."""
    try:
        encoder = _encoders.find(name)
        with torch.device("meta"):
            if encoder.kind == "volume":
                return None  # a width makes it small or large
            if encoder.kind == "smp":
                model = smp().encoders.get_encoder(encoder.key, weights=None)
            else:
                model = timm().create_model(encoder.key, num_classes=0)
    except (BadInput, RuntimeError, ValueError, TypeError, NotImplementedError):
        return None
    return sum(parameter.numel() for parameter in model.parameters())
