"""How large what a network sees is: pictures letterboxed, slices unscaled, patches of volumes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from segue import networks
from segue.data.preparing.propose import STEP
from segue.experiment.material import Material
from segue.experiment.settings import TrainSettings
from segue.experiment.teaching import seen_by
from segue.networks.settings import Stages

_ON_CPU, _ON_GPU = 256, 512  # long side, where nothing else is asked for
_PATCH_ON_CPU, _PATCH_ON_GPU = 1 << 17, 1 << 21  # voxels
_SLACK = 0.1  # of a step that may be missing
_MOST = 0.9  # of the slices fit onto their canvas
_FEWEST = 8  # voxels along an axis of a patch that is cut


def with_canvas(settings: TrainSettings, material: Material, *, most: int | None = None) -> TrainSettings:
    """The settings with a size, and with a network that fits it. `most`: voxels of a patch that memory holds."""
    if settings.size == "auto" and material.teachers is not None:  # who sees what they see can say what they say
        settings = settings.model_copy(update={"size": seen_by(material.teachers.frame)})
    on_cpu = settings.machine.device == "cpu"
    if material.patches:
        return _with_patch(settings, material, most or (_PATCH_ON_CPU if on_cpu else _PATCH_ON_GPU))
    size = canvas(settings, material, longest=_ON_CPU if on_cpu else _ON_GPU)
    return settings.model_copy(update={"size": size})


def canvas(settings: TrainSettings, material: Material, *, longest: int) -> tuple[int, ...]:
    """(height, width): what was asked for, or the shape that most images have, in steps of 32."""
    if isinstance(settings.size, tuple):
        return settings.size
    sizes = material.sizes
    asked = settings.size if isinstance(settings.size, int) else None
    if material.seen((1, 1, 1)) is not None:
        return _slice_canvas(asked or longest, sizes)
    side = asked or min(longest, max(max(size) for size in sizes))
    aspect = float(np.median([height / width for height, width in sizes]))
    height, width = (side, side / aspect) if aspect > 1 else (side * aspect, side)
    long = max(STEP, round(max(height, width) / STEP) * STEP)
    # The shorter side upwards: rounded down, it would make the whole image smaller than was asked for.
    short = max(STEP, math.ceil(long * min(height, width) / max(height, width) / STEP - _SLACK) * STEP)
    return (long, short) if height > width else (short, long)


def _slice_canvas(most: int, sizes: Sequence[tuple[int, ...]]) -> tuple[int, int]:
    """Slices are not scaled: a canvas that most of them fit into; of larger ones a part is seen at a time."""
    height, width = (
        math.ceil(min(most, float(np.quantile([size[axis] for size in sizes], _MOST))) / STEP) * STEP for axis in (0, 1)
    )
    return height, width


def _with_patch(settings: TrainSettings, material: Material, voxels: int) -> TrainSettings:
    """A patch of the form that the volumes have, and the stages of a network that go with it and with their spacing."""
    if isinstance(settings.size, tuple):
        one, two, three = settings.size  # type: ignore[misc]  # looked at before
        sides = [float(one), float(two), float(three)]
    else:
        sides = _cut([float(np.median([size[axis] for size in material.sizes])) for axis in range(3)], voxels)
    network = settings.network
    whole = tuple(max(1, round(side)) for side in sides)
    stages = network.stages or Stages()
    if "auto" in (stages.kernels, stages.strides):
        found = networks.planned((whole[0], whole[1], whole[2]), material.spacing, network.depth)
        stages = stages.resolve(kernels=found.kernels, strides=found.strides)
    network = network.model_copy(update={"stages": stages})
    strides = stages.strides
    assert isinstance(strides, tuple)
    by = [math.prod(stride[axis] for stride in strides) for axis in range(3)]
    size = tuple(max(1, round(side / step)) * step for side, step in zip(sides, by, strict=True))
    return settings.model_copy(update={"size": size, "network": network})


def _cut(sides: list[float], voxels: int) -> list[float]:
    """Smaller by one factor along all axes that have the voxels for it."""
    while math.prod(sides) > voxels * 1.001:
        long = [side > _FEWEST for side in sides]
        factor = (voxels / math.prod(sides)) ** (1 / max(1, sum(long)))
        if not any(long):
            break
        sides = [max(_FEWEST, side * factor) if cut else side for side, cut in zip(sides, long, strict=True)]
    return sides
