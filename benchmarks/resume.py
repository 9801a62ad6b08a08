"""Fifty SIGKILLs at random moments of a short training: are the final weights those of the undisturbed run?

    python -m benchmarks.resume

A kill may hit anything: the preparation, a step, the writing of a state, a judgement. Prints the sha256 of both.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.common import save
from segue.data.phantoms import PHANTOMS
from segue.data.scanning.scan import scan
from segue.data.splitting.split import SplitSettings, split
from segue.experiment.train import train
from segue.training.run import Run

KILLS = 50
SETTINGS: dict[str, Any] = {
    "network": {"encoder": "tu-mobilenetv3_small_050", "depth": 4, "decoder_channels": (32, 16, 16, 8)},
    "size": (96, 128),
    "loop": {"steps": 240, "epoch_steps": 20, "batch": 8, "average": 0.99, "patience": 100, "save_minutes": 0.05},
    # What a probe finds may differ from one start to the next; the run that goes on takes what the first has found.
    "machine": {"device": "cpu", "threads": 1, "precision": "32-true", "layout": "channels-last"},
}


def start(work: Callable[[], object]) -> int:
    """A child process. This one never computes anything itself, so that it has no threads that a child would miss."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return child


def waited(work: Callable[[], object]) -> None:
    _, status = os.waitpid(start(work), 0)
    assert status == 0


def prepared(folder: Path) -> None:
    PHANTOMS["colon"].make(folder / "images", patients=16, sites=["north"])
    scan(folder / "images", folder / "dataset", name="phantoms")
    split(folder / "dataset", settings=SplitSettings(test=0.2, validation=0.2))


def trained(folder: Path, out: str) -> None:
    os.chdir(folder)
    train("dataset", out, **SETTINGS)


def digests(run: Path) -> dict[str, str]:
    return {
        name: hashlib.sha256((run / "weights" / f"{name}.safetensors").read_bytes()).hexdigest()
        for name in ("best", "last")
    }


def main() -> None:
    draw = random.Random(0)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        waited(lambda: prepared(folder))
        began = time.perf_counter()
        waited(lambda: trained(folder, "whole"))
        whole = time.perf_counter() - began
        print(f"undisturbed: {whole:.1f} s", flush=True)
        kills, steps = 0, []
        while kills < KILLS:
            child = start(lambda: trained(folder, "torn"))
            # Short lives at first, so that some end before the first step; all in all the run gets on.
            life = draw.uniform(0.0, 0.12 * whole if kills % 2 else 0.03 * whole)
            time.sleep(life)
            if os.waitpid(child, os.WNOHANG)[0]:
                break  # it was faster than all the killing
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            kills += 1
            steps.append(
                sum(line["step"] > 0 for line in Run(folder / "torn").metrics()) if (folder / "torn").exists() else 0
            )
            print(f"\rkilled {kills} times, {steps[-1]} epochs done ", end="", flush=True)
        waited(lambda: trained(folder, "torn"))
        one, other = digests(folder / "whole"), digests(folder / "torn")
        print(f"\nundisturbed: {one}\nkilled {kills} times: {other}\n{'equal' if one == other else 'NOT EQUAL'}")
        save(
            "resume",
            {"kills": kills, "epochs_after_each_kill": steps, "whole": one, "torn": other, "equal": one == other},
        )
        assert one == other


if __name__ == "__main__":
    main()
