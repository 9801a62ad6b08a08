"""What an engine costs by itself: until the first result, for each item, and in its driver's memory; and what a study's book
costs. Items do nothing. Each engine in a process of its own. A real SLURM is measured by `slurm_here`.

python -m benchmarks.executor_scale
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import save
from segue.executors import Outcome, executor
from segue.experiment.settings import TrainSettings
from segue.studies.book import NAME, Book
from segue.studies.work import Item

ENGINES = {"local": (10, 10_000), "ray": (10, 10_000), "slurm:cluster=local": (4, 10_000)}
_SETS = 3
_MEANS = (
    "dice",
    "iou",
    "precision",
    "sensitivity",
    "specificity",
    "hd95",
    "assd",
    "nsd",
    "volume",
    "lesions_found",
    "false",
)


def nothing(_: Item) -> int:
    return 0


def items(count: int) -> list[Item]:
    asked = [TrainSettings.model_validate({"data": ["datasets/a"], "loop": {"seed": seed}}) for seed in range(count)]
    return [
        Item(
            f"run-{number:012x}",
            Path(f"runs/run-{number:012x}"),
            each,
            each,
            ("datasets/a",),
            ("datasets/b", "datasets/c"),
        )
        for number, each in enumerate(asked)
    ]


def peak() -> int:
    """KiB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def one(on: str, count: int) -> dict[str, float]:
    todo = items(count)
    before = peak()
    with tempfile.TemporaryDirectory() as place:
        began = time.monotonic()
        results = executor(on, workers=2, progress=False).map(
            nothing, todo, key=lambda item: item.name, place=Path(place)
        )
        next(results)
        first = time.monotonic() - began
        done = 1 + sum(1 for _ in results)
        assert done == count
        return {"first_s": first, "all_s": time.monotonic() - began, "driver_MiB": (peak() - before) / 1024}


def book(count: int) -> dict[str, float]:
    """Lines as a study writes them: three places, one class."""
    means = dict.fromkeys(_MEANS, 0.812345)
    told = {
        "already": False, "trained": 1234.5, "parameters": 14_321_937, "looks": 10_000, "home": "a-test", "seconds": 1300.1,
        "peak": 2_345_678_901, "sets": {f"place-{number}": means for number in range(_SETS)},
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        with Book.open(Path(folder)) as written:
            for number in range(count):
                written.write(Outcome(f"run-{number:012x}", told))
        wrote = time.monotonic() - began
        began = time.monotonic()
        assert len(Book.read(Path(folder))) == count
        return {
            "bytes_a_run": (Path(folder) / NAME).stat().st_size / count, "write_us": wrote / count * 1e6,
            "read_s": time.monotonic() - began,
        }  # fmt: skip


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(one(sys.argv[1], int(sys.argv[2]))))
        return
    result: dict[str, Any] = {}
    for on, (few, many) in ENGINES.items():
        found = []
        for count in (few, many):
            asked = [sys.executable, "-m", "benchmarks.executor_scale", on, str(count)]
            answer = subprocess.run(asked, check=True, capture_output=True, text=True)
            found.append(json.loads(answer.stdout.splitlines()[-1]))
        small, large = found
        result[on.partition(":")[0]] = {
            "until_the_first_s": round(small["first_s"], 2),
            "an_item_ms": round((large["all_s"] - large["first_s"]) / many * 1e3, 3),
            "driver_MiB_of_10000": round(large["driver_MiB"], 1),
        }
        print(on, result[on.partition(":")[0]], flush=True)
    result["book_of_10000"] = {name: round(value, 2) for name, value in book(10_000).items()}
    print(result["book_of_10000"])
    save("executor_scale", result)


if __name__ == "__main__":
    main()
