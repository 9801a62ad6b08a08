"""What this machine has to give: cores, memory, graphics cards."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from threadpoolctl import threadpool_limits

CARDS = "CUDA_VISIBLE_DEVICES"
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)


def share_of_threads(count: int) -> dict[str, str]:
    """As the environment says it, which libraries read when they are loaded."""
    return dict.fromkeys(_THREADS, str(max(1, count)))


def limit_opencv(threads: int) -> None:
    """It has threads of its own, and reads no environment."""
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(threads)


@contextmanager
def threads() -> Iterator[ThreadPoolExecutor]:
    """Threads for array work that leaves Python: as many as cores, the libraries' own threads switched off meanwhile.

    Both at once would wait for each other far longer than they work.
    """
    with threadpool_limits(1), ThreadPoolExecutor(cores()) as pool:
        yield pool


def cores() -> int:
    """Cores that this process may use, which in a container are fewer than the machine has."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(count, -(-int(quota) // int(period))))
    except (OSError, ValueError):
        return count


def cards() -> list[str]:
    """Graphics cards that this process may use, by the names that CUDA has for them."""
    told = os.environ.get(CARDS)
    if told is not None:
        return [name for name in told.replace(" ", "").split(",") if name not in ("", "-1")]
    return [str(number) for number, _ in enumerate(Path("/dev").glob("nvidia[0-9]*"))]


def available_memory() -> int:
    """Bytes that can be had now, a container's bound included; a guess of 4 GiB where the system does not tell."""
    return min([_free_memory(), *_left_to_container()])


def _left_to_container() -> list[int]:
    group = Path("/sys/fs/cgroup")
    try:
        most, used = ((group / name).read_text().strip() for name in ("memory.max", "memory.current"))
        cached = re.search(r"^inactive_file (\d+)$", (group / "memory.stat").read_text(), re.MULTILINE)
        return [] if most == "max" else [max(0, int(most) - int(used) + (int(cached.group(1)) if cached else 0))]
    except (OSError, ValueError):
        return []


def _free_memory() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, ValueError, OSError):
        return 4 << 30
