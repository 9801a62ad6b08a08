"""What methods can be told; without torch, so that settings are read without it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from segue.config import Auto, Settings

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class ContrastSettings(Settings):
    """Of `segue pretrain --method contrast` and `local`: which images are alike, and what of the network must say so."""

    # images: an image's own views. partitions: the same, and slices of the same part of other volumes are not pushed away.
    # across: these are drawn together too.
    positives: Literal["images", "partitions", "across"] = "partitions"
    partitions: Annotated[int, Field(ge=1, le=64)] = 4  # parts that a volume's axis is cut into
    elsewhere: Literal["ignore", "negative", "positive"] = "ignore"  # the same part of another dataset's volumes
    negatives: Literal["all", "dataset"] = "all"
    own: Share = 0.0  # of the loss: with negatives from the own dataset alone (the published two steps)
    representation: Share = 0.0  # of the loss: before the projection, on views whose geometry is untouched
    demean: Literal["none", "representation", "projection"] = (
        "none"  # without its dataset's mean, itself or before projection
    )
    temperature: Positive = 0.1
    volumes: Annotated[int, Field(ge=1, le=256)] = 8  # of a batch, datasets in turn; of frames as many as their slices
    plain: bool = False  # the unvaried image is one of the views
    memory: Annotated[int, Field(ge=0, le=65536)] = 0  # images of earlier batches that are negatives too
    width: Annotated[int, Field(ge=2, le=4096)] = 128  # of the projection
    # Of local: the decoder's levels that learn, the regions that are compared, how many others each is held against, and
    # whether the same place in the same part of other volumes is alike.
    levels: Annotated[int, Field(ge=1, le=4)] = 3
    regions: Literal[9, 13] = 13
    neighbours: Annotated[int, Field(ge=1, le=12)] = 5
    across: bool = False


class MaskedSettings(Settings):
    """Of `segue pretrain --method masked`: what is hidden must be painted."""

    share: Annotated[float, Field(gt=0, lt=1)] = 0.6
    side: Annotated[int, Field(ge=2, le=256)] = 16  # pixels of a hidden square


class ConsistencySettings(Settings):
    """Of `--method consistency`: what changes in the prediction is what changed in the mask."""

    # How the clean and the varied prediction are compared: the clean one carried along, or place by place as published.
    places: Literal["aligned", "published"] = "aligned"
    # Of the loss, where a prediction agrees with its mask by w (IoU): adaptive: (1 - w) masks + w consistency. fixed: half
    # each. strict: (1 - w) masks + w masks of the varied image. added: masks of both images, and `weight` times consistency.
    mix: Literal["adaptive", "fixed", "strict", "added"] = "adaptive"
    weight: Positive = 0.5
    # 0: masks and consistency in each step. 4: after four steps of masks, of both images, one of consistency alone.
    interleaved: Annotated[int, Field(ge=0, le=1000)] = 0
    draws: Annotated[int, Field(ge=1, le=32)] = 1  # of these the one that is least consistent, of each image
    half: bool = False  # it is searched for at half size


class FollowSettings(Settings):
    """Of images without masks: what the network says of a weakly varied one is what it must say of a strongly varied one."""

    weak: str = "weak"  # the variation whose prediction is followed
    # Those that follow it; auto: strong, of volumes with tone and bias, but for patches with cutmix.
    strong: str | Auto = "auto"
    views: Annotated[int, Field(ge=0, le=4)] = 2  # strong ones of each image
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5  # of the encoder's channels, in one more that follows; 0: none
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.8  # a pixel that is less sure does not count


class BesideSettings(Settings):
    """Of images without masks, beside learning from masks."""

    own: bool = True  # images of the datasets that have the masks too, not only those of `unlabelled`
    weight: Annotated[float, Field(gt=0)] = 1.0  # of what is learnt from them, against learning from masks
    batch: Annotated[float, Field(gt=0, le=16)] = 1.0  # images without masks for each one with


class SemiSettings(FollowSettings, BesideSettings):
    """Of `--method semi`: such images are followed beside learning from masks."""

    teacher: bool = True  # the moving average of the weights is followed, not the weights themselves
    # The target has, on average, as much of each class as the masks have; not from scribbles, which do not tell.
    shares: bool = True
    warm: Share = 0.4  # of the training, from masks alone: a target that nobody has learnt yet is not worth following
    ramp: Share = 0.1  # of the training after that, until the weight is whole
    # Dice of the worst class, on masks that are learnt from, at which the weight is whole; below half of it nothing follows.
    fitted: Share = 0.5


class DistilSettings(BesideSettings):
    """Of `--method distil`: what several runs say of an image together, one network learns to say of it varied."""


class SiteSettings(FollowSettings):
    """Of `segue adapt --source-free`: such images of another hospital are all that there is."""

    # What is followed: the moving average of the weights, or the network that it began from, whatever has been learnt since.
    follow: Literal["average", "start"] = "average"
    # Of what the network found there that it began from, how much the adapted one may find; beyond that it is stopped.
    least: Annotated[float, Field(ge=0, lt=1)] = 0.2
    most: Annotated[float, Field(gt=1)] = 5.0


class InpaintingSettings(Settings):
    critic: Annotated[float, Field(ge=0)] = 0.1  # how much it counts to please it, beside what was there
    variety: Annotated[float, Field(ge=0)] = 0.02  # likewise, that two noises give two pictures
    perceptual: Annotated[float, Field(ge=0)] = 0.0  # likewise, that it looks to `encoder` like what was there
