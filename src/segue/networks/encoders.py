"""Encoders by name: segmentation-models-pytorch's own, any of timm's, and among these the plain vision transformers.

"resnet18" is segmentation-models-pytorch's; "tu-resnet18" is timm's of the same name; a name that only timm knows needs
no prefix. A plain vision transformer keeps one size of map throughout and goes its own way (`vit.py`).
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Literal

import torch

from segue.errors import BadInput, nearest
from segue.networks.operators import smp, timm
from segue.networks.volumetric import ENCODERS

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_HALF = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
# Of segmentation-models-pytorch's own encoders, those whose published weights expect other colours than ImageNet's.
_COLOURS = {
    "inceptionv4": _HALF,
    "inceptionresnetv2": _HALF,
    "xception": _HALF,
    "dpn": ((124 / 255, 117 / 255, 104 / 255), (1 / (0.0167 * 255),) * 3),
}


@dataclass(frozen=True)
class Encoder:
    """One encoder; `key` is what segmentation-models-pytorch or timm calls it."""

    name: str
    kind: Literal["smp", "timm", "vit", "volume"]
    key: str
    mean: tuple[float, ...] = IMAGENET[0]
    std: tuple[float, ...] = IMAGENET[1]
    options: Mapping[str, Any] = field(default_factory=dict)
    """What timm must be told so that it takes images of any size."""
    width: int = 0
    """Of a vision transformer's tokens."""

    def colours(self, channels: int) -> tuple[list[float], list[float]]:
        """Mean and deviation per channel: the encoder's own for three, their average for any other number."""
        if channels == len(self.mean):
            return list(self.mean), list(self.std)
        return [sum(self.mean) / len(self.mean)] * channels, [sum(self.std) / len(self.std)] * channels


def names(like: str = "*") -> list[str]:
    """All names that fit the pattern, or that contain it if it has no star."""
    pattern = like if any(sign in like for sign in "*?[") else f"*{like}*"
    return [name for name in _all_names() if fnmatchcase(name, pattern)]


def find(name: str) -> Encoder:
    if name in ENCODERS:
        return Encoder(name, "volume", name, *_HALF)
    if name in _own():
        mean, std = next((colours for start, colours in _COLOURS.items() if name.startswith(start)), IMAGENET)
        return Encoder(name, "smp", name, mean, std)
    key = name.removeprefix("tu-")
    if not timm().is_model(key):
        raise BadInput(
            f"encoder: there is none called {name!r} ({nearest(name, _all_names())})",
            hint="`segue networks --like '*resnet*'` lists them.",
        )
    model, _, tag = key.partition(".")
    tags = [each.partition(".")[2] for each in timm().list_pretrained(f"{model}.*")] if tag else [""]
    if tag not in tags:
        raise BadInput(f"encoder: {model} has no variant called {tag!r} ({nearest(tag, tags)})")
    return _of_timm(name, key)


@lru_cache(maxsize=64)
def _of_timm(name: str, key: str) -> Encoder:
    with torch.device("meta"):
        model = timm().create_model(key)
    accepts = inspect.signature(type(model).__init__).parameters
    reductions = {stage["reduction"] for stage in getattr(model, "feature_info", ())}
    plain = len(reductions) == 1 and hasattr(model, "forward_intermediates") and hasattr(model, "patch_embed")
    if plain and "dynamic_img_size" not in accepts:
        raise BadInput(
            f"encoder: {name} takes images of one size only",
            hint="Vision transformers such as vit_small_patch16_224 or vit_small_patch14_dinov2 take any.",
        )
    told = model.pretrained_cfg
    colours = tuple(told["mean"]), tuple(told["std"])
    if plain:
        return Encoder(name, "vit", key, *colours, {"dynamic_img_size": True}, model.feature_info[-1]["num_chs"])
    return Encoder(name, "timm", key, *colours, {"strict_img_size": False} if "strict_img_size" in accepts else {})


def _own() -> list[str]:
    # Its "timm-" names are deprecated copies of what timm has itself.
    return [name for name in smp().encoders.encoders if not name.startswith("timm-")]


@lru_cache(maxsize=1)
def _all_names() -> tuple[str, ...]:
    return tuple(sorted({*ENCODERS, *_own(), *timm().list_models()}))
