"""What methods can be told; without torch, so that settings are read without it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from segue.config import Auto, Settings

Share = Annotated[float, Field(ge=0, le=1)]


class SemiSettings(Settings):
    """Of `--method semi`: what the network says of a weakly varied image is what it must say of a strongly varied one."""

    weak: str = "weak"  # the variation whose prediction is followed
    strong: str | Auto = "auto"  # those that follow it; auto: strong, and with pictures and slices + cutmix(p=0.5)
    views: Annotated[int, Field(ge=0, le=4)] = 2  # strong ones of each image
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5  # of the encoder's channels, in one more that follows; 0: none
    teacher: bool = True  # the moving average of the weights is followed, not the weights themselves
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.95  # a pixel that is less sure does not count
    weight: Annotated[float, Field(gt=0)] = 1.0  # of all that follows, against learning from masks
    batch: Annotated[float, Field(gt=0, le=16)] = 1.0  # images without masks for each one with
    warm: Share = 0.2  # of the training, from masks alone: a target that nobody has learnt yet is not worth following
    ramp: Share = 0.1  # of the training after that, until the weight is whole
