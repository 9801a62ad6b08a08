"""How a run's encoder sees images, plain and varied, as rows of numbers; and what it was shown, as pictures.

Places of an image that the letterbox invented do not count: sites differ in the form of their images, and bars of black would
tell them apart before anything else does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, normalize

from segue.data.pixels import to_channels
from segue.errors import BadInput
from segue.experiment.pretraining.embed import encoder_of
from segue.experiment.pretraining.represent import in_turn, representations
from segue.networks import SegmentationNetwork
from segue.step import View
from segue.training.examples import Example
from segue.training.machine import best_device
from segue.training.run import Run
from segue.variations.padding import Padding
from segue.variations.variation import Variation

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

_LEAST = 1e-6


@dataclass(frozen=True)
class Eye:
    """A run's encoder, and the canvas that it sees."""

    network: SegmentationNetwork
    size: tuple[int, int]
    padding: Padding

    @classmethod
    def of(cls, run: Run) -> Eye:
        network = encoder_of(run)
        if network.dims == 3:
            raise BadInput(
                f"{run.folder}: sees patches of volumes, and only pictures and slices are laid beside each other"
            )
        height, width = run.config["size"]
        mode = run.config["padding"]
        padding = Padding(mode, network.mean if mode == "ignore" else ())
        return cls(network.to(best_device()).eval(), (height, width), padding)

    def sees(
        self, examples: Sequence[Example], views: Sequence[Variation] = (), *, tick: Callable[[], None] = lambda: None
    ) -> list[Floats]:
        """(n, width) for each view; without any, the images as they are."""
        return representations(
            self.network, examples, self.size, self.padding, views=views, describe=described, tick=tick
        )

    def picture(self, examples: Sequence[Example], place: int, views: Sequence[Variation] = (), view: int = 0) -> Bytes:
        """One of them as it is seen in a view: to the byte what `sees` was shown."""
        stored = in_turn(examples, self.size, self.padding, views=views, batch=1)[place].stored[view]
        image, shown = stored.images[0], stored.shown[0]
        rows, columns = (np.flatnonzero(shown.any(axis=axis)) for axis in (1, 0))
        if len(rows):  # without the bars of the letterbox
            image = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        image = image[..., :1] if image.shape[2] not in (1, 3) else image  # the first of many channels
        eight = (image / np.iinfo(image.dtype).max * 255).round().astype(np.uint8)
        return np.asarray(to_channels(eight, 3, np.uint8))


def described(maps: Sequence[Tensor], view: View) -> Tensor:
    """Of each level of the encoder the mean over the picture's places, and how far places differ, brought to length one:
    levels write numbers of any size, and what colours or grain change stands in the first ones, what is shown in the last."""
    told = []
    for level in maps:
        if level.shape[1:] == view.images.shape[1:]:
            continue  # the image itself, which some encoders tell first
        height, width = level.shape[2:]
        weight = adaptive_avg_pool2d(view.shown.float().unsqueeze(1), (height, width))
        weight = weight / weight.sum((2, 3), keepdim=True).clamp_min(_LEAST)
        mean = (level * weight).sum((2, 3), keepdim=True)
        spread = ((level - mean).square() * weight).sum((2, 3)).sqrt()
        told.append(normalize(torch.cat([mean.flatten(1), spread], dim=1).float(), dim=1))
    return torch.cat(told, dim=1)
