"""Boundary loss: each wrong pixel costs as much as it lies away from the truth's border.

https://arxiv.org/abs/1812.07032, shifted by its value at the truth so that a perfect prediction costs 0 (the gradient is the
same). The border runs between pixels: a pixel at it lies half a pixel away. IGNORE has no border of its own, a distance is
always to the nearest pixel that is known to be on the other side.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor

from segue.data.case import IGNORE
from segue.losses.pair import Pair
from segue.losses.part import Part


class Boundary(Part):
    """Distances are in the image's size: the side of a square of as many pixels as count. Without a border, all are 1."""

    def __call__(self, pair: Pair) -> Tensor:
        predicted, true = pair.channels()
        distances = torch.from_numpy(_distances(pair, true.shape[1])).to(predicted.device)
        return pair.pixel_mean((predicted - true).abs() * distances)


def _distances(pair: Pair, channels: int) -> npt.NDArray[np.float32]:
    """(n, channels, pixels)."""
    truth = pair.truth.cpu().numpy()
    found = np.ones((len(truth), channels, truth.shape[2]), np.float32)
    for sample in range(len(truth)):
        for channel in range(channels):
            ids = truth[sample, 0 if pair.target.exclusive else channel]
            yes, counts = ids == (channel + 1 if pair.target.exclusive else 1), ids != IGNORE
            no = counts & ~yes
            if yes.any() and no.any():
                away = np.where(yes, _to_nearest(no, pair.shape), _to_nearest(yes, pair.shape))
                found[sample, channel] = (away - 0.5) / counts.sum() ** (1 / len(pair.shape))
    return found


def _to_nearest(there: npt.NDArray[np.bool_], shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    if len(shape) == 2:
        image = np.logical_not(there).view(np.uint8).reshape(shape)
        away = np.asarray(cv2.distanceTransform(image, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32).ravel()
        # OpenCV's last bit hangs on where in memory the image lies. Squares are whole numbers, and that settles it.
        return np.sqrt(np.rint(away * away))
    return np.asarray(ndimage.distance_transform_edt(~there.reshape(shape)), np.float32).ravel()
