"""What a step of consistency costs, against the supervised step of two views that it is held against; and the worst of four
variations, against the passes of its search and that step.

Marks: at most 1.1 times each.

    python -m benchmarks.consistency_speed [--turns 15]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.common import save
from benchmarks.semi_speed import BATCH, SIDE, loop_on
from segue.training.loop import Loop
from segue.training.machine import keep_memory

MARK = 1.1
DRAWS = 4
FORMS: dict[str, dict[str, Any]] = {
    "aligned": {"places": "aligned"},
    "as published": {"places": "published"},
    f"the worst of {DRAWS}": {"draws": DRAWS},
    f"the worst of {DRAWS}, searched for at half size": {"draws": DRAWS, "half": True},
}


def stepping(loop: Loop) -> Callable[[], None]:
    """Its steps with their batches, one after the other."""
    parcels = loop.batches.loader(range(loop.steps), 0)

    def go() -> None:
        loop.one_step([next(parcels)])
        loop.step += 1

    return go


def searching(loop: Loop, side: int) -> Callable[[], None]:
    """The passes of a search on random images, and nothing else."""
    network, precision = loop.method.networks["segmenter"], loop.fabric._precision.forward_context
    images = torch.rand(BATCH, 3, side, side)

    def go() -> None:
        network.eval()
        with torch.no_grad(), precision():
            for _ in range(1 + DRAWS):
                network(images)
        network.train()

    return go


def seconds(what: Callable[[], None]) -> float:
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=15)
    turns = parser.parse_args().turns
    keep_memory()
    rows = {}
    for name, told in FORMS.items():
        with tempfile.TemporaryDirectory() as temporary:
            one, other = Path(temporary) / "one", Path(temporary) / "other"
            loop = loop_on(one, method="consistency", consistency=told)
            steps = stepping(loop)
            against = [stepping(loop_on(other, method="two-view"))]
            if "draws" in told:
                against.append(searching(loop, SIDE // 2 if "half" in told else SIDE))
            taken: list[tuple[float, float]] = []
            for turn in range(turns + 2):
                both = seconds(steps), sum(map(seconds, against))
                if turn > 1:  # kernels are chosen
                    taken.append(both)
        ratio = statistics.median(a / b for a, b in taken)
        own, peer = (statistics.median(each) for each in zip(*taken, strict=True))
        rows[name] = {"ratio": ratio, "step": own, "against": peer}
        print(f"{name}: a step {own:.3f} s, against {peer:.3f} s, {ratio:.2f} times")
    save("consistency_speed", {"mark": MARK, "rows": rows})


if __name__ == "__main__":
    main()
