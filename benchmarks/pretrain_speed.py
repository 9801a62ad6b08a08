"""Pre-training images a second against SimCLR with lightly and Lightning: the same encoder, size, batch and list of
augmentations, a process each, in turns. Marks: twice the script with defaults on a processor with bf16 units, 1.33 times on
one without.

    python -m benchmarks.pretrain_speed --lightly PYTHON [--turns 3]

PYTHON has lightly 1.6 and Lightning (benchmarks/peers/README.md); images are kvasir-seg's.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common import machine, save, shared_data, step_ends

MARKS = {True: 2.0, False: 2.0 * 2 / 3}
SIZE, BATCH, STEPS, WARM_UP = 128, 32, 10, 2
CHAIN = (
    "flips + crop(smallest=0.5) + colour(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.05, p=0.9) + blur(p=0.4)"
)
SIDES = ("ours", "default", "best")


def ours(folder: Path) -> dict[str, Any]:
    import segue

    ends, _ = step_ends()
    run = segue.pretrain(
        folder / "dataset", folder / f"run-{os.getpid()}", stores=(str(folder / "store"),), method="simclr", size=SIZE,
        variation=CHAIN, loop={"steps": STEPS, "epoch_steps": STEPS, "batch": BATCH},
    ).run  # fmt: skip
    gaps = [after - before for before, after in itertools.pairwise(ends)][WARM_UP:]
    how = run.config["machine"]
    return {"seconds": gaps, "how": f"{how['precision']}, {how['layout']}, {how['threads']} threads"}


def prepared(folder: Path) -> None:
    import segue

    found = segue.scan(shared_data() / "kvasir-seg", folder / "dataset", name="kvasir").dataset
    assert found is not None
    segue.split(found)
    segue.prepare(found, folder / "store")


def measured(side: str, python: str, folder: Path) -> dict[str, Any]:
    out = folder / "side.json"
    images = str(shared_data() / "kvasir-seg" / "images")
    peer = [
        python, "-m", "benchmarks.peers.simclr_lightly", images, "--size", str(SIZE), "--batch", str(BATCH), "--steps",
        str(STEPS), "--json", str(out),
    ]  # fmt: skip
    own = [sys.executable, "-m", "benchmarks.pretrain_speed", "--ours", str(folder), "--json", str(out)]
    subprocess.run(own if side == "ours" else [*peer, *(["--best"] if side == "best" else [])], check=True)
    found: dict[str, Any] = json.loads(out.read_text())
    return {**found, "images_per_second": BATCH / statistics.median(found["seconds"])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lightly", help="a Python that has it")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--ours", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.ours:
        given.json.write_text(json.dumps(ours(given.ours)))
        return
    if not given.lightly:
        sys.exit("--lightly PYTHON: a Python that has lightly and Lightning (benchmarks/peers/README.md)")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepared(folder)
        turns = [{side: measured(side, given.lightly, folder) for side in SIDES} for _ in range(given.turns)]
    speed = {side: statistics.median(turn[side]["images_per_second"] for turn in turns) for side in SIDES}
    over = {
        side: statistics.median(turn["ours"]["images_per_second"] / turn[side]["images_per_second"] for turn in turns)
        for side in SIDES[1:]
    }
    mark = MARKS["bf16" in json.dumps(machine())]
    save("pretrain_speed", {"images_per_second": speed, "over": over, "mark": mark, "how": turns[0]["ours"]["how"]})
    print(speed, over)


if __name__ == "__main__":
    main()
