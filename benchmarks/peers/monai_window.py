"""A volume through MONAI's sliding window, as its tutorials write it: load, scale the window of Hounsfield units, slide,
argmax, save on the image's own grid. The network is given; everything else is MONAI's 1.6 and nibabel's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.inferers import SlidingWindowInferer
from monai.transforms import Compose, EnsureChannelFirst, LoadImage, ScaleIntensityRange
from torch import nn


def predict(
    network: nn.Module, image: Path, out: Path, *, window: tuple[float, float], patch: tuple[int, int, int]
) -> None:
    read = Compose(
        [
            LoadImage(image_only=True),
            EnsureChannelFirst(),
            ScaleIntensityRange(a_min=window[0], a_max=window[1], b_min=0.0, b_max=1.0, clip=True),
        ]
    )
    slide = SlidingWindowInferer(roi_size=patch, sw_batch_size=4, overlap=0.5, mode="gaussian")
    voxels: Any = read(str(image))
    with torch.inference_mode():
        logits = slide(voxels.unsqueeze(0), network.eval())
        labels = logits.argmax(1)[0].to(torch.uint8).cpu().numpy()
    nib.save(nib.Nifti1Image(np.asarray(labels), voxels.affine.numpy()), out)
