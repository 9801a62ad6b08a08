"""From bare files to the first honest number: hippocampus scanned, split, prepared, learnt for some minutes, and the held-back
volumes judged whole. Each step by the clock.

    python -m benchmarks.first_dice [--minutes 3]

nnU-Net tells no Dice of whole volumes before it has trained to its end; its first epoch alone is 250 iterations, whose time
`nnunet_speed` measures.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import segue
from benchmarks.common import save, shared_data
from benchmarks.volumes import EVERY
from segue.experiment.settings import EvaluateSettings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3)
    given = parser.parse_args()
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        asked: dict[str, Any] = {**EVERY["hippocampus-patches"].settings, "loop": {"batch": 2, "average": 0.99}}
        start = time.perf_counter()
        segue.scan(shared_data() / "msd" / "Task04_Hippocampus", folder / "dataset", name="hippocampus")
        segue.split(folder / "dataset")
        seconds["scan and split"] = time.perf_counter() - start
        store = segue.prepare(folder / "dataset", folder / "store").target
        seconds["prepare"] = time.perf_counter() - start - sum(seconds.values())
        run = segue.train(
            folder / "dataset",
            folder / "run",
            stores=(str(store),),
            minutes=given.minutes,
            progress=True,
            say=print,
            **asked,
        ).run
        seconds["train"] = time.perf_counter() - start - sum(seconds.values())
        test = EvaluateSettings(part="test")
        found = segue.evaluate(run.folder, folder / "dataset", settings=test).sets[0]
        seconds["judge"] = time.perf_counter() - start - sum(seconds.values())
    dice = {one.class_name: one.means["dice"] for one in found.summaries}
    cases = len({row.case for row in found.table})
    save("first_dice", {"seconds": seconds, "dice": dice, "cases": cases, "steps": run.about["steps"]})


if __name__ == "__main__":
    main()
