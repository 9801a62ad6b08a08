"""How many frames a second the default painter paints: an edit, its window, the network, and laying it back.

Mark: 20 frames of 256 px a second on two cores.

    python -m benchmarks.inpaint_speed [--turns 7]
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch

from benchmarks.common import save
from segue.executors.machine import cores
from segue.networks.painter import Painter
from segue.training.machine import MachineSettings, channels_last, keep_memory
from segue.training.machine import resolve as resolve_machine
from segue.training.painting import Painting
from segue.variations import Address, parse

MARK = 20.0
FRAMES, SIDE, WINDOW = 60, 256, 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=7)
    turns = parser.parse_args().turns
    keep_memory()
    painter = Painter(3)
    machine = resolve_machine(MachineSettings(device="cpu"), painter, channels=5, size=(WINDOW, WINDOW))
    if machine.layout == "channels-last":
        channels_last(painter)
    half = machine.precision == "bf16-mixed"
    painting = Painting(painter.eval(), WINDOW, 1, half)
    numbers = np.random.default_rng(0)
    images = numbers.integers(0, 256, (FRAMES, SIDE, SIDE, 3)).astype(np.uint8)
    labels = np.zeros((SIDE, SIDE), np.uint8)
    labels[80:140, 100:170] = 1
    shown = np.ones((SIDE, SIDE), np.bool_)
    key = [Address(0, "benchmark", 0, place, "x") for place in range(FRAMES)]
    edits = parse("paint").draw((SIDE, SIDE), key).parts["edit"]
    painting(images[0], labels, shown, edits[0])
    rates = []
    for _ in range(turns):
        began = time.perf_counter()
        done = [painting(image, labels, shown, edit) for image, edit in zip(images, edits, strict=True)]
        assert all(one is not None for one in done)
        rates.append(FRAMES / (time.perf_counter() - began))
    rate = statistics.median(rates)
    print(
        f"{rate:.1f} frames a second, {torch.get_num_threads()} threads ({machine.precision}, {machine.layout}); mark {MARK:g}"
    )
    save("inpaint_speed", {"mark": MARK, "bf16": half, "frames_per_second": round(rate, 1), "cores": cores(),
                           "threads": torch.get_num_threads()})  # fmt: skip


if __name__ == "__main__":
    main()
