"""One of several processes that share a contrast: `python -m tests.methods.worker FOLDER SETTINGS`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric

from segue.data.target import Target
from segue.methods import contrast
from segue.methods.contrast import Contrast
from segue.methods.settings import ContrastSettings
from segue.networks import NetworkSettings, build
from segue.networks.pretext import Pretext
from segue.training.batches import Batches
from segue.training.devices import fabric_of
from segue.training.loop import Loop
from segue.training.machine import MachineSettings
from segue.training.orders import Group, Structured
from segue.training.run import Run
from segue.variations import parse
from segue.variations.padding import CONSTANT
from tests.training import small

PARTITIONS, VOLUMES, DATASETS, STEPS = 3, 4, 2, 2
SMALL = NetworkSettings(encoder="tu-mobilenetv3_small_050", depth=3, decoder_channels=(8, 8, 8), norm="group")


def known() -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """24 disks as the slices of eight volumes of two datasets; a patient has one."""
    number = np.arange(DATASETS * VOLUMES * PARTITIONS)
    volume, partition = np.divmod(number, PARTITIONS)
    return np.stack([number, volume, partition, volume // VOLUMES, volume], 1)


def row() -> Structured:
    volumes = [tuple((n + part,) for part in range(PARTITIONS)) for n in range(0, len(known()), PARTITIONS)]
    return Structured((Group(tuple(volumes[:VOLUMES])), Group(tuple(volumes[VOLUMES:]))), PARTITIONS, 2)


def learn(folder: str, several: str) -> None:
    """`several`: settings of one contrast after the other; "alone": as if nobody had asked the others."""
    fabric = fabric_of(MachineSettings(device="cpu", threads=1, precision="32-true"))
    found = {}
    for name, told in json.loads(several).items():
        alone = told.pop("alone", False)
        asking = contrast.gathered
        if alone:
            contrast.gathered = lambda z, rows: (z, rows, 0)
        found[name] = slopes(fabric, ContrastSettings(partitions=PARTITIONS, width=16, **told), Path(folder) / name)
        contrast.gathered = asking
    torch.save(found, Path(folder) / f"learnt-{fabric.world_size}-{fabric.global_rank}.pt")


def slopes(fabric: Fabric, told: ContrastSettings, folder: Path) -> list[torch.Tensor]:
    """The gradient of each step, as the optimiser gets it, and what is remembered at the end."""
    given = small.settings(
        batch=12 // fabric.world_size,
        steps=STEPS,
        epoch_steps=STEPS,
        optimiser="sgd",
        rate=0.01,
        encoder_rate=0.01,
        clip=0,
    )
    torch.manual_seed(4)
    built = build(SMALL, Target(("r", "g", "b"), exclusive=False), 3)
    head = Pretext(built, width=told.width, levels=0, demean=told.demean, datasets=DATASETS, memory=told.memory)
    method = Contrast(head, told, parse("flips + noise"))
    batches = Batches(
        small.examples(), row(), method.views, size=(32, 32), batch=int(given.batch), padding=CONSTANT, known=known(),
        rank=fabric.global_rank, world=fabric.world_size,
    )  # fmt: skip
    folder.mkdir(exist_ok=True)
    (folder / "weights").mkdir(exist_ok=True)
    loop = Loop(method, batches, given, fabric=fabric, run=Run(folder), judge=None, keep=small.keep)
    optimiser, found = loop.optimisers["encoder"], list[torch.Tensor]()
    plain = optimiser.step

    def step() -> None:
        found.append(torch.cat([p.grad.flatten() for p in head.parameters() if p.grad is not None]))
        plain()

    optimiser.step = step  # type: ignore[method-assign, assignment]
    loop._save = lambda: None  # type: ignore[method-assign]
    loop.fit(workers=0)
    return [*found, head.means, *(() if head.memory is None else (head.memory.past.sum(0),))]


if __name__ == "__main__":
    learn(*sys.argv[1:])
