"""Twenty SIGKILLs of whoever drives a study, at random moments: does it end with the same tables as one that was left alone?

    python -m benchmarks.study_killed

Two trainings, twice each, two at a time, and a search of three trials. A kill may hit anything: stores, what is found out
about an arm, steps, judging, the book. Compared byte by byte: each run's weights and each table of each run.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from benchmarks.common import save
from segue.data.phantoms import PHANTOMS
from segue.data.scanning.scan import scan
from segue.data.splitting.split import SplitSettings, split
from segue.studies.running import planned
from segue.studies.study import read

KILLS = 20
STUDY: dict[str, Any] = {
    "question": "Is anything lost?", "data": "datasets/north", "part": "validation",
    "fixed": {
        "network": {"encoder": "tu-mobilenetv3_small_050", "depth": 4, "decoder_channels": [32, 16, 16, 8]}, "size": [96, 128],
        "loop": {"steps": 60, "epoch_steps": 20, "batch": 8, "save_minutes": 0.02},
        "machine": {"device": "cpu", "threads": 1, "precision": "32-true", "layout": "channels-last"},
    },
    "axes": {"variation": ["none", "weak"]}, "repeats": 2,
    "search": {"begin": "none", "space": {"padding": ["constant", "reflect"]}, "trials": 3, "by": "random", "prune": "none"},
}  # fmt: skip


def driven(folder: Path, log: Path) -> subprocess.Popen[bytes]:
    home = Path(__file__).parents[1]
    command = [sys.executable, "-m", "segue", "study", "run", "study.yaml", "--workers", "2"]
    environment = {**os.environ, "PYTHONPATH": str(home / "src")}
    with log.open("ab") as file:
        return subprocess.Popen(command, cwd=folder, stdout=file, stderr=file, env=environment)


def prepared(folder: Path) -> Path:
    (folder / "datasets").mkdir(parents=True)
    PHANTOMS["colon"].make(folder / "north", patients=16, sites=["north"])
    scan(folder / "north", folder / "datasets/north", name="north")
    split(folder / "datasets/north", settings=SplitSettings(test=0.2, validation=0.2))
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False), encoding="utf-8")
    return folder


def left(folder: Path) -> dict[str, str]:
    """What a study has brought, by file."""
    os.chdir(folder)
    plan = planned(read(Path("study.yaml")), Path("runs/study-study"))
    assert not plan.waiting
    found = {}
    for name in plan.names:
        for path in [
            *Path("runs", name).glob("weights/*.safetensors"),
            *Path("runs", name).glob("evaluation/*/cases.csv"),
        ]:
            found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def killed_to_its_end(folder: Path, most: int, longest: float, chance: random.Random) -> int:
    """So many kills it took, or as many as are left."""
    kills = 0
    while kills < most:
        process = driven(folder, folder / "log")
        try:
            process.wait(timeout=chance.uniform(1, longest))
            return kills
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            print(f"killed {folder.name}", flush=True)
    return kills


def main() -> None:
    chance, home = random.Random(0), Path.cwd()
    with tempfile.TemporaryDirectory() as temporary:
        alone = prepared(Path(temporary) / "alone")
        start = time.perf_counter()
        assert driven(alone, alone / "log").wait() == 0, (alone / "log").read_text()
        whole = time.perf_counter() - start
        wanted, kills, studies = left(alone), 0, 0
        while kills < KILLS:
            folder = prepared(Path(temporary) / f"study {studies}")
            studies += 1
            kills += killed_to_its_end(folder, KILLS - kills, whole / 2, chance)
            assert driven(folder, folder / "log").wait() == 0, (folder / "log").read_text()
            assert left(folder) == wanted, f"after {kills} kills"
        os.chdir(home)
    print(
        f"{kills} kills in {studies} studies; {len(wanted)} files each, equal to those of the one that was left alone"
    )
    save(
        "study_killed",
        {"kills": kills, "studies": studies, "files": len(wanted), "equal": True, "seconds_alone": whole},
    )


if __name__ == "__main__":
    main()
