"""What a study costs beside its trainings: a plan and a status of 10,000 runs, memory of who drives it, seconds of each run,
and whether two small runs side by side at one thread beat one after the other at two.

    python -m benchmarks.study_overhead

Marks: 10,000 runs are planned within 5 s and told within 1 s; a run costs 1 s beside its steps and its judging; side by
side is 1.1 times as fast, to equal tables.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from benchmarks.common import save
from segue.data.phantoms import PHANTOMS
from segue.data.scanning.scan import scan
from segue.data.splitting.split import SplitSettings, split
from segue.executors import Outcome
from segue.studies.book import Book
from segue.studies.plan import plan
from segue.studies.running import run
from segue.studies.standing import status
from segue.studies.study import read
from segue.training.loop import Loop

MANY = (1_000, 10_000)
SMALL: dict[str, Any] = {
    "network": {"encoder": "tu-mobilenetv3_small_050", "depth": 4, "decoder_channels": [32, 16, 16, 8]}, "size": [96, 128],
    "loop": {"steps": 40, "epoch_steps": 20, "batch": 8},
}  # fmt: skip


def study(file: Path, **given: Any) -> Path:
    usual = {"question": "What does it cost?", "data": "datasets/north", "part": "validation"}
    file.write_text(yaml.safe_dump({**usual, **given}, sort_keys=False), encoding="utf-8")
    return file


# Many runs, none of which is trained


def large(runs: int) -> Path:
    rates = [round(1e-4 * (1 + step), 7) for step in range(runs // 100)]
    axes = {
        "loop.rate": rates,
        "variation": ["none", "weak", "natural", "strong", "flips"],
        "network.encoder": ["resnet18", "resnet34"],
    }
    return study(Path(f"many-{runs}.yaml"), axes=axes, repeats=10)


def of_many(runs: int) -> dict[str, float]:
    """In a process of its own: `python -m benchmarks.study_overhead RUNS` prints it."""
    file = large(runs)
    start = time.perf_counter()
    found = plan(read(file), Path("runs"))
    planned = time.perf_counter() - start
    assert len(found.names) == runs
    folder = Path("runs") / f"study-{file.stem}"
    told = {"seconds": 60.0, "trained": 50.0, "already": False, "parameters": 1, "peak": 1, "looks": 1, "home": "north",
            "sets": {"north": {"dice": 0.5, "iou": 0.4}}}  # fmt: skip
    with Book.open(folder) as book:
        for name in list(found.names)[: runs // 2]:
            (folder.parent / name).mkdir()  # what has no folder was removed
            book.write(Outcome(name, told))
    start = time.perf_counter()
    standing = status(file)
    seconds = time.perf_counter() - start
    assert standing.total("done") == runs // 2
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "plan_s": planned,
        "status_s": seconds,
        "peak_mb": peak,
        "book_mb": (folder / "book.jsonl").stat().st_size / 1e6,
    }


# A few that are


@contextmanager
def counted(owner: Any, name: str, seconds: list[float]) -> Iterator[None]:
    """How long each call of a function takes."""
    real: Callable[..., Any] = getattr(owner, name)

    def timed(*arguments: Any, **given: Any) -> Any:
        start = time.perf_counter()
        try:
            return real(*arguments, **given)
        finally:
            seconds.append(time.perf_counter() - start)

    setattr(owner, name, timed)
    try:
        yield
    finally:
        setattr(owner, name, real)


def beside_its_steps() -> dict[str, float]:
    """Of runs in a worker that has loaded everything, the first not counted: all but the loop."""
    fits: list[float] = []
    file = study(
        Path("few.yaml"), fixed={**SMALL, "machine.threads": 1}, axes={"variation": ["none", "weak"]}, repeats=3
    )
    with counted(Loop, "fit", fits):
        done = run(file, workers=1)
    assert not done.failed
    whole = [float(fate.told["seconds"]) for fate in done.fates.values()]
    trained = [float(fate.told["trained"]) for fate in done.fates.values()]
    rest = [one - fit for one, fit in zip(whole, fits, strict=True)][1:]
    before = [one - fit for one, fit in zip(trained, fits, strict=True)][1:]
    return {
        "run_s": sum(whole[1:]) / len(rest), "loop_s": sum(fits[1:]) / len(rest), "beside_s": sum(rest) / len(rest),
        "before_and_after_training_s": sum(before) / len(before),
        "judging_and_page_s": (sum(rest) - sum(before)) / len(rest),
    }  # fmt: skip


def side_by_side() -> dict[str, Any]:
    """The same runs, in turns. What they learn does not hang on how many run at a time, but on threads by the last bits."""
    seconds: dict[str, list[float]] = {"beside": [], "after": []}
    tables: dict[str, list[bytes]] = {}
    for turn in range(2):
        for name, workers, threads in (("beside", 2, 1), ("after", 1, 2), ("alone", 1, 1)):
            if name == "alone" and turn:
                continue
            fixed = {**SMALL, "loop": {**SMALL["loop"], "steps": 200}, "machine.threads": threads}
            file = study(Path(f"{name}.yaml"), fixed=fixed, axes={"variation": ["none", "weak"]}, repeats=2)
            out = Path(f"{name}-{turn}/study")
            start = time.perf_counter()
            done = run(file, out, workers=workers)
            if name in seconds:
                seconds[name].append(time.perf_counter() - start)
            tables[name] = [
                path.read_bytes()
                for run_name in done.plan.names
                for path in sorted((out.parent / run_name / "evaluation").glob("*/cases.csv"))
            ]
    assert tables["beside"]
    return {
        "beside_s": min(seconds["beside"]), "after_s": min(seconds["after"]),
        "ratio": min(seconds["after"]) / min(seconds["beside"]), "equal": tables["beside"] == tables["alone"],
    }  # fmt: skip


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(of_many(int(sys.argv[1]))))
        return
    home = Path.cwd()
    with tempfile.TemporaryDirectory() as temporary:
        os.chdir(temporary)
        many = {}
        for runs in MANY:
            called = [sys.executable, "-m", "benchmarks.study_overhead", f"{runs}"]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(home / "src"), str(home)])}
            said = subprocess.run(called, check=True, capture_output=True, text=True, env=environment).stdout
            many[f"{runs}"] = json.loads(said)
            print(f"{runs:,} runs: {many[f'{runs}']}", flush=True)
        PHANTOMS["colon"].make(Path("north"), patients=20, sites=["north"])
        scan("north", "datasets/north", name="north")
        split("datasets/north", settings=SplitSettings(test=0.2, validation=0.2))
        each = beside_its_steps()
        print(f"a run: {each}", flush=True)
        both = side_by_side()
        print(f"side by side: {both}", flush=True)
        os.chdir(home)
    save("study_overhead", {"many": many, "each": each, "side_by_side": both})


if __name__ == "__main__":
    main()
