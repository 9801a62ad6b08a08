"""A network as evaluation sees it: stored pixels in, probabilities out, no tensor on either side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from segue.data.target import Target
from segue.losses import probabilities


@dataclass(frozen=True)
class Predictor:
    """(n, height, width, channels) stored pixels to (n, classes, height, width); of patches of volumes with an axis more. The
    network gives logits, or probabilities at once."""

    network: nn.Module
    target: Target
    device: torch.device
    precision: str = "32-true"

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        whole = float(np.iinfo(images.dtype).max)
        given = torch.from_numpy(np.ascontiguousarray(images)).movedim(-1, 1).to(self.device).float().div_(whole)
        result: npt.NDArray[np.float32] = self.said(given).cpu().numpy()
        return result

    def said(self, given: Tensor) -> Tensor:
        """The same of images (n, channels, height, width) of 0 to 1 on its device, as a tensor."""
        half = torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16-mixed")
        with torch.inference_mode(), half:
            found = self.network(given)
        if not isinstance(found, Tensor):
            found = probabilities(found.logits, self.target)
        return found.float()
