"""torchvision's compiled operators, stood in for where they are missing.

timm and segmentation-models-pytorch import torchvision and use none of its operators. Where torchvision was built for
another torch (a CUDA wheel beside a CPU torch), its operators do not load and `import torchvision` fails on registering
fakes for two of them. Declaring these two names is all that the import needs. A sound installation is never touched:
this acts only after the import has failed, and only on that failure.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import torch

_MISSING = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}

# A declaration lives as long as the library object that made it.
_declared: list[torch.library.Library] = []


def make_importable() -> bool:
    """Whether something had to be done so that `import torchvision` works; done once, before timm's first import."""
    if "torchvision" in sys.modules:
        return False
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
    else:
        return False
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name, declaration in _MISSING.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(declaration)
    _declared.append(library)
    importlib.import_module("torchvision")
    return True


def smp() -> Any:
    """segmentation-models-pytorch; imported late, because it and timm take seconds."""
    make_importable()
    return importlib.import_module("segmentation_models_pytorch")


def timm() -> Any:
    make_importable()
    return importlib.import_module("timm")
