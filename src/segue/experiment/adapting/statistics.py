"""Batch norms whose statistics are those of another hospital's images: the smallest adaptation, and a part of each.

https://arxiv.org/abs/1603.04779. The images are seen as they are, on the canvas that the network has learnt on.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

import torch
from torch import Tensor

from segue import networks, variations
from segue.errors import BadInput
from segue.experiment import assemble
from segue.experiment.material import Material
from segue.experiment.settings import TrainSettings
from segue.networks import SegmentationNetwork
from segue.networks.norms import remember_anew
from segue.training.batches import Batches, on_device
from segue.training.machine import untouched_randomness
from segue.training.orders import Order
from segue.training.run import Run

_BATCH, _MOST = 8, 512  # images at once, and in all: more would say the same


def remember_site(
    network: SegmentationNetwork, settings: TrainSettings, material: Material, names: Collection[str]
) -> int:
    """Of how many images of these datasets; 0: it has no batch norms."""
    assert isinstance(settings.size, tuple)
    images = material.images_at(names)
    if not images:
        raise BadInput(f"{', '.join(sorted(names))}: holds no image whose statistics could be learnt")
    batches = Batches(
        images, Order(len(images), settings.loop.seed), (variations.parse("none"),), size=settings.size,
        batch=min(_BATCH, len(images)), padding=assemble.padding(settings, network),
    )  # fmt: skip
    count = min(_MOST, len(images))
    with untouched_randomness():
        return min(count, remember_anew(network, _seen(batches, count, next(network.parameters()).device)))


def _seen(batches: Batches, count: int, device: torch.device) -> Iterator[Tensor]:
    for step in range(math.ceil(count / batches.batch)):
        yield on_device(batches[step], device).views[0].images


def remember_in_run(run: Run, settings: TrainSettings, material: Material, device: torch.device) -> int:
    """Of a run that is at its end, in the weights that it has kept. Done twice, it is the same."""
    names, count = {place["name"] for place in run.about["adapted"]["to"]}, 0
    for path in sorted(run.weights.glob("*.safetensors")):
        network = networks.restore(path).to(device)
        count = remember_site(network, settings, material, names)
        if count:
            networks.save(network, path)
    return count
