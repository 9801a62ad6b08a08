"""Segue: medical image segmentation with many images, few masks, and a next hospital that looks different.

Every verb of the command line is a function here, of the same name and arguments:

    import segue
    dataset = segue.scan("images/").dataset
    segue.split(dataset)
    segue.prepare(dataset)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from segue.version import __version__

if TYPE_CHECKING:
    from segue.checkup import doctor as doctor
    from segue.data.dataset import Dataset as Dataset
    from segue.data.explore import explore as explore
    from segue.data.leaks import leaks as leaks
    from segue.data.prepare import prepare as prepare
    from segue.data.scan import scan as scan
    from segue.data.split import split as split
    from segue.data.store import Store as Store
    from segue.data.unpack import unpack as unpack
    from segue.demonstration import demo as demo

# Loaded on first use: `import segue` and `segue --help` stay fast.
_HOME = {
    "Dataset": "segue.data.dataset",
    "Store": "segue.data.store",
    "demo": "segue.demonstration",
    "doctor": "segue.checkup",
    "explore": "segue.data.explore",
    "leaks": "segue.data.leaks",
    "prepare": "segue.data.prepare",
    "scan": "segue.data.scan",
    "split": "segue.data.split",
    "unpack": "segue.data.unpack",
}

__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
        globals()[name] = value  # importing a module of the same name must not shadow the function
        return value
    raise AttributeError(f"module 'segue' has no attribute {name!r}")
