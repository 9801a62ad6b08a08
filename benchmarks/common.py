"""What all benchmarks share: where results go, what machine they are from, and timing that survives a shared machine.

Every figure that decides something is a ratio of two things that were run in turns in one process tree; seconds are
given beside it only for a sense of size.
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy.typing as npt

from segue.executors.machine import cores
from segue.hardware import processor

_ENLARGED = 400  # images
_PUBLISHED = (1024, 768)

UNITS = "-bf16"  # in the name of what was measured on a processor with units for it

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    return {"cpu": processor(), "cores": cores(), "system": platform.system(), "python": platform.python_version()}


def save(name: str, result: dict[str, Any]) -> None:
    """Where marks differ by the processor (`bf16`), each kind keeps its own."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}{UNITS if result.get('bf16') else ''}.json"
    path.write_text(json.dumps({"machine": machine(), **result}, indent=2) + "\n", encoding="utf-8")
    print(f"Written: {path}")


def in_turns(repeats: int, **sides: Callable[[], object]) -> dict[str, list[float]]:
    """Seconds of each side, one after the other, again and again."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, run in sides.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def ratio(ours: list[float], theirs: list[float]) -> float:
    """The median over the turns of ours / theirs: a slow minute of the machine slows both sides of its turn."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def peak_memory(code: str, *arguments: object) -> int:
    """Bytes at the peak of a process that runs `code`, its children included (the largest of them is added)."""
    wrapped = (
        "import resource, runpy, sys\n"
        f"{code}\n"
        "own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print('PEAK', own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    # Workers import the main module again: it must be a file with a guard.
    script = RESULTS / ".peak.py"
    RESULTS.mkdir(exist_ok=True)
    indented = "\n".join("    " + line for line in wrapped.splitlines())
    script.write_text("if __name__ == '__main__':\n" + indented + "\n", encoding="utf-8")
    try:
        done = subprocess.run(
            [sys.executable, script, *map(str, arguments)], capture_output=True, text=True, check=True
        )
    finally:
        script.unlink()
    own, child = next(line.split()[1:] for line in done.stdout.splitlines() if line.startswith("PEAK"))
    unit = 1 if platform.system() == "Darwin" else 1024
    return (int(own) + int(child)) * unit


def own_peak() -> int:
    """Bytes at the peak of this process alone: what getrusage tells begins with the size of whoever started it."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def read_picture(path: str, flags: int) -> npt.NDArray[Any]:
    pixels = cv2.imread(path, flags)
    assert pixels is not None
    return pixels


def as_published(source: Path, folder: Path) -> Path:
    """The copies at hand are small. Skin images are published at 1024 x 768 and more: some, enlarged to that again."""
    pairs = [(folder / "images", sorted(source.glob("*_Training_Input/*.jpg")), ".jpg", cv2.INTER_CUBIC)]
    pairs += [(folder / "masks", sorted(source.glob("*_Training_GroundTruth/*.png")), ".png", cv2.INTER_NEAREST)]
    for target, files, ending, interpolation in pairs:
        target.mkdir(parents=True)
        for file in files[:_ENLARGED]:
            large = cv2.resize(read_picture(str(file), cv2.IMREAD_UNCHANGED), _PUBLISHED, interpolation=interpolation)
            cv2.imwrite(str(target / (file.stem.removesuffix("_segmentation") + ending)), large)
    return folder


def shared_data() -> Path:
    import os

    folder = Path(os.environ.get("SEGUE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        sys.exit("This benchmark reads the public research data at ../shared/data or $SEGUE_DATA, which is not there.")
    return folder


def step_ends() -> tuple[list[float], list[float]]:
    """From now on, of the last training of this process: when each of its steps ended, and how long all of it took."""
    from segue.training.loop import Loop

    ends: list[float] = []
    whole: list[float] = []
    step, fit = Loop.one_step, Loop.fit

    def timed(self: Loop, parcels: Any) -> float:
        loss = step(self, parcels)
        ends.append(time.perf_counter())
        return loss

    def fitted(self: Loop, *, workers: int) -> None:
        ends.clear()  # of the probes
        start = time.perf_counter()
        fit(self, workers=workers)
        whole.append(time.perf_counter() - start)

    Loop.one_step, Loop.fit = timed, fitted  # type: ignore[method-assign]
    return ends, whole
