"""`segue doctor`: what this machine has, what Segue would use of it, and what to do about what is missing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segue.executors.machine import available_memory, cores
from segue.hardware import processor
from segue.version import __version__

_CORE = ("numpy", "opencv-python-headless", "pillow", "pydantic", "matplotlib")
# Extra -> a distribution that it brings, and what one gets.
_EXTRAS = {
    "train": ("lightning-fabric", "training, evaluation and prediction"),
    "volumes": ("nibabel", "MR and CT volumes"),
    "dicom": ("highdicom", "masks as DICOM-SEG"),
    "studies": ("optuna", "searches and spreadsheets in studies"),
    "cluster": ("ray", "work on Ray and SLURM"),
    "track": ("tensorboard", "curves in TensorBoard and Weights & Biases"),
}


@dataclass(frozen=True)
class Line:
    what: str
    found: str
    advice: str = ""  # empty: all is well
    serious: bool = False


@dataclass(frozen=True)
class Doctor:
    lines: tuple[Line, ...]

    @property
    def well(self) -> bool:
        return not any(line.serious for line in self.lines)

    def as_json(self) -> dict[str, Any]:
        return {
            "well": self.well,
            "lines": [
                {"what": line.what, "found": line.found, "advice": line.advice, "serious": line.serious}
                for line in self.lines
            ],
        }


def doctor() -> Doctor:
    return Doctor((*_versions(), *_machine(), *_extras(), *_offline()))


def _versions() -> list[Line]:
    python = sys.version_info
    lines = [
        Line("segue", __version__),
        Line(
            "python",
            platform.python_version(),
            "Segue needs Python 3.11 or newer." if python < (3, 11) else "",
            serious=python < (3, 11),
        ),
    ]
    for name in _CORE:
        version = _version(name)
        lines.append(Line(name, version or "missing", "" if version else f"pip install {name}", serious=not version))
    if _version("opencv-python") and _version("opencv-python-headless"):
        lines.append(
            Line(
                "opencv",
                "installed twice",
                "opencv-python and opencv-python-headless overwrite each other: uninstall both, then install the "
                "headless one.",
            )
        )  # fmt: skip
    return lines


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _machine() -> list[Line]:
    memory, disk = available_memory(), shutil.disk_usage(Path.cwd()).free
    lines = [
        Line("system", f"{platform.system()} {platform.machine()}"),
        Line("processor", processor()),
        Line("cores", str(cores())),
        Line(
            "memory", f"{memory / 2**30:.1f} GiB free",
            "Little: pass --workers 1, and a small --size." if memory < 2 << 30 else "",
        ),
        Line("disk", f"{disk / 2**30:.0f} GiB free here", "Little for a prepared store." if disk < 2 << 30 else ""),
    ]  # fmt: skip
    return [*lines, _accelerator()]


def _accelerator() -> Line:
    if importlib.util.find_spec("torch") is None:
        return Line("accelerator", "not looked for: torch is not installed")
    import torch

    if torch.cuda.is_available():
        return Line("accelerator", f"CUDA: {torch.cuda.get_device_name(0)}, torch {torch.__version__}")
    if torch.backends.mps.is_available():
        return Line("accelerator", f"Apple MPS, torch {torch.__version__}")
    advice = ""
    if shutil.which("nvidia-smi") and "+cpu" in torch.__version__:
        advice = "There is an NVIDIA driver, but this torch is built for the CPU alone: install a CUDA build."
    return Line("accelerator", f"none, torch {torch.__version__} works on the CPU", advice)


def _extras() -> list[Line]:
    lines = []
    for extra, (name, gives) in _EXTRAS.items():
        version = _version(name)
        advice = "" if version else f"pip install 'segue[{extra}]' for {gives}"
        lines.append(Line(f"extra {extra}", f"{name} {version}" if version else "not installed", advice))
    return lines


def _offline() -> list[Line]:
    offline = os.environ.get("HF_HUB_OFFLINE", "").strip().lower() in ("1", "on", "yes", "true")
    return [Line("network", "never used" + (" (HF_HUB_OFFLINE is set)" if offline else ""))]
