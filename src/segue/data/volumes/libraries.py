"""The libraries that read volumes: an extra, loaded when a volume is met, and asked for in words where it is missing."""

from __future__ import annotations

import importlib
import logging
from typing import Any

from segue.errors import BadInput


def nibabel() -> Any:
    """Silent: what it would warn of in a header is refused, or told in our own words."""
    logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)
    return _loaded("nibabel")


def pydicom() -> Any:
    return _loaded("pydicom")


def sitk() -> Any:
    """On one thread: it starts as many as there are cores by itself, in each of the processes that share them."""
    library = _loaded("SimpleITK")
    library.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    return library


def highdicom() -> Any:
    return _loaded("highdicom", extra="dicom", who="DICOM-SEG needs")


def _loaded(name: str, *, extra: str = "volumes", who: str = "volumes need") -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise BadInput(f"{name} is not installed, and {who} it", hint=f"pip install 'segue[{extra}]'") from None
