"""An encoder of our own, of any training or pre-training, that looks at windows: a painter is measured in what it sees, or
learns from it. It does not learn itself."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import torch

from segue.errors import BadInput
from segue.experiment import assemble
from segue.experiment.covering.look import described
from segue.experiment.inpainting.holes import Holes, Windows
from segue.experiment.members import one_encoder
from segue.experiment.pretraining.embed import encoder_of
from segue.methods.inpainting import maps_of
from segue.networks import SegmentationNetwork
from segue.step import View
from segue.training.machine import best_device
from segue.variations.drawn import Drawn

_AT_ONCE = 32  # windows


def encoder_for(where: str, channels: int) -> SegmentationNetwork:
    """Of a finished run that sees pictures of so many channels, or makes them of grey ones."""
    run = one_encoder(where, "--encoder")
    run.demand_finished()
    with assemble.seeded(0, "encoder"):  # what a pre-training has not kept is new, and is to be the same each time
        network = encoder_of(run)
    if network.dims == 3:
        raise BadInput(f"encoder: {run.folder} sees patches of volumes, and windows are pictures")
    if channels not in (1, network.channels):
        raise BadInput(
            f"encoder: {run.folder} sees images of {network.channels} channels, and what is painted has {channels}"
        )
    return network.eval().requires_grad_(False)


def digest_of(network: SegmentationNetwork) -> str:
    """The same digest, the same weights, wherever they lie."""
    found = hashlib.blake2b(digest_size=8)
    for name, tensor in sorted(network.state_dict().items()):
        found.update(name.encode())
        found.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def rows(network: SegmentationNetwork, given: Holes, images: Windows) -> npt.NDArray[np.float32]:
    """What it sees in the holes of these windows, whatever fills them: a row a window, as `segue cover` describes images."""
    device = torch.device(best_device())
    network.to(device)
    found = []
    with torch.inference_mode():
        for start in range(0, len(images), _AT_ONCE):
            some = images[start : start + _AT_ONCE]
            hole = torch.from_numpy(given.hole[start : start + _AT_ONCE]).to(device)
            colours = torch.from_numpy(some).movedim(-1, 1).to(device).float() / float(np.iinfo(some.dtype).max)
            view = View(colours, hole, Drawn.identity(len(some), some.shape[1:3]), hole)
            found.append(described(maps_of(network, colours), view).cpu().numpy())
    return np.concatenate(found)
