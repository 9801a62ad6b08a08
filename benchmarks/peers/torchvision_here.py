"""torchvision from the index beside a CPU torch: its compiled operators do not load, and then its import fails.

timm and segmentation-models-pytorch import torchvision and use none of these operators, so naming the two that the
import asks for is enough. Where the operators load, nothing is touched.
"""

from __future__ import annotations

from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path

import torch

_kept: list[torch.library.Library] = []  # an operator lives as long as its library object


def define_missing_operators() -> None:
    package = find_spec("torchvision")
    if package is None or package.origin is None or hasattr(torch.ops.torchvision, "nms"):
        return
    folder = Path(package.origin).parent
    compiled = [folder / f"_C{suffix}" for suffix in EXTENSION_SUFFIXES]
    try:
        torch.ops.load_library(next(file for file in compiled if file.exists()))  # as its own import does
    except (StopIteration, OSError):
        library = torch.library.Library("torchvision", "FRAGMENT")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _kept.append(library)
