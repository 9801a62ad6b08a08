"""One of several processes that share a batch: `python -m tests.training.worker FOLDER METHOD [unsynchronised]`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from segue.training.devices import fabric_of
from segue.training.loop import Loop
from segue.training.machine import MachineSettings
from segue.training.run import Run
from tests.training import small


def learn(folder: str, name: str, *how: str) -> None:
    fabric = fabric_of(MachineSettings(device="cpu", threads=1, precision="32-true"))
    each = 8 // fabric.world_size
    given = small.settings(batch=each, steps=4, rate=1e-2, encoder_rate=1e-2)
    made = small.method(name, norm=False)
    for module in made.networks["segmenter"].modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    run = Run(Path(folder))
    loop = Loop(
        made, small.batches(given, made, rank=fabric.global_rank, world=fabric.world_size), given,
        fabric=fabric, run=run, judge=small.norm_of_weights, keep=small.keep,
    )  # fmt: skip
    if how:
        network = loop.method.networks["segmenter"]

        @contextmanager
        def never(last: bool) -> Iterator[None]:
            with fabric.no_backward_sync(network):
                yield

        loop._synchronised = never  # type: ignore[method-assign]
    loop.fit(workers=0)
    weights = torch.cat([p.detach().flatten() for p in loop.plain["segmenter"].parameters()])
    torch.save(weights, Path(folder) / f"weights-{fabric.global_rank}.pt")


if __name__ == "__main__":
    learn(*sys.argv[1:])
